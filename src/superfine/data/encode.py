"""Texts become token ids: ragged columns in flat arrays, so a million texts are three arrays and no padding exists."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from superfine.data.clean import clean_all, split_cleaning
from superfine.data.offsets import settled_offsets
from superfine.data.vocabulary import settings_of, sharing, unknown_id
from superfine.records import Examples, IntArray
from superfine.records.ragged import places_of

CHUNK = 4096
CHARACTERS_PER_TOKEN = 16
"""More than a token has in nearly all texts: enough of a text to begin with, where only its beginning is read."""
UNSETTLED = 16_000
"""Characters before a cut that may read otherwise without it, where an element begins in them: cleaning removes no longer one."""
OPEN_COMMENT = 2_100
"""More tokens than are in the longest comment that cleaning removes, which a cut may have opened again."""
SLACK = 250
"""Characters before any cut, and tokens, that may read otherwise without it: a word, an entity, a combined character."""
COUNTED = 100_000
"""Characters of a long text that are tokenised at a time, to count its tokens."""
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Encoded:
    """n token sequences laid end to end.

    ids: (tokens,) int32. starts: (n + 1,); sequence i is `ids[starts[i]:starts[i + 1]]`.
    type_ids: (tokens,) int8, which text of a pair a token belongs to; None when all are 0.
    truncated: (n,) whether the text was longer than the model reads. unknown_share: of the tokens that are no special tokens.
    offsets: (tokens, 2) int32, where each token begins and ends in its text, in characters of the raw text, or None where nobody
    asked. Special tokens have none: (0, 0).
    """

    ids: NDArray[np.int32]
    starts: IntArray
    type_ids: NDArray[np.int8] | None
    truncated: NDArray[np.bool_]
    unknown_share: float
    offsets: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> IntArray:
        """(n,) tokens per text."""
        return np.diff(self.starts)

    def keys(self) -> list[bytes]:
        """Equal for texts that the model reads alike."""
        types = self.type_ids
        bounds = zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True)
        return [self.ids[a:b].tobytes() + (b"" if types is None else types[a:b].tobytes()) for a, b in bounds]

    def take(self, indices: IntArray) -> Self:
        """The sequences at `indices`, in that order."""
        tokens = self.tokens_of(indices)
        return replace(
            self,
            ids=self.ids[tokens],
            starts=np.concatenate([[0], np.cumsum(self.lengths[indices])]),
            type_ids=None if self.type_ids is None else self.type_ids[tokens],
            truncated=self.truncated[indices],
            offsets=None if self.offsets is None else self.offsets[tokens],
        )

    def tokens_of(self, indices: IntArray) -> IntArray:
        """(t,) the places in `ids` of the tokens of these sequences, one sequence after the other."""
        return places_of(self.starts[indices], self.lengths[indices])


class Encoder:
    """A tokenizer with the model's maximum length: the one place where texts become tokens, for training and for prediction."""

    def __init__(self, tokenizer: Tokenizer, max_length: int, empty_id: int = 0, *, with_offsets: bool = False) -> None:
        """empty_id: the token that stands for a text without any, in families that add no special tokens."""
        self.tokenizer, self._cleans = split_cleaning(tokenizer)
        self._whole = sharing(tokenizer)
        self._added = _pattern_of_added_tokens(tokenizer)
        self._marks_start = re.search(r'"prepend_scheme":\s*"first"', json.dumps(settings_of(tokenizer))) is not None
        self.max_length = max_length
        self.empty_id = empty_id
        self.with_offsets = with_offsets
        for part in (self.tokenizer, self._whole):
            part.no_padding()
            part.enable_truncation(max_length)
        self._unknown_id = unknown_id(self.tokenizer)

    def fingerprint(self) -> str:
        """Equal for encoders that make the same tokens of the same texts."""
        made_of = f"{self._whole.to_str()} {self._cleans} {self.max_length} {self.empty_id} {self.with_offsets}"
        return hashlib.sha256(made_of.encode()).hexdigest()

    def encode(self, examples: Examples, on_chunk: Callable[[int], None] | None = None) -> Encoded:
        """Tokenise every example; texts too long are cut at the end (of the longer one of a pair).

        `on_chunk` is called with how many more texts are done.
        """
        parts = []
        for start in range(0, len(examples), CHUNK):
            parts.append(self._encode_chunk(examples, start))
            if on_chunk is not None:
                on_chunk(min(CHUNK, len(examples) - start))
        if not parts:
            nowhere = np.zeros((0, 2), dtype=np.int32) if self.with_offsets else None
            return Encoded(np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int64), None, np.zeros(0, dtype=bool), 0.0, nowhere)
        offsets = [p.offsets for p in parts if p.offsets is not None]
        has_types = any(p.type_ids is not None for p in parts)
        unknown, known = sum(p.unknown for p in parts), sum(p.known for p in parts)
        return Encoded(
            ids=np.concatenate([p.ids for p in parts]),
            starts=np.concatenate([[0], np.cumsum(np.concatenate([p.lengths for p in parts]))]).astype(np.int64),
            type_ids=np.concatenate([_or_zeros(p.type_ids, len(p.ids)) for p in parts]) if has_types else None,
            truncated=np.concatenate([p.truncated for p in parts]),
            unknown_share=unknown / max(1, unknown + known),
            offsets=np.concatenate(offsets) if offsets else None,
        )

    def _tokenise(self, texts: list[str], pairs: list[str] | None) -> list[Encoding]:
        """Clean, then tokenise: as the saved tokenizer does, but texts that need no cleaning pass at once.

        The saved tokenizer takes added tokens out of the raw text first, and then cleans each piece between them; and where it
        marks the start of a text (Llama's kind), that is the raw text's. So a text that holds such a token, before cleaning or
        through it, or that cleaning may have cut at its start, is read by the saved tokenizer itself. So is a text that
        cleaning changes where offsets are wanted: it knows where in the raw text its tokens come from.
        """
        texts, pairs = self._beginnings(texts, pairs)
        encode = self.tokenizer.encode_batch if self.with_offsets else self.tokenizer.encode_batch_fast
        if not self._cleans:
            return encode(_inputs(texts, pairs))
        cleaned, cleaned_pairs = clean_all(texts), None if pairs is None else clean_all(pairs)
        encodings = encode(_inputs(cleaned, cleaned_pairs))
        odd = {*self._read_otherwise(texts, cleaned)}
        if pairs is not None and cleaned_pairs is not None:
            odd |= {*self._read_otherwise(pairs, cleaned_pairs)}
        if self.with_offsets:
            odd |= {i for i, text in enumerate(texts) if text is not cleaned[i]}
            odd |= {i for i, (a, b) in enumerate(zip(pairs or [], cleaned_pairs or [], strict=True)) if a is not b}
        if odd:
            which = sorted(odd)
            raw = _inputs([texts[i] for i in which], None if pairs is None else [pairs[i] for i in which])
            whole = self._whole.encode_batch if self.with_offsets else self._whole.encode_batch_fast
            for i, encoding in zip(which, whole(raw), strict=True):
                encodings[i] = encoding
        return encodings

    def _beginnings(self, texts: list[str], pairs: list[str] | None) -> tuple[list[str], list[str] | None]:
        """The texts without what is so far behind that the model cannot read it: tokens of megabytes take gigabytes."""
        if pairs is None:
            return [self._beginning(text) for text in texts], None
        both = [self._beginnings_of_pair(a, b) for a, b in zip(texts, pairs, strict=True)]
        return [a for a, _ in both], [b for _, b in both]

    def _beginnings_of_pair(self, first: str, second: str) -> tuple[str, str]:
        """Both beginnings. The longer text stays the longer one: it gets the odd token when both are truncated."""
        a, b = self._beginning(first), self._beginning(second)
        if a is first and b is second:
            return first, second
        first_is_longer = self._count(first) > self._count(second)
        while (self._count(a) > self._count(b)) != first_is_longer and (a is not first if first_is_longer else b is not second):
            if first_is_longer:
                a = first[: 2 * len(a)] if 2 * len(a) < len(first) else first
            else:
                b = second[: 2 * len(b)] if 2 * len(b) < len(second) else second
        return a, b

    def _count(self, text: str) -> int:
        """How many tokens a text has, to within one for each piece that it is counted in."""
        pieces = [text[start : start + COUNTED] for start in range(0, len(text), COUNTED)]
        return sum(self._count_tokens(clean_all([piece])[0] if self._cleans else piece) for piece in pieces)

    def _count_tokens(self, text: str) -> int:
        encoding = self.tokenizer.encode(text)
        return len(encoding) + sum(map(len, encoding.overflowing))

    def _beginning(self, text: str) -> str:
        """A text up to where its first tokens, more than the model reads, no longer depend on what follows."""
        size = CHARACTERS_PER_TOKEN * self.max_length
        while size < len(text):
            opened = text.find("<", max(0, size - UNSETTLED), size) if self._cleans else -1
            settled = text[: size - SLACK] if opened < 0 else text[:opened]
            if self._cleans:
                settled = clean_all([settled])[0]
            if self._count_tokens(settled) >= self.max_length + (SLACK if opened < 0 else OPEN_COMMENT):
                return text[:size]
            size *= 4
        return text

    def _read_otherwise(self, raw: list[str], cleaned: list[str]) -> list[int]:
        """Which texts the saved tokenizer may read in another way than their cleaned form."""
        found = (lambda _: False) if self._added is None else self._added.search
        return [
            i
            for i, (a, b) in enumerate(zip(raw, cleaned, strict=True))
            if found(a) or (a is not b and (found(b) or (self._marks_start and (a[:1] != b[:1] or a[:1] in "<&"))))
        ]

    def _encode_chunk(self, examples: Examples, start: int) -> _Chunk:
        texts = examples.text[start : start + CHUNK]
        pairs = examples.text_pair[start : start + CHUNK] if examples.text_pair is not None else None
        encodings = self._tokenise(texts, pairs)
        lengths = np.array([max(1, len(e)) for e in encodings], dtype=np.int64)
        ids = _flatten([e.ids or [self.empty_id] for e in encodings], lengths, np.int32)
        # Only pairs (and families that mark their special tokens, which the first text shows) have types other than 0.
        typed = pairs is not None or any(encodings[0].type_ids)
        n_special = sum(sum(e.special_tokens_mask) for e in encodings[:1]) * len(encodings)
        unknown = int((ids == self._unknown_id).sum()) if self._unknown_id is not None else 0
        return _Chunk(
            ids,
            lengths,
            type_ids=_flatten([e.type_ids or [0] for e in encodings], lengths, np.int8) if typed else None,
            truncated=np.array([bool(e.overflowing) for e in encodings]),
            unknown=unknown,
            known=max(0, len(ids) - n_special - unknown),
            offsets=self._offsets(texts, pairs, encodings) if self.with_offsets else None,
        )

    def _offsets(self, texts: list[str], pairs: list[str] | None, encodings: list[Encoding]) -> NDArray[np.int32]:
        """(tokens, 2) of these encodings, see `Encoded.offsets`."""
        found = []
        for i, encoding in enumerate(encodings):
            offsets = np.array(encoding.offsets or [(0, 0)], dtype=np.int64)
            for which, text in enumerate([texts[i]] if pairs is None else [texts[i], pairs[i]]):
                of_text = np.array([sequence == which for sequence in encoding.sequence_ids] or [False])
                offsets = settled_offsets(text, offsets, of_text, cleans=self._cleans)
            found.append(offsets)
        return np.concatenate(found).astype(np.int32)


class _Chunk(NamedTuple):
    """Some texts as tokens: see `Encoded`. unknown, known: tokens that are no special tokens."""

    ids: NDArray[np.int32]
    lengths: IntArray
    type_ids: NDArray[np.int8] | None
    truncated: NDArray[np.bool_]
    unknown: int
    known: int
    offsets: NDArray[np.int32] | None


def _pattern_of_added_tokens(tokenizer: Tokenizer) -> re.Pattern[str] | None:
    """What finds the special and added tokens in a text, or None where there are none."""
    contents = sorted({token.content for token in tokenizer.get_added_tokens_decoder().values() if token.content})
    return re.compile("|".join(map(re.escape, contents))) if contents else None


def _inputs(texts: list[str], pairs: list[str] | None) -> Sequence[str | tuple[str, str]]:
    return texts if pairs is None else list(zip(texts, pairs, strict=True))


def _or_zeros(types: NDArray[np.int8] | None, n: int) -> NDArray[np.int8]:
    return np.zeros(n, dtype=np.int8) if types is None else types


def _flatten(rows: list[list[int]], lengths: IntArray, dtype: type[T]) -> NDArray[T]:
    flat = np.empty(int(lengths.sum()), dtype=dtype)
    at = 0
    for row in rows:
        flat[at : at + len(row)] = row
        at += len(row)
    return flat
