"""Texts as numbers of their words, made once for every look at words: near duplicates, drift, words that give a label away.

A term is a word as `words.py` has it (a character where a script sets no blanks), without case; signs are terms too, and
so is an emoticon such as [泪] as a whole, because it can tell more than a word.
"""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from superfine.records import IntArray, Ragged

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

WITHOUT_BLANKS = (
    "\u0e00-\u109f\u1780-\u17ff\u1b00-\u1b7f\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua980-\ua9df"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Blocks of scripts that set no blanks between words: Thai, Lao, Tibetan, Myanmar, Khmer, Balinese, kana, Han, Yi, Javanese."""
TERM = re.compile(rf"\[[^\[\]\s]{{1,8}}\]|[{WITHOUT_BLANKS}]|[^\W{WITHOUT_BLANKS}]+|[^\w\s]")
EVERY = 10_000


class TermIndex:
    """Gives terms numbers, in the order in which they occur first."""

    def __init__(self) -> None:
        self._number: defaultdict[str, int] = defaultdict(count().__next__)

    def number(self, texts: Iterable[str], on_rows: Callable[[int], None] = lambda n: None) -> Ragged:
        """The (m,) int32 terms of each text, in its order. texts: without case. on_rows is called with how many more are done."""
        numbers, lengths = array("i"), array("q")
        number, find = self._number.__getitem__, TERM.findall
        for i, text in enumerate(texts, 1):
            found = find(text)
            numbers.extend(map(number, found))
            lengths.append(len(found))
            if not i % EVERY:
                on_rows(EVERY)
        on_rows(len(lengths) % EVERY)
        return Ragged.of_lengths(np.frombuffer(numbers, dtype=np.int32), np.frombuffer(lengths, dtype=np.int64))

    @property
    def names(self) -> list[str]:
        """Of the numbers."""
        return list(self._number)

    def __len__(self) -> int:
        return len(self._number)


def pairs_of(terms: Ragged) -> tuple[IntArray, IntArray]:
    """(m,) the places of all terms but the last of each text, each the first of a pair of neighbours; and their rows."""
    rows = terms.row_of_value
    first = np.flatnonzero(rows[:-1] == rows[1:])
    return first, rows[first]


def binary_counts(parts: Sequence[Ragged], n_terms: int) -> csr_matrix:
    """(n, n_terms) which terms stand in each text of the parts, in rows of length 1."""
    from scipy.sparse import csr_matrix
    from sklearn.preprocessing import normalize

    starts = np.concatenate([[0], np.cumsum(np.concatenate([part.lengths for part in parts]))])
    values = np.concatenate([part.values for part in parts])
    matrix = csr_matrix((np.ones(len(values), dtype=np.float32), values, starts), shape=(len(starts) - 1, n_terms))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return normalize(matrix)


def written(names: Sequence[str], terms: Sequence[int]) -> str:
    """Terms as they stand beside each other in a text."""
    text = ""
    for name in (names[term] for term in terms):
        apart = text[-1:].isalnum() and name[:1].isalnum() and not re.search(rf"[{WITHOUT_BLANKS}]", text[-1:] + name[:1])
        text += f" {name}" if apart else name
    return text
