"""In which encoding a file of text is: told by its marks, by being valid UTF-8, or by the frequencies of its letters."""

from __future__ import annotations

import codecs
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from superfine.errors import DataError

CANDIDATES = ("gb18030", "big5hkscs", "cp1252", "cp1251", "shift_jis", "euc_kr")
"""What is looked for besides UTF-8 and UTF-16, in the order that decides between equals. Latin-1 is a part of Windows-1252."""
NAMES = {
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "gb18030": "GB18030 (Chinese)",
    "big5hkscs": "Big5 (Chinese)",
    "cp1252": "Windows-1252 (Western European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "shift_jis": "Shift_JIS (Japanese)",
    "euc_kr": "EUC-KR (Korean)",
}
BLOCK = 1 << 20
SAMPLE = 1 << 17
"""Bytes with letters outside ASCII, from the whole file, that the guess is made from."""
FEW_BYTES = 60
"""Of fewer bytes outside ASCII the letter frequencies say little."""
HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
NEARLY_ALL = 0.9
USUAL_AFTER = frozenset(f"{string.ascii_letters}{string.digits} \n\r\t.,;:!?\"'-)/".encode())
"""What follows an accent or a curly quote in ASCII."""
BROKEN_SHARE = 0.05
"""A file with fewer broken sequences than this, per character outside ASCII, is UTF-8 with damage."""


@dataclass(frozen=True)
class Encoding:
    """`codec` is Python's name. guessed: not certain, so it is said. damaged: UTF-8 with some bytes that are not."""

    codec: str
    guessed: bool = False
    damaged: bool = False

    @property
    def name(self) -> str:
        return NAMES.get(self.codec, self.codec)


def named_encoding(name: str) -> Encoding:
    """The encoding that a user names, to read with. Raises DataError for one that Python does not know."""
    codec = codec_of(name)
    # A user may be wrong about UTF-8: what is not is found by the reader.
    return Encoding("utf-8-sig", damaged=True) if codec == "utf-8" else Encoding(codec)


def codec_of(name: str) -> str:
    """Python's name of the encoding that a user names. Raises DataError for one that Python does not know."""
    try:
        codec = codecs.lookup(name).name
        "".encode(codec)
    except (LookupError, ValueError):
        raise DataError(f'There is no text encoding "{name}".', "Usual ones: utf-8, gb18030, big5, utf-16, cp1252.") from None
    return codec


def detect_encoding(source: str, stream: IO[bytes]) -> Encoding:
    """Read the whole stream and tell its encoding. Raises DataError for what is no text."""
    start = stream.read(BLOCK)
    if (marked := _by_mark(start)) is not None:
        return marked
    _refuse_binary(source, start)
    outside, valid, broken = bytearray(), 0, 0
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for block in _blocks(start, stream):
        decoded = decoder.decode(block, final=not block)
        if len(outside) < SAMPLE and not block.isascii():
            outside += b"\n".join(line for line in block.splitlines() if not line.isascii())[: SAMPLE - len(outside)]
        if decoded.isascii():
            continue
        wrong = sum("\udc80" <= c <= "\udcff" for c in decoded) if holds_broken_bytes(decoded) else 0
        broken += wrong
        valid += sum(c > "\x7f" for c in decoded) - wrong
    if not broken:
        return Encoding("utf-8-sig")
    if broken <= BROKEN_SHARE * valid:
        return Encoding("utf-8-sig", damaged=True)
    return Encoding(_guess(source, bytes(outside)), guessed=True)


def _blocks(start: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    """The stream in blocks, and an empty one at its end."""
    while start:
        yield start
        start = stream.read(BLOCK)
    yield b""


def holds_broken_bytes(text: str) -> bool:
    """Whether decoding left lone surrogates, which stand for bytes that are not UTF-8."""
    if text.isascii():
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _by_mark(start: bytes) -> Encoding | None:
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return Encoding("utf-32")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Encoding("utf-16")
    # UTF-16 without its mark: the header's ASCII letters alternate with zero bytes.
    line = start[:200]
    if len(line) >= 8 and line[1::2].count(0) > 0.4 * len(line) and not line[::2].count(0):
        return Encoding("utf-16-le", guessed=True)
    if len(line) >= 8 and line[::2].count(0) > 0.4 * len(line) and not line[1::2].count(0):
        return Encoding("utf-16-be", guessed=True)
    return None


def _refuse_binary(source: str, start: bytes) -> None:
    """No text has many control characters. Single ones (a lost NUL) are for the reader to name."""
    head = start[:8192]
    controls = sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in head)
    if controls > max(4, 0.02 * len(head)):
        raise DataError(f"{source} is not text: it holds binary data.", "Give CSV, TSV, JSON, Excel or Parquet.")


def _guess(source: str, sample: bytes) -> str:
    from charset_normalizer import from_bytes

    if _is_western(sample):
        return "cp1252"
    found = from_bytes(sample, cp_isolation=list(CANDIDATES))
    names = [match.encoding for match in found if match.encoding in CANDIDATES]
    if (not names or names[0] == "cp1252") and _is_chinese_in_pairs(sample):
        return "gb18030"
    if not names:
        raise DataError(
            f"{source} is neither UTF-8 nor another encoding that could be told.",
            "Name it, for example --encoding cp1250, or save the file as UTF-8.",
        )
    if sum(byte > 127 for byte in sample) < FEW_BYTES:
        return min(names, key=CANDIDATES.index)
    return str(names[0])


def _is_western(sample: bytes) -> bool:
    """Whether bytes outside ASCII stand alone, as accents and curly quotes do, and what follows is usual.

    In other scripts they come in runs, or the second byte of a character is in ASCII and may be any sign.
    """
    runs = list(HIGH_BYTES.finditer(sample))
    alone = sum(len(run[0]) == 1 for run in runs)
    usual = sum(sample[run.end()] in USUAL_AFTER for run in runs if run.end() < len(sample))
    if not runs or min(alone, usual + 1) < NEARLY_ALL * len(runs):
        return False
    try:
        sample.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese_in_pairs(sample: bytes) -> bool:
    """Whether bytes outside ASCII come in pairs that are, nearly all, among the 3,755 usual characters of GB 2312."""
    runs: list[bytes] = HIGH_BYTES.findall(sample)
    if not runs or any(len(run) % 2 for run in runs):
        return False
    pairs = [run[i : i + 2] for run in runs for i in range(0, len(run), 2)]
    usual = sum(0xB0 <= pair[0] <= 0xD7 or 0xA1 <= pair[0] <= 0xA3 for pair in pairs)
    return usual >= NEARLY_ALL * len(pairs)
