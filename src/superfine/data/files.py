"""One file, wherever its bytes are: on disk or in memory, packed or not, and what kind it is by its first bytes."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
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
ZIP = b"PK\x03\x04"
KINDS = {b"PAR1": ".parquet", ZIP: ".xlsx", b"\xd0\xcf\x11\xe0": ".xls"}
"""First bytes that say more than the ending of a name: people rename exports."""
OF_WORKBOOKS = ("[content_types].xml", "mimetype", "content.xml")
"""A zip archive with one of these is a workbook."""
NO_TABLES = re.compile(r"(^|/)(__MACOSX/|\.|(readme|license|licence|changelog)[^/]*$)|/$", re.IGNORECASE)
"""What lies in archives beside the table."""


BUFFER = 1 << 20
LONGEST_LINE, LONGEST_TEXT = 1 << 28, 1 << 30
"""Characters. More of them in one string would fill the memory before anything could be said of them."""


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
    """Where bytes come from. `content` is None for a file on disk. `source` is its name in messages, `ending` in lower case.
    `member` is the file of a zip archive that is meant."""

    source: str
    ending: str
    path: Path | None = None
    content: bytes | None = None
    member: str | None = None

    @classmethod
    def on_disk(cls, path: Path) -> File:
        """The file at `path`, its kind told by its first bytes where they are known, else by its name."""
        return cls(str(path), _ending(path.name), path)._told_by_content()

    @classmethod
    def in_memory(cls, source: str, ending: str, content: bytes) -> File:
        """A file of these bytes, its kind told by the first of them where they are known."""
        return cls(source, ending, content=content)._told_by_content()

    def _told_by_content(self) -> File:
        with self.binary() as stream:
            start = stream.read(4)
            if start == ZIP:
                stream.seek(0)
                if (member := _table_in(self, stream)) is not None:
                    return replace(self, member=member, ending=_ending(member))
        return replace(self, ending=KINDS.get(start, self.ending))

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
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
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
        if self.member is not None:
            with _opened_member(raw, self.member) as stream:
                yield stream
        elif start.startswith(GZIP):
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
        """All of the text. Raises DataError for bytes that are not of the encoding, and for more than fits a usual memory."""
        with self.text(encoding) as stream:
            text = stream.read(LONGEST_TEXT + 1)
        if len(text) > LONGEST_TEXT:
            raise DataError(
                f"{self.source} holds over {LONGEST_TEXT >> 20} million characters, which are read at once.",
                "Write it as JSON Lines or CSV, which are read line by line.",
            )
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
    def lines(self, encoding: Encoding, on_bytes: Callable[[int, int], None] | None = None) -> Iterator[Iterator[str]]:
        """The decoded text line by line, as `text` has it. Raises DataError for a line that is no line of a table."""
        with self.text(encoding, on_bytes) as stream:
            yield self._bounded(stream)

    def _bounded(self, stream: IO[str]) -> Iterator[str]:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise DataError(
                    f"{self.source}: line {number} is longer than {LONGEST_LINE >> 20} million characters.",
                    "Is it a table? Its rows should be lines.",
                )
            yield line

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


def _ending(name: str) -> str:
    """The ending that says what is in a file, in lower case, behind those of packing."""
    endings = [ending.lower() for ending in Path(name).suffixes]
    if endings and endings[-1] in COMPRESSED:
        endings.pop()
    return endings[-1] if endings else ""


def _opened_member(raw: IO[bytes], name: str) -> IO[bytes]:
    """A file of a zip archive. Raises BadZipFile for whatever is wrong with the archive: zipfile has a dozen errors for it."""
    try:
        return zipfile.ZipFile(raw).open(name)
    except Exception as error:
        raise zipfile.BadZipFile(str(error)) from None


def _table_in(file: File, stream: IO[bytes]) -> str | None:
    """The name of the one table in a zip archive, or None where the archive is a workbook.

    Raises DataError for an archive without a table, or with several.
    """
    from superfine.data.formats import FORMATS

    try:
        with zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
    except Exception:
        return None  # the reader of workbooks will say that it is broken
    if any(info.filename.lower() in OF_WORKBOOKS for info in infos):
        return None
    names = [info.filename for info in infos if not NO_TABLES.search(info.filename)]
    tables = [name for name in names if _ending(name) in FORMATS]
    if len(tables) != 1:
        message = f"{file.source} holds {len(tables)} tables: {', '.join(sorted(tables)[:10])}."
        raise DataError(message if tables else f"{file.source} holds no table.", "Unpack it, and name one of the files.")
    if next(info for info in infos if info.filename == tables[0]).flag_bits & 1:
        raise DataError(f"{file.source} is protected by a password.", "Unpack it first.")
    return tables[0]
