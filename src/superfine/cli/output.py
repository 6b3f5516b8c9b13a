"""What commands print: results on standard output, everything else on standard error in the user's language."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from superfine.cli.help import speaking
from superfine.errors import OutputError
from superfine.language import printable, translate

if TYPE_CHECKING:
    from superfine.data.table import BadRow

EXIT_NO = 1
"""Exit status of what is done, and the answer is no."""


def tell(message: str) -> None:
    """One line or more on standard error, in the user's language."""
    click.echo(printable(translate(message, speaking.get())), err=True)


def tell_reading(notes: Sequence[str], bad_rows: Sequence[BadRow]) -> None:
    """Choices made in reading, and the records left out, on standard error."""
    for note in notes:
        tell(note)
    for bad in bad_rows:
        tell(f"Left out: {bad.source} row {bad.row} (line {bad.line}) {bad.reason}")


def write_utf8() -> None:
    """Standard output is UTF-8 where it is no terminal, and never breaks off at a character that its encoding lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=None if sys.stdout.isatty() else "utf-8", errors="backslashreplace")


def end_orderly() -> None:
    """SIGTERM and SIGHUP are what Ctrl-C is, so that nothing is left half-written."""

    def interrupt(_signum: int, _frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            signum = getattr(signal, name, None)
            if signum is not None and signal.getsignal(signum) == signal.SIG_DFL:
                signal.signal(signum, interrupt)


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on standard output."""
    # In a JSON string `\\u202e` is the character that it stands for.
    to_standard_output(lambda: click.echo(printable(json.dumps(document, ensure_ascii=False, indent=2))))


class PrintableStream(io.TextIOBase):
    """Standard output for data of others: what reaches a terminal is printable; a file or a pipe gets it as it is."""

    def write(self, text: str) -> int:
        return sys.stdout.write(printable(text) if sys.stdout.isatty() else text)


def to_standard_output(write: Callable[[], None]) -> None:
    """Write, and take it calmly when the reader goes away, as `head` does."""
    if sys.stdout is None:
        raise OutputError("Standard output is closed.", "Leave it open, or name a file with --out.")
    try:
        write()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output once more at its end, so it must lead somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(f"Standard output cannot be written: {error.strerror}.", "Name a file with --out.") from None
