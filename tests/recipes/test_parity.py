"""A saved model that differs in plain transformers is never silent."""

import json
import shutil

import numpy as np
import pytest

import superfine
from superfine.recipes.parity import N_TEXTS, chosen_texts, prove_bundle
from superfine.records import Examples
from tests.cli.test_main import superfine_command
from tests.conftest import FAST, make_rows

TEXTS = [text for text, _ in make_rows(40)] + [
    "lovely " * 100,
    "a <b>bold</b> &amp; dirty\u200b text",
    "with [SEP] inside",
    "",
    "?",
]


def test_the_texts_that_are_asked_are_the_longest_the_dirtiest_and_those_with_special_tokens():
    chosen = chosen_texts(Examples.of_texts(TEXTS), ["[SEP]", "[CLS]"])
    assert {40, 41, 42} <= set(chosen.tolist())
    assert len(chosen) >= N_TEXTS
    assert len(set(chosen.tolist())) == len(chosen)
    assert chosen_texts(Examples.of_texts(["one", "two"]), []).tolist() in ([0, 1], [1, 0])


@pytest.fixture
def bundle(trained, tmp_path):
    shutil.copytree(trained.folder / "model", tmp_path / "model")
    return tmp_path / "model"


def test_a_bundle_that_agrees_is_proved(trained, bundle):
    parity = prove_bundle(bundle, superfine.load(trained.folder), Examples.of_texts(TEXTS))
    assert parity.problems == ()
    assert parity.largest_difference < 1e-5
    assert parity.n_texts >= N_TEXTS


def test_other_tokens_are_noticed(trained, bundle):
    path = bundle / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["normalizer"] = None
    path.write_text(json.dumps(content), encoding="utf-8")
    (problem,) = prove_bundle(bundle, superfine.load(trained.folder), Examples.of_texts(TEXTS)).problems
    assert "as other tokens" in problem


def test_other_weights_are_noticed(trained, bundle):
    from safetensors.numpy import load_file, save_file

    weights = load_file(bundle / "model.safetensors")
    weights["classifier.bias"] = weights["classifier.bias"] + np.array([0.01, 0.0], dtype=np.float32)
    save_file(weights, bundle / "model.safetensors", metadata={"format": "pt"})
    problems = prove_bundle(bundle, superfine.load(trained.folder), Examples.of_texts(TEXTS)).problems
    assert [("alone" in problem, "in padded batches" in problem) for problem in problems] == [(True, False), (False, True)]


def test_a_folder_that_plain_transformers_cannot_use_is_noticed(trained, bundle):
    (bundle / "config.json").unlink()
    (problem,) = prove_bundle(bundle, superfine.load(trained.folder), Examples.of_texts(TEXTS)).problems
    assert "cannot be used there" in problem


def test_a_run_whose_bundle_differs_says_so_and_exits_with_1_and_is_kept(tiny_model, reviews, tmp_path, capsys, monkeypatch):
    from superfine.backbones.backbone import Backbone

    whole = Backbone.save

    def without_cleaning(self, folder, max_length, **how):
        whole(self, folder, max_length, **how)
        path = folder / "tokenizer.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"normalizer": None}), encoding="utf-8")

    monkeypatch.setattr(Backbone, "save", without_cleaning)
    settings = [part for key, value in (FAST | {"training.epochs": 1}).items() for part in ("--set", f"{key}={value}")]
    data = tmp_path / "shouted.csv"
    data.write_text(reviews.read_text(encoding="utf-8").upper().replace("TEXT,LABEL", "text,label"), encoding="utf-8")
    status = superfine_command("train", data, "--model", tiny_model("bert"), "--out", tmp_path / "run", *settings)
    assert status == 1
    assert "The saved model differs in plain transformers" in capsys.readouterr().err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["findings"][0]["name"] == "parity"
    assert metrics["findings"][0]["severity"] == "blocking"
    assert "differs in plain transformers" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
