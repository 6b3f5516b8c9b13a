"""A configuration of 2019 names no type of model; the weights do, and such a folder is trained on as any other."""

import importlib.util
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from superfine.backbones.load import open_pretrained
from superfine.errors import ConfigError, ModelError
from superfine.records import Head

KNOWN = ["bert", "xlnet", "gpt2", "distilbert", "albert"]


def as_in_2019(folder):
    """Without what names the type, and the weights as a pickle."""
    path = folder / "config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in content.items() if key not in ("model_type", "architectures")}))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize("family", KNOWN)
def test_the_type_is_told_by_the_weights_and_said(tiny_model, tmp_path, family):
    folder = shutil.copytree(tiny_model(family), tmp_path / "old")
    as_in_2019(folder)
    pretrained, expected = open_pretrained(str(folder)), open_pretrained(str(tiny_model(family)))
    assert pretrained.config.model_type == family
    assert pretrained.notes == [
        f"{folder}/config.json does not say what type of model it describes; the names of the weights are those of {family}."
    ]
    ours, theirs = (dict(one.backbone(Head(("a", "b"))).network.base_model.named_parameters()) for one in (pretrained, expected))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert open_pretrained(str(tiny_model(family))).notes == []


def test_weights_that_do_not_tell_are_one_message(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model("bert"), tmp_path / "old")
    as_in_2019(folder)
    (folder / "pytorch_model.bin").unlink()
    save_file({"something": torch.zeros(2)}, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"the names of the weights do not tell.\nAdd it to the file"):
        open_pretrained(str(folder))


def test_a_tokenizer_of_sentencepiece_alone_names_the_extra(tiny_model, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_model("bert"), tmp_path / "model")
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    (folder / "spiece.model").write_bytes(b"pieces")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "sentencepiece" else find(name, *rest))
    with pytest.raises(
        ConfigError, match=r'needs the package "sentencepiece"\.\nInstall it: pip install .superfine\[sentencepiece\]'
    ):
        open_pretrained(str(folder))
