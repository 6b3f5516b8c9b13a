"""Folders that are made once from weights in another form, and kept in the user's cache: whole or not there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from superfine.atomic import checksum, remove, sync_files, temporary_beside, write_text
from superfine.data.token_cache import VARIABLE, cache_folder
from superfine.errors import ModelError, OutputError

Convert = Callable[[Path, Path], None]
"""Makes of a source the files in a folder that is there; raises ValueError where it cannot."""
RECORD = "converted.json"
"""The checksums of a folder's other files, written last."""
CANNOT_BE_WRITTEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST}
WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP}
FILE_MODE, FOLDER_MODE = 0o644, 0o755


def converted_folder(
    key: str,
    source: Callable[[], Path] | None,
    convert: Convert,
    say: Callable[[str], None] | None = None,
    *,
    advice: str,
) -> Path | None:
    """The folder that `convert` makes of the file that `source` gives, made now where it is not there or damaged.

    None where it is not there and there is no source either. key: the folder's name, which says what was converted and how.
    advice: for a source that `convert` refuses with ValueError. Another process that makes the same is waited for.

    Raises OutputError where there is no room, ModelError for a source that cannot be converted.
    """
    say = say or _silently
    homes = _homes()
    for home in homes:
        if _is_whole(home / key):
            return home / key
    if source is None:
        return None
    for home in homes:
        try:
            home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the mode is the last one's alone, and it must be ours
            home.mkdir(mode=0o700, exist_ok=True)
            with _alone(home / f"{key}.lock", say):
                return home / key if _is_whole(home / key) else _made(home / key, source(), convert, say, advice)
        except OSError as error:
            if error.errno not in CANNOT_BE_WRITTEN or home == homes[-1]:
                raise _no_room(home, error) from error
            say(f"The folder {home} cannot be written: the converted model goes to {homes[-1]}.")
        except SafetensorError as error:
            raise _no_room(home, error) from error
    return None


def is_converted(key: str) -> bool:
    """Whether the folder is there already and whole."""
    return any(_is_whole(home / key) for home in _homes())


def _homes() -> list[Path]:
    """Where such folders are kept: in the cache; where that cannot be written, in a folder of the user's own for temporary
    files."""
    own = Path(tempfile.gettempdir()) / f"superfine-{getattr(os, 'getuid', int)()}"
    homes = [cache_folder() / "models"]
    if not own.exists() or _is_own(own):
        homes.append(own / "models")
    return homes


def _is_own(folder: Path) -> bool:
    """Whether nobody else can put anything there."""
    if (user := getattr(os, "getuid", None)) is None:
        return True
    facts = folder.lstat()
    return folder.is_dir() and not folder.is_symlink() and facts.st_uid == user() and not facts.st_mode & 0o022


def _made(folder: Path, source: Path, convert: Convert, say: Callable[[str], None], advice: str) -> Path:
    say(f"Converting {source.name} for transformers, once; this takes some seconds.")
    started = time.perf_counter()
    fresh = temporary_beside(folder)
    try:
        fresh.mkdir()
        try:
            convert(source, fresh)
        except ValueError as error:
            raise ModelError(f"{source} cannot be converted: {error}.", advice) from error
        for path in fresh.iterdir():
            path.chmod(FILE_MODE)
        content = {path.name: checksum(path) for path in sorted(fresh.iterdir())}
        write_text(fresh / RECORD, json.dumps(content, indent=2) + "\n")
        (fresh / RECORD).chmod(FILE_MODE)
        fresh.chmod(FOLDER_MODE)
        sync_files(fresh)
        remove(folder)  # one that is damaged
        try:
            fresh.replace(folder)
        except OSError:
            if not _is_whole(folder):  # where locks have no effect another process may have been faster
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    size = sum(path.stat().st_size for path in folder.iterdir())
    say(f"Converted in {time.perf_counter() - started:.1f} s: {size / 1e6:.0f} MB in {folder}")
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether every file is the one that was written."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return bool(content) and all(_checksum(folder / name, *_state(folder / name)) == sha for name, sha in content.items())
    except (OSError, ValueError, AttributeError):
        return False


def _state(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


@cache
def _checksum(path: Path, _size: int, _changed: int) -> str:
    return checksum(path)


@contextmanager
def _alone(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Inside no other process makes the same. Where files cannot be locked, both make it, which does no harm."""
    lock = FileLock(path)
    try:
        _acquire(lock, say)
        yield
    except BaseException:
        lock.release()
        path.unlink(missing_ok=True)  # of what was not made nothing is left
        raise
    lock.release()


def _acquire(lock: FileLock, say: Callable[[str], None]) -> None:
    """Wait for the lock; go on without it where the file system has none, as some network drives."""
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say("Another process converts the model: waiting for it.")
            lock.acquire()
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in WITHOUT_LOCKS:
            raise


def _no_room(home: Path, error: Exception) -> OutputError:
    return OutputError(
        f"The converted model cannot be written to {home}: {error}.",
        f"Free some space, or name another folder in the environment variable {VARIABLE}.",
    )


def _silently(_message: str) -> None:
    pass
