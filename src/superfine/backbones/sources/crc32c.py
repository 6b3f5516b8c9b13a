"""CRC-32C (Castagnoli), by which TensorFlow's files tell that they are whole, of arrays of any size without a loop over bytes.

A CRC is linear over GF(2): the data is cut into lanes whose remainders are computed side by side, and then combined two and two,
the left one moved on by the length of the right one. Sources: RFC 3720 appendix B.4; the mask is LevelDB's (util/crc32c.h).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

POLYNOMIAL = 0x82F63B78
MASK_DELTA = 0xA282EAD8
LANE = 1024
"""Bytes of a lane."""
Words = NDArray[np.uint32]


def masked_crc32c(data: NDArray[np.uint8]) -> int:
    """The checksum of (n,) bytes as TensorFlow stores it."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + MASK_DELTA) & 0xFFFFFFFF


def crc32c(data: NDArray[np.uint8]) -> int:
    """The checksum of (n,) bytes."""
    n = len(data)
    n_lanes = 1 << max(0, -(-n // LANE) - 1).bit_length()
    padded = np.zeros(n_lanes * LANE, dtype=np.uint8)  # zeros in front leave the remainder zero
    padded[len(padded) - n :] = data
    first = padded[len(padded) - n :][:4]
    first ^= np.uint8(0xFF)  # the register starts from ones: the same as ones added to the first four bytes
    lanes = np.ascontiguousarray(padded.reshape(n_lanes, LANE).T)
    remainder = np.zeros(n_lanes, dtype=np.uint32)
    table = _table()
    for column in lanes:
        remainder = table[(remainder ^ column) & 0xFF] ^ (remainder >> np.uint32(8))
    moved = _bytes_on(LANE)
    while len(remainder) > 1:
        remainder = _applied(moved, remainder[::2]) ^ remainder[1::2]
        moved = _applied(moved, moved)
    crc = int(remainder[0])
    return crc ^ 0xFFFFFFFF if n >= 4 else _short(data)


def _short(data: NDArray[np.uint8]) -> int:
    crc = 0xFFFFFFFF
    for byte in data.tolist():
        crc = int(_table()[(crc ^ byte) & 0xFF]) ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> Words:
    """(256,) the remainder of each byte."""
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> np.uint32(1)) ^ np.uint32(POLYNOMIAL), values >> np.uint32(1))
    return values.astype(np.uint32)


@cache
def _bytes_on(n: int) -> Words:
    """(32,) what becomes of each bit of a remainder after n zero bytes."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    for _ in range(n):
        bits = _table()[bits & 0xFF] ^ (bits >> np.uint32(8))
    return bits


def _applied(operator: Words, values: Words) -> Words:
    """A linear map, given by its values (32,) of the bits, on every value."""
    result = np.zeros_like(values)
    for bit, image in enumerate(operator):
        result ^= np.where(values >> np.uint32(bit) & np.uint32(1), image, np.uint32(0))
    return result
