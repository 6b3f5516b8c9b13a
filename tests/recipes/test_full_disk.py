"""A full disk: one message, exit 2, and what was finished before is still there."""

import resource

import pytest

from superfine.cli.main import cli, run
from tests.conftest import FAST


def command(*arguments) -> int:
    return run(lambda: cli.main([str(a) for a in arguments], standalone_mode=False))


@pytest.fixture
def full_disk():
    """No file can grow beyond the given size any more, which writers hear of as they hear of a full disk: by an OSError."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_model_that_cannot_be_written_is_told_and_the_run_can_be_repeated(tiny_model, reviews, tmp_path, full_disk, capsys):
    train = ["train", reviews, "--model", tiny_model("bert"), "--out", tmp_path / "run"]
    train += [part for key, value in FAST.items() for part in ("--set", f"{key}={value}")]
    full_disk(8_000)
    assert command(*train) == 2
    message = capsys.readouterr().err
    assert "Free some space" in message
    assert str(tmp_path / "run") in message.replace("\n", "")
    assert "Traceback" not in message
    full_disk(-1)
    assert command(*train, "--force") == 0
    assert command("predict", tmp_path / "run", reviews, "--out", tmp_path / "out.csv") == 0


def test_predictions_that_cannot_be_written_are_told(trained, reviews, tmp_path, full_disk, capsys):
    full_disk(500)
    assert command("predict", trained.folder, reviews, "--out", tmp_path / "out.csv") == 2
    message = capsys.readouterr().err
    assert "cannot be written" in message
    assert "Traceback" not in message
