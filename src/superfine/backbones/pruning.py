"""A smaller vocabulary for a model of a hundred languages: the pieces of the scripts that the texts are in, and no others.

On request alone, because it has a price: other texts are cut into other pieces, and those in other scripts cannot be read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models

from superfine.data.scripts import script_of, script_shares
from superfine.errors import ConfigError
from superfine.records import IntArray

RARE_SCRIPT = 0.001
"""A script with a smaller share of the letters is not kept for its own sake; pieces that the texts hold are kept in any case."""


@dataclass(frozen=True)
class Pruned:
    """tokenizer: over the pieces that were kept. rows: (k,) their ids before, so the rows of the table that belong to them."""

    tokenizer: Tokenizer
    rows: IntArray


def prune(tokenizer: Tokenizer, texts: Sequence[str], n_pieces: int) -> Pruned:
    """Keep `n_pieces` of a Unigram vocabulary: the special ones, those of the texts, and the most probable in their scripts.

    Raises ConfigError for another kind of tokenizer, and for fewer pieces than the texts hold.
    """
    if not isinstance(tokenizer.model, models.Unigram):
        raise ConfigError(
            "model.prune_vocabulary needs a tokenizer of pieces with probabilities (Unigram), and this one is of another kind.",
            "Leave it out, or choose a model such as multilingual-e5-small-q4.",
        )
    content = json.loads(tokenizer.to_str())
    pieces: list[list[Any]] = content["model"]["vocab"]
    special = {token["id"] for token in content["added_tokens"]}
    held = {i for found in tokenizer.encode_batch(list(texts)) for i in found.ids} | special
    if content["model"]["unk_id"] is not None:
        held.add(content["model"]["unk_id"])
    held = {i for i in held if i < len(pieces)}
    if n_pieces < len(held):
        raise ConfigError(f"model.prune_vocabulary cannot be {n_pieces}: the texts alone hold {len(held)} pieces.")
    scripts = {script for script, share in script_shares(texts).items() if share >= RARE_SCRIPT}
    by_probability = sorted(set(range(len(pieces))) - held, key=lambda i: -pieces[i][1])
    wanted = (i for i in by_probability if _is_in(pieces[i][0], scripts))
    kept = sorted([*held, *islice(wanted, n_pieces - len(held))])
    return Pruned(_over(content, kept), np.array(kept, dtype=np.int64))


def cut_otherwise(before: Tokenizer, after: Pruned, texts: Sequence[str]) -> float:
    """The share (0 to 1) of texts that are cut into other pieces than before."""
    pairs = zip(before.encode_batch(list(texts)), after.tokenizer.encode_batch(list(texts)), strict=True)
    n_otherwise = sum(bool(a.ids != after.rows[b.ids].tolist()) for a, b in pairs)
    return n_otherwise / max(1, len(texts))


def prune_rows(network: Any, rows: IntArray) -> None:
    """Keep the rows of the table of word embeddings, in place; the ids in the configuration follow."""
    import torch
    from torch import nn

    place = {int(row): i for i, row in enumerate(rows)}
    table = network.get_input_embeddings()
    weight = table.weight.detach()[torch.from_numpy(rows)].clone()
    for key in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if (known := getattr(network.config, key, None)) is not None:
            setattr(network.config, key, place.get(int(known)))
    padding = network.config.pad_token_id if table.padding_idx is not None else None
    network.set_input_embeddings(nn.Embedding(len(rows), weight.shape[1], padding_idx=padding, _weight=weight))
    network.config.vocab_size = len(rows)


def _is_in(piece: str, scripts: set[str]) -> bool:
    """Whether all letters of a piece are of these scripts; digits and signs are of every one."""
    return all(script in scripts for character in piece if (script := script_of(character)))


def _over(content: dict[str, Any], kept: Sequence[int]) -> Tokenizer:
    """The tokenizer of that content over the pieces that were kept."""
    place = {old: new for new, old in enumerate(kept)}
    model = content["model"]
    model["vocab"] = [model["vocab"][i] for i in kept]
    model["unk_id"] = None if model["unk_id"] is None else place[model["unk_id"]]
    for i, token in enumerate(content["added_tokens"]):
        token["id"] = place.get(token["id"], len(kept) + i)
    processor = content["post_processor"]
    if processor is not None:
        if processor["type"] != "TemplateProcessing":
            raise ConfigError(f"model.prune_vocabulary cannot renumber the tokenizer's {processor['type']}.", "Leave it out.")
        for token in processor["special_tokens"].values():
            token["ids"] = [place[i] for i in token["ids"]]
    return Tokenizer.from_str(json.dumps(content))
