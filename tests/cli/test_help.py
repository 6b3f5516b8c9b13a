"""Help and messages speak the user's language, every command has --json, and the shell can complete."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from superfine.cli.commands import COMMANDS
from superfine.cli.help import language_of
from tests.cli.test_main import superfine_command

CHINESE = range(0x4E00, 0x9FFF)


def chinese_share(text):
    letters = [c for c in text if c.isalpha()]
    return sum(ord(c) in CHINESE for c in letters) / max(1, len(letters))


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_is_in_either_language_and_shows_examples(command, capsys):
    words = [command] if command else []
    assert superfine_command(*words, "--help", "--lang", "en") == 0
    english = capsys.readouterr().out
    assert superfine_command(*words, "--lang=zh", "--help") == 0
    chinese = capsys.readouterr().out
    assert chinese_share(english) == 0
    assert chinese_share(chinese) > 0.2
    assert "superfine " in english.partition("\n")[2]
    for option in ("--lang", "--json") if command else ("--lang",):
        assert option in english


def test_errors_are_told_in_chinese(capsys, tmp_path):
    assert superfine_command("train", tmp_path / "none.csv", "--lang", "zh") == 2
    told = capsys.readouterr().err
    assert "不存在" in told
    assert "none.csv" in told
    assert superfine_command("train", "--lang", "zh") == 2
    assert "DATA" in capsys.readouterr().err


def test_the_whole_of_training_speaks_chinese(tiny_model, reviews, tmp_path, capsys):
    same = shutil.copy(reviews, tmp_path / "same.csv")
    status = superfine_command(
        "train", reviews, "--model", tiny_model("bert"), "--out", tmp_path / "run", "--lang", "zh", "--test", same,
        "--set", "training.epochs=1", "--set", "model.max_length=32",
    )  # fmt: skip
    assert status == 0
    told = capsys.readouterr().err
    assert chinese_share(told.replace(str(tmp_path), "").replace(str(tiny_model("bert")), "")) > 0.5
    assert '<html lang="zh-Hans">' in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_the_language_may_stand_anywhere():
    assert language_of(["train", "x.csv", "--lang", "zh"]) == "zh"
    assert language_of(["--lang=zh", "train"]) == "zh"
    assert language_of(["train", "--lang", "xx"]) in {"en", "zh"}


def test_doctor_tells_what_there_is(capsys):
    assert superfine_command("doctor", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["superfine"]
    assert found["devices"][0]["precision"] in {"float32", "bfloat16"}
    assert {extra["name"] for extra in found["extras"]} >= {"files", "offline"}
    assert superfine_command("doctor", "--lang", "en") == 0
    assert "superfine[files]" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(shell, capsys):
    assert superfine_command("completion", shell) == 0
    assert "_SUPERFINE_COMPLETE" in capsys.readouterr().out


def test_the_shell_completes_commands():
    asked = os.environ | {"_SUPERFINE_COMPLETE": "bash_complete", "COMP_WORDS": "superfine ev", "COMP_CWORD": "1"}
    code = "from superfine.cli.main import cli; cli(prog_name='superfine')"
    done = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,evaluate"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("superfine train rev", ["file,rev"]),
        ("superfine train x.csv --test te", ["file,te"]),
        ("superfine predict runs/x ne", ["file,ne"]),
        ("superfine train x.csv --track te", ["plain,tensorboard"]),
        ("superfine predict runs/x --with tf", ["plain,tfidf"]),
    ],
)
def test_the_shell_completes_files_and_trackers(words, offered):
    asked = os.environ | {"_SUPERFINE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    code = "from superfine.cli.main import cli; cli(prog_name='superfine')"
    done = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=False)
    assert done.stdout.split() == offered


def test_colours_are_only_for_a_terminal(trained, reviews, capsys):
    superfine_command("evaluate", trained.folder, reviews)
    assert "\x1b" not in capsys.readouterr().err
