"""What every task promises, asked of each row of the task table and of a toy task: train, save, reopen, score, write, in plain
transformers as well. A new task gets it for free."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import superfine
from superfine.config import RunConfig
from superfine.data.read import read_table
from superfine.predictors.bundle import open_bundle, open_predictor
from superfine.recipes.dry_run import dry_run
from superfine.recipes.figures import BLINDED
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import make_request
from superfine.records import Choices, Head, Ratio, Statistics, Values
from superfine.tasks import TASKS
from superfine.tasks.choose import choose_task
from superfine.tasks.task import Shown, Task, labels_of
from tests.conftest import BAD, FAST, GOOD, THINGS, make_rows, superfine_command, write_csv

SOURCE = Path(superfine.__file__).parent
LONGER = FAST | {
    "training.epochs": 16,
    "training.patience": 0,
    "training.batch_size": 8,
    "training.head_learning_rate_multiplier": 3,
}
MAKERS = {
    "classification": lambda text, good: "good" if good else "bad",
    "hierarchical": lambda text, good: f"{'thing' if is_first(text) else 'other'} > {'good' if good else 'bad'}",
    "multilabel": lambda text, good: "|".join(name for name, has in (("good", good), ("kettle", is_first(text))) if has),
    "ordinal": lambda text, good: str(1 + 2 * good + is_first(text)),
    "regression": lambda text, good: f"{2.5 * good + is_first(text) + 0.01 * len(text):.2f}",
    "tokens": lambda text, good: marked(text),
    "questions": lambda text, good: text.split()[1],
    "label_distribution": lambda text, good: json.dumps(
        {"good": 3 + is_first(text), "bad": 1} if good else {"good": 1, "bad": 3}
    ),
}
"""The label of a review by task."""
NAMED = {"evens", "ordinal"}
"""Tasks that labels alone do not tell."""


COLUMNS = {"questions": ("question", "context", "answer")}
"""Of tables that are not of a text and a label."""


def is_first(text):
    return text.split()[1] in THINGS[:8]


def marked(text):
    """Every thing and every word of praise or blame in the text, as a JSON list."""
    kinds = {"thing": THINGS, "praise": GOOD, "blame": BAD}
    found = [
        (m.start(), m.end(), kind) for m in re.finditer(r"\w+", text) for kind, words in kinds.items() if m[0].lower() in words
    ]
    return json.dumps(found)


class Evens(Task):
    """A toy: is the number of words even? Two logits, as a classification has them, and one score of its own."""

    name = "evens"
    main = "hits"
    baselines = ("majority",)

    @classmethod
    def learn(cls, examples, options=None, *, merges=False):
        labels_of(examples)
        return cls()

    def facts(self):
        return {}

    @classmethod
    def from_facts(cls, facts):
        return cls()

    @property
    def head(self):
        return Head(("odd", "even"))

    @property
    def shown(self):
        return Shown(title="Toy", summary="two kinds", purpose="Says odd or even.", headline=("hits",))

    @property
    def scores(self):
        return {"hits": Ratio({"hits": 1.0}, {"rows": 1.0}, pooled=True)}

    def gold(self, examples):
        return np.array([int(label == "even") for label in labels_of(examples)])

    def strata(self, examples):
        return self.gold(examples)

    def loss(self, outputs, targets):
        return torch.nn.functional.cross_entropy(outputs, targets, reduction="none")

    def decode(self, examples, outputs, encoded=None):
        weights = np.exp(outputs - outputs.max(axis=1, keepdims=True)) if len(outputs) else np.zeros((0, 2))
        return Choices(examples.row, ("odd", "even"), weights / weights.sum(axis=1, keepdims=True))

    def statistics(self, examples, answers):
        hits = self.gold(examples) == answers.class_ids
        return Statistics({"hits": hits.astype(float), "rows": np.ones(len(hits))})

    def worst(self, examples, answers):
        return np.flatnonzero(self.gold(examples) != answers.class_ids)


@pytest.fixture(scope="module", autouse=True)
def with_a_toy():
    """One class and one line of the table."""
    TASKS._entries["evens"] = "tests.tasks.test_contract:Evens"
    yield
    del TASKS._entries["evens"]


def table(task, folder):
    label = MAKERS.get(task, lambda text, good: ("odd", "even")[len(text.split()) % 2 == 0])
    rows = [(text, label(text, kind == "good")) for text, kind in make_rows(300)]
    if task in COLUMNS:
        rows = [("which thing", *row) for row in rows]
    return write_csv(folder / f"{task}.csv", rows, COLUMNS.get(task, ("text", "label")))


def columns_of(run):
    """The columns of its table: texts first, then the label."""
    manifest = open_bundle(run.folder).manifest
    return [*manifest.text, *filter(None, [manifest.text_pair]), *manifest.label]


def texts_of(run, rows):
    """The texts of rows, and the second ones of pairs or None."""
    manifest = open_bundle(run.folder).manifest
    pairs = None if manifest.text_pair is None else [row[manifest.text_pair] for row in rows]
    return [row[manifest.text[0]] for row in rows], pairs


def again(run, rows, folder):
    """A file of these rows."""
    return write_csv(folder / "again.csv", [[row[name] for name in columns_of(run)] for row in rows], columns_of(run))


WINDOWS = {"model.long_texts": "windows", "model.max_length": 7, "model.stride": 1}
IN_WINDOWS = ("classification", "multilabel", "regression", "tokens")
"""A task of each shape of answer."""


WITHOUT_MIDDLE = {"model.long_texts": "head_tail", "model.max_length": 7}


@pytest.fixture(
    scope="module", params=[*MAKERS, "evens", *(f"{task}-in-windows" for task in IN_WINDOWS), "classification-without-middle"]
)
def run(request, tiny_model, tmp_path_factory):
    """A run of the whole recipe with a tiny model, for each task, and for some with texts that are read in windows. Where labels
    tell it, nobody names the task."""
    named, _, windows = request.param.partition("-")
    folder = tmp_path_factory.mktemp(request.param)
    task = named if named in NAMED else None
    model = str(tiny_model("bert"))
    settings = LONGER | {"": {}, "in-windows": WINDOWS, "without-middle": WITHOUT_MIDDLE}[windows]
    return superfine.train(table(named, folder), task=task, model=model, out=folder / "run", settings=settings, progress=False)


@pytest.fixture
def test_rows(run):
    with open(run.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_task_of_the_table_is_asked():
    assert {*MAKERS, "evens"} == set(TASKS)


def test_the_labels_tell_the_task_and_the_manifest_keeps_it(run):
    named = run.folder.parent.name.rstrip("0123456789").partition("-")[0]
    assert run.metrics["task"] == named
    assert open_bundle(run.folder).manifest.open_task().name == named
    assert run.metrics["main"] in run.metrics["test"]


def test_the_model_learns_more_than_the_constant_answer(run):
    main, constant = run.metrics["main"], run.metrics["baselines"].get("majority", {})
    if run.metrics["task"] != "evens":  # which words alone do not tell
        assert run.metrics["test"][main]["value"] > constant.get(main, {"value": 0.0})["value"]


def test_plain_transformers_gives_the_same_numbers(run):
    assert run.metrics["parity"]["problems"] == []
    assert run.metrics["parity"]["texts"] > 20


def test_the_reopened_model_and_its_batches_answer_as_the_test_did(run, test_rows):
    model = open_predictor(run.folder)
    texts, pairs = texts_of(run, test_rows)
    together = model.predict(texts, pairs)
    columns = together.to_columns()
    assert next(iter(columns)) == "prediction"
    written = [row["prediction"] for row in test_rows]
    said = [f"{value:.6f}" if isinstance(value, float) else value for value in columns["prediction"]]
    assert said == written
    alone = [model.predict([text], pairs and [pairs[i]]).to_columns() for i, text in enumerate(texts[:5])]
    for name, values in columns.items():
        if isinstance(values[0], float):
            np.testing.assert_allclose([one[name][0] for one in alone], values[:5], atol=1e-4)
        else:
            assert [one[name][0] for one in alone] == values[:5]
    assert json.loads(json.dumps(together.to_objects()))[0].keys() >= {"prediction"}


def test_the_columns_of_answers_are_known_before_there_is_one(run, test_rows):
    names = open_bundle(run.folder).manifest.open_task().answer_columns()
    assert list(test_rows[0]) == [*columns_of(run), *names]


def test_evaluate_gives_the_scores_of_the_test_part(run, test_rows, tmp_path):
    for name, interval in superfine.evaluate(run.folder, again(run, test_rows, tmp_path)).scores.items():
        assert interval.value == pytest.approx(run.metrics["test"][name]["value"], abs=1e-6)


def test_every_baseline_is_compared_saved_and_opened(run, test_rows, tmp_path):
    rows = again(run, test_rows, tmp_path)
    assert run.metrics["baselines"].keys() - {BLINDED} == run.metrics["comparison"].keys()
    for name in run.metrics["comparison"]:
        scores, main = run.metrics["baselines"][name], run.metrics["main"]
        assert superfine.evaluate(run.folder, rows, baseline=name).scores[main].value == pytest.approx(
            scores[main]["value"], abs=1e-6
        )
        assert run.metrics["comparison"][name]["outcome"] in {"better", "worse", "undecided"}


def test_report_and_card_show_the_main_score_and_no_score_is_left_without_interval(run):
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    card = (run.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert run.metrics["shown"]["purpose"] in card
    assert 'id="score"' in page
    for name in run.metrics["shown"]["sections"]:
        assert f'aria-labelledby="{name}"' in page or f'id="{name}"' in page or name == "confusion"
    for score in run.metrics["test"].values():
        if isinstance(score, dict) and "value" in score:
            assert score["low"] <= score["value"] + 1e-9
            assert score["value"] <= score["high"] + 1e-9


def test_windows_are_read_where_they_are_asked_for_and_the_manifest_and_the_card_tell_it(run):
    card = (run.folder / "model" / "README.md").read_text(encoding="utf-8")
    steps = open_bundle(run.folder).manifest.preparation
    in_windows = "windows" in run.folder.parent.name
    always = run.metrics["task"] in COLUMNS
    without_middle = "without-middle" in run.folder.parent.name
    assert [step.step for step in steps] == (["windows"] if in_windows or always else ["head_tail"] if without_middle else [])
    assert ("without the middle" in card) == without_middle
    assert (run.metrics["data"]["unread_share"] > 0.1) == without_middle
    assert ("is read in windows" in card) == (in_windows or always)
    assert (run.metrics["data"]["windows_per_text"] > 1.5) == in_windows
    assert not in_windows or run.metrics["data"]["truncated_share"] == 0.0


def test_the_lines_for_plain_transformers_in_the_card_run_as_they_stand(run, monkeypatch):
    card = (run.folder / "model" / "README.md").read_text(encoding="utf-8")
    snippet = next(code for code in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "import superfine" not in code)
    monkeypatch.chdir(run.folder / "model")
    names = {}
    exec(compile(snippet.replace('"..."', '"this kettle is lovely"'), "card", "exec"), names)
    asked = names["ask"]("this kettle is lovely") if "ask" in names else names["output"]
    assert asked is not None


def test_the_dry_run_tells_the_task(run, tmp_path):
    data = run.folder.parent / f"{run.metrics['task']}.csv"
    request = make_request(
        str(data), validation=None, test=None, out=tmp_path / "out", config=None, force=False, resume=None, strict=False,
        started=0.0, overrides={"task.name": run.metrics["task"], "model.name": run.folder.parent.as_posix() + "/run/model"},
    )  # fmt: skip
    assert dry_run(request, Reporter())["task"] == run.metrics["task"]


def test_facts_are_plain_values_and_nonsense_in_them_is_refused(run):
    task = open_bundle(run.folder).manifest.open_task()
    facts = json.loads(json.dumps(task.facts()))
    assert type(task).from_facts(facts).facts() == task.facts()
    for name in facts:
        if name in {"labels", "thresholds", "mean", "deviation", "factor"}:
            with pytest.raises(ValueError, match=name):
                type(task).from_facts(facts | {name: None})


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnx", "openvino", "tensorflow"])
def test_an_export_has_a_receipt_and_answers_as_the_test_did(run, runtime, test_rows, tmp_path, capsys, request):
    pytest.importorskip("onnxscript", reason="the packages of the extra `export` are not installed")
    module = {"onnx": "onnxruntime", "openvino": "openvino", "tensorflow": "ai_edge_litert"}[runtime]
    pytest.importorskip(module, reason="the runtime is not installed")
    if runtime == "tensorflow":
        request.getfixturevalue("tensorflow_environment")
    out = tmp_path / runtime
    assert superfine_command("export", run.folder, "--to", runtime, "--out", out, "--json") == 0
    receipt = json.loads(capsys.readouterr().out)
    for answered in (receipt, *receipt.get("twins", {}).values()):
        assert answered["texts"].keys() == {"validation", "test", "hard", "alone"}
        assert max(found["largest"] for found in answered["texts"].values()) < 1e-4
    texts, pairs = texts_of(run, test_rows)
    ours, theirs = (superfine.load(folder).predict(texts, pairs) for folder in (run.folder, out))
    assert ours.label == theirs.label or isinstance(ours, Values)
    for name, interval in superfine.evaluate(out, again(run, test_rows, tmp_path)).scores.items():
        rounded = 1e-5 if name == run.metrics["main"] else 5e-3  # where rows are ranked or binned the last digit may count
        assert interval.value == pytest.approx(run.metrics["test"][name]["value"], abs=rounded)


def test_no_file_outside_the_room_names_a_task():
    named = re.compile(rf"""["']({"|".join(MAKERS)})["']|tasks\.({"|".join(MAKERS)})\b""")
    # Transformers has a problem type "regression"; an estimator of scikit-learn is of one task; a saved baseline had such a word.
    # Data sets and a folder of the cache have a part that is called "tokens".
    may = {"records/heads.py", "estimator.py", "baselines/tfidf.py", "data/token_cache.py", "data/nested.py"}
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if "tasks" not in path.parts and named.search(path.read_text(encoding="utf-8"))
    }
    assert found <= may


@pytest.mark.parametrize("task", sorted({*MAKERS} - NAMED - {*COLUMNS}))
def test_labels_of_a_task_are_taken_for_it(task, tmp_path):
    labels = read_table(table(task, tmp_path)).columns["label"]
    chosen = choose_task(RunConfig().task.name, labels, 1)
    assert chosen.task.name == task
    assert f"Task: {task}, because the labels are" in chosen.line
    assert "--task" in chosen.line
