"""LoRA (Hu et al. 2022) through peft: y = W x + (alpha / r) · B A x, where A (r, inputs) and B (outputs, r) alone are trained.

W stays what the pretrained model has. B starts from zero, so training starts from the pretrained model. Afterwards B A is added
to W: the network that is saved has no trace of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from superfine.errors import ConfigError, first_line
from superfine.extras import require

if TYPE_CHECKING:  # options are checked where torch is not loaded yet
    from torch import Tensor

    from superfine.backbones.sources.adapter import AdapterBase

NAME = "default"
"""What peft calls an adapter that is alone."""


class LoRA:
    """One such adapter, from its options to the network that it is merged into."""

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        r: int = Field(8, gt=0, le=4096, strict=True, description="rank of the matrices")
        alpha: float = Field(16.0, gt=0, description="their product counts alpha / r times")
        dropout: float = Field(0.0, ge=0, lt=1, description="of what goes into A")
        targets: Literal["auto"] | list[str] = Field(
            "auto", description="names of the linear layers that get one; auto: all of the body's layers (Dettmers et al. 2023)"
        )
        use_dora: bool = Field(False, description="DoRA: length and direction of weights apart (Liu et al. 2024)")
        use_rslora: bool = Field(False, description="alpha / sqrt(r) instead of alpha / r (Kalajdzievski 2023)")

    RATE_FACTOR = 10.0
    """Times the learning rate for all weights: the product of two small matrices moves more slowly (docs/experiments.md)."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._tuner: Any = None
        self._config: Any = None
        self._matrices: dict[str, Tensor] = {}

    def put_into(self, network: Any) -> None:
        """Put the matrices beside the linear layers of the body; nothing but them learns from now on.

        Raises ConfigError for names that no layer has, and where peft refuses.
        """
        peft = require("lora", "peft")
        patterns, options = linear_layers(network), self.options
        # Names count in the layers alone: a head that is trained whole must not have an adapter as well.
        wanted = patterns if options.targets == "auto" else [one for one in patterns if _ends_with(one, options.targets)]
        unknown = [] if options.targets == "auto" else [name for name in options.targets if not _any_ends_with(patterns, name)]
        if not wanted or unknown:
            missing = ", ".join(unknown) or "so"
            raise ConfigError(
                f"model.adapter.lora.targets: no linear layer of {type(network).__name__} is called {missing}.",
                f"Its linear layers are: {', '.join(sorted({pattern.rsplit('.', 1)[-1] for pattern in patterns})) or 'none'}.",
            )
        config = peft.LoraConfig(
            r=options.r, lora_alpha=options.alpha, lora_dropout=options.dropout, target_modules="|".join(wanted),
            use_dora=options.use_dora, use_rslora=options.use_rslora, fan_in_fan_out=has_conv1d(network),
        )  # fmt: skip
        try:
            self._tuner = peft.LoraModel(network, {NAME: config}, NAME)
        except ValueError as error:
            raise ConfigError(
                f"model.adapter.lora cannot be put into a network of type {network.config.model_type}: {first_line(error)}",
                "Leave it out, or choose other options.",
            ) from error

    def merge(self) -> None:
        """Add the product of the matrices to the weights, and take the matrices out of the network; `save` still has them."""
        peft = require("lora", "peft")
        found = peft.get_peft_model_state_dict(self._tuner, adapter_name=NAME)
        self._matrices = {f"base_model.{name}": value.detach().cpu().clone() for name, value in found.items()}
        self._config = self._tuner.peft_config[NAME]
        self._tuner.merge_and_unload()
        self._tuner = None

    def save(
        self, folder: Path, head: Mapping[str, Tensor], modules: list[str], base: AdapterBase, task_type: str | None
    ) -> None:
        """Write what was merged, in peft's layout. head: the parameters above the body, by name, which lie in `modules`. base:
        the model that it belongs to. task_type: what peft calls the task."""
        from safetensors.torch import save_file

        config = copy(self._config)
        config.base_model_name_or_path, config.revision = base.name, base.revision
        config.modules_to_save, config.task_type, config.inference_mode = modules, task_type, True
        config.save_pretrained(str(folder))
        tensors = self._matrices | {f"base_model.model.{name}": value.detach().cpu().contiguous() for name, value in head.items()}
        save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})


def linear_layers(network: Any) -> list[str]:
    """Of each kind of linear layer that lies in a list of layers of the body, a pattern of its whole name."""
    body = network.base_model
    prefix = "" if body is network else f"{network.base_model_prefix}."
    names = [f"{prefix}{name}" for name, module in body.named_modules() if _is_linear(module)]
    found = {re.sub(r"\\\.\d+(?=\\\.)", r"\\.\\d+", re.escape(name)) for name in names if re.search(r"\.\d+\.", name)}
    return sorted(found)


def _ends_with(pattern: str, names: Collection[str]) -> bool:
    return any(_any_ends_with([pattern], name) for name in names)


def _any_ends_with(patterns: Collection[str], name: str) -> bool:
    """Whether one of the layers is called so, by its whole name or the end of it."""
    return any(re.search(rf"(?:^|\\\.){re.escape(re.escape(name))}$", pattern) for pattern in patterns)


def has_conv1d(network: Any) -> bool:
    """Whether weights lie the other way round, as GPT-2's do."""
    return any(type(module).__name__ == "Conv1D" for module in network.base_model.modules())


def _is_linear(module: Any) -> bool:
    from torch import nn

    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
