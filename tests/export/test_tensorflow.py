"""TensorFlow's formats: written in an environment of their own, with the weights once, and answering as the model does."""

import json
import sys

import numpy as np
import pytest

pytest.importorskip("onnxscript", reason="the packages of the extra `export` are not installed")
pytest.importorskip("ai_edge_litert", reason="the package of the extra `tflite` is not installed")

import superfine
from superfine.errors import ConfigError, ModelError
from superfine.export.onnx import write_onnx
from superfine.export.tensorflow import environment
from superfine.export.tensorflow.runtime import LENGTHS, TensorFlow, sizes_in, told_apart, with_fixed_length
from superfine.predictors.bundle import MANIFEST, open_bundle
from superfine.predictors.graph import Rectangle
from superfine.records import Examples
from tests.conftest import FAST, make_rows, superfine_command, write_csv
from tests.export.test_onnx import fresh_model

TEXTS = [text for text, _ in make_rows(12)]


@pytest.fixture
def no_environment(monkeypatch, tmp_path):
    monkeypatch.delenv(environment.VARIABLE, raising=False)
    monkeypatch.setenv("SUPERFINE_CACHE", str(tmp_path / "cache"))


def test_a_graph_of_one_length_has_the_logits_of_the_network(tiny_model, tmp_path):
    import onnx
    import onnxruntime

    model = fresh_model(tiny_model("bert"))
    facts = write_onnx(model, tmp_path)
    assert with_fixed_length(tmp_path / facts.file, tmp_path / "fixed.onnx", 64) == ["logits"]
    kinds = {node.op_type for node in onnx.load(str(tmp_path / "fixed.onnx")).graph.node}
    assert not kinds & {"Shape", "Range", "ConstantOfShape", "Expand"}, "no size is left to be worked out"
    session = onnxruntime.InferenceSession(str(tmp_path / "fixed.onnx"))
    encoded = model.encoder.encode(Examples.of_texts(TEXTS)).as_sequences()
    for i, expected in enumerate(model.outputs(encoded)):
        rectangle = Rectangle.of(encoded, np.array([i]), facts.model_copy(update={"lengths": (64,)}))
        assert rectangle.input_ids.shape == (1, 64)
        found = session.run(None, {name: getattr(rectangle, name) for name in facts.inputs})[0]
        np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_a_text_is_padded_to_the_least_length_that_holds_it(tiny_model, tmp_path):
    model = fresh_model(tiny_model("bert"))
    encoded = model.encoder.encode(Examples.of_texts(["a", "lovely " * 6, "lovely " * 7])).as_sequences()
    facts = write_onnx(model, tmp_path)
    short = facts.model_copy(update={"lengths": (4, 8, 16)})
    assert [Rectangle.of(encoded, np.array([i]), short).input_ids.shape[1] for i in range(3)] == [4, 8, 16]


def test_no_length_is_the_width_of_a_layer(tiny_model, tmp_path):
    model = fresh_model(tiny_model("bert"))
    facts = write_onnx(model, tmp_path)
    sizes = sizes_in(tmp_path / facts.file)
    config = model.backbone.network.config
    assert {config.hidden_size, config.intermediate_size, config.hidden_size // config.num_attention_heads} <= sizes
    lengths = TensorFlow().facts_of(facts, tmp_path / facts.file, 4000, None).lengths
    assert len(lengths) == len(LENGTHS) + 1
    assert not sizes & {*lengths}
    assert lengths[-1] >= 4000
    assert told_apart((32, 64), {32, 33, 64}, 66) == (34, 65)
    with pytest.raises(ModelError, match="the length of 64 tokens") as error:  # no network reads more than it has positions
        told_apart((32, 64), {32, 64}, 64)
    assert "model.max_length=63" in error.value.advice


def test_a_python_without_the_tools_is_named_with_what_installs_them(no_environment, monkeypatch, trained, tmp_path, capsys):
    monkeypatch.setenv(environment.VARIABLE, sys.executable)
    out = tmp_path / "export"
    assert superfine_command("export", trained.folder, "--to", "tensorflow", "--out", out) == 2
    said = capsys.readouterr().err
    assert f"{sys.executable} -m pip install onnx2tf==" in said
    assert "Traceback" not in said
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "nothing"))
    assert superfine_command("export", trained.folder, "--to", "tensorflow", "--out", out) == 2
    assert "nothing cannot be run" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.usefixtures("no_environment")
def test_a_python_that_is_too_new_says_how_to_name_another_one(monkeypatch):
    monkeypatch.setattr(environment, "NEWEST", (3, 10))
    with pytest.raises(ConfigError, match="not to be had for Python") as error:
        environment.check()
    assert environment.VARIABLE in error.value.advice


@pytest.mark.usefixtures("no_environment")
def test_an_environment_that_cannot_be_filled_is_not_left_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "PINS", ("no-package-has-this-name==1",))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    said = []
    with pytest.raises(ConfigError, match="TensorFlow cannot be installed"):
        environment.python(said.append)
    assert "once" in said[0]
    assert not list((tmp_path / "cache" / "environments").iterdir())


def test_a_network_that_padding_changes_is_refused_before_it_is_written(tiny_model, tmp_path, monkeypatch, capsys):
    data = write_csv(tmp_path / "reviews.csv", make_rows(120))
    run = superfine.train(data, model=str(tiny_model("fnet")), out=tmp_path / "run", settings=FAST, progress=False)
    monkeypatch.setattr(environment, "check", lambda: None)
    monkeypatch.setattr(environment, "python", lambda say: sys.executable)
    monkeypatch.setattr("superfine.recipes.export.written_graph", lambda model, folder: pytest.fail("it was written"))
    assert superfine_command("export", run.folder, "--to", "tensorflow") == 2
    assert "Padding changes its answers" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow_environment")
def test_weights_are_held_once_and_a_changed_byte_in_any_file_is_refused(trained, tmp_path, capsys):
    out = tmp_path / "tensorflow"
    assert superfine_command("export", trained.folder, "--to", "tensorflow", "--out", out, "--json") == 0
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["environment"]["versions_apart"].keys() == {"tensorflow", "onnx2tf", "numpy", "protobuf"}
    n_weights = (trained.folder / "model" / "model.safetensors").stat().st_size
    for name in ("model.tflite", "saved_model/variables/variables.data-00000-of-00001"):
        assert receipt["files"][name]["bytes"] < 1.5 * n_weights
    assert receipt["twins"]["saved_model"]["texts"]["test"]["largest"] < 1e-4
    names = [name for name in open_bundle(out).manifest.sha256 if name != MANIFEST]
    assert "saved_model/saved_model.pb" in names
    for name in names:
        content = (out / name).read_bytes()
        (out / name).write_bytes(bytes([content[0] ^ 1]) + content[1:])
        with pytest.raises(ModelError, match="has changed"):
            superfine.load(out)
        (out / name).write_bytes(content)
    (out / "saved_model" / "more.txt").write_text("more")
    with pytest.raises(ModelError, match="was added"):
        superfine.load(out)


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow_environment")
def test_eight_bits_go_through_the_gate_too(tiny_model, tmp_path, capsys):
    data = write_csv(tmp_path / "reviews.csv", make_rows(900))
    settings = FAST | {"data.test_share": 0.4}
    run = superfine.train(data, model=str(tiny_model("bert")), out=tmp_path / "run", settings=settings, progress=False)
    assert superfine_command("export", run.folder, "--to", "int8", "--runtime", "tensorflow", "--json") in (0, 1)
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["way"] == "int8 dynamic"
    assert receipt["gate"]["labelled"] == run.metrics["test"]["n"]
    assert receipt["passes"] == (run.folder / "exports" / "int8-tensorflow" / "model.tflite").is_file()
