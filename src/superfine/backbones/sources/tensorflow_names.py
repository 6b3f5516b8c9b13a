"""What transformers calls the weights in TensorFlow's checkpoints: those of the original releases, and its own `tf_model.h5`.

The original names are those of google-research/bert, albert and electra, zihangdai/xlnet and openai/gpt-2; those of `tf_model.h5`
are of transformers 4's TensorFlow classes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

SIGNS = {
    "xlnet": "model/transformer/layer_0/rel_attn/q/kernel",
    "gpt2": "model/h0/attn/c_attn/w",
    "albert": "bert/encoder/transformer/group_0/inner_group_0/attention_1/self/query/kernel",
    "electra": "electra/encoder/layer_0/attention/self/query/kernel",
    "roberta": "roberta/encoder/layer_0/attention/self/query/kernel",
    "bert": "bert/encoder/layer_0/attention/self/query/kernel",
}
"""Of each type, a weight that no other has in its original checkpoints."""
BODIES = {
    "xlnet": "model/transformer/",
    "gpt2": "model/",
    "albert": "bert/",
    "electra": "electra/",
    "roberta": "roberta/",
    "bert": "bert/",
}
"""How the names of a network's body begin there."""
OF_OPTIMISER = re.compile(
    r"(?:^|/)(?:adam_[mv]|Adam(?:_\d+)?|LAMB(?:_\d+)?|lamb_[mv]|Momentum|ExponentialMovingAverage|beta[12]_power)$"
    r"|^(?:.*/)?(?:global_step|loss_scale|good_steps|bad_steps|current_loss_scale|learning_rate)$"
)
"""What training left behind: no weights of the network."""
OF_OBJECTS = "/.ATTRIBUTES/"
"""Stands in the names of checkpoints that TensorFlow 2 writes of objects."""
IN_LAST_PLACE = {"kernel": "weight", "gamma": "weight", "beta": "bias", "embeddings": "weight"}

_BERT = (
    (r"^(bert|roberta)/embeddings/(\w+_embeddings)$", r"\1.embeddings.\2.weight"),
    (r"^electra/embeddings_project/", r"electra.embeddings_project."),
    (r"^electra/embeddings/(\w+_embeddings)$", r"electra.embeddings.\1.weight"),
    (r"^cls/predictions/output_bias$", "cls.predictions.bias"),
    (r"^cls/seq_relationship/output_(weight|bias)s?$", r"cls.seq_relationship.\1"),
    (r"^output_(weight|bias)s?$", r"classifier.\1"),
    (r"^discriminator_predictions/dense_1/", "discriminator_predictions.dense_prediction."),
    (r"/layer_(\d+)/", r".layer.\1."),
)
_ALBERT = (
    (r"^bert/embeddings/(\w+_embeddings)$", r"albert.embeddings.\1.weight"),
    (r"^cls/predictions/transform/", "predictions."),
    (r"^cls/predictions/output_bias$", "predictions.bias"),
    (r"^cls/seq_relationship/output_(weight|bias)s?$", r"sop_classifier.classifier.\1"),
    (r"^output_(weight|bias)s?$", r"classifier.\1"),
    (r"^bert/pooler/dense/", "albert.pooler."),
    (r"^bert/encoder/transformer/group_(\d+)/inner_group_(\d+)/", r"albert/encoder/albert_layer_groups.\1.albert_layers.\2."),
    (r"attention_1/self/", "attention."),
    (r"attention_1/output/", "attention."),
    (r"ffn_1/intermediate/output/dense/", "ffn_output."),
    (r"ffn_1/intermediate/dense/", "ffn."),
    (r"\.LayerNorm_1/", ".full_layer_layer_norm."),
    (r"(albert_layers\.\d+)\.LayerNorm/", r"\1.attention.LayerNorm."),
    (r"^bert/", "albert."),
)
_XLNET = (
    (r"^model/transformer/word_embedding/lookup_table$", "transformer.word_embedding.weight"),
    (r"^model/transformer/mask_emb/mask_emb$", "transformer.mask_emb"),
    (r"^model/lm_loss/", "lm_loss."),
    (r"^model/sequnece_summary/summary/", "sequence_summary.summary."),
    (r"^model/(?:classification|regression)_\w+/logit/", "logits_proj."),
    (r"^model/transformer/layer_(\d+)/", r"transformer.layer.\1."),
    (r"rel_attn/([qkvor])/kernel$", r"rel_attn.\1"),
    (r"LayerNorm/", "layer_norm/"),
)
_GPT2 = (
    (r"^model/(wte|wpe)$", r"transformer.\1.weight"),
    (r"^model/h(\d+)/", r"transformer.h.\1."),
    (r"^model/ln_f/", "transformer.ln_f."),
    (r"/w$", ".weight"),
    (r"((?:^|[./])ln_\w+)[./]g$", r"\1.weight"),
    (r"[/.]b$", ".bias"),
)
RULES: dict[str, Sequence[tuple[str, str]]] = {
    "bert": _BERT, "roberta": _BERT, "electra": _BERT, "albert": _ALBERT, "xlnet": _XLNET, "gpt2": _GPT2
}  # fmt: skip
"""Of each type, what is replaced by what, one after the other."""
OF_EACH_LAYER = re.compile(r"^model/transformer/(r_w_bias|r_r_bias|r_s_bias|seg_embed)$")
"""XLNet's tensors that hold the weights of all layers, one behind the other; where they are not untied, all layers share one."""


class Weight(NamedTuple):
    """A weight and where it comes from. name: as transformers has it. layer: which part of the source tensor, along its first
    axis; None takes all."""

    name: str
    source: str
    transposed: bool
    layer: int | None = None


def type_of(names: Collection[str]) -> str | None:
    """The type of model whose original checkpoints have weights of these names, or None."""
    return next((model_type for model_type, sign in SIGNS.items() if sign in names), None)


def is_set_aside(model_type: str, name: str) -> bool:
    """Whether a tensor is no weight of the network: an optimiser's, or of the generator that ELECTRA was trained against."""
    return bool(OF_OPTIMISER.search(name)) or (model_type == "electra" and name.startswith("generator"))


def original_names(model_type: str, names: Iterable[str], n_layers: int, *, untied: bool = True) -> list[Weight]:
    """The weights of these names in an original checkpoint. n_layers, untied: of XLNet, whose layers share tensors."""
    weights: list[Weight] = []
    for name in names:
        if model_type == "xlnet" and (found := OF_EACH_LAYER.match(name)) is not None:
            layers = range(n_layers)
            weights += [Weight(f"transformer.layer.{i}.rel_attn.{found[1]}", name, False, i if untied else None) for i in layers]
            continue
        renamed = name
        for pattern, replacement in RULES[model_type]:
            renamed = re.sub(pattern, replacement, renamed)
        weights.append(_in_last_place(re.split(r"[./]", renamed), name))
    return weights


def keras_names(names: Iterable[str], prefix: str) -> list[Weight]:
    """The weights of these names in a `tf_model.h5`. prefix: what transformers calls the body, such as "bert"."""
    weights: list[Weight] = []
    for name in names:
        path = re.sub(r":\d+$", "", name).replace("_._", "/")
        parts = [part for part in re.sub(r"/[^/]*___([^/]*)/", r"/\1/", path).split("/") if part]
        # The name of the class comes first; it is left out where the body was named itself.
        weights.append(_in_last_place(parts[1:] if len(parts) > 1 and parts[0] != prefix else parts, name))
    return weights


def _in_last_place(parts: list[str], source: str) -> Weight:
    """A kernel lies as (inputs, outputs), transformers' weight the other way round; GPT-2's are no kernels, and lie alike."""
    last = IN_LAST_PLACE.get(parts[-1], parts[-1])
    return Weight(".".join([*parts[:-1], last]), source, parts[-1] == "kernel")
