"""Folders whose config.json does not say what type of model it describes, as in 2019: the names of the weights tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from superfine.errors import ModelError

SIGNS = {
    "xlnet": (r"layer\.0\.rel_attn\.q$",),
    "gpt2": (r"h\.0\.attn\.c_attn\.weight$", r"^(?:transformer\.)?ln_f\.weight$"),
    "distilbert": (r"transformer\.layer\.0\.attention\.q_lin\.weight$",),
    "albert": (r"albert_layer_groups\.0\.",),
    "t5": (r"encoder\.block\.0\.layer\.0\.SelfAttention\.q\.weight$",),
    "roberta": (r"^roberta\.encoder\.layer\.0\.attention\.self\.query\.weight$",),
    "electra": (r"^electra\.encoder\.layer\.0\.attention\.self\.query\.weight$",),
    "bert": (r"^(?:bert\.)?encoder\.layer\.0\.attention\.self\.query\.weight$",),
}
"""Of each type, weights that no other has; the first type that fits is taken."""


def type_from_weights(folder: Path, name: str) -> str | None:
    """The type of model in a folder whose configuration does not name one; None where it does.

    Raises ModelError where the weights' names tell none.
    """
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # loading will tell what is wrong with the file
    if not isinstance(content, dict) or content.get("model_type"):
        return None
    names = list(_names(folder))
    for model_type, signs in SIGNS.items():
        if all(any(re.search(sign, weight) for weight in names) for sign in signs):
            # Both have the same weights, and other tokenizers.
            by_pieces = model_type == "roberta" and (folder / "sentencepiece.bpe.model").is_file()
            return "xlm-roberta" if by_pieces else model_type
    raise ModelError(
        f"{name}/config.json does not say what type of model it describes, and the names of the weights do not tell.",
        'Add it to the file, such as "model_type": "bert".',
    )


def _names(folder: Path) -> Iterable[str]:
    """Of the weights in a folder."""
    import torch
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as saved:
            yield from saved.keys()
    for path in sorted(folder.glob("pytorch_model*.bin")):
        yield from torch.load(path, weights_only=True, map_location="meta")
