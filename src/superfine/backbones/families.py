"""What differs between the families of pretrained models when they classify a whole text.

A family says which token is read (an encoder's first, a decoder's last), how its own classification head turns that state into
logits, and where its positions begin. A model type that is not listed runs padded through its own forward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from superfine.backbones.packed.layers import Computation, bert_layer, decoder_layer, distilbert_layer

Head = Callable[[Any, Tensor], Tensor]


class Layers(NamedTuple):
    """path: the list of layers inside the base model. computed: how (see `packed.layers`). every: all, or the last alone."""

    path: str
    computed: Computation
    every: bool


@dataclass(frozen=True)
class Family:
    """reads: the token whose state is classified. head: (network, states (n, 1, width)) -> logits (n, K).

    positions_after_padding: positions count from `pad_token_id + 1`, as in RoBERTa, instead of 0. layers: those that are computed
    our way, the last one for the tokens alone that are read; None leaves all to transformers.
    """

    reads: Literal["first", "last"]
    head: Head
    positions_after_padding: bool = False
    has_token_types: bool = False
    layers: Layers | None = None


def _pooler_then_classifier(network: Any, states: Tensor) -> Tensor:
    logits: Tensor = network.classifier(network.dropout(network.base_model.pooler(states)))
    return logits


def _linear_pooler_then_classifier(network: Any, states: Tensor) -> Tensor:
    base = network.base_model
    logits: Tensor = network.classifier(network.dropout(base.pooler_activation(base.pooler(states[:, 0]))))
    return logits


def _classifier(network: Any, states: Tensor) -> Tensor:
    logits: Tensor = network.classifier(states)
    return logits


def _distilbert(network: Any, states: Tensor) -> Tensor:
    hidden = nn.functional.relu(network.pre_classifier(states[:, 0]))
    logits: Tensor = network.classifier(network.dropout(hidden))
    return logits


def _score(network: Any, states: Tensor) -> Tensor:
    logits: Tensor = network.score(states[:, 0])
    return logits


_BERT_LAYERS = Layers("encoder.layer", bert_layer, every=True)
_BERT = Family("first", _pooler_then_classifier, has_token_types=True, layers=_BERT_LAYERS)
_ROBERTA = Family("first", _classifier, positions_after_padding=True, has_token_types=True, layers=_BERT_LAYERS)
_GPT2 = Family("last", _score)
_DECODER = Family("last", _score, layers=Layers("layers", decoder_layer, every=False))

FAMILIES: dict[str, Family] = {
    "bert": _BERT,
    "ernie": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "electra": Family("first", _classifier, has_token_types=True, layers=_BERT_LAYERS),
    "albert": Family("first", _linear_pooler_then_classifier, has_token_types=True),
    "distilbert": Family("first", _distilbert, layers=Layers("transformer.layer", distilbert_layer, every=True)),
    "gpt2": _GPT2,
    "llama": _DECODER,
    "mistral": _DECODER,
    "qwen2": _DECODER,
    "qwen3": _DECODER,
}
"""By `model_type` of the Hugging Face configuration."""


def max_positions(config: Any) -> int | None:
    """How many tokens a network with this configuration can read, or None where there is no bound."""
    bound = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if not isinstance(bound, int) or bound <= 0:
        return None
    family = FAMILIES.get(config.model_type)
    return bound - int(config.pad_token_id) - 1 if family is not None and family.positions_after_padding else bound
