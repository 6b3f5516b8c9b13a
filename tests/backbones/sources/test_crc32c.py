"""The checksum of TensorFlow's files is that of the standard, for data of any length."""

import numpy as np
import pytest

from superfine.backbones.sources.crc32c import POLYNOMIAL, crc32c, masked_crc32c


def bit_by_bit(data: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (POLYNOMIAL if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def of(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def test_the_values_of_the_standard():  # RFC 3720, appendix B.4
    assert crc32c(of(bytes(32))) == 0x8A9136AA
    assert crc32c(of(b"\xff" * 32)) == 0x62A8AB43
    assert crc32c(of(bytes(range(32)))) == 0x46DD794E
    assert crc32c(of(b"123456789")) == 0xE3069283


@pytest.mark.parametrize("n", [0, 1, 3, 4, 1023, 1024, 1025, 2049, 5000])
def test_any_length(n):
    data = np.random.default_rng(n).integers(0, 256, n, dtype=np.uint8)
    assert crc32c(data) == bit_by_bit(data.tobytes())


def test_it_is_stored_rotated_and_moved_on():
    crc = crc32c(of(b"foo"))
    assert masked_crc32c(of(b"foo")) == ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF
