"""Every early error of every command, and all that needs no network to be computed, without the seconds that torch and
transformers take to load."""

import json
import subprocess
import sys

import pytest

from tests.conftest import make_rows, superfine_command, write_csv

RUNNER = """
import contextlib, importlib.abc, importlib.machinery, io, json, sys

class Refusing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name in ("torch", "transformers") else None
    def exec_module(self, module):
        raise AssertionError(module.__name__ + " was loaded")

sys.meta_path.insert(0, Refusing())
from superfine.cli.main import cli, run
for arguments in json.loads(sys.stdin.read()):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = run(lambda: cli.main(arguments, standalone_mode=False))
        except BaseException as error:
            status, _ = "raised", err.write(repr(error))
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
"""


@pytest.fixture(scope="module")
def answers(trained, tiny_model, tmp_path_factory):
    """By a name for the case: exit status and standard error of the command, run where torch cannot be loaded."""
    folder = tmp_path_factory.mktemp("early")
    exported = folder / "exported"
    assert superfine_command("export", trained.folder, "--to", "onnx", "--out", exported) == 0
    good = str(write_csv(folder / "good.csv", make_rows(60)))
    one_class = str(write_csv(folder / "one.csv", [(text, "same") for text, _ in make_rows(20)]))
    (folder / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00")
    (folder / "empty").mkdir()
    (folder / "bare").mkdir()
    (folder / "bare" / "config.json").write_text("{}")
    bert, run = str(tiny_model("bert")), str(trained.folder)
    train = ["train", good, "--model", bert, "--out", str(folder / "run")]
    cases = {
        "no such file": (["train", str(folder / "none.csv")], 2, "none.csv"),
        "no table": (["train", str(folder / "picture.csv")], 2, "picture.csv"),
        "no such option": ([*train, "--epoch", "3"], 2, "--epoch"),
        "no such column": ([*train, "--label", "sentiment"], 2, "sentiment"),
        "one class": (["train", one_class, "--model", bert, "--out", str(folder / "run")], 2, "only the class"),
        "no such key": ([*train, "--set", "training.epoch=3"], 2, "training.epoch"),
        "a wrong value": ([*train, "--set", "training.epochs=many"], 2, "training.epochs"),
        "no such regulariser": ([*train, "--set", "training.regularisers={fgmm: {}}"], 2, "fgmm"),
        "no such option of a regulariser": ([*train, "--set", "training.regularisers={fgm: {size: 1}}"], 2, "size"),
        "a wrong option of a regulariser": ([*train, "--set", "training.regularisers={r_drop: {weight: -1}}"], 2, "weight"),
        "no such tracker": ([*train, "--track", "tensorbord"], 2, "tensorbord"),
        "no such task": ([*train, "--task", "poetry"], 2, "poetry"),
        "no such model": (["train", good, "--model", "./nowhere"], 2, "nowhere"),
        "no model in the folder": (["train", good, "--model", str(folder / "empty")], 2, "config.json"),
        "no tokenizer in the folder": (["train", good, "--model", str(folder / "bare")], 2, "holds no tokenizer"),
        "a taken folder": (["train", good, "--model", bert, "--out", run], 2, "already holds a run"),
        "nothing to resume": (["train", good, "--resume", str(folder / "empty")], 2, "no run to resume"),
        "a finished run": (["train", good, "--resume", run], 2, "is finished"),
        "a wrong limit": ([*train, "--time-limit", "soon"], 2, "soon"),
        "a dry run": ([*train, "--dry-run"], 0, "Would fine-tune"),
        "no such run": (["predict", str(folder / "none"), good], 2, "does not exist"),
        "no run in the folder": (["predict", str(folder / "empty"), good], 2, "holds no model"),
        "no such input": (["predict", run, str(folder / "none.csv")], 2, "none.csv"),
        "the input as output": (["predict", run, good, "--out", good], 2, "is the file that is read"),
        "another kind of output": (["predict", run, good, "--out", str(folder / "out.xlsx")], 2, "xlsx"),
        "no such text column": (["predict", run, good, "--text", "review"], 2, "review"),
        "no such baseline": (["predict", run, good, "--with", "svm"], 2, "svm"),
        "a baseline answers": (["predict", run, good, "--with", "tfidf", "--out", str(folder / "p.csv")], 0, ""),
        "an export answers": (["predict", str(exported), good, "--out", str(folder / "e.csv")], 0, ""),
        "an export is scored": (["evaluate", str(exported), good], 0, ""),
        "an export of an export": (
            ["export", str(exported), "--to", "onnx", "--out", str(folder / "x")],
            2,
            "is an export already",
        ),
        "no such format": (["export", run, "--to", "tflite"], 2, "tflite"),
        "no loss to accept": (["export", run, "--to", "int8", "--margin", "0"], 2, "could be accepted"),
        "no such data": (["evaluate", run, str(folder / "none.csv")], 2, "none.csv"),
        "no labels": (["evaluate", run, good, "--label", "sentiment"], 2, "sentiment"),
        "unknown labels": (["evaluate", run, one_class], 2, "never had"),
        "a baseline is scored": (["evaluate", run, good, "--with", "tfidf"], 0, ""),
        "no such command": (["trian"], 2, "trian"),
        "help": (["train", "--help"], 0, ""),
        "the version": (["--version"], 0, ""),
        "completion": (["completion", "bash"], 0, ""),
    }
    given = json.dumps([arguments for arguments, _, _ in cases.values()])
    command = [sys.executable, "-c", RUNNER]
    outcome = subprocess.run(command, input=given, capture_output=True, text=True, check=True, cwd=folder)
    found = [json.loads(line) for line in outcome.stdout.splitlines()]
    return {
        name: (status, expected, out + err, said)
        for (name, (_, expected, said)), (status, out, err) in zip(cases.items(), found, strict=True)
    }


def test_no_early_error_loads_torch_or_transformers(answers):
    loaded = {name: text for name, (_, _, text, _) in answers.items() if "was loaded" in text}
    assert loaded == {}


def test_each_says_what_is_wrong_and_exits_as_it_should(answers):
    wrong = {
        name: (status, text)
        for name, (status, expected, text, said) in answers.items()
        if status != expected or said not in " ".join(text.split())
    }
    assert wrong == {}


def test_a_dry_run_counts_tokens_by_the_tokenizer_alone(tiny_model, tmp_path):
    from superfine.recipes.dry_run import dry_run
    from superfine.recipes.reporter import Reporter
    from superfine.recipes.request import make_request

    rows = [(f"{text} " * 10 if i < 30 else text, label) for i, (text, label) in enumerate(make_rows(60))]
    request = make_request(
        write_csv(tmp_path / "long.csv", rows), validation=None, test=None, out=tmp_path / "run", config=None,
        overrides={"model.name": str(tiny_model("bert")), "model.max_length": 32, "model.long_texts": "cut"}, force=False, resume=None, strict=False, started=0.0,
    )  # fmt: skip
    findings = {finding["name"]: finding for finding in dry_run(request, Reporter())["findings"]}
    assert "are longer than 32 tokens and are cut" in findings["truncation"]["message"]
    assert not (tmp_path / "run").exists()
