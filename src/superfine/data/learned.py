"""Which texts a run has learned from, kept as hashes: a score on them is no score, whatever file they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from superfine.data.clean import same_text_keys
from superfine.errors import ModelError
from superfine.records import Examples

LEARNED = "learned.npy"
"""In the folder of a run: eight bytes for each text, from which nobody reads the text."""


class LearnedTexts:
    """The hashes (m,) uint64 of texts, ascending; texts that differ only in case, white space and markup are one."""

    def __init__(self, hashes: NDArray[np.uint64]) -> None:
        self.hashes = hashes

    @classmethod
    def of_examples(cls, parts: Sequence[Examples]) -> Self:
        """Of all texts in these parts."""
        return cls(np.unique(np.concatenate([_hashes(part) for part in parts])))

    @classmethod
    def of_run(cls, folder: Path) -> Self:
        """Of the run in this folder, or of the one whose `model/`, baseline or export it is; none where nothing is kept.

        Raises ModelError for a file that cannot be read.
        """
        parent = folder.resolve().parent
        path = next((home / LEARNED for home in (folder, parent, parent.parent) if (home / LEARNED).is_file()), None)
        if path is None:
            return cls(np.zeros(0, dtype=np.uint64))
        try:
            return cls(np.load(path, allow_pickle=False).astype(np.uint64))
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be read: {error}", "Copy the run again, or remove the file.") from None

    def save(self, path: Path) -> None:
        np.save(path, self.hashes)

    def holds(self, examples: Examples) -> NDArray[np.bool_]:
        """(n,) which of the examples are among the texts."""
        return np.isin(_hashes(examples), self.hashes) if len(self.hashes) else np.zeros(len(examples), dtype=bool)


def _hashes(examples: Examples) -> NDArray[np.uint64]:
    """(n,)"""
    keys = same_text_keys(examples.text, examples.text_pair)
    digests = (hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest() for key in keys)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
