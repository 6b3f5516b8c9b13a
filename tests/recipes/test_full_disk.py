"""A full disk: one message, exit 2, and what was finished before is still there.

No file of the command can grow beyond a given size, which writers meet as they meet a full disk: an OSError. The command runs in a
process of its own, because the limit would hold for the files of the tests' own process too.
"""

import resource
import subprocess
import sys

import pytest

from superfine.cli.main import cli, run
from tests.conftest import FAST


def command(*arguments) -> int:
    return run(lambda: cli.main([str(a) for a in arguments], standalone_mode=False))


def command_on_a_full_disk(largest_file: int, *arguments) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    words = [sys.executable, "-m", "superfine", *(str(a) for a in arguments)]
    return subprocess.run(words, capture_output=True, text=True, preexec_fn=limit, check=False)


@pytest.mark.slow
def test_a_model_that_cannot_be_written_is_told_and_the_run_can_be_repeated(tiny_model, reviews, tmp_path):
    train = ["train", reviews, "--model", tiny_model("bert"), "--out", tmp_path / "run"]
    train += [part for key, value in FAST.items() for part in ("--set", f"{key}={value}")]
    result = command_on_a_full_disk(8_000, *train)
    assert result.returncode == 2, result.stderr
    assert "Free some space" in result.stderr
    assert str(tmp_path / "run") in result.stderr.replace("\n", "")
    assert "Traceback" not in result.stderr
    assert command(*train, "--force") == 0
    assert command("predict", tmp_path / "run", reviews, "--out", tmp_path / "out.csv") == 0


@pytest.mark.slow
def test_predictions_that_cannot_be_written_are_told(trained, reviews, tmp_path):
    result = command_on_a_full_disk(500, "predict", trained.folder, reviews, "--out", tmp_path / "out.csv")
    assert result.returncode == 2, result.stderr
    assert "cannot be written" in result.stderr
    assert "Traceback" not in result.stderr
