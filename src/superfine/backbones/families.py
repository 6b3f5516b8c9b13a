"""What differs between the families of pretrained models when they classify a text or its tokens: one line for each.

A family says which state is read (an encoder's first token, a decoder's last one, a mean), how its own classification head turns
that state into logits, and where its positions begin. A model type that is not listed runs padded through its own forward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from superfine.backbones.heads import own_head
from superfine.backbones.packed import relative
from superfine.backbones.packed.layers import Computation, bert_layer, decoder_layer, distilbert_layer, modernbert_layer

Head = Callable[[Any, Tensor], Tensor]
Reads = Literal["first", "last", "mean", "each"]
"""The state that is classified; each: those of all tokens, whose logits are averaged."""
Body = Callable[[Any, Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""(base model, embeddings (tokens, width), token types and positions (tokens,), read (n,) token indices or None) -> states
(tokens or n, width)."""
POOLINGS: dict[str, Reads] = {"cls": "first", "bos": "first", "mean": "mean", "late": "each"}
"""By what a configuration calls `classifier_pooling`."""


class Layers(NamedTuple):
    """computed: how layers are computed (see `packed.layers`). every: all of them, or the last alone."""

    computed: Computation
    every: bool


@dataclass(frozen=True)
class Family:
    """reads: the token whose state is classified; None: what the configuration says. head: (network, states (n, 1, width)) ->
    logits (n, K).

    positions_after_padding: positions count from `pad_token_id + 1`, as in RoBERTa, instead of 0. layers: those that are computed
    our way, the last one for the tokens alone that are read; None leaves all to transformers. body: the whole body, computed our
    way where attention is not transformers' usual one. padded_on: the side on which the family's own forward pass wants padding.
    """

    reads: Literal["first", "last"] | None
    head: Head = own_head
    positions_after_padding: bool = False
    has_token_types: bool = False
    layers: Layers | None = None
    body: Body | None = None
    padded_on: Literal["right", "left"] = "right"

    def reads_of(self, config: Any) -> Reads:
        """The state that a network with this configuration classifies. Raises ValueError for a pooling that is not known."""
        if self.reads is not None:
            return self.reads
        if config.classifier_pooling not in POOLINGS:
            raise ValueError(f'a pooling that is not known: "{config.classifier_pooling}"')
        return POOLINGS[config.classifier_pooling]


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


def _summary(network: Any, states: Tensor) -> Tensor:
    logits: Tensor = network.logits_proj(network.sequence_summary(states))
    return logits


def _distilbert(network: Any, states: Tensor) -> Tensor:
    hidden = nn.functional.relu(network.pre_classifier(states[:, 0]))
    logits: Tensor = network.classifier(network.dropout(hidden))
    return logits


def _score(network: Any, states: Tensor) -> Tensor:
    logits: Tensor = network.score(states[:, 0])
    return logits


_BERT_LAYERS = Layers(bert_layer, every=True)
_BERT = Family("first", _pooler_then_classifier, has_token_types=True, layers=_BERT_LAYERS)
_ROBERTA = Family("first", _classifier, positions_after_padding=True, has_token_types=True, layers=_BERT_LAYERS)
_DECODER = Family("last", _score)
_LLAMA = Family("last", _score, layers=Layers(decoder_layer, every=False))

FAMILIES: dict[str, Family] = {
    "bert": _BERT,
    "ernie": _BERT,
    "nomic_bert": Family("first", _pooler_then_classifier, has_token_types=True),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "data2vec-text": _ROBERTA,
    "roberta-prelayernorm": Family("first", _classifier, positions_after_padding=True, has_token_types=True),
    "xlm-roberta-xl": Family("first", _classifier, positions_after_padding=True, has_token_types=True),
    "electra": Family("first", _classifier, has_token_types=True, layers=_BERT_LAYERS),
    "albert": Family("first", _linear_pooler_then_classifier, has_token_types=True),
    "distilbert": Family("first", _distilbert, layers=Layers(distilbert_layer, every=True)),
    "mpnet": Family("first", _classifier, positions_after_padding=True, body=relative.mpnet),
    "deberta-v2": Family("first", has_token_types=True, body=relative.deberta),
    "xlnet": Family("last", _summary, has_token_types=True, body=relative.xlnet, padded_on="left"),
    "modernbert": Family(None, layers=Layers(modernbert_layer, every=False)),
    "eurobert": Family(None, layers=Layers(decoder_layer, every=False)),
    "gpt2": _DECODER,
    "gpt_neox": _DECODER,
    "opt": _DECODER,
    "phi": _DECODER,
    "phi3": _DECODER,
    "olmo2": _DECODER,
    "gemma": _LLAMA,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "smollm3": _LLAMA,
}
"""By `model_type` of the Hugging Face configuration."""


def max_positions(config: Any) -> int | None:
    """How many tokens a network with this configuration can read, or None where there is no bound."""
    bound = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if not isinstance(bound, int) or bound <= 0:
        return None
    family = FAMILIES.get(config.model_type)
    return bound - int(config.pad_token_id) - 1 if family is not None and family.positions_after_padding else bound
