"""Words with tags made texts with marked spans.

Tags of every usual scheme are read: IO, IOB1, IOB2 (BIO), BIOES, BILOU, BMEWO (Ramshaw and Marcus 1995, Ratinov and Roth
2009). Words are joined by blanks, Chinese ones and single characters without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from superfine.data.scripts import HAN, script_of

TAG = re.compile(r"([BIESLUMWbieslumw])[-_](\S.*)")
OUTSIDE = ("O", "o")
BARE = re.compile(r"[BIESLUMWbieslumw][-_]?")
UNKNOWN = re.compile(r"[A-Za-z][-_]\S.*")
SEVERAL = re.compile(r"[|,;][BIESLUMWbieslumw][-_]")
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


def is_tag(text: str) -> bool:
    """Whether this is O, or a position and a type."""
    return text in OUTSIDE or TAG.fullmatch(text) is not None


def what_is_no_tag(tags: Iterable[str]) -> tuple[str, str] | None:
    """The first tag that cannot be read, and why; None where all can be.

    Either every tag but O has a position and a type, as `B-person`, or none has a position and each is a type.
    """
    different = list(dict.fromkeys(tags))
    marks = [tag for tag in different if tag not in OUTSIDE]
    with_position = [tag for tag in marks if TAG.fullmatch(tag)]
    for tag in marks:
        if BARE.fullmatch(tag):
            return tag, "has no type"
        if TAG.fullmatch(tag) is None and UNKNOWN.fullmatch(tag):
            return tag, f"begins with {tag[0]}, which is no position: B, I, E, S, L, U, M and W are"
        if tag not in with_position and with_position:
            return tag, f"has no position, and others have one, such as {with_position[0]}"
        if (found := TAG.fullmatch(tag)) is not None and SEVERAL.search(found[2]):
            return tag, "names several spans, and a word can be in one alone"
    if marks and not with_position and not any(tag in OUTSIDE for tag in different):
        return marks[0], "has no position, and no tag is O"
    return None


def _parts(tag: str) -> tuple[str, str]:
    """Position and type: `("B", "person")`; `("O", "")`; a tag without position is inside."""
    if tag in OUTSIDE:
        return "O", ""
    found = TAG.fullmatch(tag)
    return ("I", tag) if found is None else (found[1].upper(), found[2])


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
        together = by_character or (text and word and _sets_no_blanks(text[-1]) and _sets_no_blanks(word[0]))
        text += "" if together or not text else " "
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


def _sets_no_blanks(character: str) -> bool:
    return script_of(character) in (HAN, "Japanese kana") or character in "，。！？；：、“”（）《》"
