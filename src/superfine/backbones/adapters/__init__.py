"""Small matrices that are trained beside frozen weights, and added to them afterwards. One file each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from superfine.config import validate_options
from superfine.errors import ConfigError
from superfine.names import NameTable

ADAPTERS = NameTable("adapter", {"lora": "superfine.backbones.adapters.lora:LoRA"})


def make_adapter(setting: Mapping[str, Mapping[str, Any]]) -> Any:
    """The adapter of `model.adapter`, which is in no network yet. Raises ConfigError for an unknown name or option, and for
    several."""
    if len(setting) != 1:
        raise ConfigError(
            f"model.adapter names {len(setting)} adapters.", "Name one: --set model.adapter='{lora: {r: 8, alpha: 16}}'."
        )
    ((name, options),) = setting.items()
    adapter = ADAPTERS.load(name)
    return adapter(validate_options(ADAPTERS.kind, name, adapter.Options, options or {}))
