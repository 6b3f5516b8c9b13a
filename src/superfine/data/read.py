"""Everything that users have becomes one `Table`: files of every format, folders, standard input, frames, data sets of the hub.

read_table → by what it is: a frame, several files, a hub name, standard input, a folder, a file → its format in FORMATS
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from superfine.data.files import KINDS, File
from superfine.data.folders import read_folder
from superfine.data.formats import FORMATS
from superfine.data.frames import from_frame
from superfine.data.hub import SCHEME, fetch_files
from superfine.data.table import ReadOptions, Table, concatenate
from superfine.errors import DataError
from superfine.names import did_you_mean

Source = Any
"""A path, `-`, `hf://owner/name`, several of these, or a table in memory."""
STANDARD_INPUT = "standard input"


def read_table(source: Source, options: ReadOptions | None = None) -> Table:
    """The table in `source`. Raises DataError that says what cannot be read, and where."""
    options = options or ReadOptions()
    if isinstance(source, str | Path):
        return _checked(_read_place(str(source), options))
    if isinstance(source, list | tuple) and source and all(isinstance(part, str | Path) for part in source):
        return concatenate([read_table(part, options) for part in source])
    return _checked(from_frame(source))


def _read_place(place: str, options: ReadOptions) -> Table:
    if place == "-":
        return read_file(standard_input(), options)
    if place.startswith(SCHEME):
        return concatenate([read_file(File.on_disk(path), options) for path in fetch_files(place)])
    path = Path(place)
    if path.is_dir():
        return read_folder(path, options)
    if not path.exists():
        siblings = [p.name for p in path.absolute().parent.iterdir()] if path.absolute().parent.is_dir() else []
        raise DataError(f"The file {path} does not exist.{did_you_mean(path.name, siblings)}", "Check the name and the folder.")
    if not path.is_file():
        raise DataError(f"{path} is a pipe or a device, not a regular file.", "Read a pipe as standard input: -")
    if path.stat().st_size == 0:
        raise DataError(f"The file {path} is empty.")
    return read_file(File.on_disk(path), options)


def read_file(file: File, options: ReadOptions) -> Table:
    """A file in the format that its ending says."""
    if file.ending not in FORMATS:
        raise DataError(
            f'{file.source}: files that end in "{file.ending}" cannot be read.',
            f"Readable are: {', '.join(FORMATS)}, also as .gz or .zst.",
        )
    table: Table = FORMATS.load(file.ending)(file, options)
    return table


def standard_input() -> File:
    """Everything on standard input. Its kind is told by how it begins: JSON Lines, JSON, a workbook, Parquet, or else CSV."""
    content = sys.stdin.buffer.read()
    if not content.strip():
        raise DataError("Nothing came in on standard input.")
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    ending = ".jsonl" if start.startswith(b"{") else ".json" if start.startswith(b"[{") else ".csv"
    return File(STANDARD_INPUT, KINDS.get(content[:4], ending), content=content)


def _checked(table: Table) -> Table:
    if not table.columns:
        raise DataError(f"{table.source} has no columns.")
    if not len(table):
        left_out = f" that can be read ({len(table.bad_rows)} are broken)" if table.bad_rows else ""
        raise DataError(f"{table.source} has a header but no rows{left_out}.")
    return table


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
