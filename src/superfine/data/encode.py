"""Texts become token ids, as the model's saved tokenizer makes them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from superfine.data.clean import clean_all, split_cleaning
from superfine.data.contexts import encode_contexts
from superfine.data.encoded import Encoded
from superfine.data.head_tail import encode_head_tail
from superfine.data.offsets import settled_offsets
from superfine.data.preparation import HeadTail, Windows
from superfine.data.vocabulary import settings_of, sharing, unknown_id
from superfine.data.windows import answering, pieces_of
from superfine.records import Examples, IntArray

CHUNK = 4096
CHARACTERS_PER_TOKEN = 16
"""More than a token has in nearly all texts: enough of a text to begin with, where only its beginning is read."""
UNSETTLED = 16_000
"""Characters before a cut that may read otherwise without it, where an element begins in them: cleaning removes no longer one."""
OPEN_COMMENT = 2_100
"""More tokens than are in the longest comment that cleaning removes, which a cut may have opened again."""
SLACK = 250
"""Characters before any cut, and tokens, that may read otherwise without it: a word, an entity, a combined character."""
TOGETHER = 1_000_000
"""Characters of texts in windows that are tokenised at a time, for the memory that it takes."""
COUNTED = 100_000
"""Characters of a long text that are tokenised at a time, to count its tokens."""
T = TypeVar("T", bound=np.generic)


class Encoder:
    """A tokenizer with the model's maximum length: the one place where texts become tokens, for training and for prediction."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        max_length: int,
        empty_id: int = 0,
        *,
        with_offsets: bool = False,
        windows: Windows | None = None,
        head_tail: HeadTail | None = None,
    ) -> None:
        """empty_id: the token that stands for a text without any, in families that add no special tokens. windows: how texts
        longer than `max_length` are read; without, they are cut, and so are pairs unless the windows are of their second
        texts. head_tail: or they are read without their middle."""
        self.tokenizer, self.cleans = split_cleaning(tokenizer)
        self._whole = sharing(tokenizer)
        self._added = _pattern_of_added_tokens(tokenizer)
        self._marks_start = re.search(r'"prepend_scheme":\s*"first"', json.dumps(settings_of(tokenizer))) is not None
        self.max_length = max_length
        self.empty_id = empty_id
        self.with_offsets = with_offsets
        self.windows, self.head_tail = windows, head_tail
        for part in (self.tokenizer, self._whole):
            part.no_padding()
            if head_tail is not None or (windows is not None and windows.of == "text_pair"):
                part.no_truncation()  # sequences are put together from the tokens of whole texts
            else:
                part.enable_truncation(max_length, stride=0 if windows is None else windows.stride)
        self.unknown_id = unknown_id(self.tokenizer)

    @property
    def as_json(self) -> str:
        """The saved tokenizer, from which the same encoder can be made again."""
        return self._whole.to_str()

    def fingerprint(self) -> str:
        """Equal for encoders that make the same tokens of the same texts."""
        made_of = f"{self._whole.to_str()} {self.cleans} {self.max_length} {self.empty_id} {self.with_offsets} {self.steps}"
        return hashlib.sha256(made_of.encode()).hexdigest()

    @property
    def steps(self) -> tuple[Windows | HeadTail, ...]:
        """What is done to long texts, for the manifest."""
        return tuple(step for step in (self.windows, self.head_tail) if step is not None)

    def encode(self, examples: Examples, on_chunk: Callable[[int], None] | None = None) -> Encoded:
        """Tokenise every example; texts too long are read in windows, or cut at the end (of the longer one of a pair).

        `on_chunk` is called with how many more texts are done.
        """
        if self.head_tail is not None:
            return encode_head_tail(self, examples, self.head_tail.head, on_chunk)
        if self.windows is not None and self.windows.of == "text_pair":
            return encode_contexts(self, examples, self.windows.stride, on_chunk)
        in_windows = self.windows is not None and examples.text_pair is None
        parts = []
        for batch in self._in_pieces(examples) if in_windows else self._in_chunks(examples):
            parts.append(self._encode_chunk(batch))
            if on_chunk is not None:
                on_chunk(batch.n_finished)
        if not parts:
            parts = [_Chunk.empty(with_offsets=self.with_offsets)]
        has_types = any(p.type_ids is not None for p in parts)
        unknown, known = sum(p.unknown for p in parts), sum(p.known for p in parts)
        return Encoded(
            ids=np.concatenate([p.ids for p in parts]),
            starts=np.concatenate([[0], np.cumsum(np.concatenate([p.lengths for p in parts]))]).astype(np.int64),
            type_ids=np.concatenate([_or_zeros(p.type_ids, len(p.ids)) for p in parts]) if has_types else None,
            truncated=np.zeros(len(examples), dtype=bool) if in_windows else np.concatenate([p.truncated for p in parts]),
            unknown_share=unknown / max(1, unknown + known),
            offsets=np.concatenate([p.offsets for p in parts if p.offsets is not None]) if self.with_offsets else None,
            owner=np.concatenate([p.owner for p in parts]) if in_windows else None,
            answers=np.concatenate([p.answers for p in parts if p.answers is not None]) if in_windows else None,
        )

    def _in_chunks(self, examples: Examples) -> Iterator[_Batch]:
        for start in range(0, len(examples), CHUNK):
            texts = examples.text[start : start + CHUNK]
            pairs = None if examples.text_pair is None else examples.text_pair[start : start + CHUNK]
            places = np.zeros(len(texts), dtype=np.int64)
            yield _Batch(*self._beginnings(texts, pairs), start + np.arange(len(texts)), places, len(texts))

    def _in_pieces(self, examples: Examples) -> Iterator[_Batch]:
        """Pieces of texts, so many at a time as memory takes."""
        pieces: list[tuple[int, int, str]] = []
        size = finished = 0
        for i, text in enumerate(examples.text):
            for start, piece in pieces_of(text):
                if pieces and (len(pieces) >= CHUNK or size + len(piece) > TOGETHER):
                    yield _Batch.of_pieces(pieces, finished)
                    pieces, size, finished = [], 0, 0
                pieces.append((i, start, piece))
                size += len(piece)
            finished += 1
        if pieces:
            yield _Batch.of_pieces(pieces, finished)

    def encode_alone(self, texts: list[str]) -> list[Encoding]:
        """Each text by itself, whole and without special tokens, to be put together with others."""
        return self._tokenise(texts, None, specials=False)

    def _tokenise(self, texts: list[str], pairs: list[str] | None, *, specials: bool = True) -> list[Encoding]:
        """Clean, then tokenise: as the saved tokenizer does, but texts that need no cleaning pass at once.

        The saved tokenizer takes added tokens out of the raw text first, and then cleans each piece between them; and where it
        marks the start of a text (Llama's kind), that is the raw text's. So a text that holds such a token, before cleaning or
        through it, or that cleaning may have cut at its start, is read by the saved tokenizer itself. So is a text that
        cleaning changes where offsets are wanted: it knows where in the raw text its tokens come from.
        """
        encode = self.tokenizer.encode_batch if self.with_offsets else self.tokenizer.encode_batch_fast
        if not self.cleans:
            return encode(_inputs(texts, pairs), add_special_tokens=specials)
        cleaned, cleaned_pairs = clean_all(texts), None if pairs is None else clean_all(pairs)
        encodings = encode(_inputs(cleaned, cleaned_pairs), add_special_tokens=specials)
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
            for i, encoding in zip(which, whole(raw, add_special_tokens=specials), strict=True):
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

    def count_tokens(self, examples: Examples, most: int = 1000) -> IntArray:
        """(m,) about how many tokens texts have, of at most so many of them, evenly spread; of pairs both texts together."""
        step = max(1, -(-len(examples) // most))
        texts = examples.text[::step]
        counts = np.array([self._count_about(text) for text in texts], dtype=np.int64)
        if examples.text_pair is not None:
            counts += np.array([self._count_about(text) for text in examples.text_pair[::step]], dtype=np.int64)
        return counts

    def _count_about(self, text: str) -> int:
        """Of a text of megabytes, as many as its beginning has in its share of the characters."""
        return int(self._count(text[:COUNTED]) * max(1.0, len(text) / COUNTED))

    def _count(self, text: str) -> int:
        """How many tokens a text has, to within one for each piece that it is counted in."""
        pieces = [text[start : start + COUNTED] for start in range(0, len(text), COUNTED)]
        return sum(self._count_tokens(clean_all([piece])[0] if self.cleans else piece) for piece in pieces)

    def _count_tokens(self, text: str) -> int:
        encoding = self.tokenizer.encode(text)
        repeated = sum(encoding.special_tokens_mask) + (0 if self.windows is None else self.windows.stride)
        return len(encoding) + sum(len(more) - repeated for more in encoding.overflowing)

    def _beginning(self, text: str) -> str:
        """A text up to where its first tokens, more than the model reads, no longer depend on what follows."""
        size = CHARACTERS_PER_TOKEN * self.max_length
        while size < len(text):
            opened = text.find("<", max(0, size - UNSETTLED), size) if self.cleans else -1
            settled = text[: size - SLACK] if opened < 0 else text[:opened]
            if self.cleans:
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

    def _encode_chunk(self, batch: _Batch) -> _Chunk:
        whole = self._tokenise(batch.texts, batch.pairs)
        encodings, which = whole, np.arange(len(whole))
        if self.windows is not None and batch.pairs is None:
            encodings = [window for first in whole for window in (first, *first.overflowing)]
            which = np.repeat(which, [1 + len(first.overflowing) for first in whole])
        lengths = np.array([max(1, len(e)) for e in encodings], dtype=np.int64)
        ids = _flatten([e.ids or [self.empty_id] for e in encodings], lengths, np.int32)
        # Only pairs (and families that mark their special tokens, which the first text shows) have types other than 0.
        typed = batch.pairs is not None or any(encodings[0].type_ids)
        n_special = sum(sum(e.special_tokens_mask) for e in encodings[:1]) * len(encodings)
        unknown = int((ids == self.unknown_id).sum()) if self.unknown_id is not None else 0
        return _Chunk(
            ids,
            lengths,
            type_ids=_flatten([e.type_ids or [0] for e in encodings], lengths, np.int8) if typed else None,
            truncated=np.array([bool(e.overflowing) for e in whole]),
            unknown=unknown,
            known=max(0, len(ids) - n_special - unknown),
            offsets=self._offsets(batch, encodings, which) if self.with_offsets else None,
            owner=batch.owner[which],
            answers=None if self.windows is None else self._answers(encodings, which),
        )

    def _answers(self, encodings: list[Encoding], which: IntArray) -> NDArray[np.bool_]:
        """(tokens,) see `Encoded.answers`."""
        special = [np.array(e.special_tokens_mask or [1], dtype=bool) for e in encodings]
        return answering(special, which, 0 if self.windows is None else self.windows.stride)

    def _offsets(self, batch: _Batch, encodings: list[Encoding], which: IntArray) -> NDArray[np.int32]:
        """(tokens, 2) of these encodings, see `Encoded.offsets`. which: (s,) the text of the batch that each is of."""
        found = []
        for i, members in groupby(range(len(encodings)), key=which.__getitem__):
            windows = [encodings[k] for k in members]
            offsets = np.concatenate([np.array(e.offsets or [(0, 0)], dtype=np.int64) for e in windows])
            sides = [side for e in windows for side in (e.sequence_ids or [None])]
            for side, texts in enumerate([batch.texts] if batch.pairs is None else [batch.texts, batch.pairs]):
                of_text = np.array([found_side == side for found_side in sides])
                offsets = settled_offsets(texts[i], offsets, of_text, cleans=self.cleans)
                offsets[of_text] += batch.places[i]
            found.append(offsets)
        return np.concatenate(found).astype(np.int32)


class _Batch(NamedTuple):
    """What is tokenised at a time: texts, or pieces of them. owner: (b,) which example each is of. places: (b,) the character at
    which it begins there. n_finished: examples that end in this batch."""

    texts: list[str]
    pairs: list[str] | None
    owner: IntArray
    places: IntArray
    n_finished: int

    @classmethod
    def of_pieces(cls, pieces: list[tuple[int, int, str]], n_finished: int) -> _Batch:
        owner, places = (np.array([piece[k] for piece in pieces], dtype=np.int64) for k in (0, 1))
        return cls([text for _, _, text in pieces], None, owner, places, n_finished)


class _Chunk(NamedTuple):
    """A batch as tokens: see `Encoded`. unknown, known: tokens that are no special tokens."""

    ids: NDArray[np.int32]
    lengths: IntArray
    type_ids: NDArray[np.int8] | None
    truncated: NDArray[np.bool_]
    unknown: int
    known: int
    offsets: NDArray[np.int32] | None
    owner: IntArray
    answers: NDArray[np.bool_] | None

    @classmethod
    def empty(cls, *, with_offsets: bool) -> _Chunk:
        """Of no texts."""
        nothing, no_flags = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
        nowhere = np.zeros((0, 2), dtype=np.int32) if with_offsets else None
        return cls(nothing.astype(np.int32), nothing, None, no_flags, 0, 0, nowhere, nothing, no_flags)


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
