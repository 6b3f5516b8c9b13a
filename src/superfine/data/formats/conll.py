"""CoNLL columns: a word and its tag in each line, a blank line between sentences. Each sentence becomes a row.

Tags of every usual scheme are read: IO, IOB1, IOB2 (BIO), BIOES, BILOU, BMEWO (Ramshaw and Marcus 1995, Ratinov and Roth 2009). Words
are joined by blanks, Chinese ones and single characters without.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import numpy as np

from superfine.data.files import File
from superfine.data.formats.delimited import encoding_notes
from superfine.data.scripts import HAN, script_of
from superfine.data.table import BadRow, BadRows, ReadOptions, Table
from superfine.errors import DataError

TAG = re.compile(r"(?:([BIESLUMW])[-_](\S+))|O")
BEGIN, GO_ON, END, WHOLE = set("B"), set("IM"), set("EL"), set("SUW")
SNIFFED = 200
"""Lines that tell whether a file of another ending has CoNLL columns."""
TEXT, LABEL = "text", "label"
NUMBERED = 0.98
"""So many words must be one character and a digit, for the digit to be taken for the character's place in its word."""
SINGLE = 0.9
"""So many words must be single characters, for texts to be taken for cut into characters."""


def looks_like_conll(file: File, options: ReadOptions) -> bool:
    """Whether the first lines are words with tags, and some of them blank."""
    with file.lines(file.encoding(options)) as lines:
        first = [line.strip("\r\n") for _, line in zip(range(SNIFFED), lines, strict=False)]
    filled = [line.split() for line in first if line.strip() and not _is_comment(line)]
    tags = [TAG.fullmatch(fields[-1]) for fields in filled if len(fields) > 1]
    whole = len(tags) == len(filled) and all(tags) and any(tag is not None and tag[1] for tag in tags)
    return whole and any(not line.strip() for line in first) and "," not in (first[0] if first else "")


def read_conll(file: File, options: ReadOptions) -> Table:
    """A row for each sentence: its `text`, and as `label` the pieces that its tags mark, as a JSON list.

    The rows are numbered by the line that each sentence begins in. Raises DataError for lines without a tag, and for tags that
    mark no pieces.
    """
    encoding = file.encoding(options)
    bad = BadRows(options)
    sentences: list[tuple[int, list[str], list[str]]] = []
    with file.lines(encoding, options.on_bytes) as lines:
        for number, words, tags in _sentences(file.source, lines, bad):
            sentences.append((number, words, tags))
    if not sentences:
        raise DataError(f"{file.source} holds no line with a word and a tag.", "A line is a word, a tab and a tag.")
    tags_of_all = [tag for _, _, tags in sentences for tag in tags]
    notes = [*encoding_notes(encoding, file.source, options)]
    sentences, note = _without_numbers(file.source, sentences)
    notes += note
    is_by_character = _share(sentences, lambda word: len(word) == 1) >= SINGLE
    begins_anew = _is_iob1(sentences)
    _refuse_other_tags(file.source, tags_of_all)
    texts, labels, n_repaired = [], [], 0
    for _, words, tags in sentences:
        text, places = _joined(words, by_character=is_by_character)
        pieces, repaired = _pieces(tags, is_iob1=begins_anew)
        n_repaired += repaired
        texts.append(text)
        spans = [{"start": places[a][0], "end": places[b][1], "label": label} for a, b, label in pieces]
        labels.append(json.dumps(spans, ensure_ascii=False) if spans else "")
    if n_repaired:
        notes.append(f"{file.source}: {n_repaired} pieces have no beginning (an I where a B should be): they begin there.")
    rows = np.array([number for number, _, _ in sentences], dtype=np.int64)
    return Table(file.source, {TEXT: texts, LABEL: labels}, rows, tuple(notes), bad.take())


def _is_comment(line: str) -> bool:
    return line.startswith(("-DOCSTART-", "# ")) and not TAG.fullmatch(line.split()[-1]) or line.startswith("-DOCSTART-")


def _sentences(source: str, lines: Iterator[str], bad: BadRows) -> Iterator[tuple[int, list[str], list[str]]]:
    """The line, the words and the tags of each sentence."""
    begin, words, tags = 0, [], []
    reason = ""
    number = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip() or _is_comment(line):
            if words and not reason:
                yield begin, words, tags
            words, tags, reason = [], [], ""
            continue
        if not words and not reason:
            begin = number
        # A tab parts columns where there is one: a word may be a blank of some kind.
        fields = line.strip("\r\n").split("\t") if "\t" in line else line.split()
        fields = [field.strip() for field in fields if field.strip()]
        if len(fields) < 2:
            found = BadRow(source, begin, number, "has a line without a tag", line.strip()[:80])
            bad.report(found, "A line is a word and its tag; a blank line parts sentences.")
            reason = "bad"
        words.append(fields[0])
        tags.append(fields[-1])
    if words and not reason:
        yield begin, words, tags


def _share(sentences: Sequence[tuple[int, list[str], list[str]]], of: object) -> float:
    words = [word for _, some, _ in sentences for word in some]
    return sum(map(of, words)) / max(1, len(words))  # type: ignore[arg-type]


def _without_numbers(
    source: str, sentences: list[tuple[int, list[str], list[str]]]
) -> tuple[list[tuple[int, list[str], list[str]]], list[str]]:
    """Without the digit behind each character that some corpora have: its place in the word."""
    if _share(sentences, lambda word: len(word) == 2 and word[1].isdigit()) < NUMBERED:
        return sentences, []
    bare = [
        (number, [word[:-1] if len(word) > 1 and word[-1].isdigit() else word for word in words], tags)
        for number, words, tags in sentences
    ]
    return bare, [f"{source}: the digit behind each character is its place in the word, and is left out."]


def _refuse_other_tags(source: str, tags: list[str]) -> None:
    """Raises DataError for tags that mark no pieces, as those of parts of speech."""
    if "O" in tags or any(TAG.fullmatch(tag) for tag in tags):
        return
    different = sorted(set(tags))
    raise DataError(
        f"{source}: the last column has no tag O and none that begins with B- or I-: {', '.join(different[:5])}.",
        "Pieces are marked as in IOB2: B-person, I-person, O.",
    )


def _parts(tag: str) -> tuple[str, str]:
    """Position and type: `("B", "person")`; `("O", "")`; a tag without position is inside."""
    found = TAG.fullmatch(tag)
    if found is None:
        return "I", tag
    return (found[1], found[2]) if found[1] else ("O", "")


def _is_iob1(sentences: Sequence[tuple[int, list[str], list[str]]]) -> bool:
    """Whether a piece usually begins with an I: no B stands after anything but a piece of its own type."""
    for _, _, tags in sentences:
        before = ("O", "")
        for tag in map(_parts, tags):
            if tag[0] in BEGIN | WHOLE and (before[0] == "O" or before[1] != tag[1]):
                return False
            before = tag
    return True


def _pieces(tags: Sequence[str], *, is_iob1: bool) -> tuple[list[tuple[int, int, str]], int]:
    """First word, last word and type of each piece, and how many of them had no beginning."""
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
