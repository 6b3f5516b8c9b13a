"""A trained network and its tokenizer in Hugging Face's layout, as any `from_pretrained` of transformers 4 or 5 reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from superfine.atomic import write_text


def save_network(network: Any, folder: Path, dtype: Any) -> None:
    """Weights in `dtype`, and a configuration that has them read as float32, in which they are computed."""
    state = network.state_dict()
    # What stands under two names is one tensor afterwards too, and written once.
    cast = {value.data_ptr(): value.to(dtype) for value in state.values() if value.is_floating_point()}
    network.save_pretrained(folder, state_dict={name: cast.get(value.data_ptr(), value) for name, value in state.items()})
    save_configuration(network, folder)


def save_configuration(network: Any, folder: Path) -> None:
    """config.json, as transformers 4 and 5 read it."""
    network.config.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    earlier = rotary_keys(config.get("rope_parameters") or {})
    write_json(path, {**{key: value for key, value in earlier.items() if value is not None}, **config, "dtype": "float32"})


def rotary_keys(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """transformers 4's names for what version 5 keeps in `rope_parameters`; without them version 4 computes with its own base.

    parameters: of the network, or of its full and its sliding attention.
    """
    if "full_attention" in parameters:
        whole, sliding = parameters["full_attention"], parameters.get("sliding_attention") or {}
        base, local = whole.get("rope_theta"), sliding.get("rope_theta")
        modernbert, gemma = {"global_rope_theta": base, "local_rope_theta": local}, {"rope_local_base_freq": local}
        return {"rope_theta": base, **modernbert, **gemma}
    if not parameters:
        return {}
    base, share = parameters.get("rope_theta"), parameters.get("partial_rotary_factor")
    scaling = {key: value for key, value in parameters.items() if key not in ("rope_theta", "partial_rotary_factor")}
    neox = {"rotary_emb_base": base, "rotary_pct": share} if share is not None else {}
    is_scaled = scaling.get("rope_type", "default") != "default"
    return {"rope_theta": base, "partial_rotary_factor": share, **neox, "rope_scaling": scaling if is_scaled else None}


def save_tokenizer(tokenizer: Any, names: Mapping[str, Any], folder: Path) -> None:
    """tokenizer: of the library tokenizers, saved as it is. names: special tokens and settings of transformers' wrapper."""
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(tokenizer_object=tokenizer, truncation_side="right", **names).save_pretrained(folder)
    # The general class reads tokenizer.json as it is; a family's own class would rebuild it without the cleaning.
    path = folder / "tokenizer_config.json"
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), "tokenizer_class": "PreTrainedTokenizerFast"})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
