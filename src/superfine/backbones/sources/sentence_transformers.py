"""Folders that sentence-transformers wrote: where the transformer lies in them, and how they make one vector of its states.

Old ones keep the transformer in a folder of its own (`0_BERT`, `0_Transformer`), newer ones beside `modules.json`; the pooling is
a set of switches (`pooling_mode_mean_tokens`) or, in newer ones, one name (`pooling_mode`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from superfine.errors import ModelError

MODULES = "modules.json"
TRANSFORMERS = ("Transformer", "BERT", "RoBERTa", "XLNet", "ALBERT", "DistilBERT")
"""Names of the class that holds it, the old ones too."""
WITHOUT_WEIGHTS = ("Pooling", "Normalize", "Dropout")
LIKE_HEADS = {"cls": "cls", "cls_token": "cls", "mean": "mean", "mean_tokens": "mean", "lasttoken": "last", "last_token": "last"}
"""Their names of a pooling, and how heads of transformers are told here; there are others that no head has."""


@dataclass(frozen=True)
class Layout:
    """transformer: the folder of the transformer, relative to the model's. pooling: "cls", "mean", "last", or their own name of
    another. more: what comes after the pooling and has weights."""

    transformer: str
    pooling: str | None
    more: tuple[str, ...]


def layout_of(read: Callable[[str], str | None], name: str) -> Layout | None:
    """What a model's `modules.json` says; None where it has none.

    read: gives the text of one of the model's files, or None. name: what the user called the model. Raises ModelError for a model
    without a transformer.
    """
    content = _json(read(MODULES))
    if not isinstance(content, list) or not content:
        return None
    modules = [
        (str(module.get("type", "")).rsplit(".", 1)[-1], str(module.get("path", "")))
        for module in content
        if isinstance(module, dict)
    ]
    transformers = [path for kind, path in modules if kind in TRANSFORMERS]
    if not transformers:
        raise ModelError(
            f"{name} is a sentence-transformers model without a transformer: {', '.join(kind for kind, _ in modules)}.",
            "Choose a model that has one.",
        )
    poolings = [path for kind, path in modules if kind == "Pooling"]
    settings = _json(read(f"{poolings[0]}/config.json")) if poolings else None
    if poolings and (not isinstance(settings, dict) or not settings):
        raise ModelError(f"{poolings[0]}/config.json of {name} does not say how its states are pooled.", "Copy the model again.")
    more = tuple(kind for kind, _ in modules if kind not in (*TRANSFORMERS, *WITHOUT_WEIGHTS))
    return Layout(transformers[0], _pooling(settings) if isinstance(settings, dict) else None, more)


def in_folder(folder: Path) -> Callable[[str], str | None]:
    """Reads the files of a folder."""

    def read(name: str) -> str | None:
        path = folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else None

    return read


def _pooling(settings: dict[str, object]) -> str | None:
    named = settings.get("pooling_mode")
    switched = [key.removeprefix("pooling_mode_") for key, value in settings.items() if key.startswith("pooling_mode_") and value]
    modes = switched if named is None else [str(each) for each in (named if isinstance(named, list) else [named])]
    return LIKE_HEADS.get(modes[0], modes[0]) if len(modes) == 1 else "+".join(modes) or None


def _json(text: str | None) -> object:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None
