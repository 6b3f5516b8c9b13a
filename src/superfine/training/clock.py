"""Time: how much a run may take, how long it will take, and when the user wants it to end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Literal

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The signals that ask a run to end; Windows has no SIGHUP."""
StopReason = Literal["interrupted", "time_limit", "out_of_memory"]


@dataclass
class Clock:
    """When training must end. `deadline` is on `time.monotonic`'s scale; None is never."""

    deadline: float | None = None
    interrupted: bool = False
    started: float = field(default_factory=time.monotonic)

    def stop_reason(self) -> StopReason | None:
        """Why to stop now, or None to go on."""
        if self.interrupted:
            return "interrupted"
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return "time_limit"
        return None

    def spent_share(self) -> float:
        """The share (0 to 1) of the time for training that is gone; 0 without a deadline."""
        if self.deadline is None:
            return 0.0
        whole = self.deadline - self.started
        return 1.0 if whole <= 0 else min(1.0, (time.monotonic() - self.started) / whole)

    @contextmanager
    def listening(self, on_interrupt: Callable[[], None] | None = None) -> Iterator[None]:
        """Inside, the first Ctrl-C (or SIGTERM, or SIGHUP) asks for an orderly end; the second one does what it did before."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def first_time(_signum: int, _frame: FrameType | None) -> None:
            self.interrupted = True
            restore()
            if on_interrupt is not None:
                on_interrupt()

        def restore() -> None:
            for signum, handler in previous.items():
                signal.signal(signum, handler)

        previous = {signum: signal.signal(signum, first_time) for signum in ENDING}
        try:
            yield
        finally:
            restore()
