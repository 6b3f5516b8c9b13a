"""The command line: quick help, exit statuses, one message on standard error, and JSON alone on standard output."""

import json
import os
import subprocess
import sys
import time

import pytest

from superfine.cli.main import main
from tests.conftest import FAST, write_csv

SETTINGS = [part for key, value in (FAST | {"training.epochs": 1}).items() for part in ("--set", f"{key}={value}")]


def superfine_command(*arguments):
    """The exit status of a command line, in English unless it says otherwise."""
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments] + (["--lang", "en"] if not any("--lang" in str(a) for a in arguments) else []))
    return end.value.code


def test_help_answers_in_under_half_a_second():
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "superfine", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.5


def test_help_imports_nothing_heavy():
    code = "import sys; from superfine.cli.main import cli; print([m for m in ('torch', 'transformers', 'sklearn', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"


def test_train_prints_json_alone_on_standard_output(tiny_model, reviews, tmp_path, capsys):
    status = superfine_command("train", reviews, "--model", tiny_model("bert"), "--out", tmp_path / "run", "--json", *SETTINGS)
    output = capsys.readouterr()
    assert status == 0
    assert json.loads(output.out)["test"]["n"] == 36
    for words in ("Columns: text = text, label = label", "Training, about", "texts/s", "majority class", "Written to"):
        assert words in output.err.replace("\x1b[1m", "").replace("\x1b[0m", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "none.csv"], "none.csv does not exist"),
        (["train"], "Missing argument 'DATA...'"),
        (["train", "x.csv", "--sed", "1"], "--seed"),
        (["trian"], "No such command"),
        (["train", "x.csv", "--epoch", "3"], "--set training.epochs=VALUE"),
        (["predict", "nowhere", "x.csv", "--delimiter", "ab"], "a delimiter is one character"),
        (["train", "none.csv", "--set", "data.delimiter=ab"], "a delimiter is one character"),
        (["train", "none.csv", "--set", "training.epoch=1"], 'Did you mean "training.epochs"'),
        (["train", "none.csv", "--set", "training.epochs"], "key=value"),
        (["train", "none.csv", "--time-limit", "soon"], "90s, 10m or 1h30m"),
        (["train", "none.csv", "--config", "none.yaml"], "none.yaml does not exist"),
        (["predict", "nowhere", "x.csv"], "nowhere does not exist"),
        (["evaluate", "nowhere", "x.csv"], "nowhere does not exist"),
    ],
)
def test_what_cannot_be_used_exits_with_2_and_one_message(arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert superfine_command(*arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert message in output.err
    assert "Traceback" not in output.err


def test_a_named_column_that_is_absent_exits_with_2(reviews, capsys, tmp_path):
    assert superfine_command("train", reviews, "--label", "lable", "--out", tmp_path / "run") == 2
    assert 'Did you mean "label"' in capsys.readouterr().err


def test_strict_refuses_data_with_a_blocking_finding(tiny_model, reviews, tmp_path, capsys):
    status = superfine_command(
        "train", reviews, "--test", reviews, "--strict", "--model", tiny_model("bert"), "--out", tmp_path / "run", *SETTINGS
    )
    assert status == 2
    assert "Refused by --strict" in capsys.readouterr().err


def test_ctrl_c_exits_with_130_and_keeps_the_model(tiny_model, reviews, tmp_path):
    import signal

    arguments = [
        "train",
        reviews,
        "--model",
        tiny_model("bert"),
        "--out",
        tmp_path / "run",
        *SETTINGS,
        "--set",
        "training.epochs=100000",
        "--set",
        "training.patience=0",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "superfine", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    for line in process.stderr:
        if line.strip().startswith("epoch 2"):
            process.send_signal(signal.SIGINT)
            break
    said = process.stderr.read()
    assert process.wait(timeout=120) == 130
    assert "Written to" in said
    assert (tmp_path / "run" / "model" / "superfine.json").exists()


def test_progress_is_shown_without_a_terminal_too(tiny_model, reviews, tmp_path, capsys):
    superfine_command("train", reviews, "--model", tiny_model("bert"), "--out", tmp_path / "run", *SETTINGS)
    assert "epoch 1: loss" in capsys.readouterr().err


def test_rows_left_out_are_counted_and_listed(tiny_model, tmp_path, capsys):
    from tests.conftest import make_rows

    data = write_csv(tmp_path / "d.csv", [*make_rows(60), ("", "good"), ("fine words", "")])
    superfine_command("train", data, "--model", tiny_model("bert"), "--out", tmp_path / "run", *SETTINGS)
    assert "1 rows without text, 1 without label (rows 62, 63)" in capsys.readouterr().err


def test_a_gbk_export_is_read_said_and_predicted_from_several_files(trained, tmp_path, capsys):
    first, second = tmp_path / "一.csv", tmp_path / "二.csv"
    first.write_bytes("text,备注\nlovely kettle,物流很快，包装也不错\n".encode("gbk"))
    second.write_bytes("text\tother\nawful lamp\tx\n".encode("utf-16"))
    assert superfine_command("predict", trained.folder, first, second) == 0
    output = capsys.readouterr()
    assert [line.split(",")[0] for line in output.out.splitlines()] == ["text", "lovely kettle", "awful lamp"]
    assert "一.csv is read as GB18030 (Chinese)" in output.err
    assert "二.csv is read as UTF-16" in output.err


def test_predictions_are_written_in_the_encoding_that_a_spreadsheet_wants(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", [("lovely 水壶", ""), ("awful 台灯", "")])
    for encoding, start in (("utf-8-sig", b"\xef\xbb\xbftext,"), ("gb18030", b"text,"), ("utf-8", b"text,")):
        out = tmp_path / f"{encoding}.csv"
        assert superfine_command("predict", trained.folder, data, "--out", out, "--out-encoding", encoding) == 0
        assert out.read_bytes().startswith(start)
        assert "lovely 水壶" in out.read_text(encoding=encoding)
    out = tmp_path / "none.csv"
    assert superfine_command("predict", trained.folder, data, "--out", out, "--out-encoding", "latin-1") == 2
    assert 'has no "水"' in capsys.readouterr().err
    assert superfine_command("predict", trained.folder, data, "--out", out, "--out-encoding", "utf-99") == 2
    assert 'There is no text encoding "utf-99"' in capsys.readouterr().err
    assert not out.exists()
    assert not list(tmp_path.glob("*.new"))
    assert superfine_command("predict", trained.folder, data, "--out-encoding", "gb18030") == 2
    assert "Name one with --out" in capsys.readouterr().err


def test_evaluate_leaves_unknown_labels_out_on_request(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "more.csv", [("lovely kettle", "good"), ("awful lamp", "bad"), ("so so", "mixed")])
    assert superfine_command("evaluate", trained.folder, data) == 2
    assert '"mixed" in row 4' in capsys.readouterr().err
    assert superfine_command("evaluate", trained.folder, data, "--ignore-unknown-labels", "--json") == 0
    assert json.loads(capsys.readouterr().out)["dropped"]["without_label"] == [4]


def test_what_the_system_refuses_is_one_message_and_no_traceback(reviews, tmp_path, capsys):
    long = "长" * 80 + ".csv"
    assert superfine_command("train", "x" * 300 + ".csv", "--dry-run") == 2
    assert superfine_command("train", reviews, "--out", tmp_path / ("x" * 300)) == 2
    assert superfine_command("predict", "x" * 300, reviews) == 2
    assert "Traceback" not in capsys.readouterr().err
    import shutil

    shutil.copy(reviews, tmp_path / long)
    assert superfine_command("train", tmp_path / long, "--dry-run") == 0, (
        "a long name of the data makes a shorter name of the run"
    )


def test_a_refused_run_leaves_no_empty_folder(tmp_path):
    data = write_csv(tmp_path / "one.csv", [("some text", "same"), ("another", "same")])
    assert superfine_command("train", data, "--out", tmp_path / "run") == 2
    assert not (tmp_path / "run").exists()
