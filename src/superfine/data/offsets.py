"""Where tokens stand in the raw text, exactly, also where cleaning replaced something.

The tokenizer that cleans keeps account of where its characters come from, but to the last character of what it replaced: `<` for
`&lt;` comes from the `;`. Here a token gets the whole of the entities that it reads, and none of the blanks and tags beside it.
"""

from __future__ import annotations

import re
from unicodedata import combining

import numpy as np
from numpy.typing import NDArray

from superfine.data.clean import ENTITIES, FOUND_CONTROL, PLAIN_TAG, is_clean
from superfine.records import IntArray

ENTITY = re.compile(f"&(?:amp|{'|'.join(map(re.escape, ENTITIES))});")
BLANKS = {f"&{name};" for name, character in ENTITIES.items() if character.isspace()}


def settled_offsets(text: str, offsets: IntArray, which: NDArray[np.bool_], *, cleans: bool) -> IntArray:
    """(t, 2) the offsets, those of the tokens `which` (t,) as described above. cleans: whether the tokenizer does.

    A token of blanks alone becomes empty.
    """
    starts, ends = offsets[:, 0].copy(), offsets[:, 1].copy()
    if cleans and not is_clean(text):
        for start, stop, is_read in _replaced(text):
            begins, stops = which & (starts >= start) & (starts < stop), which & (ends > start) & (ends <= stop)
            starts[begins] = start if is_read else stop
            ends[stops] = stop if is_read else start
    if not text.isascii():
        # A composed character comes from the letter alone, without the marks that stand behind it.
        taken = set(starts[which].tolist())
        for i in np.flatnonzero(which & (ends > starts)).tolist():
            while ends[i] < len(text) and combining(text[ends[i]]) and int(ends[i]) not in taken:
                ends[i] += 1
    empty = [i for i, character in enumerate(text) if character.isspace() or (cleans and FOUND_CONTROL.match(character))]
    if empty:
        is_ink = np.ones(len(text) + 1, dtype=bool)
        is_ink[empty] = False
        places = np.arange(len(text) + 1)
        next_ink = np.minimum.accumulate(np.where(is_ink, places, len(text))[::-1])[::-1]
        last_ink = np.maximum.accumulate(np.where(is_ink[:-1], places[:-1] + 1, 0)) if text else places[:0]
        starts = np.where(which, next_ink[starts.clip(0, len(text))], starts)
        ends = np.where(which & (ends > 0), np.append(last_ink, 0)[(ends - 1).clip(0, len(text))], ends)
    return np.stack([starts, np.maximum(starts, ends)], axis=1)


def _replaced(text: str) -> list[tuple[int, int, bool]]:
    """Start and end of each element and entity, and whether something is read in its place."""
    elements = [found.span() for found in PLAIN_TAG.finditer(text)]
    found = [(start, stop, False) for start, stop in elements]
    for entity in ENTITY.finditer(text):
        if not any(start <= entity.start() < stop for start, stop in elements):
            found.append((*entity.span(), entity[0] not in BLANKS))
    return found
