"""Names of files as users type them."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(place: str | Path) -> Path:
    """The path, with `~` for the user's home where no file is really called so. Shells leave it alone inside quotation marks."""
    path = Path(place)
    if not str(place).startswith("~") or path.exists():
        return path
    return Path(os.path.expanduser(path))  # noqa: PTH111  (Path's own raises where there is no home)


def same_file(one: str | Path, other: str | Path) -> bool:
    """Whether both lead to one file, whatever links stand between; a folder is none."""
    try:
        one, other = expanded(one), expanded(other)
        return one.is_file() and one.samefile(other)
    except OSError:
        return False
