"""A folder with one sub-folder per class, and a text file per example in it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from superfine.data.files import File
from superfine.data.formats import FORMATS
from superfine.data.table import ReadOptions, Table
from superfine.errors import DataError

TEXT_ENDINGS = (".txt", ".text", ".md", "")
BRAT_SPAN = re.compile(r"(?P<type>\S+) (?P<start>\d+)(?: \d+;\d+)* (?P<end>\d+)")
"""Of a text-bound annotation: its type, and where it begins and ends."""


def read_folder(folder: Path, options: ReadOptions) -> Table:
    """Columns text, label (the sub-folder's name) and file, in the order of their names; rows are numbered from 1.

    A folder of brat, where an .ann file stands beside each .txt, has columns text and label of every text or line that is
    annotated as a whole.
    """
    annotated = sorted(path for path in folder.iterdir() if path.suffix == ".ann" and path.with_suffix(".txt").is_file())
    if annotated:
        return _read_brat(folder, annotated, options)
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    files = [(path, label.name) for label in classes for path in sorted(label.iterdir()) if _is_text(path)]
    if not files or len({label for _, label in files}) < 2:
        readable = [path.name for path in sorted(folder.iterdir()) if path.suffix.lower() in FORMATS]
        advice = f"Name a file: {', '.join(readable[:5])}." if readable else "Each class is a sub-folder that holds .txt files."
        if any(path.is_dir() for label in classes for path in label.iterdir()):
            advice = f"Name the folder that holds the classes, for example {classes[0]}."
        raise DataError(f"The folder {folder} does not hold a sub-folder of texts for each class.", advice)
    read = _Reading(options)
    columns = {
        "text": [read.text(path) for path, _ in files],
        "label": [label for _, label in files],
        "file": [str(path.relative_to(folder)) for path, _ in files],
    }
    return Table(str(folder), columns, np.arange(1, len(files) + 1, dtype=np.int64), read.notes(folder))


class _Reading:
    """Reads the texts of many files, and remembers which encodings were guessed."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._guessed: dict[str, None] = {}

    def text(self, path: Path) -> str:
        file = File(str(path), path.suffix.lower(), path)
        encoding = file.encoding(self._options)
        if encoding.guessed:
            self._guessed[encoding.name] = None
        return file.whole_text(encoding)

    def notes(self, folder: Path) -> tuple[str, ...]:
        if not self._guessed:
            return ()
        return (f"{folder}: some files are read as {', '.join(self._guessed)}; another encoding: --encoding NAME",)


def _read_brat(folder: Path, annotated: list[Path], options: ReadOptions) -> Table:
    """Texts and lines that one annotation covers, with its type. (brat.nlplab.org/standoff.html)"""
    read = _Reading(options)
    columns: dict[str, list[str]] = {"text": [], "label": [], "file": []}
    n_inside = 0
    for path in annotated:
        text = read.text(path.with_suffix(".txt"))
        wholes = {piece.strip() for piece in (text, *text.splitlines())} - {""}
        for line in read.text(path).splitlines():
            name, _, rest = line.partition("\t")
            found = BRAT_SPAN.fullmatch(rest.partition("\t")[0]) if name.startswith("T") else None
            if found is None:
                continue
            covered = text[int(found["start"]) : int(found["end"])].strip()
            n_inside += covered not in wholes
            if covered in wholes:
                for column, value in zip(columns.values(), (covered, found["type"], path.with_suffix(".txt").name), strict=True):
                    column.append(value)
    if not columns["text"]:
        raise DataError(
            f"The folder {folder} holds annotations of brat, none of which covers a whole text or line.",
            "Spans inside of texts are not learned. Annotate whole lines, or give a table.",
        )
    notes = read.notes(folder)
    if n_inside:
        notes += (f"{folder}: {n_inside} annotations cover a part of a line and are left out",)
    return Table(str(folder), columns, np.arange(1, len(columns["text"]) + 1, dtype=np.int64), notes)


def _is_text(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in TEXT_ENDINGS and not path.name.startswith(".")
