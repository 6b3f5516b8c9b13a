"""A folder with one sub-folder per class, and a text file per example in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from superfine.data.files import File
from superfine.data.formats import FORMATS
from superfine.data.table import ReadOptions, Table
from superfine.errors import DataError

TEXT_ENDINGS = (".txt", ".text", ".md", "")


def read_folder(folder: Path, options: ReadOptions) -> Table:
    """Columns text, label (the sub-folder's name) and file, in the order of their names; rows are numbered from 1."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    files = [(path, label.name) for label in classes for path in sorted(label.iterdir()) if _is_text(path)]
    if not files or len({label for _, label in files}) < 2:
        readable = [path.name for path in sorted(folder.iterdir()) if path.suffix.lower() in FORMATS]
        advice = f"Name a file: {', '.join(readable[:5])}." if readable else "Each class is a sub-folder that holds .txt files."
        if any(path.is_dir() for label in classes for path in label.iterdir()):
            advice = f"Name the folder that holds the classes, for example {classes[0]}."
        raise DataError(f"The folder {folder} does not hold a sub-folder of texts for each class.", advice)
    texts: list[str] = []
    guessed: dict[str, None] = {}
    for path, _ in files:
        file = File(str(path), path.suffix.lower(), path)
        encoding = file.encoding(options)
        if encoding.guessed:
            guessed[encoding.name] = None
        texts.append(file.whole_text(encoding))
    columns = {
        "text": texts,
        "label": [label for _, label in files],
        "file": [str(path.relative_to(folder)) for path, _ in files],
    }
    notes = (f"{folder}: some files are read as {', '.join(guessed)}; another encoding: --encoding NAME",) if guessed else ()
    return Table(str(folder), columns, np.arange(1, len(files) + 1, dtype=np.int64), notes)


def _is_text(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in TEXT_ENDINGS and not path.name.startswith(".")
