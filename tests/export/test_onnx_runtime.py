"""Eight bits: what is quantised, and that moving outliers changes no product."""

import numpy as np
import pytest

pytest.importorskip("onnxscript", reason="the packages of the extra `export` are not installed")

import onnx

from superfine.export.onnx import write_onnx
from superfine.export.onnx_runtime import OnnxRuntime, smooth
from superfine.predictors.graph import Rectangle
from superfine.predictors.onnx import OnnxModel
from superfine.records import Examples
from tests.conftest import make_rows
from tests.export.test_onnx import fresh_model

TEXTS = [text for text, _ in make_rows(40)]


@pytest.fixture(scope="module")
def graph(tiny_model, tmp_path_factory):
    """A model, its graph, and inputs for calibration."""
    folder = tmp_path_factory.mktemp("graph")
    model = fresh_model(tiny_model("bert"))
    facts = write_onnx(model, folder)
    encoded = model.encoder.encode(Examples.of_texts(TEXTS))
    rectangles = [Rectangle.of(encoded, np.array([i]), facts) for i in range(20)]
    return model, facts, folder / facts.file, [{name: getattr(one, name) for name in facts.inputs} for one in rectangles]


def opened(graph, path):
    model, facts, _, _ = graph
    return OnnxModel(model.task, model.encoder, facts, path)


def test_moving_outliers_into_weights_changes_no_answer(graph, tmp_path):
    model, _, source, inputs = graph
    smoothed = onnx.load(str(source))
    before = {one.name: one.SerializeToString() for one in smoothed.graph.initializer}
    smooth(smoothed, source, inputs)
    after = {one.name for one in smoothed.graph.initializer}
    assert len([name for name in after - before.keys() if name.endswith("_weight")]) >= 6 * 2, "the weights of both layers"
    assert len(after & before.keys()) <= len(before) - 6 * 2, "and no second copy of them"
    onnx.save(smoothed, str(tmp_path / "smoothed.onnx"))
    found = opened(graph, tmp_path / "smoothed.onnx").predict_proba(TEXTS)
    assert np.abs(found - model.predict_proba(TEXTS)).max() < 1e-5


@pytest.mark.slow
def test_layers_that_share_their_weights_are_smoothed_each_for_itself(tiny_model, tmp_path):
    model = fresh_model(tiny_model("albert"))
    facts = write_onnx(model, tmp_path)
    encoded = model.encoder.encode(Examples.of_texts(TEXTS))
    inputs = [{name: getattr(Rectangle.of(encoded, np.array([i]), facts), name) for name in facts.inputs} for i in range(10)]
    smoothed = onnx.load(str(tmp_path / facts.file))
    smooth(smoothed, tmp_path / facts.file, inputs)
    onnx.save(smoothed, str(tmp_path / "smoothed.onnx"))
    found = OnnxModel(model.task, model.encoder, facts, tmp_path / "smoothed.onnx").predict_proba(TEXTS)
    assert np.abs(found - model.predict_proba(TEXTS)).max() < 1e-5


@pytest.mark.parametrize("way", OnnxRuntime.ways, ids=lambda way: way.name)
def test_each_way_stores_weights_in_eight_bits_and_answers_nearly_alike(graph, way, tmp_path):
    model, facts, source, inputs = graph
    OnnxRuntime().quantise(source, tmp_path / "model.onnx", facts, way, inputs if way.static else [])
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"], "nothing else is left"
    made = onnx.load(str(tmp_path / "model.onnx"))
    stored = {one.data_type for one in made.graph.initializer if len(one.dims) >= 2}
    assert stored & {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    difference = np.abs(opened(graph, tmp_path / "model.onnx").predict_proba(TEXTS) - model.predict_proba(TEXTS))
    assert 0 < difference.max() < 0.1


def test_a_static_scale_gives_a_text_the_same_answer_in_all_company(graph, tmp_path):
    _, facts, source, inputs = graph
    OnnxRuntime().quantise(source, tmp_path / "model.onnx", facts, OnnxRuntime.ways[0], inputs)
    made = opened(graph, tmp_path / "model.onnx")
    alone = np.concatenate([made.predict_proba([text]) for text in TEXTS])
    assert np.abs(alone - made.predict_proba(TEXTS)).max() < 1e-5


def test_tables_of_embeddings_are_kept_in_half_their_room_and_computed_with_in_float32(graph, tmp_path, monkeypatch):
    model, facts, source, inputs = graph
    monkeypatch.setattr("superfine.export.onnx_runtime.FEWEST_ROWS", 32)
    OnnxRuntime().quantise(source, tmp_path / "half.onnx", facts, OnnxRuntime.ways[0], inputs)
    monkeypatch.setattr("superfine.export.onnx_runtime.FEWEST_ROWS", 10**9)
    OnnxRuntime().quantise(source, tmp_path / "whole.onnx", facts, OnnxRuntime.ways[0], inputs)
    half, whole = (onnx.load(str(tmp_path / name)) for name in ("half.onnx", "whole.onnx"))
    tables = {one.name: one.dims[0] for one in half.graph.initializer if one.data_type == onnx.TensorProto.FLOAT16}
    assert max(tables.values()) == model.backbone.network.get_input_embeddings().num_embeddings
    assert not [one for one in whole.graph.initializer if one.data_type == onnx.TensorProto.FLOAT16]
    answers = [opened(graph, tmp_path / name).predict_proba(TEXTS) for name in ("half.onnx", "whole.onnx")]
    assert 0 < np.abs(answers[0] - answers[1]).max() < 5e-3
