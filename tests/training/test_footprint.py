"""Memory is told before the weights are loaded: by what must be held at once, and with a way that fits."""

import pytest
import torch
from transformers import AutoConfig

import superfine
from superfine.errors import ModelError
from superfine.recipes import fine_tune
from superfine.training import footprint
from superfine.training.footprint import Plan, counts_of, needed_bytes
from tests.conftest import FAST

LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}


@pytest.fixture(scope="module")
def large():
    return counts_of(AutoConfig.for_model("bert", **LARGE))


def test_the_numbers_of_a_network_are_counted_without_its_weights(large):
    assert large.total == 335_141_888
    assert large.table == 30522 * 1024
    assert (large.n_layers, large.width, large.inner) == (24, 1024, 4096)


def test_an_adapter_recomputation_and_frozen_layers_take_less(large):
    plan = Plan(tokens=4096, dtype=torch.bfloat16)
    whole = needed_bytes(large, plan, "bert")
    half = needed_bytes(large, Plan(4096, torch.bfloat16, frozen=12), "bert")
    recomputed = needed_bytes(large, Plan(4096, torch.bfloat16, recomputed=True), "bert")
    adapter = needed_bytes(large, Plan(4096, torch.bfloat16, adapter=True, recomputed=True), "bert")
    assert adapter < half < whole
    assert adapter < recomputed < whole


def test_a_model_that_does_not_fit_is_refused_with_what_would(tiny_model, reviews, tmp_path, monkeypatch):
    needed = {}

    def counted(counts, plan, model_type):
        needed[plan.adapter] = 4_000_000_000 if plan.adapter else 9_000_000_000
        return needed[plan.adapter]

    monkeypatch.setattr(fine_tune, "needed_bytes", counted)
    monkeypatch.setattr(fine_tune, "available_bytes", lambda _: 6_000_000_000)
    with pytest.raises(
        ModelError, match=r"needs about 9.0 GB to be trained, and 6.0 GB are free here.(.|\n)*lora: \{r: 8\}.*4.0 GB"
    ):
        superfine.train(reviews, model=str(tiny_model("bert")), settings=FAST, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_a_container_has_what_its_group_has_left(tmp_path):
    assert footprint._of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("8000\n")
    (tmp_path / "memory.current").write_text("5000\n")
    (tmp_path / "memory.stat").write_text("anon 3000\ninactive_file 1500\n")
    assert footprint._of_group(tmp_path) == 4500
    (tmp_path / "memory.max").write_text("max\n")
    assert footprint._of_group(tmp_path) is None
