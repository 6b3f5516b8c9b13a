"""TensorFlow's checkpoint files, read without TensorFlow: `NAME.index`, and the tensors in `NAME.data-00000-of-00001`.

The index is a sorted table of LevelDB's kind: blocks of entries, each with the length it shares with the key before it, a block
that says where the others lie, and a footer. An entry is a protobuf message: type, shape, and where the tensor lies in which
data file, with its checksum. Sources: tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/lib/io/format.h, LevelDB's
table_format.md.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from superfine.backbones.sources.crc32c import masked_crc32c

FOOTER_SIZE = 48
MAGIC = 0xDB4775248B80FB57
UNCOMPRESSED = 0
BFLOAT16 = 14
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", BFLOAT16: "<u2", 19: "<f2"}
"""By the number of tensorflow.DataType."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types of protobuf."""


class UnreadableError(ValueError):
    """The files are not whole, or not a checkpoint of this kind."""


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies. dtype: a number of tensorflow.DataType. offset, size: bytes in the data file `shard`. checksum: of
    these bytes, masked."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    in_slices: bool
    checksum: int | None


class TensorBundle:
    """A checkpoint whose index is read. prefix: the path of its files without their endings.

    Raises UnreadableError for files that are missing, cut off or of another kind.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        index = prefix.with_name(f"{prefix.name}.index")
        try:
            found = dict(_table(index.read_bytes()))
        except (IndexError, struct.error) as error:
            raise UnreadableError(f"{index.name} is cut off or no index of TensorFlow's") from error
        header = found.pop(b"", b"")
        self.n_shards = int(dict(_fields(header)).get(1, 1))
        if dict(_fields(header)).get(2):
            raise UnreadableError(f"{index.name} was written on a machine of the other byte order")
        self.entries = {name.decode("utf-8", "replace"): _entry(value) for name, value in sorted(found.items())}

    def tensor(self, name: str) -> NDArray[Any]:
        """The values of a tensor; bfloat16 comes as float32."""
        entry = self.entries[name]
        if entry.dtype not in DTYPES or entry.in_slices:
            raise UnreadableError(f"the tensor {name} is {'in slices' if entry.in_slices else 'no array of numbers'}")
        dtype = np.dtype(DTYPES[entry.dtype])
        if entry.size != math.prod(entry.shape) * dtype.itemsize:
            raise UnreadableError(f"the tensor {name} has {entry.size} bytes, which are not those of its shape {entry.shape}")
        path = self.prefix.with_name(f"{self.prefix.name}.data-{entry.shard:05d}-of-{self.n_shards:05d}")
        if not path.is_file():
            raise UnreadableError(f"{path.name} is not beside the index")
        if path.stat().st_size < entry.offset + entry.size:
            raise UnreadableError(f"{path.name} is cut off: it has {path.stat().st_size} bytes, and {name} ends after them")
        stored = np.fromfile(path, np.uint8, entry.size, offset=entry.offset)
        if entry.checksum is not None and masked_crc32c(stored) != entry.checksum:
            raise UnreadableError(f"{path.name} is damaged: the bytes of {name} are not those that were written")
        values = stored.view(dtype).reshape(entry.shape)
        return (values.astype(np.uint32) << 16).view(np.float32) if entry.dtype == BFLOAT16 else values


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a sorted table."""
    if len(content) < FOOTER_SIZE or struct.unpack_from("<Q", content, len(content) - 8)[0] != MAGIC:
        raise UnreadableError("the index is cut off or no index of TensorFlow's")
    place = len(content) - FOOTER_SIZE
    _, place = _varint(content, place)  # where the index of filters lies, and its size
    _, place = _varint(content, place)
    start, place = _varint(content, place)
    size, _ = _varint(content, place)
    for _, handle in _block(content, start, size):
        start, place = _varint(handle, 0)
        yield from _block(content, start, _varint(handle, place)[0])


def _block(content: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block. Behind it stands one byte that says how it is compressed."""
    if content[start + size] != UNCOMPRESSED:
        raise UnreadableError("the index is compressed, which TensorFlow does not do to its own")
    block = content[start : start + size]
    (n_restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    end = len(block) - 4 * (n_restarts + 1)
    place, key = 0, b""
    while place < end:
        shared, place = _varint(block, place)
        n_fresh, place = _varint(block, place)
        n_value, place = _varint(block, place)
        key = key[:shared] + block[place : place + n_fresh]
        place += n_fresh
        yield key, block[place : place + n_value]
        place += n_value


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and the place behind it."""
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The numbers of a protobuf message's fields, and what they hold: ints or bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value: Any
            value, place = _varint(message, place)
        elif kind == BYTES:
            size, place = _varint(message, place)
            value, place = message[place : place + size], place + size
        elif kind in (FIXED32, FIXED64):
            width = 4 if kind == FIXED32 else 8
            value, place = int.from_bytes(message[place : place + width], "little"), place + width
        else:
            raise UnreadableError(f"an entry of the index has a field of the unknown kind {kind}")
        yield number, value


def _entry(message: bytes) -> Entry:
    """BundleEntryProto: dtype 1, shape 2, shard_id 3, offset 4, size 5, crc32c 6, slices 7."""
    fields = list(_fields(message))
    single = dict(fields)
    dims = [dict(_fields(value)) for number, value in _fields(single.get(2, b"")) if number == 2]
    shape = tuple(int(dim.get(1, 0)) for dim in dims)
    in_slices = any(number == 7 for number, _ in fields)
    shard, offset, size = (int(single.get(number, 0)) for number in (3, 4, 5))
    return Entry(int(single.get(1, 0)), shape, shard, offset, size, in_slices, single.get(6))
