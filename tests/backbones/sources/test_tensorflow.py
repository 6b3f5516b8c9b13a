"""A TensorFlow checkpoint gives the network that its weights describe, without TensorFlow; what does not fit is told by name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, XLNetLMHeadModel

from superfine.backbones.load import open_pretrained
from superfine.backbones.locate import resolve
from superfine.errors import ConfigError, ModelError
from superfine.records import Head
from tests.backbones.sources.tensorflow_files import ORIGINAL, bert, electra, of_keras, write_bundle, write_h5

WEIGHTS = Path(__file__).parents[4] / "shared" / "weights"
needs_weights = pytest.mark.skipif(not WEIGHTS.exists(), reason="the checkpoints of others are not beside the repository")
CONFIGURATIONS = {"bert": "bert_config.json", "albert": "albert_config.json", "electra": "base_discriminator_config.json"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SUPERFINE_CACHE", str(tmp_path / "cache"))


def original(source: Path, family: str, folder: Path, extra: dict | None = None) -> Path:
    """The tiny model in `source` as its family was released for TensorFlow."""
    network = AutoModel.from_pretrained(source)
    tensors = ORIGINAL[family](network) | (extra or {})
    tensors |= {"global_step": np.array(7, "i8")}
    tensors |= {f"{next(iter(tensors))}/adam_{moment}": np.zeros(3, "f4") for moment in "mv"}
    write_bundle(folder / "model.ckpt", tensors)
    config = network.config.to_dict()
    for key in ("model_type", "architectures", "dtype", "transformers_version"):
        config.pop(key, None)
    if family == "gpt2":
        sizes = {"n_vocab": config["vocab_size"], "n_ctx": config["n_positions"]}
        config = sizes | {key: config[key] for key in ("n_embd", "n_head", "n_layer")}
        name = "hparams.json"
    elif family == "xlnet":
        keys = ("d_model", "n_layer", "n_head", "d_inner")
        more = {"n_token": config["vocab_size"], "d_head": config["d_model"] // config["n_head"], "ff_activation": "gelu"}
        config = more | {"untie_r": True} | {key: config[key] for key in keys}
        name = "xlnet_config.json"
    else:
        name = CONFIGURATIONS[family]
    (folder / name).write_text(json.dumps(config))
    _tokenizer(source, folder)
    return folder


def _tokenizer(source: Path, folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(source / name, folder / name)


@pytest.mark.parametrize(
    ("content", "why"),
    [("[]", "holds no settings of a network"), ("", "cannot be read"), ('{"hidden_size": 48}', "does not fit the checkpoint")],
)
def test_a_configuration_of_another_network_is_told_with_its_file(tiny_model, tmp_path, content, why):
    folder = original(tiny_model("bert"), "bert", tmp_path)
    path = folder / "bert_config.json"
    path.write_text(content if not content.startswith("{") else json.dumps(json.loads(path.read_text()) | json.loads(content)))
    with pytest.raises(ModelError, match=f"bert_config.json {why}"):
        resolve(str(folder))


def test_half_a_checkpoint_is_told_by_the_file_that_lacks(tiny_model, tmp_path):
    folder = original(tiny_model("bert"), "bert", tmp_path)
    data = next(folder.glob("*.data-*"))
    content = data.read_bytes()
    data.unlink()
    with pytest.raises(ModelError, match=r"holds model.ckpt.index without model.ckpt.data-00000-of-00001"):
        resolve(str(folder))
    data.write_bytes(content)
    next(folder.glob("*.index")).unlink()
    with pytest.raises(ModelError, match=r"without model.ckpt.index"):
        resolve(str(folder))


def same_states(first: str, second: str) -> None:
    """Both folders hold the same network."""
    expected, found = AutoModel.from_pretrained(first).eval(), AutoModel.from_pretrained(second).eval()
    weights = found.state_dict()
    for name, value in expected.state_dict().items():
        assert torch.equal(weights[name], value), name
    ids = torch.tensor([[3, 9, 12, 40, 8, 2]])
    with torch.no_grad():
        assert (expected(ids).last_hidden_state - found(ids).last_hidden_state).abs().max() < 1e-4


@pytest.mark.parametrize("family", list(ORIGINAL))
def test_an_original_checkpoint_gives_the_network_that_was_written(tiny_model, tmp_path, family):
    source = tiny_model(family)
    location = resolve(str(original(source, family, tmp_path / "release")))
    config = json.loads((Path(location.path) / "config.json").read_text())
    assert config["model_type"] == family
    same_states(str(source), location.path)
    assert "is a TensorFlow checkpoint" in location.found[0]
    assert "of its training are not needed" in location.found[0]


@pytest.mark.parametrize("family", ["bert", "albert", "electra", "roberta", "xlnet", "gpt2"])
def test_a_tf_model_h5_gives_the_network_that_was_written(tiny_model, tmp_path, family):
    pytest.importorskip("h5py", reason="the extra `h5` is not installed")
    source = tiny_model(family)
    network = AutoModel.from_pretrained(source)
    shutil.copyfile(source / "config.json", tmp_path / "config.json")
    _tokenizer(source, tmp_path)
    write_h5(tmp_path / "tf_model.h5", of_keras(network), network.base_model_prefix)
    same_states(str(source), resolve(str(tmp_path)).path)


@pytest.mark.parametrize("ending", ["", ".index", ".meta", ".data-00000-of-00001"])
def test_the_common_beginning_of_the_files_names_it_too(tiny_model, tmp_path, ending):
    folder = original(tiny_model("bert"), "bert", tmp_path / "release")
    (folder / "model.ckpt.meta").touch()
    assert resolve(str(folder / f"model.ckpt{ending}")).path == resolve(str(folder)).path


def test_it_is_converted_once_and_again_when_it_changes(tiny_model, tmp_path):
    said = []
    folder = original(tiny_model("bert"), "bert", tmp_path / "release")
    first = resolve(str(folder), said.append).path
    assert any("Converting model.ckpt.index" in line for line in said)
    said.clear()
    assert resolve(str(folder), said.append).path == first
    assert said == []
    tensors = bert(AutoModel.from_pretrained(tiny_model("bert")))
    write_bundle(folder / "model.ckpt", tensors | {"cls/seq_relationship/output_bias": np.zeros(2, "f4")})
    assert resolve(str(folder), said.append).path != first


def test_weights_that_transformers_reads_are_taken_first(tiny_model, tmp_path):
    folder = original(tiny_model("bert"), "bert", tmp_path / "release")
    shutil.copytree(tiny_model("bert"), folder, dirs_exist_ok=True)
    assert resolve(str(folder)).path == str(folder)


def test_a_fine_tuned_classifier_keeps_its_head(tiny_model, tmp_path):
    weight = np.arange(96, dtype="f4").reshape(3, 32)
    extra = {"output_weights": weight, "output_bias": np.array([1, 2, 3], "f4")}
    folder = original(tiny_model("bert"), "bert", tmp_path / "release", extra)
    backbone = open_pretrained(str(folder)).backbone(Head(outputs=("LABEL_0", "LABEL_1", "LABEL_2")))
    assert np.array_equal(backbone.network.classifier.weight.detach().numpy(), weight)
    assert "training goes on from it" in " ".join(backbone.notes)


def test_an_electra_without_configuration_is_read_from_its_shapes_and_says_so(tiny_model, tmp_path):
    folder = original(tiny_model("electra"), "electra", tmp_path / "release")
    (folder / CONFIGURATIONS["electra"]).unlink()
    location = resolve(str(folder))
    config, expected = (json.loads((Path(path) / "config.json").read_text()) for path in (location.path, tiny_model("electra")))
    for key in ("hidden_size", "num_hidden_layers", "intermediate_size", "embedding_size", "vocab_size", "type_vocab_size"):
        assert config[key] == expected[key], key
    assert any("without a configuration" in note and "num_attention_heads=1" in note for note in location.found)


def test_a_tensor_that_no_head_has_is_named(tiny_model, tmp_path):
    folder = original(tiny_model("bert"), "bert", tmp_path / "release", {"crf_loss/transitions": np.zeros((3, 3), "f4")})
    assert any("holds tensors that no known head has: crf_loss/transitions" in note for note in resolve(str(folder)).found)


def test_a_body_that_transformers_does_not_compute_is_refused(tiny_model, tmp_path):
    # albert_zh's first release: BERT's names with a second table of embeddings.
    extra = {"bert/embeddings/word_embeddings_2": np.zeros((4, 8), "f4")}
    folder = original(tiny_model("bert"), "bert", tmp_path / "release", extra)
    with pytest.raises(ModelError, match="has no place for: bert/embeddings/word_embeddings_2"):
        resolve(str(folder))


def test_half_a_checkpoint_names_what_is_missing(tiny_model, tmp_path):
    folder = original(tiny_model("bert"), "bert", tmp_path / "release")
    tensors = bert(AutoModel.from_pretrained(tiny_model("bert")))
    write_bundle(folder / "model.ckpt", {name: value for name, value in tensors.items() if "layer_1/" not in name})
    with pytest.raises(ModelError, match=r"lacks 16 of the weights .*encoder.layer.1"):
        open_pretrained(str(folder)).backbone(Head(outputs=("a", "b")))


def test_a_download_that_is_not_whole_is_told_and_leaves_nothing(tiny_model, tmp_path):
    folder = original(tiny_model("bert"), "bert", tmp_path / "release")
    data = folder / "model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"model.ckpt.data-00000-of-00001 is cut off.*\nIs the download complete"):
        resolve(str(folder))
    assert not list((tmp_path / "cache").rglob("model.safetensors"))


def test_a_configuration_of_another_size_is_told(tiny_model, tmp_path):
    folder = original(tiny_model("bert"), "bert", tmp_path / "release")
    path = folder / "bert_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden_size": 64}))
    with pytest.raises(ModelError, match=r"has the shape \(32,\), not \(64,\)"):
        resolve(str(folder))


def test_several_checkpoints_in_a_folder_ask_for_one_unless_tensorflow_named_the_last(tiny_model, tmp_path):
    folder = original(tiny_model("bert"), "bert", tmp_path / "release")
    for ending in ("index", "data-00000-of-00001"):
        shutil.copyfile(folder / f"model.ckpt.{ending}", folder / f"model.ckpt-100.{ending}")
    with pytest.raises(ModelError, match=r"holds 2 TensorFlow checkpoints: model.ckpt-100, model.ckpt.\nName one of them: "):
        resolve(str(folder))
    (folder / "checkpoint").write_text('model_checkpoint_path: "/somewhere/model.ckpt-100"\n')
    assert "is a TensorFlow checkpoint" in resolve(str(folder)).found[0]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("model/layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE", "was written by TensorFlow 2 from objects"),
        ("resnet/conv1/kernel", "is none of BERT, ALBERT, ELECTRA, RoBERTa, XLNet or GPT-2: it holds resnet/conv1/kernel"),
    ],
)
def test_another_kind_of_checkpoint_is_refused_with_what_it_holds(tmp_path, name, cause):
    write_bundle(tmp_path / "model.ckpt", {name: np.zeros(3, "f4")}, n_blocks=1)
    with pytest.raises(ModelError, match=cause):
        resolve(str(tmp_path))


def test_an_h5_without_its_extra_says_which_one(tiny_model, tmp_path, monkeypatch):
    shutil.copyfile(tiny_model("bert") / "config.json", tmp_path / "config.json")
    (tmp_path / "tf_model.h5").write_bytes(b"whatever it holds")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ConfigError, match=r"superfine\[h5\]"):
        resolve(str(tmp_path))


@pytest.mark.parametrize(("words", "lower"), [(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "word"], True), (["[UNK]", "Word"], False)])
def test_whether_a_vocabulary_has_capitals_decides_how_texts_are_read(tiny_model, tmp_path, words, lower):
    folder = original(tiny_model("bert"), "bert", tmp_path / "release")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    (folder / "vocab.txt").write_text("\n".join(words))
    written = json.loads((Path(resolve(str(folder)).path) / "tokenizer_config.json").read_text())
    assert written == {"tokenizer_class": "BertTokenizer", "do_lower_case": lower}


def test_the_electra_of_a_release_has_no_generator_left(tiny_model, tmp_path):
    assert any(name.startswith("generator") for name in electra(AutoModel.from_pretrained(tiny_model("electra"))))
    found = resolve(str(original(tiny_model("electra"), "electra", tmp_path / "release"))).found
    assert len(found) == 1, "and it is not named as left over"


@needs_weights
@pytest.mark.parametrize(("name", "n_weights"), [("tf_ckpt_bert_toy", 46), ("tf_ckpt_gpt2_toy", 40), ("tf_ckpt_xlnet_toy", 33)])
def test_the_checkpoints_of_others_are_read_whole(name, n_weights):
    found = resolve(str(WEIGHTS / name)).found
    assert len(found) == 1, found
    assert f"{n_weights} tensors are read" in found[0]


@needs_weights
def test_xlnet_computes_what_its_checkpoint_computed_in_tensorflow():
    """`pre_*.npy` are what the same checkpoint gave there: the states after the first layer, and the probabilities of tokens
    where the query stood, both from left to right after five states of memory. (`tune_*.npy` are another checkpoint's: their
    first layer's states are no rows of this one's table.)"""

    def values(name: str) -> torch.Tensor:
        return torch.from_numpy(np.load(WEIGHTS / "tf_ckpt_xlnet_toy" / f"{name}.npy"))

    network = XLNetLMHeadModel.from_pretrained(resolve(str(WEIGHTS / "tf_ckpt_xlnet_toy")).path, attn_type="uni").eval()
    memory = [values(f"mems_{i}").float().transpose(0, 1).contiguous() for i in range(2)]
    inputs = {"input_ids": values("input_ids"), "token_type_ids": values("seg_ids"), "use_mems": True}
    with torch.no_grad():
        states = network.transformer(**inputs, mems=memory, output_hidden_states=True).hidden_states
        assert (states[0] - values("pre_new_mems_0")).abs().max() < 1e-4
        assert (states[1] - values("pre_new_mems_1")).abs().max() < 1e-4
        network.transformer.attn_type = "bi"
        hidden = torch.ones(5, 5).triu().expand(2, 5, 5)  # a query does not see itself
        logits = network(**inputs, mems=memory, perm_mask=hidden, target_mapping=torch.eye(5).expand(2, 5, 5)).logits
    asked = values("input_query").bool()
    assert (logits.softmax(dim=-1) - values("pre_output"))[asked].abs().max() < 1e-4
