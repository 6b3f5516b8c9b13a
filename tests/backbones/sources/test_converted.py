"""A folder that is made once of a package's file is whole or not there, whatever happens to it."""

import errno
import os
import stat
import threading
from functools import partial
from pathlib import Path

import pytest

from superfine.backbones.sources import converted
from superfine.backbones.sources.converted import is_converted
from superfine.errors import ModelError, OutputError

converted_folder = partial(converted.converted_folder, advice="Reinstall it.")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.bin"
    path.write_bytes(b"weights")
    return lambda: path


@pytest.fixture(autouse=True)
def own_homes(tmp_path, monkeypatch):
    monkeypatch.setenv("SUPERFINE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(converted.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))


def write(source: Path, folder: Path) -> None:
    (folder / "model.bin").write_bytes(source.read_bytes() * 2)


class Counted:
    """How often it was converted."""

    def __init__(self):
        self.n = 0

    def __call__(self, source: Path, folder: Path) -> None:
        self.n += 1
        write(source, folder)


def test_it_is_made_at_first_use_and_found_from_then_on(source):
    convert, said = Counted(), []
    first = converted_folder("key", source, convert, said.append)
    assert (first / "model.bin").read_bytes() == b"weightsweights"
    assert converted_folder("key", source, convert, said.append) == first
    assert convert.n == 1
    assert "Converting source.bin" in said[0]
    assert str(first) in said[-1], "where it lies and how large it is is said"
    assert " s: " in said[-1]


def test_without_the_package_it_is_used_where_it_was_made_before(source):
    assert converted_folder("key", None, write) is None
    made = converted_folder("key", source, write)
    assert converted_folder("key", None, write) == made
    assert is_converted("key")


@pytest.mark.parametrize("damage", ["changed", "shorter", "gone", "no record"])
def test_a_damaged_one_is_made_again(source, damage):
    folder = converted_folder("key", source, write)
    if damage == "changed":
        (folder / "model.bin").write_bytes(b"weightsWEIGHTS")
    elif damage == "shorter":
        (folder / "model.bin").write_bytes(b"weights")
    elif damage == "gone":
        (folder / "model.bin").unlink()
    else:
        (folder / converted.RECORD).write_text("{", encoding="utf-8")
    convert = Counted()
    assert converted_folder("key", source, convert) == folder
    assert convert.n == 1
    assert (folder / "model.bin").read_bytes() == b"weightsweights"


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_others_may_read_it_and_nobody_but_the_user_write_it(source):
    previous = os.umask(0o077)
    try:
        folder = converted_folder("key", source, write)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}


def test_a_conversion_that_fails_leaves_nothing_behind(source):
    def fail(source: Path, folder: Path) -> None:
        write(source, folder)
        raise ValueError("another layout")

    with pytest.raises(ModelError, match=r"source\.bin cannot be converted: another layout"):
        converted_folder("key", source, fail)
    assert [path.name for path in (converted.cache_folder() / "models").iterdir() if path.is_dir()] == []
    assert not is_converted("key")


def test_a_full_disk_is_one_message_with_the_way_out(source):
    def full(source: Path, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="No space left") as error:
        converted_folder("key", source, full)
    assert "SUPERFINE_CACHE" in str(error.value)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_where_the_cache_cannot_be_written_it_goes_to_a_folder_of_the_users_own_and_that_is_said(
    source, tmp_path, monkeypatch, number
):
    own_mkdir = Path.mkdir

    def mkdir(self, *args, **kwargs):
        if str(self).startswith(str(tmp_path / "cache")):
            raise OSError(number, "cannot be written")
        own_mkdir(self, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    said = []
    folder = converted_folder("key", source, write, said.append)
    assert folder.is_relative_to(tmp_path / "temporary")
    assert "cannot be written" in said[0]
    assert converted_folder("key", None, write) == folder, "and found there again"


def test_that_folder_is_found_again_whatever_the_umask(source, tmp_path, monkeypatch):
    monkeypatch.setattr(converted, "cache_folder", lambda: tmp_path / "source.bin")
    previous = os.umask(0o002)
    try:
        folder = converted_folder("key", source, write)
    finally:
        os.umask(previous)
    assert folder.is_relative_to(tmp_path / "temporary")
    assert converted_folder("key", None, write) == folder


@pytest.mark.parametrize("error", [NotImplementedError("flock"), OSError(errno.ENOLCK, "No locks available")])
def test_where_files_cannot_be_locked_it_is_made_all_the_same(source, monkeypatch, error):
    def acquire(*_, **__):
        raise error

    monkeypatch.setattr(converted.FileLock, "acquire", acquire)
    assert is_converted("key") is False
    assert converted_folder("key", source, write) is not None


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_a_temporary_folder_that_others_can_write_is_not_trusted(tmp_path, source):
    own = tmp_path / "temporary" / f"superfine-{os.getuid()}"
    own.mkdir()
    own.chmod(0o777)
    assert all(not home.is_relative_to(own) for home in converted._homes())


def test_two_that_begin_at_once_end_with_one_whole_folder(source):
    convert, found, began = Counted(), [], threading.Barrier(2)

    def work():
        began.wait()
        found.append(converted_folder("key", source, convert))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert convert.n == 1, "the second waited"


def test_the_second_one_says_that_it_waits(source):
    inside, go_on, said = threading.Event(), threading.Event(), []

    def slow(source: Path, folder: Path) -> None:
        inside.set()
        go_on.wait(10)
        write(source, folder)

    first = threading.Thread(target=converted_folder, args=("key", source, slow))
    first.start()
    inside.wait(10)

    def say(message: str) -> None:
        said.append(message)
        go_on.set()

    assert converted_folder("key", source, write, say) is not None
    first.join()
    assert said == ["Another process converts the model: waiting for it."]
