"""CoNLL columns: a word and its tag in each line, a blank line between sentences. Each sentence becomes a row."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from superfine.data.files import File
from superfine.data.formats.delimited import encoding_notes
from superfine.data.table import BadRow, BadRows, ReadOptions, Table
from superfine.data.tagged import OUTSIDE, TAG, marked_texts, what_is_no_tag
from superfine.errors import DataError

MAYBE = (".txt", ".tsv")
"""Files with these endings are CoNLL columns where their first lines are."""
SNIFFED = 5000
"""Lines by which that is told, and how many columns there are."""
REMARK = re.compile(r"# ?[\w.]+ = ")
NUMBERED = 0.98
"""So many words must be one character and a digit, for the digit to be taken for the character's place in its word."""


class Columns(NamedTuple):
    """How the lines of a file are parted: by tabs, or by blanks. n: how many columns most of them have. word: which one it is."""

    by_tabs: bool
    n: int
    word: int = 0

    def fields(self, line: str) -> list[str]:
        """No other kind of blank parts columns: a word may hold one."""
        line = line.strip("\r\n")
        return line.split("\t") if self.by_tabs else re.split("[ \t]+", line.rstrip(" \t"))

    def is_comment(self, line: str) -> bool:
        """The mark of a new document, or a remark as CoNLL-U has them; a line of the word `#` and its tag is none."""
        is_remark = line.startswith("#") and (len(self.fields(line)) != self.n or REMARK.match(line) is not None)
        return line.startswith("-DOCSTART-") or is_remark

    @classmethod
    def of(cls, lines: list[str]) -> Columns:
        """Told by the first lines of a file."""
        filled = [line for line in lines if line.strip() and not line.startswith("-DOCSTART-")]
        by_tabs = sum("\t" in line.rstrip() for line in filled) > len(filled) / 2
        counts = Counter(len(cls(by_tabs, 0).fields(line)) for line in filled if not line.startswith("# "))
        columns = cls(by_tabs, counts.most_common(1)[0][0] if counts else 0)
        return columns._replace(word=1) if columns.n > 2 and columns._counts_words(lines) else columns

    def _counts_words(self, lines: list[str]) -> bool:
        """Whether the first column numbers the words of each sentence from 1."""
        expected, n_words = 1, 0
        for line in lines:
            if not line.strip():
                expected = 1
            elif not self.is_comment(line):
                if self.fields(line)[0] != str(expected):
                    return False
                expected, n_words = expected + 1, n_words + 1
        return n_words > 1


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
        first = list(islice(lines, SNIFFED))
    columns = Columns.of(first)
    filled = [columns.fields(line) for line in first if line.strip() and not columns.is_comment(line)]
    if columns.n < 2 or len(filled) < 2 or any(len(fields) != columns.n for fields in filled):
        return False
    tags = [fields[-1].strip() for fields in filled]
    are_tags = all(tag in OUTSIDE or TAG.fullmatch(tag) for tag in tags) and not any(
        " " in fields[0].strip() for fields in filled
    )
    return are_tags and any(tag == OUTSIDE[0] for tag in tags) and any(not line.strip() for line in first)


def read_conll(file: File, options: ReadOptions) -> Table:
    """A row for each sentence: its `text`, and as `label` the spans that its tags mark, as a JSON list.

    The first column is the word (the second one where the first numbers them), the last one the tag; a file of words alone has no
    `label`. Rows are numbered by the line that each sentence begins in. Raises DataError for lines with other columns, and for
    tags that mark no spans.
    """
    encoding, bad = file.encoding(options), BadRows(options)
    with file.lines(encoding) as lines:
        columns = Columns.of(list(islice(lines, SNIFFED)))
    with file.lines(encoding, options.on_bytes) as lines:
        sentences = list(_sentences(file.source, lines, columns, bad))
    if not sentences:
        raise DataError(f"{file.source} holds no line with a word and a tag.", "A line is a word, a tab and a tag.")
    has_tags = columns.n > 1
    if has_tags:
        _refuse_other_tags(file.source, sentences)
    notes = list(encoding_notes(encoding, file.source, options))
    if _are_numbered(sentences):
        sentences = [sentence._replace(words=[_bare(word) for word in sentence.words]) for sentence in sentences]
        notes.append(f"{file.source}: the digit behind each character is its place in the word, and is left out.")
    found = marked_texts([sentence.words for sentence in sentences], [sentence.tags for sentence in sentences])
    if found.n_repaired:
        notes.append(f"{file.source}: {found.n_repaired} spans have no beginning (an I where a B should be): they begin there.")
    if has_tags and not any(found.spans):
        notes.append(f"{file.source}: no span is marked, every tag is O.")
    labels = [json.dumps(spans, ensure_ascii=False) for spans in found.spans]
    rows = np.array([sentence.line for sentence in sentences], dtype=np.int64)
    table = {"text": found.texts, "label": labels} if has_tags else {"text": found.texts}
    return Table(file.source, table, rows, tuple(notes), bad.take())


def _sentences(source: str, lines: Iterator[str], columns: Columns, bad: BadRows) -> Iterator[Sentence]:
    """Sentence by sentence; those with a line that cannot be read are reported, and left out. A word of blanks is left out."""
    current, is_whole = Sentence(0, [], []), True
    for number, line in enumerate(lines, start=1):
        if not line.strip() or columns.is_comment(line):
            if current.words and is_whole:
                yield current
            current, is_whole = Sentence(0, [], []), True
            continue
        if not current.line:
            current = current._replace(line=number)
        fields = columns.fields(line)
        if len(fields) != columns.n and is_whole:
            is_whole = False
            found = "1 column" if len(fields) == 1 else f"{len(fields)} columns"
            odd = BadRow(source, current.line, number, f"has a line with {found}, others have {columns.n}", line.strip()[:80])
            bad.report(odd, "A line is a word and its tag, a tab between them; a blank line parts sentences.")
        if is_whole and fields[columns.word].strip():
            current.words.append(fields[columns.word].strip())
            current.tags.append(fields[-1].strip() if columns.n > 1 else OUTSIDE[0])
    if current.words and is_whole:
        yield current


def _are_numbered(sentences: list[Sentence]) -> bool:
    """Whether each character has a digit behind it, as in weibo_ner."""
    words = [word for sentence in sentences for word in sentence.words]
    return sum(len(word) == 2 and word[1].isdigit() for word in words) >= NUMBERED * len(words)


def _bare(word: str) -> str:
    return word[:-1] if len(word) > 1 and word[-1].isdigit() else word


def _refuse_other_tags(source: str, sentences: list[Sentence]) -> None:
    """Raises DataError for tags that mark no spans, as those of parts of speech, with the first sentence that has one."""
    wrong = what_is_no_tag(tag for sentence in sentences for tag in sentence.tags)
    if wrong is not None:
        tag, why = wrong
        line = next(sentence.line for sentence in sentences if tag in sentence.tags)
        raise DataError(
            f'{source}: the tag "{tag}" in the sentence of line {line} {why}.',
            "Spans are marked as in IOB2: B-person, I-person, O.",
        )
