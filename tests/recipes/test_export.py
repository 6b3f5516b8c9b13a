"""`superfine export` as its users call it: what is written, what is proved, what is refused and how."""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("onnxscript", reason="the packages of the extra `export` are not installed")

import superfine
from superfine.recipes.export import export
from superfine.recipes.exports.request import ExportRequest
from superfine.recipes.reporter import Reporter
from tests.conftest import FAST, make_rows, superfine_command, write_csv


class Heard(Reporter):
    """Remembers what it is told."""

    def __init__(self):
        self.notes, self.stages = [], []

    def note(self, message):
        self.notes.append(message)

    def stage(self, name):
        self.stages.append(name)


@pytest.fixture(scope="module")
def run(tiny_model, tmp_path_factory):
    """A run with enough test rows for the gate."""
    folder = tmp_path_factory.mktemp("exported")
    data = write_csv(folder / "reviews.csv", make_rows(900))
    settings = FAST | {"data.test_share": 0.4}
    return superfine.train(data, model=str(tiny_model("bert")), out=folder / "run", settings=settings, progress=False)


@pytest.fixture(autouse=True, scope="module")
def graphs_at_hand(tmp_path_factory):
    """The graph of a model is written once: that takes most of the time of an export."""
    from superfine.recipes import export as module

    kept, original = {}, module.written_graph

    def written(model, folder):
        name = model.opened_from.folder.resolve()
        if name not in kept:
            kept[name] = (original(model, folder), tmp_path_factory.mktemp("graph") / "model.onnx")
            shutil.copyfile(folder / "model.onnx", kept[name][1])
        facts, path = kept[name]
        shutil.copyfile(path, folder / "model.onnx")
        return facts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "written_graph", written)
        yield


def answered_no(*arguments):
    """The command ends with 1: done, and the answer is no."""
    with pytest.raises(SystemExit) as ended:
        superfine_command("export", *arguments)
    assert ended.value.code == 1


@pytest.fixture
def copied(run, tmp_path):
    """The run's folder, to write into."""
    return shutil.copytree(run.folder, tmp_path / "run")


def test_an_export_lies_in_the_run_and_is_predicted_evaluated_and_compared_as_a_run_is(copied, tmp_path, capsys):
    assert superfine_command("export", copied, "--to", "onnx") == 0
    made = copied / "exports" / "onnx"
    assert {path.name for path in made.iterdir()} >= {
        "model.onnx",
        "superfine.json",
        "parity.json",
        "tokenizer.json",
        "README.md",
    }
    assert [path.name for path in made.parent.iterdir()] == ["onnx"], "nothing half-made is left"
    texts = write_csv(tmp_path / "texts.csv", make_rows(30, seed=3))
    for folder in (copied, made):
        assert superfine_command("predict", folder, texts, "--out", tmp_path / f"{folder.name}.csv") == 0
    ours, theirs = ((tmp_path / f"{name}.csv").read_text(encoding="utf-8").splitlines() for name in ("run", "onnx"))
    assert [line.split(",")[:3] for line in ours] == [line.split(",")[:3] for line in theirs]
    capsys.readouterr()
    assert superfine_command("compare", made, copied, "--margin", "1", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["pairs"][0]["changed"] == 0
    assert document["pairs"][0]["non_inferiority"]["holds"]
    learned = write_csv(tmp_path / "learned.csv", make_rows(900)[:50])
    assert superfine_command("evaluate", made, learned, "--json") == 0
    assert json.loads(capsys.readouterr().out)["learned"], "rows that the run has learned from are told of its exports too"


def test_eight_bits_pass_the_gate_and_say_what_was_proved(run, tmp_path):
    heard = Heard()
    exported = export(ExportRequest(run.folder, "int8", out=tmp_path / "int8", margin=2.0), heard)
    receipt = exported.receipt
    assert receipt["passes"]
    assert receipt["precision"] == "int8"
    assert receipt["gate"]["labelled"] == run.metrics["test"]["n"]
    assert receipt["gate"]["upper"] < 0.02
    assert any(note.startswith("The gate: 360 labelled rows are to show") for note in heard.notes)
    assert heard.stages.index("predicting") < heard.stages.index("quantising")
    assert receipt["alone_and_together"]["largest"] < 1e-4, "static scales"
    texts = [text for text, _ in make_rows(40, seed=2)]
    difference = superfine.load(exported.folder).predict_proba(texts) - superfine.load(run.folder).predict_proba(texts)
    assert 0 < np.abs(difference).max() < 0.2


def test_what_is_worse_is_refused_with_by_how_much_and_nothing_is_written(run, tmp_path, monkeypatch, capsys):
    from superfine.export.onnx_runtime import OnnxRuntime

    def spoiled(self, source, target, facts, way, calibration):
        import onnx
        from onnx import numpy_helper

        graph = onnx.load(str(source))
        rng = np.random.default_rng(0)
        for one in graph.graph.initializer:
            if len(one.dims) == 2 and one.data_type == onnx.TensorProto.FLOAT:
                values = numpy_helper.to_array(one)
                one.CopyFrom(
                    numpy_helper.from_array((values + rng.normal(0, values.std(), values.shape)).astype(np.float32), one.name)
                )
        onnx.save(graph, str(target))

    monkeypatch.setattr(OnnxRuntime, "quantise", spoiled)
    answered_no("--to", "int8", run.folder, "--out", tmp_path / "int8", "--max-changed", "100", "--json")
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["folder"] is None
    assert "points of the main score may be lost (95 % sure), and 1 are accepted" in receipt["why_not"]
    assert not (tmp_path / "int8").exists()
    assert list(tmp_path.iterdir()) == []

    answered_no("--to", "int8", run.folder, "--out", tmp_path / "int8", "--json")
    receipt = json.loads(capsys.readouterr().out)
    assert {one["way"] for one in [*receipt["tried"], receipt]} == {f"int8 {way.name}" for way in OnnxRuntime.ways}
    assert all("answers change, more than 2 %" in one["why_not"] for one in [*receipt["tried"], receipt])
    assert "gate" not in receipt, "the test rows were not asked"


def test_a_float32_export_that_differs_is_refused(run, tmp_path, monkeypatch, capsys):
    from superfine.predictors.onnx import OnnxModel

    computed = OnnxModel.run
    monkeypatch.setattr(OnnxModel, "run", lambda self, inputs: (computed(self, inputs)[0] * 1.01, None))
    answered_no("--to", "onnx", run.folder, "--out", tmp_path / "onnx", "--json")
    assert "are accepted" in json.loads(capsys.readouterr().out)["why_not"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_student_is_shallower_and_exported_in_the_models_place(copied, capsys):
    options = ("--distil", "1", "--distil-margin", "20", "--distil-max-changed", "50", "--to", "onnx", "--json")
    assert superfine_command("export", copied, *options) == 0
    receipt = json.loads(capsys.readouterr().out)
    student = copied / "exports" / "student-1"
    assert receipt["folder"] == str(copied / "exports" / "student-1-onnx")
    assert json.loads((student / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"] == 1
    told = json.loads((student / "parity.json").read_text(encoding="utf-8"))
    assert told["gate"]["passes"]
    assert told["way"] == "student of 1 layers"
    texts = [text for text, _ in make_rows(60, seed=4)]
    said = [superfine.load(folder).predict(texts).label for folder in (student, receipt["folder"], copied)]
    assert said[0] == said[1]
    assert np.mean([a == b for a, b in zip(said[0], said[2], strict=True)]) > 0.7


def test_a_student_learns_the_outputs_of_the_model_and_no_label(run, monkeypatch, tmp_path):
    from superfine.recipes.exports import student

    seen = []
    monkeypatch.setattr(
        student, "_teach", lambda made, teacher, texts, validation, config, reporter: seen.append((texts, validation))
    )
    more = write_csv(tmp_path / "more.csv", [(text,) for text, _ in make_rows(50, seed=9)], ("text",))
    export(ExportRequest(run.folder, None, out=tmp_path / "student", distil=1, unlabelled=str(more)), Reporter())
    ((texts, validation),) = seen
    assert texts.label is None
    assert len(texts) == run.metrics["data"]["train"] + 50
    assert len(validation) == run.metrics["data"]["validation"]


@pytest.mark.slow
def test_the_fastest_that_passes_is_kept_and_the_table_says_what_was_timed(run, tmp_path):
    exported = export(ExportRequest(run.folder, "fastest", out=tmp_path / "fastest", margin=2.0), Reporter())
    variants = exported.receipt["variants"]
    names = {one["name"] for one in variants}
    assert names >= {"torch, float32", "ONNX Runtime, float32", "ONNX Runtime, int8 static, smoothed"}
    (kept,) = [one for one in variants if one["chosen"]]
    allowed = [one for one in variants if not one["why_not"]]
    assert kept["texts_per_second"] == max(one["texts_per_second"] for one in allowed)
    assert superfine.load(exported.folder).predict(["this lamp is lovely"]).label


def test_bfloat16_is_not_tried_on_a_processor_without_it(run, tmp_path, monkeypatch):
    from superfine.recipes.exports import fastest

    monkeypatch.setattr(fastest, "multiplies_bfloat16", lambda: False)
    monkeypatch.setattr(fastest, "RUNTIMES", {})
    exported = export(ExportRequest(run.folder, "fastest", out=tmp_path / "fastest"), Reporter())
    assert [one["name"] for one in exported.receipt["variants"]] == ["torch, float32"]


def test_force_replaces_an_export_whole_and_no_file_of_the_users(copied, monkeypatch, capsys):
    assert superfine_command("export", copied, "--to", "onnx") == 0
    made = copied / "exports" / "onnx"
    before = sorted(path.name for path in made.iterdir())
    original = type(made).replace

    def interrupted(self, target):
        if target == made and self.name.startswith(".superfine-") and not made.exists():
            monkeypatch.setattr(type(made), "replace", original)
            raise KeyboardInterrupt
        return original(self, target)

    monkeypatch.setattr(type(made), "replace", interrupted)
    assert superfine_command("export", copied, "--to", "onnx", "--force") == 130
    assert sorted(path.name for path in made.iterdir()) == before
    assert [path.name for path in made.parent.iterdir()] == ["onnx"]
    (made / "notes.txt").write_text("mine", encoding="utf-8")
    assert "is no part of the export" in refused(capsys, copied, "--to", "onnx", "--force")
    assert (made / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_what_one_way_cannot_do_is_told_and_the_others_are_tried(run, tmp_path, monkeypatch):
    from superfine.export.onnx_runtime import OnnxRuntime

    quantise = OnnxRuntime.quantise

    def failing(self, source, target, facts, way, calibration):
        if way.static:
            raise ValueError("no such operator")
        quantise(self, source, target, facts, way, calibration)

    monkeypatch.setattr(OnnxRuntime, "quantise", failing)
    heard = Heard()
    receipt = export(ExportRequest(run.folder, "int8", out=tmp_path / "int8", margin=2.0), heard).receipt
    assert receipt["way"] == "int8 dynamic"
    assert receipt["tried"][0]["why_not"] == "no such operator"
    assert any("no such operator" in note for note in heard.notes)


def refused(capsys, *arguments):
    """What the command says of arguments that cannot be used."""
    assert superfine_command("export", *arguments) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "Traceback" not in said
    return said


def test_what_cannot_be_exported_is_refused_in_one_message(run, trained, tmp_path, capsys):
    nowhere = tmp_path / "nowhere"
    assert "does not exist" in refused(capsys, nowhere, "--to", "onnx")
    assert "baseline" in refused(capsys, run.folder / "baselines" / "tfidf", "--to", "onnx", "--out", nowhere)
    assert "--to nor --distil" in refused(capsys, run.folder)
    assert "--margin is of --to int8" in refused(capsys, run.folder, "--to", "onnx", "--margin", "1")
    assert "no loss that could be accepted" in refused(capsys, run.folder, "--to", "int8", "--margin", "0", "--out", nowhere)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("dear", encoding="utf-8")
    assert "holds no export" in refused(capsys, run.folder, "--to", "onnx", "--out", foreign, "--force")
    assert "holds the model" in refused(capsys, run.folder, "--to", "onnx", "--out", run.folder, "--force")
    assert "--distil-margin 0 is no loss" in refused(
        capsys, run.folder, "--distil", "1", "--distil-margin", "0", "--out", nowhere
    )
    assert "has 2 layers itself" in refused(capsys, run.folder, "--distil", "2", "--out", nowhere)
    assert "holds no export" in refused(capsys, run.folder, "--distil", "1", "--to", "onnx", "--out", foreign)
    assert (foreign / "letter.txt").read_text(encoding="utf-8") == "dear"
    assert "needs 268 labelled rows" in refused(capsys, trained.folder, "--to", "int8", "--out", nowhere)
    assert not nowhere.exists()


@pytest.mark.slow
def test_a_run_whose_data_has_gone_or_changed_is_exported_without_it(tiny_model, tmp_path):
    data = write_csv(tmp_path / "reviews.csv", make_rows(240))
    run = superfine.train(data, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, progress=False)
    for spoil in (lambda: write_csv(data, make_rows(100, seed=8)), data.unlink):
        spoil()
        heard = Heard()
        receipt = export(ExportRequest(run.folder, "onnx", force=True), heard).receipt
        assert receipt["texts"].keys() == {"test", "hard", "alone"}
        assert any("cannot be read again" in note for note in heard.notes)


def test_each_text_counts_once_for_the_proof_and_none_that_was_learned_from(run, tmp_path):
    rows = make_rows(900) + make_rows(300, seed=21)
    data = write_csv(tmp_path / "data.csv", [*rows, *rows[-50:], ("a lamp", "purple")])
    heard = Heard()
    request = ExportRequest(run.folder, "int8", out=tmp_path / "int8", data=str(data), margin=2.0, ignore_unknown_labels=True)
    receipt = export(request, heard).receipt
    assert receipt["gate"]["labelled"] == run.metrics["test"]["n"] + 300
    said = " ".join(receipt["notes"])
    assert "1 rows without a label that the model knows" in said
    assert "540 rows that the model has learned from" in said
    assert "410 rows whose text counts already" in said
