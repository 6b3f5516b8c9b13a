"""Labels that are answers taken out of a text, in every usual way to write them, found in their contexts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

TEXTS, STARTS = ("text", "answer", "answers", "answer_text"), ("answer_start", "start", "start_char", "char_start")
"""How data sets name an answer and the character at which it begins."""


class Given(NamedTuple):
    """An answer as a label gives it. start: the character of the context at which it should begin, or None."""

    text: str
    start: int | None


class Found(NamedTuple):
    """An answer in its context. start: None where it does not stand there. n_places: how often it does. moved: whether it does
    not begin where the label says."""

    text: str
    start: int | None
    n_places: int
    moved: bool

    @property
    def end(self) -> int:
        return (self.start or 0) + len(self.text)


@lru_cache(maxsize=200_000)
def given_answers(cell: str) -> tuple[Given, ...]:
    """The answers in a cell: its text; a JSON list of texts or of objects with `text` and `answer_start`; an object of lists of
    these; or an object with the cells of several columns. None for an empty one."""
    cell = cell.strip()
    if not cell:
        return ()
    if cell[0] in "[{":
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError):
            return (Given(cell, None),)
        found = list(_of_value(value))
        if all(answer is not None for answer in found):
            return tuple(dict.fromkeys(answer for answer in found if answer is not None and answer.text))
    return (Given(cell, None),)


def _of_value(value: Any) -> Iterator[Given | None]:
    """Each answer, or None for what is none."""
    if isinstance(value, list):
        for one in value:
            yield from _of_value(one)
    elif isinstance(value, str):
        yield Given(value.strip(), None)
    elif isinstance(value, dict):
        yield from _of_object(value)
    else:
        yield None


def _of_object(value: Mapping[str, Any]) -> Iterator[Given | None]:
    texts, starts = (
        next((_unpacked(value[name]) for name in value if name.casefold().rpartition(".")[2] in names), None)
        for names in (TEXTS, STARTS)
    )
    if texts is None and not value:
        return
    if texts is None:  # cells of columns with names of their own: that of the start holds numbers
        rest = [_unpacked(one) for name, one in value.items() if name.casefold().rpartition(".")[2] not in STARTS]
        texts = rest[0] if len(rest) == 1 else None
    if isinstance(texts, list) and any(not isinstance(text, str) for text in texts):
        yield from _of_value(texts)
        return
    texts = texts if isinstance(texts, list) else [texts]
    starts = starts if isinstance(starts, list) else [starts] * len(texts)
    for text, start in zip(texts, [*starts, *[None] * len(texts)], strict=False):
        yield Given(text.strip(), _number(start, text)) if isinstance(text, str) else None


def _unpacked(value: Any) -> Any:
    """What a cell of JSON holds."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _number(value: Any, text: str) -> int | None:
    """Where the text begins, without the blanks before it."""
    try:
        start = int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
    return start + len(text) - len(text.lstrip()) if start >= 0 else None


def find_answer(answer: Given, context: str) -> Found:
    """Where it stands: at the start that is given, else at the place that is nearest to it, else at the first one."""
    places = []
    at = context.find(answer.text)
    while at >= 0:
        places.append(at)
        at = context.find(answer.text, at + 1)
    if not places:
        return Found(answer.text, None, 0, answer.start is not None)
    if answer.start is None:
        return Found(answer.text, places[0], len(places), moved=False)
    nearest = min(places, key=lambda place: abs(place - (answer.start or 0)))
    return Found(answer.text, nearest, len(places), nearest != answer.start)
