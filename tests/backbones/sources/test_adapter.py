"""An adapter that was saved alone answers as the merged model does: here, in peft, and as the start of another training."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import superfine
from superfine.backbones.load import open_pretrained
from superfine.errors import ConfigError, ModelError
from superfine.records import Head
from tests.conftest import FAST

peft = pytest.importorskip("peft", reason="the extra `lora` is not installed")
LORA = {"model.adapter": {"lora": {"r": 4, "alpha": 32}}, "training.learning_rate": 3e-3, "training.precision": "float32"}
TEXTS = ["a lovely lamp", "it broke after a day", "sturdy and great " * 4]


@pytest.fixture(scope="module")
def runs(tiny_model, reviews, tmp_path_factory):
    """The same training, saved merged and alone."""
    folder, found = tmp_path_factory.mktemp("adapters"), {}
    for name, more in (("merged", {}), ("alone", {"model.adapter_only": True})):
        settings = FAST | LORA | more
        found[name] = superfine.train(
            reviews, model=str(tiny_model("bert")), settings=settings, out=folder / name, progress=False
        )
    return folder


def test_the_folder_holds_the_adapter_and_the_head_and_names_the_model(runs, tiny_model):
    content = json.loads((runs / "alone" / "model" / "adapter_config.json").read_text())
    assert content["base_model_name_or_path"] == str(tiny_model("bert"))
    assert content["task_type"] == "SEQ_CLS"
    assert content["modules_to_save"] == ["classifier", "pooler"]
    assert not (runs / "alone" / "model" / "model.safetensors").exists()
    sizes = [sum(path.stat().st_size for path in (runs / name / "model").glob("*.safetensors")) for name in ("alone", "merged")]
    assert sizes[0] < 0.6 * sizes[1]


def test_it_answers_as_the_merged_model(runs):
    merged, alone = (superfine.load(runs / name).predict(TEXTS) for name in ("merged", "alone"))
    assert np.abs(merged.probabilities - alone.probabilities).max() < 1e-5
    proof = json.loads((runs / "alone" / "metrics.json").read_text())["parity"]
    assert proof["problems"] == []
    assert proof["largest_difference"] < 1e-4


def test_it_opens_in_peft(runs):
    folder = runs / "alone" / "model"
    network = peft.AutoPeftModelForSequenceClassification.from_pretrained(str(folder), num_labels=2).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        theirs = network(**tokenizer(TEXTS, return_tensors="pt", padding=True, truncation=True)).logits.softmax(-1).numpy()
    assert np.abs(theirs - superfine.load(runs / "alone").predict(TEXTS).probabilities).max() < 1e-4


def test_it_cleans_texts_as_the_merged_model_does(runs):
    dirty = ["great&amp;lovely <br/> lamp"]
    merged, alone = (superfine.load(runs / name) for name in ("merged", "alone"))
    assert np.abs(merged.predict(dirty).probabilities - alone.predict(dirty).probabilities).max() < 1e-5


def test_all_of_it_learns_in_another_training(runs, reviews, tmp_path):
    run = superfine.train(reviews, model=str(runs / "alone"), settings=FAST, out=tmp_path / "run", progress=False)
    before = dict(open_pretrained(str(runs / "alone")).backbone(Head(("bad", "good"))).network.named_parameters())
    after = dict(AutoModelForSequenceClassification.from_pretrained(run.folder / "model").named_parameters())
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert any("layer.0" in name for name in moved)


@pytest.mark.parametrize(
    "family", ["roberta", "electra", "distilbert", "modernbert", "deberta-v2", "xlnet", "mpnet", "llama", "gpt2"]
)
@pytest.mark.slow
def test_every_kind_of_head_is_proved_with_peft(tiny_model, reviews, tmp_path, family):
    settings = FAST | LORA | {"model.adapter_only": True, "training.epochs": 1}
    run = superfine.train(reviews, model=str(tiny_model(family)), settings=settings, out=tmp_path / "run", progress=False)
    assert run.metrics["parity"]["problems"] == []


@pytest.mark.slow
def test_a_head_for_answers_in_a_text_is_proved_with_peft_too(tiny_model, tmp_path):
    settings = FAST | LORA | {"model.adapter_only": True, "training.epochs": 1, "data.test_share": 0.25}
    data = Path(__file__).parents[3] / "examples" / "data" / "questions_en.json"
    run = superfine.train(data, model=str(tiny_model("bert")), settings=settings, out=tmp_path / "run", progress=False)
    assert run.metrics["parity"]["problems"] == []
    assert "from peft import PeftModel" in (run.folder / "model" / "README.md").read_text(encoding="utf-8")


def test_another_training_goes_on_from_it(runs):
    backbones = [open_pretrained(str(runs / name)).backbone(Head(("bad", "good"))) for name in ("merged", "alone")]
    first, second = (dict(backbone.network.named_parameters()) for backbone in backbones)
    assert first.keys() == second.keys()
    differing = {name: float((first[name] - second[name]).abs().max()) for name in first}
    assert {name: value for name, value in differing.items() if value > 1e-5} == {}
    assert "comes with a head for the same classes" in backbones[1].notes[0]
    assert "comes with a head for the same classes" in backbones[0].notes[0]


@pytest.fixture
def moved(runs, tiny_model, tmp_path):
    """The run of the adapter alone, and its model, in another place; what the adapter names is gone."""
    shutil.copytree(runs / "alone", tmp_path / "run")
    base = tmp_path / "here"
    shutil.copytree(tiny_model("bert"), base)
    _name_base(tmp_path / "run" / "model", str(tmp_path / "gone" / "here"))
    return tmp_path / "run", base


def _name_base(folder: Path, name: str) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": name}))


def test_a_model_that_moved_is_found_beside_the_run(runs, moved):
    folder, _ = moved
    assert (
        superfine.load(folder).predict(TEXTS).probabilities.tolist()
        == superfine.load(runs / "alone").predict(TEXTS).probabilities.tolist()
    )


def test_a_model_that_is_gone_is_told_with_the_file_to_name_it_in(runs, moved):
    folder, base = moved
    base.rename(base.with_name("elsewhere"))
    with pytest.raises(ModelError, match=r"cannot be had: The model folder .*/gone/here does not exist") as told:
        superfine.load(folder).predict(TEXTS)
    assert str(folder / "model" / "adapter_config.json") in told.value.advice
    _name_base(folder / "model", str(base.with_name("elsewhere")))
    assert superfine.load(folder).predict(TEXTS).label == superfine.load(runs / "alone").predict(TEXTS).label


def test_a_model_that_changed_is_refused(moved):
    folder, base = moved
    _name_base(folder / "model", str(base))
    content = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(content | {"layer_norm_eps": 0.1}))
    with pytest.raises(ModelError, match=f"The model {base} has changed since the adapter"):
        superfine.load(folder).predict(TEXTS)


def test_more_than_the_place_of_the_model_must_not_change(moved):
    folder, _ = moved
    path = folder / "model" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lora_alpha": 99}))
    with pytest.raises(ModelError, match="has changed since the model was saved"):
        superfine.load(folder)


def test_an_empty_file_of_weights_is_told(moved):
    folder, base = moved
    _name_base(folder / "model", str(base))
    (folder / "model" / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"adapter_model.safetensors cannot be read"):
        open_pretrained(str(folder)).backbone(Head(("bad", "good")))


def test_a_head_for_other_classes_starts_anew_on_the_adapted_body(runs):
    backbone = open_pretrained(str(runs / "alone")).backbone(Head(("a", "b", "c")))
    assert backbone.network.classifier.out_features == 3
    assert any(name.startswith("classifier") for name in backbone.fresh)


def test_an_adapter_that_peft_wrote_itself_is_read(tiny_model, tmp_path):
    network = AutoModelForSequenceClassification.from_pretrained(tiny_model("llama"), num_labels=2)
    config = peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["q_proj", "down_proj"], modules_to_save=["score"])
    theirs = peft.get_peft_model(network, config)
    for name, parameter in theirs.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_()
    theirs.save_pretrained(tmp_path / "adapter")
    ours = open_pretrained(str(tmp_path / "adapter")).backbone(Head(("LABEL_0", "LABEL_1")))
    ids = torch.tensor([[5, 9, 40, 7]])
    with torch.no_grad():
        assert (ours.network.eval()(ids).logits - theirs.eval()(ids).logits).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"base_model_name_or_path": "/nowhere/model"}, r"the model that it belongs to cannot be had: .*/nowhere/model"),
        ({"base_model_name_or_path": None}, "does not name the model that it belongs to"),
        ({"peft_type": "PROMPT_TUNING"}, "an adapter of the kind PROMPT_TUNING"),
    ],
)
def test_an_adapter_that_cannot_be_used_says_why(runs, tmp_path, change, match):
    folder = shutil.copytree(runs / "alone" / "model", tmp_path / "adapter")
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=match):
        open_pretrained(str(folder))


def test_an_adapter_of_another_network_does_not_fit(runs, tiny_model, tmp_path):
    folder = shutil.copytree(runs / "alone" / "model", tmp_path / "adapter")
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": str(tiny_model("distilbert"))}))
    for name in ("config.json", "base.json"):  # as peft would write it
        (folder / name).unlink()
    with pytest.raises(ModelError, match="does not fit a network of type distilbert"):
        open_pretrained(str(folder)).backbone(Head(("a", "b")))


def test_an_adapter_without_its_weights_is_told(runs, tmp_path):
    folder = shutil.copytree(runs / "alone" / "model", tmp_path / "adapter")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match="an adapter without its weights"):
        open_pretrained(str(folder))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"model.adapter_only": True}, "There is no adapter to save alone"),
        ({**LORA, "model.adapter_only": True, "model.layers": 1}, "model.layers changes the model"),
        ({**LORA, "model.freeze": "embeddings"}, "model.freeze has no effect beside model.adapter"),
    ],
)
def test_what_cannot_be_saved_alone_is_told_before_anything_is_read(settings, match, tmp_path):
    with pytest.raises(ConfigError, match=match):
        superfine.train(tmp_path / "none.csv", settings=settings, out=tmp_path / "run", progress=False)


def test_frozen_weights_are_those_of_the_pretrained_model_after_a_training_in_bfloat16(tiny_model, reviews, tmp_path):
    settings = FAST | {"model.adapter": {"lora": {"targets": ["query"]}}, "training.precision": "bfloat16"}
    run = superfine.train(reviews, model=str(tiny_model("bert")), settings=settings, out=tmp_path / "run", progress=False)
    ours, theirs = (
        dict(AutoModelForSequenceClassification.from_pretrained(folder).named_parameters())
        for folder in (Path(run.folder) / "model", tiny_model("bert"))
    )
    changed = {name for name in theirs if not torch.equal(ours[name], theirs[name])}
    head = {"classifier.weight", "classifier.bias", "bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert changed - head == {f"bert.encoder.layer.{i}.attention.self.query.weight" for i in range(2)}
