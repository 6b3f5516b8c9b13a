"""The command line: quick help, exit statuses, one message on standard error, and JSON alone on standard output."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from superfine.cli.main import main
from tests.conftest import FAST, make_rows, write_csv

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
        (["train", "x.csv", "--patienc", "3"], "--set training.patience=VALUE"),
        (["train", "x.csv", "--epoch", "3"], "'--epochs'"),
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
    same = shutil.copy(reviews, tmp_path / "same.csv")
    status = superfine_command(
        "train", reviews, "--test", same, "--strict", "--model", tiny_model("bert"), "--out", tmp_path / "run", *SETTINGS
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


def test_without_a_command_there_is_help(capsys):
    assert superfine_command() == 0
    assert "superfine train reviews.csv" in capsys.readouterr().out


def test_an_impossible_value_is_one_line_with_its_bound_and_a_mistyped_key_lists_them(capsys):
    assert superfine_command("train", "x.csv", "--set", "training.epochs=0") == 2
    assert capsys.readouterr().err.splitlines() == ['Error: "training.epochs" cannot be 0: Input should be greater than 0.']
    assert superfine_command("train", "x.csv", "--set", "training.epoch=0") == 2
    assert "All keys: data.text" in capsys.readouterr().err


def test_usual_settings_are_options(monkeypatch):
    seen = {}
    monkeypatch.setattr("superfine.recipes.dry_run.dry_run", lambda request, reporter: seen.update(vars(request)) or {})
    options = ["--epochs", "3", "--batch-size", "8", "--lr", "2e-5", "--max-length", "64", "--device", "cpu"]
    assert superfine_command("train", "x.csv", "--dry-run", *options) == 0
    config = seen["config"]
    assert (config.training.epochs, config.training.batch_size, config.training.learning_rate) == (3, 8, 2e-5)
    assert (config.model.max_length, config.device) == (64, "cpu")


@pytest.mark.parametrize("name", ["cuda:7", "tpu"])
def test_a_device_that_is_not_there_is_refused(name, trained, reviews, capsys):
    for command in ("predict", "evaluate"):
        assert superfine_command(command, trained.folder, reviews, "--device", name) == 2
        assert name in capsys.readouterr().err
    assert superfine_command("predict", trained.folder, reviews, "--device", "cpu", "--with", "tfidf") == 2
    assert "--with asks a baseline" in capsys.readouterr().err


def test_a_tilde_is_the_users_home(trained, reviews, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.csv").write_bytes(reviews.read_bytes())
    (tmp_path / "run").symlink_to(trained.folder, target_is_directory=True)
    assert superfine_command("evaluate", "~/run", "~/mine.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["test"]["n"] > 0
    assert superfine_command("predict", "~/run", "~/mine.csv", "--json") == 0
    assert superfine_command("train", "~/none.csv") == 2
    assert f"{tmp_path}/none.csv does not exist" in capsys.readouterr().err


@pytest.mark.slow
def test_closed_streams_are_one_message(trained, reviews):
    line = Path(sys.executable).with_name("superfine")
    for command, message in (
        (f"{line} evaluate {trained.folder} {reviews} --json >&-", "Standard output is closed."),
        (f"{line} predict {trained.folder} - <&-", "Standard input is closed."),
    ):
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert subprocess.run(["sh", "-c", f"{line} evaluate none {reviews} 2>&-"], check=False).returncode == 2


@pytest.mark.slow
def test_names_that_are_no_utf8_are_read_and_written(trained, reviews, tmp_path, tiny_model, capsys):
    given, out = (os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9" + ending) for ending in (b".csv", b"_out.csv"))
    Path(given).write_bytes(reviews.read_bytes())
    assert superfine_command("predict", trained.folder, given, "--out", out) == 0
    assert Path(out).stat().st_size > 0
    assert superfine_command("train", given, "--dry-run", "--model", tiny_model("bert")) == 0
    options = ["--model", tiny_model("bert"), "--epochs", "1", "--json"]
    assert superfine_command("train", given, "--out", tmp_path / "run", *options) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "classification"
    assert superfine_command("predict", tmp_path / "run", given) == 0
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/run\xe9")
    assert superfine_command("train", given, "--out", folder, *options) == 2
    assert "has a name that is no UTF-8" in capsys.readouterr().err
    assert not Path(folder).exists()


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_part_that_is_the_training_file_is_refused(part, reviews, tmp_path, capsys):
    link = tmp_path / "link.csv"
    link.symlink_to(reviews)
    for other in (reviews, link):
        assert superfine_command("train", reviews, f"--{part}", other) == 2
        assert "is the file that is learned from" in capsys.readouterr().err


def test_options_without_effect_are_said(reviews, tmp_path, capsys):
    assert superfine_command("train", reviews, "--dry-run", "--sheet", "x") == 0
    assert "--sheet has no effect on a file that ends in .csv" in capsys.readouterr().err
    lines = tmp_path / "x.jsonl"
    rows = [json.dumps({"text": text, "label": label}) for text, label in make_rows(60)]
    lines.write_text("\n".join(rows), encoding="utf-8")
    superfine_command("train", lines, "--dry-run", "--delimiter", ";", "--no-header", "--encoding", "utf-8")
    said = capsys.readouterr().err
    assert "--delimiter has no effect on a file that ends in .jsonl" in said
    assert "--no-header has no effect on a file that ends in .jsonl" in said
    assert "--encoding has" not in said


@pytest.mark.parametrize("model", [[], ["--model", "owner/name@v1"], ["--model", "."]])
def test_a_revision_without_a_model_of_the_hub_is_refused(reviews, capsys, model):
    assert superfine_command("train", reviews, "--revision", "v2", *model) == 2
    assert "--revision v2 is of a model on the hub" in capsys.readouterr().err
