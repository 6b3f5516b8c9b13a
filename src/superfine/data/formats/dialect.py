"""How the fields of delimited text are parted, quoted and escaped: as the user says, or found in its first lines."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from superfine.data.table import ReadOptions

csv.field_size_limit(2**31 - 1)

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
QUOTE, ESCAPE = '"', "\\"


@dataclass(frozen=True)
class Dialect:
    """delimiter: between fields. quote: holds a field together, or None. escape: before a quotation mark inside one, or None."""

    delimiter: str
    quote: str | None = QUOTE
    escape: str | None = None

    def reader(self, lines: Iterable[str], *, strict: bool = True) -> csv._reader:  # type: ignore[name-defined,unused-ignore]
        """The records in `lines`. strict: text behind a closing quotation mark, and one never closed, raise csv.Error."""
        quoting: Literal[0, 3] = csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL
        return csv.reader(
            lines if self.escape is None else map(self._escape_the_rest, lines),
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            quoting=quoting,
            strict=strict,
        )

    def fields(self, line: str) -> list[str]:
        """Those of one line, however broken."""
        return next(self.reader([line], strict=False), [])

    def _escape_the_rest(self, line: str) -> str:
        """The line with escapes doubled that stand before an ordinary character: there they are meant as they are."""
        return self._escapes.sub(lambda found: found[0] if found[1] in self._special else found[0][0] + found[0], line)

    @cached_property
    def _escapes(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.escape or ESCAPE) + "(.?)", re.DOTALL)

    @cached_property
    def _special(self) -> frozenset[str]:
        return frozenset({self.quote or QUOTE, self.escape or ESCAPE, self.delimiter, "\n", "\r"})


def find_dialect(sample: list[str], usual: str, options: ReadOptions) -> Dialect:
    """From the first lines: what parts them into the same number of fields most often, the `usual` delimiter if in doubt."""
    quote = options.quote or QUOTE
    delimiters = [options.delimiter] if options.delimiter else [usual, *(d for d in DELIMITERS if d != usual)]
    escapes: list[str | None] = [options.escape]
    if not options.escape and any(ESCAPE + quote in line for line in sample):
        escapes.append(ESCAPE)
    candidates = [Dialect(delimiter, quote, escape) for delimiter in delimiters for escape in escapes]
    best = max(candidates, key=lambda dialect: _consistency(sample, dialect))
    is_told = options.quote is not None or options.escape is not None
    # Tab-separated files seldom quote: a lone quotation mark in a text must not swallow the rows after it.
    if best.delimiter == "\t" and not is_told and not _quotes_pair_up(sample, best):
        plain = Dialect(best.delimiter, None)
        # Texts with line breaks are quoted, and without quotation marks their lines would be records.
        return best if _consistency(sample, best)[0] > 0.9 > _consistency(sample, plain)[0] else plain
    return best


def _consistency(sample: list[str], dialect: Dialect) -> tuple[float, bool]:
    """The share of records with as many fields as the header, which has two at least; and that a header has names, not prose."""
    counts = list(_field_counts(sample, dialect))
    if not counts or counts[0] < 2:
        return (0.0, False)
    header = dialect.fields(sample[0])
    return (round(counts.count(counts[0]) / len(counts), 1), all(name.strip() for name in header))


def _field_counts(sample: list[str], dialect: Dialect) -> Iterator[int]:
    """Of each record that is not blank; 0 for one that breaks off."""
    lines = iter(sample)
    reader = dialect.reader(lines)
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error:
            reader = dialect.reader(lines)
            yield 0
            continue
        if record:
            yield len(record)


def _quotes_pair_up(sample: list[str], dialect: Dialect) -> bool:
    """Whether every tab-separated field that begins with a quotation mark is quoted as CSV quotes, and some are."""
    quoted = re.compile(r'"([^"\\]|""|\\.)*"' if dialect.escape else r'"([^"]|"")*"')
    fields = [field for line in sample for field in line.rstrip("\r\n").split("\t")]
    opened = [field for field in fields if field.startswith('"')]
    return bool(opened) and all(quoted.fullmatch(field) for field in opened)
