"""Files that are there whole or not at all: written beside their place under a name of their own, synced, and then moved
there."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PREFIX = ".superfine-"


def temporary_beside(path: Path) -> Path:
    """A name in the same folder that nobody else uses, short enough where that of `path` is as long as names may be."""
    return path.with_name(f"{PREFIX}{secrets.token_hex(8)}")


@contextmanager
def open_whole(path: Path, encoding: str = "utf-8", newline: str | None = None, errors: str | None = None) -> Iterator[IO[str]]:
    """A text file to write, which takes the place of `path` when all went well. A link stays, and so does the mode of what it
    replaces."""
    place = Path(os.path.realpath(path))
    fresh = temporary_beside(place)
    try:
        # Made by name, not by tempfile, whose files nobody else may read: the user's umask decides.
        with open(fresh, "x", encoding=encoding, newline=newline, errors=errors) as stream:
            if place.exists():
                with suppress(OSError):
                    shutil.copymode(place, fresh)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(place)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(place.parent)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with open_whole(path) as stream:
        stream.write(text)


def sync_files(folder: Path) -> None:
    """Have the system write every file of a folder and below to the disk, so that a name that is moved over them promises
    something."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with open(path, "rb+") as stream:
                os.fsync(stream.fileno())
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """The same for the names in it. Only POSIX can open a folder."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """A file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def usual_mode(folder: Path) -> int:
    """The mode that a new file gets here, by the user's umask."""
    probe = temporary_beside(folder / "probe")
    with open(probe, "x", encoding="utf-8"):
        mode = probe.stat().st_mode & 0o777
    probe.unlink()
    return mode


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal: whether it is still what was written."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
