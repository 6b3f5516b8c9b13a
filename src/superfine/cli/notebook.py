"""What a notebook shows of a run: one output that is drawn again as things happen, without widgets."""

from __future__ import annotations

import io
import sys
import time
import warnings
from html import escape
from typing import Any

from rich.console import Console

from superfine.cli.console import ConsoleReporter

SECONDS_BETWEEN = 0.5
"""The output is drawn again at most this often, but for what stays."""
WIDTH = 110


def is_notebook() -> bool:
    """Whether this is a kernel of a notebook, and not a shell or a program."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and hasattr(shell, "kernel")


class _Drawn(io.StringIO):
    """A text that shows itself whenever something was added."""

    def __init__(self, draw: Any) -> None:
        super().__init__()
        self._draw = draw

    def flush(self) -> None:
        self._draw()


class NotebookReporter(ConsoleReporter):
    """Draws all that was told as one text, with what happens at the moment as its last line."""

    def __init__(self, language: str = "en") -> None:
        super().__init__(language)
        from IPython.display import display

        # Libraries below look for widgets to draw bars with that are not shown.
        warnings.filterwarnings("ignore", message="IProgress not found")
        self._live, self._drawn = "", 0.0
        self._text = _Drawn(self._redraw)
        self.console = Console(file=self._text, highlight=False, soft_wrap=True, width=WIDTH, force_jupyter=False, no_color=True)
        self._output = display(self._html(), display_id=True)

    def _html(self) -> Any:
        from IPython.display import HTML

        lines = [line for line in self._text.getvalue().splitlines() if line.strip()] + ([self._live] if self._live else [])
        return HTML(f'<pre style="line-height:1.3;white-space:pre-wrap">{escape(chr(10).join(lines))}</pre>')

    def _redraw(self) -> None:
        self._drawn = time.monotonic()
        if self._output is not None:
            self._output.update(self._html())

    def _tell_live(self, line: str) -> None:
        """Show a line until something else is told."""
        self._live = f"  {self._in_language(line)}"
        if time.monotonic() - self._drawn >= SECONDS_BETWEEN:
            self._redraw()

    def progress(self, done: int, total: int) -> None:
        if done < total:
            self._tell_live(f"{100 * done // max(1, total)} %")
        else:
            self.progress_ends()

    def progress_ends(self) -> None:
        self._live = ""
        self._redraw()

    def on_step(self, step: int, n_steps: int, loss: float, texts: int, tokens: int) -> None:
        self._tell_live(f"step {step}/{n_steps}  {self._described(step, n_steps, loss, texts)}")

    def training_ends(self) -> None:
        self._live = ""
        self._redraw()
