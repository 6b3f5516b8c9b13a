"""CoNLL columns: a word and its tag in each line, a blank line between sentences. Each sentence becomes a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from superfine.data.files import File
from superfine.data.formats.delimited import encoding_notes
from superfine.data.table import BadRow, BadRows, ReadOptions, Table
from superfine.data.tagged import TAG, marked_texts
from superfine.errors import DataError

MAYBE = (".txt", ".tsv")
"""Files with these endings are CoNLL columns where their first lines are."""
SNIFFED = 200
"""Lines by which that is told."""
NUMBERED = 0.98
"""So many words must be one character and a digit, for the digit to be taken for the character's place in its word."""


class Sentence(NamedTuple):
    """line: in which it begins. words, tags: of one length."""

    line: int
    words: list[str]
    tags: list[str]


def looks_like_conll(file: File, options: ReadOptions) -> bool:
    """Whether a file has one of the endings that say little, and its first lines are words with tags, some of them blank."""
    if file.ending not in MAYBE:
        return False
    with file.lines(file.encoding(options)) as lines:
        first = [line.strip("\r\n") for line in islice(lines, SNIFFED)]
    filled = [line.split() for line in first if line.strip() and not _is_comment(line)]
    tags = [TAG.fullmatch(fields[-1]) for fields in filled if len(fields) > 1]
    are_tags = bool(tags) and len(tags) == len(filled) and all(tags)
    return are_tags and any(tag is not None and tag[1] for tag in tags) and any(not line.strip() for line in first)


def read_conll(file: File, options: ReadOptions) -> Table:
    """A row for each sentence: its `text`, and as `label` the spans that its tags mark, as a JSON list.

    The first column is the word, the last one the tag; a file of words alone has no `label`. Rows are numbered by the line that
    each sentence begins in. Raises DataError for lines without a tag, and for tags that mark no spans.
    """
    encoding, bad = file.encoding(options), BadRows(options)
    with file.lines(encoding) as lines:
        has_tags = any(len(line.split()) > 1 for line in islice(lines, SNIFFED) if not _is_comment(line))
    with file.lines(encoding, options.on_bytes) as lines:
        sentences = list(_sentences(file.source, lines, bad, has_tags=has_tags))
    if not sentences:
        raise DataError(f"{file.source} holds no line with a word and a tag.", "A line is a word, a tab and a tag.")
    if has_tags:
        _refuse_other_tags(file.source, sentences)
    notes = list(encoding_notes(encoding, file.source, options))
    if _are_numbered(sentences):
        sentences = [sentence._replace(words=[_bare(word) for word in sentence.words]) for sentence in sentences]
        notes.append(f"{file.source}: the digit behind each character is its place in the word, and is left out.")
    found = marked_texts([sentence.words for sentence in sentences], [sentence.tags for sentence in sentences])
    if found.n_repaired:
        notes.append(f"{file.source}: {found.n_repaired} spans have no beginning (an I where a B should be): they begin there.")
    labels = [json.dumps(spans, ensure_ascii=False) if spans else "" for spans in found.spans]
    rows = np.array([sentence.line for sentence in sentences], dtype=np.int64)
    columns = {"text": found.texts, "label": labels} if has_tags else {"text": found.texts}
    return Table(file.source, columns, rows, tuple(notes), bad.take())


def _is_comment(line: str) -> bool:
    """The mark of a new document, or a remark as CoNLL-U has them; a line of a word `#` and its tag is none."""
    return line.startswith("-DOCSTART-") or (line.startswith("# ") and TAG.fullmatch(line.rsplit(maxsplit=1)[-1]) is None)


def _sentences(source: str, lines: Iterator[str], bad: BadRows, *, has_tags: bool) -> Iterator[Sentence]:
    """Sentence by sentence; those with a line that cannot be read are reported, and left out."""
    current, is_whole = Sentence(0, [], []), True
    for number, line in enumerate(lines, start=1):
        if not line.strip() or _is_comment(line):
            if current.words and is_whole:
                yield current
            current, is_whole = Sentence(0, [], []), True
            continue
        if not current.words:
            current = current._replace(line=number)
        # A tab parts columns where there is one: a word may hold a blank.
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split()) if field.strip()]
        if len(fields) < 2 and has_tags and is_whole:
            is_whole = False
            lacking = BadRow(source, current.line, number, "has a line without a tag", line.strip()[:80])
            bad.report(lacking, "A line is a word and its tag; a blank line parts sentences.")
        current.words.append(fields[0])
        current.tags.append(fields[-1] if has_tags else "O")
    if current.words and is_whole:
        yield current


def _are_numbered(sentences: list[Sentence]) -> bool:
    """Whether each character has a digit behind it, as in weibo_ner."""
    words = [word for sentence in sentences for word in sentence.words]
    return sum(len(word) == 2 and word[1].isdigit() for word in words) >= NUMBERED * len(words)


def _bare(word: str) -> str:
    return word[:-1] if len(word) > 1 and word[-1].isdigit() else word


def _refuse_other_tags(source: str, sentences: list[Sentence]) -> None:
    """Raises DataError for tags that mark no spans, as those of parts of speech."""
    different = {tag for sentence in sentences for tag in sentence.tags}
    if not any(TAG.fullmatch(tag) for tag in different):
        raise DataError(
            f"{source}: the last column has no tag O and none that begins with B- or I-: {', '.join(sorted(different)[:5])}.",
            "Spans are marked as in IOB2: B-person, I-person, O.",
        )
