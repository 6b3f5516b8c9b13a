"""What is saved is what transformers 4 and 5 read: same rotary bases, batches that can be cut, a card where the hub takes it."""

import json

import numpy as np
import pytest

import superfine
from superfine.backbones.save import rotary_keys
from tests.conftest import FAST, load_for_classification, make_rows

LINEAR = {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0}


def test_rotary_settings_have_the_names_of_transformers_4_beside_those_of_5():
    assert rotary_keys({"rope_theta": 1e6, "rope_type": "default"})["rope_theta"] == 1e6
    assert rotary_keys({"rope_theta": 1e6, "rope_type": "default"})["rope_scaling"] is None
    assert rotary_keys(LINEAR)["rope_scaling"] == {"rope_type": "linear", "factor": 2.0}
    neox = rotary_keys({"rope_theta": 1e4, "partial_rotary_factor": 0.25, "rope_type": "default"})
    assert (neox["rotary_emb_base"], neox["rotary_pct"], neox["partial_rotary_factor"]) == (1e4, 0.25, 0.25)
    both = rotary_keys({"full_attention": {"rope_theta": 160000.0}, "sliding_attention": {"rope_theta": 10000.0}})
    assert (both["global_rope_theta"], both["local_rope_theta"]) == (160000.0, 10000.0)
    assert (both["rope_theta"], both["rope_local_base_freq"]) == (160000.0, 10000.0)
    assert rotary_keys({}) == {}


@pytest.mark.parametrize("parameters", [{"rope_type": "default", "rope_theta": 500.0}, LINEAR])
def test_a_saved_decoder_opens_with_the_rotary_settings_that_it_was_trained_with(tiny_model, tmp_path, parameters):
    import shutil

    from transformers import AutoConfig

    folder = shutil.copytree(tiny_model("llama"), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"rope_parameters": parameters}))
    backbone = load_for_classification(str(folder), ["bad", "good"])
    backbone.save(tmp_path / "saved", 32)
    written = json.loads((tmp_path / "saved" / "config.json").read_text())
    assert written["rope_theta"] == parameters["rope_theta"]
    assert ("rope_scaling" in written) == (parameters["rope_type"] == "linear")
    assert AutoConfig.from_pretrained(tmp_path / "saved").rope_parameters == backbone.network.config.rope_parameters


@pytest.mark.slow
def test_xlnet_answers_in_a_batched_pipeline(tiny_model, reviews, tmp_path):
    from transformers import pipeline

    run = superfine.train(reviews, model=str(tiny_model("xlnet")), out=tmp_path / "run", settings=FAST, progress=False)
    texts = [text for text, _ in make_rows(20, seed=4)]
    plain = pipeline("text-classification", model=str(run.folder / "model"), batch_size=8, device="cpu")
    np.testing.assert_allclose([a["score"] for a in plain(texts)], run.load().predict(texts).confidence, atol=1e-5)


def test_the_model_card_lies_where_the_hub_takes_it_from(trained):
    assert (trained.folder / "model" / "README.md").read_text(encoding="utf-8").startswith("---\n")
    assert not (trained.folder / "README.md").exists()
