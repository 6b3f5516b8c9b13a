"""Exact match and F1 of answers that are taken out of a text, as the official scripts count them.

Texts with blanks between words: SQuAD (Rajpurkar et al. 2016; 2018 for questions without an answer). Lower case, without
punctuation and articles; F1 is over words. Scripts without blanks: CMRC 2018 (Cui et al. 2019). Without punctuation; F1 is over
the longest common run of characters, in which a word of Latin letters counts as one.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

_RANGES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Thai, Lao, Burmese, Khmer, Japanese, Chinese: scripts without blanks between words."""
UNSPACED = re.compile(f"[{_RANGES}]")
SEGMENT = re.compile(f"[{_RANGES}]|[^\\W{_RANGES}]+")
ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
FEWEST_SHARE = 0.2
"""Of the characters of a text, from which on it is counted by characters."""


def counts_by_characters(context: str) -> bool:
    """Whether a context is of a script without blanks between words."""
    some = "".join(context[:2000].split())
    return len(UNSPACED.findall(some)) > FEWEST_SHARE * max(1, len(some))


@lru_cache(maxsize=100_000)
def words(text: str) -> tuple[str, ...]:
    """The words that SQuAD's script compares."""
    return tuple(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


@lru_cache(maxsize=100_000)
def segments(text: str) -> tuple[str, ...]:
    """What CMRC's script compares: characters, and words of other scripts, without punctuation."""
    plain = "".join(" " if unicodedata.category(c)[0] in "PS" and not c.isalnum() else c for c in text.lower())
    return tuple(SEGMENT.findall(plain))


def score_answer(said: str, golds: Sequence[str], *, by_characters: bool) -> tuple[float, float]:
    """Exact match and F1, 0 to 1 each, with the best of the true answers; none at all means that there is no answer."""
    if not golds or not said:
        right = float(not golds and not said)
        return right, right
    split = segments if by_characters else words
    mine = split(said)
    pairs = [(mine, split(gold)) for gold in golds]
    exact = max(float(a == b) for a, b in pairs)
    return exact, max(_f1(a, b, _longest_run(a, b) if by_characters else _shared(a, b)) for a, b in pairs)


def _f1(said: Sequence[str], true: Sequence[str], n_shared: int) -> float:
    if not said or not true:
        return float(said == true)
    return 2 * n_shared / (len(said) + len(true))


def _shared(said: Sequence[str], true: Sequence[str]) -> int:
    """How many words both have, each as often as the one that has it less often."""
    return sum((Counter(said) & Counter(true)).values())


def _longest_run(said: Sequence[str], true: Sequence[str]) -> int:
    """The length of the longest run of segments that both have."""
    longest, before = 0, [0] * (len(true) + 1)
    for a in said:
        row = [0] * (len(true) + 1)
        for j, b in enumerate(true, start=1):
            if a == b:
                row[j] = before[j - 1] + 1
        longest, before = max(longest, *row), row
    return longest
