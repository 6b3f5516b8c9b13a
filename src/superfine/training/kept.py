"""Where the weights of the best epoch wait for the end: in memory, or in a file where they are many."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from superfine.data.token_cache import cache_folder

LARGE = 300_000_000
"""Bytes from which on they wait in a file, which the system forgets with the process."""


class Kept(dict[str, Tensor]):
    """Tensors by name, float32, of these shapes, to be written and read as any others."""

    def __init__(self, shapes: Mapping[str, Sequence[int]], large: int = LARGE) -> None:
        lengths = [math.prod(shape) for shape in shapes.values()]
        self._file = _file(4 * sum(lengths)) if 4 * sum(lengths) >= large else None
        if self._file is None:
            super().__init__({name: torch.empty(tuple(shape)) for name, shape in shapes.items()})
            return
        whole = torch.from_numpy(np.frombuffer(self._file, dtype=np.float32))
        parts = torch.split(whole, lengths)
        super().__init__({name: part.view(tuple(shape)) for (name, shape), part in zip(shapes.items(), parts, strict=True)})

    def put(self, name: str, value: Tensor) -> None:
        """Take over the values of a tensor. What lies in a file does not count as memory of the process any more."""
        with torch.no_grad():
            self[name].copy_(value)
        if self._file is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._file.madvise(mmap.MADV_DONTNEED)


def _file(size: int) -> mmap.mmap | None:
    """A file of so many bytes without a name, in the user's cache; None where there is no room for it."""
    try:
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.truncate(size)
            if hasattr(os, "posix_fallocate"):  # a disk that is full is told here, and not by a signal later
                os.posix_fallocate(file.fileno(), 0, size)
            return mmap.mmap(file.fileno(), size)
    except OSError:
        return None
