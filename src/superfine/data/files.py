"""One file, wherever its bytes are: on disk or in memory, packed or not, and what kind it is by its first bytes."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

from superfine.data.encodings import Encoding, detect_encoding, holds_broken_bytes, named_encoding
from superfine.data.table import ReadOptions
from superfine.errors import DataError
from superfine.extras import require

COMPRESSED = (".gz", ".zst")
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
KINDS = {b"PAR1": ".parquet", b"PK\x03\x04": ".xlsx", b"\xd0\xcf\x11\xe0": ".xls"}
"""First bytes that say more than the ending of a name: people rename exports."""


BUFFER = 1 << 20


class _ProgressFile(io.FileIO):
    """A file that tells how far it is read."""

    def __init__(self, path: Path, on_bytes: Callable[[int, int], None]) -> None:
        super().__init__(path)
        self._size = path.stat().st_size
        self._on_bytes = on_bytes

    def readinto(self, buffer: Any, /) -> int | None:
        n = super().readinto(buffer)
        self._on_bytes(min(self.tell(), self._size), self._size)
        return n


@dataclass(frozen=True)
class File:
    """Where bytes come from. `content` is None for a file on disk. `source` is its name in messages, `ending` in lower case."""

    source: str
    ending: str
    path: Path | None = None
    content: bytes | None = None

    @classmethod
    def on_disk(cls, path: Path) -> File:
        """The file at `path`, its kind told by its first bytes where they are known, else by its name."""
        endings = [ending.lower() for ending in path.suffixes]
        if endings and endings[-1] in COMPRESSED:
            endings.pop()
        file = cls(str(path), endings[-1] if endings else "", path)
        with file.binary() as stream:
            start = stream.read(4)
        return replace(file, ending=KINDS.get(start, file.ending))

    @contextmanager
    def binary(self, on_bytes: Callable[[int, int], None] | None = None) -> Iterator[IO[bytes]]:
        """The unpacked bytes. Raises DataError where they cannot be read. on_bytes is called with how far a file on disk is
        read."""
        try:
            with self._raw(on_bytes) as raw:
                start = raw.read(4)
                raw.seek(0)
                with self._unpacked(raw, start) as stream:
                    yield stream
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{self.source} is a damaged archive: {error}.", "Fetch or pack it again.") from None
        except OSError as error:
            if error.errno is None:
                raise DataError(f"{self.source} is a damaged archive: {error}.", "Fetch or pack it again.") from None
            raise DataError(f"The file {self.source} cannot be read: {error.strerror}.") from None

    def _raw(self, on_bytes: Callable[[int, int], None] | None) -> IO[bytes]:
        if self.path is None:
            return io.BytesIO(self.content or b"")
        if on_bytes is None:
            return open(self.path, "rb")
        return io.BufferedReader(_ProgressFile(self.path, on_bytes), BUFFER)

    @contextmanager
    def _unpacked(self, raw: IO[bytes], start: bytes) -> Iterator[IO[bytes]]:
        if start.startswith(GZIP):
            with gzip.open(raw) as stream:
                yield cast(IO[bytes], stream)
        elif start == ZSTD:
            pyarrow = require("files", "pyarrow")
            # Unlike the usual binding of zstd, this one does not take the first half of a file for the whole.
            with pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, "r"), "zstd") as stream:
                yield io.BufferedReader(stream)
        else:
            yield raw

    def whole_text(self, encoding: Encoding) -> str:
        """All of the text. Raises DataError for bytes that are not of the encoding."""
        with self.text(encoding) as stream:
            text = stream.read()
        if encoding.damaged and holds_broken_bytes(text):
            raise DataError(f"{self.source} holds bytes that are not UTF-8.", "Name the right encoding with --encoding.")
        return text

    def encoding(self, options: ReadOptions) -> Encoding:
        """As the user says, or detected."""
        if options.encoding is not None:
            return named_encoding(options.encoding)
        with self.binary() as stream:
            return detect_encoding(self.source, stream)

    @contextmanager
    def text(self, encoding: Encoding, on_bytes: Callable[[int, int], None] | None = None) -> Iterator[IO[str]]:
        """The decoded text, line ends as they are. Bytes that damage UTF-8 come as lone surrogates, for the reader to find."""
        errors = "surrogateescape" if encoding.codec == "utf-8-sig" else "strict"
        try:
            with self.binary(on_bytes) as stream, io.TextIOWrapper(stream, encoding.codec, errors=errors, newline="") as text:
                yield text
        except UnicodeError as error:
            place = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
            raise DataError(
                f"{self.source} cannot be read as {encoding.name}{place}.", "Name the right encoding with --encoding."
            ) from None
