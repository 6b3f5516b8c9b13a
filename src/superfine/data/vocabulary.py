"""Tokenizers that share a vocabulary: a copy of one of a hundred languages takes 280 MB and most of a second."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import groupby
from typing import Any

from tokenizers import AddedToken, Tokenizer, models

COMPONENTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")


def sharing(tokenizer: Tokenizer, changed: Callable[[AddedToken], AddedToken] = lambda token: token) -> Tokenizer:
    """Another tokenizer over the same vocabulary, without truncation and padding; what is set in one stays out of the other.

    changed: what becomes of each added token.
    """
    added = {i: changed(token) for i, token in sorted(tokenizer.get_added_tokens_decoder().items())}
    twin = Tokenizer(tokenizer.model)
    _take_components(twin, tokenizer)
    twin.encode_special_tokens = tokenizer.encode_special_tokens
    for is_special, tokens in groupby(added.values(), key=lambda token: bool(token.special)):
        (twin.add_special_tokens if is_special else twin.add_tokens)(list(tokens))
    return twin if twin.get_added_tokens_decoder() == added else _copy(tokenizer, added)


def _copy(tokenizer: Tokenizer, added: dict[int, AddedToken]) -> Tokenizer:
    """The same with a vocabulary of its own, for one whose added tokens cannot get their ids by being added again."""
    content = json.loads(tokenizer.to_str())
    for token in content["added_tokens"]:
        token["normalized"] = added[token["id"]].normalized
    content["truncation"] = content["padding"] = None
    return Tokenizer.from_str(json.dumps(content))


def settings_of(tokenizer: Tokenizer) -> dict[str, Any]:
    """The components of a tokenizer as its file spells them, without vocabulary and added tokens."""
    frame = Tokenizer(models.WordLevel({}, unk_token=""))
    _take_components(frame, tokenizer)
    content = json.loads(frame.to_str())
    return {name: content[name] for name in COMPONENTS}


def with_settings(tokenizer: Tokenizer, **settings: Any) -> Tokenizer:
    """`sharing`, with some components replaced by what a file would spell so."""
    frame = json.loads(Tokenizer(models.WordLevel({}, unk_token="")).to_str())
    parts = Tokenizer.from_str(json.dumps(frame | settings))
    twin = sharing(tokenizer)
    for name in settings:
        setattr(twin, name, getattr(parts, name))
    return twin


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The id of the token for what the vocabulary does not hold, or None where there is none (byte-level vocabularies)."""
    if isinstance(tokenizer.model, models.Unigram):
        found = re.search(r'"type":\s*"Unigram",\s*"unk_id":\s*(\d+)', tokenizer.to_str())
        return int(found[1]) if found else None
    token = getattr(tokenizer.model, "unk_token", None)
    return tokenizer.token_to_id(token) if token else None


def largest_id(tokenizer: Tokenizer) -> int:
    """Of all tokens, added ones too; -1 where there is none."""
    if isinstance(tokenizer.model, models.Unigram):  # its ids are places in a list, and the vocabulary as a dict takes 0.2 s
        return max(tokenizer.get_vocab_size(with_added_tokens=False) - 1, *tokenizer.get_added_tokens_decoder(), -1)
    return max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)


def _take_components(target: Tokenizer, source: Tokenizer) -> None:
    for name in COMPONENTS:
        if (component := getattr(source, name)) is not None:
            setattr(target, name, component)
