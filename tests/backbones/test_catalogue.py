"""The catalogue of models holds together, and says where weights are from here."""

import pytest

from superfine.backbones import catalogue as rooms
from superfine.backbones.catalogue import catalogue, places
from superfine.backbones.families import FAMILIES
from superfine.backbones.sources.embedded import EMBEDDED


def test_there_are_the_fields_usual_choices_each_once():
    names = [entry.name for entry in catalogue()]
    assert len(names) >= 25
    assert len(set(names)) == len(names)
    for word in (
        "roberta",
        "deberta-v3",
        "ModernBERT",
        "ettin",
        "mmBERT",
        "xlm-roberta",
        "macbert",
        "rbt3",
        "ernie",
        "xlnet",
        "gpt2",
        "Qwen",
        "Llama",
    ):
        assert any(word in name for name in names), word


def test_every_type_is_one_that_transformers_has():
    from transformers import CONFIG_MAPPING

    assert {entry.type for entry in catalogue()} <= set(CONFIG_MAPPING)


def test_every_type_is_computed_packed_so_that_times_follow_the_size_of_the_body():
    assert {entry.type for entry in catalogue()} <= set(FAMILIES)


def test_sizes_are_plausible():
    for entry in catalogue():
        assert 0 < entry.body < entry.parameters or entry.type == "albert", entry.name
        assert entry.max_length is None or 512 <= entry.max_length <= 1 << 17, entry.name


def test_the_embedded_models_stand_in_it_with_the_sizes_that_they_have():
    import torch
    from transformers import AutoConfig, AutoModel

    by_name = {entry.name: entry for entry in catalogue()}
    for model in EMBEDDED:
        assert model.name in by_name
        if (folder := model.folder()) is None:
            continue
        with torch.device("meta"):
            network = AutoModel.from_config(AutoConfig.from_pretrained(folder))
        whole = sum(p.numel() for p in network.parameters()) / 1e6
        assert by_name[model.name].parameters == pytest.approx(whole, rel=0.01)


def test_without_a_hub_only_what_is_embedded_or_cached_is_here(monkeypatch):
    monkeypatch.setattr(rooms, "hub_out_of_reach", lambda: "HF_HUB_OFFLINE is set")
    monkeypatch.setattr(rooms, "in_hub_cache", lambda name: name == "xlnet/xlnet-base-cased")
    found = places()
    assert found["xlnet/xlnet-base-cased"] == "cache"
    assert found["hfl/rbt3"] == "out of reach"
    monkeypatch.setattr(rooms, "hub_out_of_reach", lambda: None)
    assert places()["hfl/rbt3"] == "hub"
