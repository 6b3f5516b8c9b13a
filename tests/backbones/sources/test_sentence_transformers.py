"""A folder of sentence-transformers is opened whatever its age, and what becomes of its pooling is said."""

import json
import shutil

import pytest

from superfine.backbones.load import open_pretrained
from superfine.backbones.locate import resolve
from superfine.errors import ModelError
from superfine.records import Head

OLD = {"word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
NEW = {"embedding_dimension": 32, "pooling_mode": "mean", "include_prompt": True}
FIRST = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}


def write(source, folder, pooling, transformer="", prefix="sentence_transformers.models.", more=()):
    shutil.copytree(source, folder / transformer, dirs_exist_ok=True)
    kinds = [("Transformer", transformer), ("Pooling", "1_Pooling"), *((kind, f"2_{kind}") for kind in more)]
    modules = [{"idx": i, "name": str(i), "path": path, "type": prefix + kind} for i, (kind, path) in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return str(folder)


@pytest.mark.parametrize("transformer", ["", "0_BERT", "0_Transformer"])
def test_the_transformer_is_found_beside_its_modules_or_in_a_folder_of_its_own(tiny_model, tmp_path, transformer):
    name = write(tiny_model("bert"), tmp_path / "model", OLD, transformer)
    assert open_pretrained(name).backbone(Head(outputs=("a", "b"))).network.config.model_type == "bert"


@pytest.mark.parametrize("pooling", [OLD, NEW])
def test_a_head_that_can_have_the_pooling_keeps_it(tiny_model, tmp_path, pooling):
    pretrained = open_pretrained(write(tiny_model("modernbert"), tmp_path / "model", pooling))
    assert pretrained.notes == [f"{tmp_path / 'model'} is a sentence-transformers model: the head keeps its pooling, mean."]
    assert pretrained.backbone(Head(outputs=("a", "b"))).network.config.classifier_pooling == "mean"


def test_a_head_that_reads_the_first_token_says_so_where_the_pooling_is_another(tiny_model, tmp_path):
    (note,) = open_pretrained(write(tiny_model("bert"), tmp_path / "mean", NEW)).notes
    assert "with the pooling mean, which the head that transformers has for the type bert cannot have" in note
    assert open_pretrained(write(tiny_model("bert"), tmp_path / "first", FIRST)).notes == []
    last = {"pooling_mode_lasttoken": True}
    assert open_pretrained(write(tiny_model("qwen2"), tmp_path / "last", last)).notes == [], "a decoder's head reads it"


def test_layers_after_the_pooling_are_named(tiny_model, tmp_path):
    name = write(tiny_model("bert"), tmp_path / "model", FIRST, more=("Dense", "Normalize"), prefix="new.modules.")
    assert open_pretrained(name).notes == [f"{name} has parts after its pooling that are left out: Dense."]


def test_static_embeddings_are_refused_by_name(tmp_path):
    (tmp_path / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.StaticEmbedding", "path": ""}]))
    with pytest.raises(ModelError, match="without a transformer: StaticEmbedding"):
        resolve(str(tmp_path))


def test_modules_that_cannot_be_read_are_told_where_nothing_else_is_there(tmp_path):
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(ModelError, match=r"its modules.json is no list of modules"):
        resolve(str(tmp_path))


def test_a_pooling_without_settings_is_told(tiny_model, tmp_path):
    name = write(tiny_model("bert"), tmp_path / "model", FIRST)
    next((tmp_path / "model").rglob("*Pooling/config.json")).unlink()
    with pytest.raises(ModelError, match="does not say how its states are pooled"):
        resolve(name)


def test_modules_that_cannot_be_read_do_not_hide_the_model(tiny_model, tmp_path):
    shutil.copytree(tiny_model("bert"), tmp_path / "model")
    (tmp_path / "model" / "modules.json").write_text("{")
    assert resolve(str(tmp_path / "model")).sentences is None
