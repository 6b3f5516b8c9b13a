"""What stands on top of a pretrained body: found in the network itself, for any family, and settled from an earlier life."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn


def head_modules(network: Any) -> list[nn.Module]:
    """The parts with weights outside the pretrained body; a pooler belongs to them, wherever it stands."""
    body = network.base_model
    children = [] if body is network else [child for child in network.children() if child is not body]
    children += [child for name, child in body.named_children() if name == "pooler"]
    return [child for child in children if next(child.parameters(), None) is not None]


def head_names(network: Any) -> list[str]:
    """What the parts above the body are called in a plain network, as peft wants to know them."""
    parts = {id(part) for part in head_modules(network)}
    names = [name for name, module in network.named_modules() if id(module) in parts]
    return sorted({name.rsplit(".", 1)[-1] for name in names if name != "window_attention"})


def above_body(network: Any) -> frozenset[str]:
    """The names of the parameters outside the pretrained body, a pooler's among them."""
    own = {id(parameter) for part in head_modules(network) for parameter in part.parameters()}
    return frozenset(name for name, parameter in network.named_parameters() if id(parameter) in own)


def output_layer(network: Any) -> nn.Linear | None:
    """The layer that gives the logits: the last one in the head with as many outputs as there are classes."""
    n_outputs = network.config.num_labels
    modules = [module for part in head_modules(network) for module in part.modules()]
    found = [module for module in modules if isinstance(module, nn.Linear) and module.out_features == n_outputs]
    return found[-1] if found else None


class _Given(nn.Module):
    """Stands for the body: the states that it would give are its input."""

    def __init__(self, pooler: nn.Module | None) -> None:
        super().__init__()
        self.pooler = pooler

    def forward(self, *_: Any, inputs_embeds: Tensor, **__: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        pooled = None if self.pooler is None else self.pooler(inputs_embeds)
        return BaseModelOutputWithPooling(last_hidden_state=inputs_embeds, pooler_output=pooled)


def own_head(network: Any, states: Tensor) -> Tensor:
    """The logits that the network's own forward pass makes of states (n, length, width) of its body: (n, K), or (n, length, K)
    where each token has some."""
    above = copy(network)
    above._modules = {**network._modules, network.base_model_prefix: _Given(getattr(network.base_model, "pooler", None))}
    return logits_of(above(inputs_embeds=states))


def token_logits(network: Any, states: Tensor) -> Tensor:
    """(T, K) of states (T, width), as transformers' own heads for token classification have it: dropout and one layer.

    Raises ValueError for a head of another kind.
    """
    layer = output_layer(network)
    if layer is None:
        raise ValueError("the head has no output layer")
    dropout = getattr(network, "dropout", None)
    return cast(Tensor, layer(states if dropout is None else dropout(states)))


def logits_of(output: Any) -> Tensor:
    """(n, ..., n_outputs) of what a network of transformers gives; of a head for question answering the two columns side by
    side."""
    logits = getattr(output, "logits", None)
    return cast(Tensor, torch.stack([output.start_logits, output.end_logits], dim=-1) if logits is None else logits)


def is_of_body(key: str, network: Any) -> bool:
    """Whether a parameter of that name is of the pretrained body, which no checkpoint may lack."""
    prefix = f"{network.base_model_prefix}."
    return key.startswith(prefix) and not key.removeprefix(prefix).startswith("pooler.")


class Settled(NamedTuple):
    """fresh: the parameters that start from random values. found: whose head the checkpoint brought."""

    fresh: frozenset[str]
    found: Literal["none", "same classes", "other classes"]


def settle_head(
    network: Any, missing: Collection[str], reshaped: Collection[str], earlier: Sequence[str], outputs: Sequence[str]
) -> Settled:
    """Make of the head that came with a checkpoint one for `outputs`.

    missing, reshaped: parameters that the checkpoint lacked, or had in another shape; they hold random values. earlier: its
    classes. A head for the same classes keeps its weights, moved to the order of `outputs`; the output layer of one for other
    classes starts anew, whatever their number.
    """
    fresh = frozenset((*missing, *reshaped))
    layer = output_layer(network)
    if layer is None:
        return Settled(fresh, "none")
    own = list(layer.parameters())
    names = {name for name, parameter in network.named_parameters() if any(parameter is other for other in own)}
    if not names.isdisjoint(fresh):
        return Settled(fresh, "none" if names.isdisjoint(reshaped) else "other classes")
    if set(earlier) == set(outputs):
        order = torch.tensor([list(earlier).index(name) for name in outputs])
        with torch.no_grad():
            for parameter in own:
                parameter.copy_(parameter[order].clone())
        return Settled(fresh, "same classes")
    start_anew(layer, network.config)
    return Settled(fresh | names, "other classes")


def set_bias(network: Any, fresh: Collection[str], bias: Tensor) -> None:
    """Let the output layer start from `bias` (n_outputs,), where it is new and has one. fresh: the names of new parameters."""
    layer = output_layer(network)
    if layer is None or layer.bias is None:
        return
    if any(parameter is layer.bias and name in fresh for name, parameter in network.named_parameters()):
        with torch.no_grad():
            layer.bias.copy_(bias)


def rescale(network: Any, factor: Tensor, shift: Tensor) -> bool:
    """Make of the outputs `factor · output + shift`, each (n_outputs,), by the weights of the output layer. Say whether they are
    shifted: a layer without bias is scaled alone.

    Raises ValueError for a head that has no such layer.
    """
    layer = output_layer(network)
    if layer is None:
        raise ValueError("the head has no output layer")
    with torch.no_grad():
        layer.weight.mul_(factor.to(layer.weight)[:, None])
        if layer.bias is None:
            return not bool(shift.any())
        layer.bias.mul_(factor.to(layer.bias)).add_(shift.to(layer.bias))
    return True


def start_anew(layer: nn.Linear, config: Any) -> None:
    """Weights from a normal distribution of the model's own width, as for a head that a checkpoint lacks; biases zero."""
    deviation = next((value for key in ("initializer_range", "init_std") if (value := getattr(config, key, None))), 0.02)
    nn.init.normal_(layer.weight, std=cast(float, deviation))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
