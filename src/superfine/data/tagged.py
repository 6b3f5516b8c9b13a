"""Words with tags made texts with marked spans.

Tags of every usual scheme are read: IO, IOB1, IOB2 (BIO), BIOES, BILOU, BMEWO (Ramshaw and Marcus 1995, Ratinov and Roth
2009). Words are joined by blanks, Chinese ones and single characters without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from superfine.data.scripts import HAN, script_of

TAG = re.compile(r"([BIESLUMW])[-_](\S+)|O")
BEGIN, GO_ON, END, WHOLE = set("B"), set("IM"), set("EL"), set("SUW")
SINGLE = 0.9
"""So many words must be single characters, for texts to be taken for cut into characters."""


class MarkedTexts(NamedTuple):
    """texts, and of each the spans with `start`, `end` and `label`. n_repaired: spans that had no beginning."""

    texts: list[str]
    spans: list[list[dict[str, Any]]]
    n_repaired: int


def marked_texts(words: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> MarkedTexts:
    """The texts of these words (n rows of them), and what their tags mark. Scheme and spacing are told by all rows together."""
    n_words = sum(map(len, words))
    by_character = sum(len(word) == 1 for row in words for word in row) >= SINGLE * n_words
    is_iob1 = _is_iob1(tags)
    texts, spans, n_repaired = [], [], 0
    for row, marks in zip(words, tags, strict=True):
        text, places = _joined(row, by_character=by_character)
        found, repaired = _spans(marks, is_iob1=is_iob1)
        n_repaired += repaired
        texts.append(text)
        spans.append([{"start": places[a][0], "end": places[b][1], "label": label} for a, b, label in found])
    return MarkedTexts(texts, spans, n_repaired)


def text_of_words(words: Sequence[str], tags: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """One text and its spans."""
    found = marked_texts([words], [tags])
    return found.texts[0], found.spans[0]


def _parts(tag: str) -> tuple[str, str]:
    """Position and type: `("B", "person")`; `("O", "")`; a tag without position is inside."""
    found = TAG.fullmatch(tag)
    if found is None:
        return "I", tag
    return (found[1], found[2]) if found[1] else ("O", "")


def _is_iob1(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a span usually begins with an I: no B stands after anything but a span of its own type."""
    for tags in rows:
        before = ("O", "")
        for tag in map(_parts, tags):
            if tag[0] in BEGIN | WHOLE and (before[0] == "O" or before[1] != tag[1]):
                return False
            before = tag
    return True


def _spans(tags: Sequence[str], *, is_iob1: bool) -> tuple[list[tuple[int, int, str]], int]:
    """First word, last word and type of each span, and how many of them had no beginning."""
    found: list[tuple[int, int, str]] = []
    repaired, is_open = 0, False
    for i, (position, label) in enumerate(map(_parts, tags)):
        if position == "O":
            is_open = False
            continue
        goes_on = is_open and position in GO_ON | END and found[-1][2] == label
        if goes_on:
            found[-1] = (found[-1][0], i, label)
        else:
            repaired += position in GO_ON | END and not is_iob1
            found.append((i, i, label))
        is_open = position not in END | WHOLE
    return found, repaired


def _joined(words: Sequence[str], *, by_character: bool) -> tuple[str, list[tuple[int, int]]]:
    """The text of a sentence, and start and end of each word in it."""
    text, places = "", []
    for word in words:
        together = by_character or (text and _sets_no_blanks(text[-1]) and _sets_no_blanks(word[0]))
        text += "" if together or not text else " "
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


def _sets_no_blanks(character: str) -> bool:
    return script_of(character) in (HAN, "Japanese kana") or character in "，。！？；：、“”（）《》"
