"""In which encoding a file of text is: told by its marks, by being valid UTF-8, or by the words that its bytes make."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from superfine.errors import DataError

NAMES = {
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "gb18030": "GB18030 (Chinese)",
    "hz": "HZ (Chinese)",
    "big5hkscs": "Big5 (Chinese)",
    "cp950": "Big5 (Chinese)",
    "cp932": "Shift_JIS (Japanese)",
    "shift_jis_2004": "Shift_JIS (Japanese)",
    "euc_jp": "EUC-JP (Japanese)",
    "euc_jis_2004": "EUC-JP (Japanese)",
    "cp949": "EUC-KR (Korean)",
    "euc_kr": "EUC-KR (Korean)",
    "johab": "Johab (Korean)",
    "cp874": "Windows-874 (Thai)",
    "cp1250": "Windows-1250 (Central European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1252": "Windows-1252 (Western European)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)",
    "cp1257": "Windows-1257 (Baltic)",
    "cp1258": "Windows-1258 (Vietnamese)",
    "koi8_r": "KOI8-R (Russian)",
    "koi8_u": "KOI8-U (Ukrainian)",
}
BLOCK = 1 << 20
SAMPLE = 1 << 17
"""Bytes with letters outside ASCII, from the whole file, that the guess is made from."""
ESCAPES = (b"\x1b$", b"\x1b(", b"~{")
"""What switches to another alphabet in encodings of seven bits: ISO-2022 and HZ."""
BROKEN_SHARE = 0.05
"""A file with fewer broken sequences than this, per character outside ASCII, is UTF-8 with damage."""


@dataclass(frozen=True)
class Encoding:
    """`codec` is Python's name. guessed: not certain, so it is said. damaged: UTF-8 with some bytes that are not. doubt: what
    else it could be, with the first word that would differ."""

    codec: str
    guessed: bool = False
    damaged: bool = False
    doubt: str = ""

    @property
    def name(self) -> str:
        return name_of(self.codec)


def name_of(codec: str) -> str:
    """What people call an encoding that Python calls `codec`."""
    return NAMES.get(codec, codec.replace("iso8859_", "iso-8859-").upper().replace("_", "-"))


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
    sample, valid, broken, escapes = _Sample(), 0, 0, False
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for block in _blocks(start, stream):
        decoded = decoder.decode(block, final=not block)
        sample.add(block)
        escapes = escapes or any(escape in block for escape in ESCAPES)
        if decoded.isascii():
            continue
        wrong = sum("\udc80" <= c <= "\udcff" for c in decoded) if holds_broken_bytes(decoded) else 0
        broken += wrong
        valid += sum(c > "\x7f" for c in decoded) - wrong
    if not broken and not valid and escapes:
        return _guessed_of_seven_bits(sample.lines)
    if not broken:
        return Encoding("utf-8-sig")
    if broken <= BROKEN_SHARE * valid:
        return Encoding("utf-8-sig", damaged=True)
    return _guessed(source, sample.lines, stream)


class _Sample:
    """The first lines of a stream that tell its encoding: with bytes outside ASCII or escapes, whole, so that no character is
    cut."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = 0
        self._begun = b""

    def add(self, block: bytes) -> None:
        """The next block, or an empty one at the end."""
        if self._size >= SAMPLE:
            return
        *whole, rest = (self._begun + block).split(b"\n") if block else (self._begun, b"")
        # Of a line without an end its beginning is enough.
        self._begun = rest if len(rest) < 2 * BLOCK else rest[:BLOCK]
        for line in whole:
            if self._size < SAMPLE and (not line.isascii() or any(escape in line for escape in ESCAPES)):
                self._lines.append(line[:SAMPLE])
                self._size += len(line)

    @property
    def lines(self) -> bytes:
        return b"\n".join(self._lines)


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
    if b"\x1b$" in head:  # ISO-2022, which also shifts by control characters
        return
    controls = sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in head)
    if controls > max(4, 0.02 * len(head)):
        raise DataError(f"{source} is not text: it holds binary data.", "Give CSV, TSV, JSON, Excel or Parquet.")


def _guessed(source: str, sample: bytes, stream: IO[bytes]) -> Encoding:
    """The likeliest encoding in which all of the stream can be read."""
    from superfine.data.legacy_encodings import guess_encoding, rank_encodings

    ranked = rank_encodings(sample)
    while ranked and not _reads_all(stream, ranked[0][0]):
        del ranked[0]
    if not ranked:
        raise DataError(
            f"{source} is neither UTF-8 nor another encoding that could be told.",
            "Name it, for example --encoding cp1250, or save the file as UTF-8.",
        )
    guess = guess_encoding(sample, ranked)
    doubt = f"{name_of(guess.other)} would read “{guess.other_word}” where this reads “{guess.word}”" if guess.other else ""
    return Encoding(guess.codec, guessed=True, doubt=doubt)


def _guessed_of_seven_bits(sample: bytes) -> Encoding:
    """ISO-2022 or HZ where the bytes are that, else what they look like: ASCII."""
    from superfine.data.legacy_encodings import rank_encodings

    codec = next((codec for codec, _ in rank_encodings(sample) if codec.startswith(("iso2022", "hz"))), None)
    return Encoding("utf-8-sig") if codec is None else Encoding(codec, guessed=True)


def _reads_all(stream: IO[bytes], codec: str) -> bool:
    """Whether nothing in the stream is outside the encoding. Of a stream that cannot be read again it is the reader who finds
    out."""
    if not stream.seekable():
        return True
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        for block in _blocks(stream.read(BLOCK), stream):
            decoder.decode(block, final=not block)
    except UnicodeError:
        return False
    return True
