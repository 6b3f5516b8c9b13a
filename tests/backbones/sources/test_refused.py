"""A folder with a model in another form is refused with what it is and what to do, before anything is read of the data."""

import json
import shutil

import pytest

from superfine.backbones.locate import resolve
from superfine.errors import ModelError


@pytest.fixture
def folder(tiny_model, tmp_path):
    return shutil.copytree(tiny_model("bert"), tmp_path / "model")


@pytest.mark.parametrize(
    ("file", "form"),
    [
        ("model-q4.gguf", "GGUF"),
        ("model.onnx", "ONNX"),
        ("onnx/model.onnx", "ONNX"),
        ("openvino_model.xml", "OpenVINO"),
        ("model.tflite", "TensorFlow Lite"),
        ("flax_model.msgpack", "Flax"),
        ("rust_model.ot", "rust-bert"),
    ],
)
def test_another_form_is_named_unless_the_original_weights_lie_beside_it(folder, file, form):
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_bytes(b"whatever it holds")
    assert resolve(str(folder)).is_folder
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=f"is in the form of {form}.*\nTake the original weights"):
        resolve(str(folder))


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_an_empty_file_is_told(folder, file):
    (folder / file).write_bytes(b"")
    with pytest.raises(ModelError, match=rf"{file} is empty"):
        resolve(str(folder))


@pytest.mark.parametrize("content", ["5", "null", "[1]"])
def test_a_configuration_that_is_no_object_is_told(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config.json is no configuration of a model"):
        resolve(str(folder))


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_pointer_of_git_lfs_is_told_from_the_file(folder, file):
    (folder / file).write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1\nsize 9\n"
    )
    with pytest.raises(ModelError, match=rf"{file} is a pointer of Git LFS.*\nRun git lfs pull"):
        resolve(str(folder))


def test_quantised_weights_name_their_method(folder):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": {"quant_method": "gptq", "bits": 4}}))
    with pytest.raises(ModelError, match=r"are quantised \(gptq\).*\nTake the original model"):
        resolve(str(folder))


def test_what_is_not_read_is_not_looked_at(folder):
    (folder / "pytorch_model.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    (folder / "vocab.txt").write_text("version https://git-lfs.github.com/spec/v1\n")
    path = folder / "config.json"
    whole = {"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": False}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": whole}))
    assert resolve(str(folder)).is_folder
