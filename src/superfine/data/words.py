"""Where the words of raw texts begin and end.

A word is a run of letters and digits. Every other sign stands alone, and so does every character of a script that sets no blanks
between words: Chinese, Japanese, Thai and their neighbours. Marks belong to what they stand on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from superfine.data.scripts import HAN, script_of
from superfine.records import IntArray, Ragged

WITHOUT_BLANKS = {HAN, "Japanese kana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Javanese", "Balinese", "Yi"}
BLANK, LETTER, ALONE, MARK = range(4)
JOINERS = {0x200D, 0xFE0E, 0xFE0F}
"""Zero width joiner and variation selectors, as emoji have them."""
SKIN_TONES = range(0x1F3FB, 0x1F400)


def words_of(texts: Sequence[str]) -> Ragged:
    """The (m, 2) int64 places of the words of each text: start and end, in its characters."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(lengths)])
    kinds = _kinds("".join(texts))
    is_start_of_text = np.zeros(len(kinds), dtype=bool)
    is_start_of_text[first[:-1][lengths > 0]] = True
    before = np.concatenate([[BLANK], kinds[:-1]]) if len(kinds) else kinds
    # What a mark stands on goes on under it: a letter after it is of the same word.
    carried = _carried(kinds, is_start_of_text)
    carried_before = np.concatenate([[BLANK], carried[:-1]]) if len(kinds) else carried
    begins = (kinds == ALONE) | ((kinds == LETTER) & (carried_before != LETTER))
    begins |= (kinds == MARK) & (before == BLANK)
    begins |= is_start_of_text & (kinds != BLANK)
    starts = np.flatnonzero(begins)
    stop = np.append(starts, len(kinds))[1:]
    text = np.searchsorted(first, starts, side="right") - 1
    # A word ends where the next begins, or a blank or the text's end comes.
    blanks = np.append(np.flatnonzero(kinds == BLANK), len(kinds))
    ends = np.minimum.reduce([stop, blanks[np.searchsorted(blanks, starts)], first[1:][text]])
    places = np.stack([starts - first[text], ends - first[text]], axis=1)
    return Ragged.of_lengths(places, np.bincount(text, minlength=len(texts)))


def _carried(kinds: NDArray[np.int8], is_start_of_text: NDArray[np.bool_]) -> NDArray[np.int8]:
    """The kinds, a mark's being that of what it stands on."""
    places = np.where((kinds == MARK) & ~is_start_of_text, 0, np.arange(len(kinds)))
    return kinds[np.maximum.accumulate(places)] if len(kinds) else kinds


def _kinds(text: str) -> NDArray[np.int8]:
    """(characters,) the kind of each."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    different, place = np.unique(codes, return_inverse=True)
    return np.array([_kind(int(code)) for code in different], dtype=np.int8)[place]


@cache
def _kind(code: int) -> int:
    character = chr(code)
    if code in JOINERS or code in SKIN_TONES or unicodedata.category(character).startswith("M"):
        return MARK
    if character.isspace() or unicodedata.category(character) in {"Cc", "Cf", "Zs", "Zl", "Zp"}:
        return BLANK
    if not character.isalnum():
        return ALONE
    return ALONE if script_of(character) in WITHOUT_BLANKS else LETTER


def word_of_tokens(words: Ragged, offsets: IntArray, text: IntArray) -> IntArray:
    """(t,) the word, counted through `words`, in which each token begins; -1 for tokens without a place.

    offsets: (t, 2) as in `Encoded`. text: (t,) the text that each token is of.
    """
    size = int(max(words.values.max(initial=0), offsets.max(initial=0))) + 1
    keys = words.row_of_value * size + words.values[:, 0]
    found = np.searchsorted(keys, text * size + offsets[:, 0], side="right") - 1
    inside = (found >= 0) & (offsets[:, 1] > offsets[:, 0])
    safe = found.clip(0)
    if not len(keys):
        return np.full(len(offsets), -1, dtype=np.int64)
    inside &= (words.row_of_value[safe] == text) & (offsets[:, 0] < words.values[safe, 1])
    return np.where(inside, found, -1)
