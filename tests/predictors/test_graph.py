"""Exported models, opened: what is padded where, what is refused, and that torch is not asked for."""

import json
import pickle
import shutil

import numpy as np
import pytest

pytest.importorskip("onnxscript", reason="the packages of the extra `export` are not installed")

import superfine
from superfine.data.encoded import Encoded
from superfine.errors import ConfigError, ModelError
from superfine.predictors.bundle import GraphFacts
from superfine.predictors.graph import Rectangle, n_threads
from tests.conftest import make_rows, superfine_command

TEXTS = [text for text, _ in make_rows(20)]


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("exports") / "onnx"
    assert superfine_command("export", trained.folder, "--to", "onnx", "--out", out) == 0
    return out


def encoded(*lengths):
    ids = np.arange(1, sum(lengths) + 1, dtype=np.int32)
    return Encoded(
        ids,
        np.concatenate([[0], np.cumsum(lengths)]),
        np.zeros(len(lengths), dtype=bool),
        0.0,
        type_ids=(ids % 2).astype(np.int8),
    )


@pytest.mark.parametrize(
    ("padding", "ids", "mask", "types"),
    [
        ("right", [[1, 2, 9], [3, 4, 5]], [[1, 1, 0], [1, 1, 1]], [[1, 0, 0], [1, 0, 1]]),
        ("left", [[9, 1, 2], [3, 4, 5]], [[0, 1, 1], [1, 1, 1]], [[0, 1, 0], [1, 0, 1]]),
    ],
)
def test_sequences_are_padded_on_the_side_that_the_graph_was_exported_for(padding, ids, mask, types):
    facts = GraphFacts(file="x", inputs=("input_ids",), padding=padding, pad_id=9, empty_id=0)
    found = Rectangle.of(encoded(2, 3), np.array([0, 1]), facts)
    assert found.input_ids.tolist() == ids
    assert found.attention_mask.tolist() == mask
    assert found.token_type_ids.tolist() == types


def test_threads_are_those_that_torch_would_take(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert n_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert n_threads() >= 1


def test_an_export_answers_as_the_run_does_alone_and_in_a_pickle(exported, trained):
    ours, theirs = superfine.load(trained.folder), superfine.load(exported)
    expected = ours.predict_proba(TEXTS)
    assert np.abs(theirs.predict_proba(TEXTS) - expected).max() < 1e-5
    assert np.abs(np.concatenate([theirs.predict_proba([text]) for text in TEXTS]) - expected).max() < 1e-5
    again = pickle.loads(pickle.dumps(theirs))
    assert np.array_equal(again.predict_proba(TEXTS), theirs.predict_proba(TEXTS))


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_threads_may_share_an_export(trained, runtime, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    assert superfine_command("export", trained.folder, "--to", runtime, "--out", tmp_path / runtime) == 0
    model = superfine.load(tmp_path / runtime)
    texts = [text for text, _ in make_rows(96, seed=3)]
    expected = [model.predict_proba([text]) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: model.predict_proba([text]), texts))
    assert np.abs(np.concatenate(found) - np.concatenate(expected)).max() < 1e-6


def test_every_flipped_byte_and_every_missing_file_is_refused(exported, tmp_path):
    for name in sorted(path.name for path in exported.iterdir()):
        copy = tmp_path / name.replace(".", "_")
        shutil.copytree(exported, copy)
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name).write_bytes(content)
        with pytest.raises(ModelError, match=name.replace(".", r"\.")):
            superfine.load(copy)
        (copy / name).unlink()
        with pytest.raises(ModelError):
            superfine.load(copy)


def test_a_device_or_a_precision_that_it_cannot_have_is_refused(exported):
    with pytest.raises(ConfigError, match="on the processor"):
        superfine.load(exported, device="cuda")
    with pytest.raises(ConfigError, match="settled: float32"):
        superfine.load(exported, precision="bfloat16")


def test_the_manifest_says_what_the_graph_reads(exported, trained):
    manifest = json.loads((exported / "superfine.json").read_text(encoding="utf-8"))
    assert manifest["predictor"] == "onnx"
    assert manifest["graph"] == {
        "file": "model.onnx", "inputs": ["input_ids", "attention_mask", "token_type_ids"], "padding": "right", "pad_id": 0, "empty_id": 0,
        "lengths": [],
    }  # fmt: skip
    assert "parity.json" in manifest["sha256"]
    receipt = json.loads((exported / "parity.json").read_text(encoding="utf-8"))
    assert receipt["files"]["model.onnx"]["sha256"] == manifest["sha256"]["model.onnx"]
    assert (
        receipt["model"]["manifest"]
        == json.loads((trained.folder / "model" / "superfine.json").read_text(encoding="utf-8"))["digest"]
    )
