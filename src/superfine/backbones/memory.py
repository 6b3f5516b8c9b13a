"""Memory that is freed in one step is used again in the next, instead of going back to the system.

glibc gives large blocks back as soon as they are freed, and the system fills every page with zeros when it hands it out again.
A step frees and takes hundreds of megabytes: attention over 256 tokens took twice as long for it, a step on short texts a fifth
longer (docs/explanation/speed.md).
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

# Parameters of mallopt(3). glibc raises its thresholds by itself as large blocks are freed, until somebody sets one: so what is
# left behind is where it stops by itself (32 MiB, and twice that), not where it begins.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEEP = {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: (1 << 31) - 1, M_TOP_PAD: 128 << 20}
LEAVE = {M_MMAP_THRESHOLD: 32 << 20, M_TRIM_THRESHOLD: 64 << 20, M_TOP_PAD: 128 << 10}


class _Users:
    """How many are inside."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n = 0


_users = _Users()


@contextmanager
def reuse_freed_memory() -> Iterator[None]:
    """Inside, memory freed on the CPU stays with the process; at the end it goes back. Does nothing but with glibc.

    May be entered again inside, and by several threads: the last to leave gives the memory back.
    """
    with _users.lock:
        _users.n += 1
        if _users.n == 1:
            _set(KEEP)
    try:
        yield
    finally:
        with _users.lock:
            _users.n -= 1
            if _users.n == 0:
                _set(LEAVE)
                give_back()


def give_back() -> None:
    """Let the system have what is free. Reading a tokenizer of a hundred languages leaves a hundred megabytes behind."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


def _set(options: dict[int, int]) -> None:
    if (library := _glibc()) is not None:
        for name, value in options.items():
            library.mallopt(name, value)


@cache
def _glibc() -> Any | None:
    """The C library, where it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if hasattr(library, "mallopt") and hasattr(library, "gnu_get_libc_version") else None
    except OSError:
        return None
