"""Everything that users have becomes one `Table`: files of every format, folders, standard input, frames, data sets of the hub.

read_table → by what it is: a frame, several files, a hub name, standard input, a folder, a file → its format in FORMATS
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from superfine.data.files import File
from superfine.data.folders import read_folder
from superfine.data.formats import FORMATS, PIECES
from superfine.data.formats.conll import looks_like_conll
from superfine.data.frames import from_frame
from superfine.data.hub import SCHEME, fetch_files
from superfine.data.table import ReadOptions, Table, concatenate
from superfine.errors import DataError
from superfine.names import did_you_mean
from superfine.paths import expanded

DataSource = Any
"""A path, `-`, `hf://owner/name`, several of these, or a table in memory."""
STANDARD_INPUT = "standard input"
DELIMITED, WORKBOOKS, JSON = (".csv", ".txt", ".tsv", ".tab"), (".xlsx", ".xls", ".ods"), (".json", ".jsonl", ".ndjson")
CONLL = (".conll", ".bio", ".iob", ".bioes")
ACTS_ON = {
    "sheet": (*WORKBOOKS, ".json"),
    "delimiter": DELIMITED,
    "quote": DELIMITED,
    "escape": DELIMITED,
    "encoding": (*DELIMITED, *JSON, *CONLL),
    "no-header": (*DELIMITED, *WORKBOOKS),
}
"""The formats that an option of reading says something of."""


def read_table(source: DataSource, options: ReadOptions | None = None) -> Table:
    """The table in `source`. Raises DataError that says what cannot be read, and where."""
    options = options or ReadOptions()
    if isinstance(source, str | Path):
        source = expanded(source) if isinstance(source, Path) or source.startswith("~") else source
        with _reachable(source):
            return _checked(_read_place(str(source), options))
    if isinstance(source, list | tuple) and source and all(isinstance(part, str | Path) for part in source):
        return concatenate([read_table(part, options) for part in source])
    return _checked(from_frame(source))


def _refuse_address(place: str) -> None:
    if "://" in place and not place.startswith(SCHEME):
        raise DataError(f"{place} is an address: nothing is fetched from there.", "Download the file, and name it.")


def _read_place(place: str, options: ReadOptions) -> Table:
    _refuse_address(place)
    if place == "-":
        return read_file(standard_input(), options)
    if place.startswith(SCHEME):
        return concatenate([read_file(File.on_disk(path), options) for path in fetch_files(place)])
    if Path(place).is_dir():
        return read_folder(Path(place), options)
    return read_file(_existing(Path(place)), options)


@contextmanager
def _reachable(place: str | Path) -> Iterator[None]:
    """Say which place it is that the system does not let us read: no permission, a name too long, a loop of links."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{error.filename or place} cannot be read: {error.strerror}.", "Check the name and the permissions."
        ) from None


def _existing(path: Path) -> File:
    if not path.exists():
        if path.is_symlink():
            raise DataError(f"{path} is a link that leads nowhere.", "Check the name and the folder.")
        siblings = [p.name for p in path.absolute().parent.iterdir()] if path.absolute().parent.is_dir() else []
        raise DataError(f"The file {path} does not exist.{did_you_mean(path.name, siblings)}", "Check the name and the folder.")
    if not path.is_file():
        raise DataError(f"{path} is a pipe or a device, not a regular file.", "Read a pipe as standard input: -")
    if path.stat().st_size == 0:
        raise DataError(f"The file {path} is empty.", "Export it again, or name another file.")
    return File.on_disk(path)


def read_pieces(source: DataSource, options: ReadOptions, size: int) -> Iterator[Table]:
    """What `read_table` reads, as tables of at most `size` rows; files of CSV, TSV and JSON Lines are not held in memory.

    A table of JSON Lines has the columns that its own rows have. Raises DataError, at the latest when it comes to the place.
    """
    is_list = isinstance(source, list | tuple) and source and all(isinstance(part, str | Path) for part in source)
    parts = list(source) if is_list else [source]
    offset, spelling = 0, None
    for part in parts:
        last = 0
        for read in _pieces_of(part, options, size):
            piece = read if spelling is None else read.spelled_like(spelling)
            where = [f"{piece.source}: row {piece.row[0] + offset} and on"] if len(parts) > 1 and not last else []
            last = max([last, *piece.row[-1:].tolist(), *(b.row for b in piece.bad_rows)])
            bad = tuple(replace(b, row=b.row + offset) for b in piece.bad_rows)
            yield replace(piece, row=piece.row + offset, bad_rows=bad).noting(*where)
            names = list(piece.columns)
        offset, spelling = offset + last, spelling or names


def _pieces_of(part: DataSource, options: ReadOptions, size: int) -> Iterator[Table]:
    if isinstance(part, str):
        _refuse_address(part)
        part = str(expanded(part)) if part.startswith("~") else part
    if isinstance(part, str | Path) and str(part) != "-" and not str(part).startswith(SCHEME):
        with _reachable(part):
            file = None if Path(part).is_dir() else _existing(Path(part))
    else:
        file = None
    if file is not None and file.ending in PIECES and not looks_like_conll(file, options):
        pieces = PIECES.load(file.ending)(file, options, size)
        yield _checked(next(pieces)).noting(*without_effect(file, file.ending, options))
        yield from pieces
        return
    yield from cut(read_table(part, options), size)


def cut(table: Table, size: int) -> Iterator[Table]:
    """A table as tables of at most `size` rows; the first has its notes and bad rows."""
    yield replace(table.rows(0, size), notes=table.notes, bad_rows=table.bad_rows)
    for start in range(size, len(table), size):
        yield table.rows(start, start + size)


def read_file(file: File, options: ReadOptions) -> Table:
    """A file in the format that its ending says."""
    if file.ending not in FORMATS:
        raise DataError(
            f'{file.source}: files that end in "{file.ending}" cannot be read.',
            f"Readable are: {', '.join(FORMATS)}, also as .gz, .zst or .zip.",
        )
    ending = ".conll" if looks_like_conll(file, options) else file.ending
    table: Table = FORMATS.load(ending)(file, options)
    return table.noting(*without_effect(file, ending, options))


def without_effect(file: File, ending: str, options: ReadOptions) -> list[str]:
    """A line for each option that says how to read files of another format."""
    given = {name: getattr(options, name) is not None for name in ("sheet", "delimiter", "quote", "escape", "encoding")}
    given["no-header"] = not options.has_header
    return [
        f"{file.source}: --{name} has no effect on a file that ends in {ending}"
        for name, is_given in given.items()
        if is_given and ending not in ACTS_ON[name]
    ]


def standard_input() -> File:
    """Everything on standard input. Its kind is told by how it begins: JSON Lines, JSON, a workbook, Parquet, or else CSV."""
    if sys.stdin is None:
        raise DataError("Standard input is closed.", "Name a file instead of -.")
    content = sys.stdin.buffer.read()
    if not content.strip():
        raise DataError("Nothing came in on standard input.")
    start = content[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
    ending = ".jsonl" if start.startswith(b"{") else ".json" if start.startswith((b"[{", b"[[")) else ".csv"
    return File.in_memory(STANDARD_INPUT, ending, content)


def _checked(table: Table) -> Table:
    if not table.columns:
        raise DataError(f"{table.source} has no columns.")
    if not len(table):
        left_out = f" that can be read ({len(table.bad_rows)} are broken)" if table.bad_rows else ""
        raise DataError(
            f"{table.source} has a header but no rows{left_out}.", "Export it again; of a workbook, name the sheet with --sheet."
        )
    return table
