"""What TensorFlow wrote into a checkpoint is read bit for bit, and files that are not whole are told."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from superfine.backbones.sources.tensor_bundle import TensorBundle, UnreadableError
from tests.backbones.sources.tensorflow_files import BFLOAT16, write_bundle


@pytest.fixture
def tensors():
    random = np.random.default_rng(0)
    found = {f"model/layer_{i}/kernel": random.normal(size=(3, 5)).astype("f4") for i in range(40)}
    return found | {"global_step": np.array(20, "i8"), "wide": random.normal(size=(2, 300)), "half": np.ones(7, "f2")}


def test_every_tensor_is_read_with_its_shape_and_type(tmp_path, tensors):
    write_bundle(tmp_path / "model.ckpt", tensors, n_blocks=5)
    bundle = TensorBundle(tmp_path / "model.ckpt")
    assert list(bundle.entries) == sorted(tensors)
    for name, values in tensors.items():
        assert bundle.tensor(name).dtype == values.dtype
        assert np.array_equal(bundle.tensor(name), values), name


def test_bfloat16_is_widened(tmp_path):
    write_bundle(tmp_path / "model.ckpt", {"a": np.array([0x3FC0, 0xC000], np.uint16)}, dtype=BFLOAT16, n_blocks=1)
    found = TensorBundle(tmp_path / "model.ckpt").tensor("a")
    assert found.dtype == np.float32
    assert found.tolist() == [1.5, -2.0]


@pytest.mark.parametrize("n", [0, 10, 60])
def test_an_index_that_is_cut_off_is_told(tmp_path, tensors, n):
    write_bundle(tmp_path / "model.ckpt", tensors)
    path = tmp_path / "model.ckpt.index"
    path.write_bytes(path.read_bytes()[:n])
    with pytest.raises(UnreadableError, match="cut off or no index of TensorFlow's"):
        TensorBundle(tmp_path / "model.ckpt")


def test_data_that_is_cut_off_or_not_there_names_its_file(tmp_path, tensors):
    write_bundle(tmp_path / "model.ckpt", tensors)
    path = tmp_path / "model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-100])
    bundle = TensorBundle(tmp_path / "model.ckpt")
    with pytest.raises(UnreadableError, match=r"model.ckpt.data-00000-of-00001 is cut off"):
        bundle.tensor("wide")
    path.unlink()
    with pytest.raises(UnreadableError, match="is not beside the index"):
        bundle.tensor("wide")


WEIGHTS = Path(__file__).parents[4] / "shared" / "weights"


@pytest.mark.skipif(not WEIGHTS.exists(), reason="the checkpoints of others are not beside the repository")
def test_a_byte_that_changed_is_told_with_its_tensor(tmp_path):
    for path in (WEIGHTS / "tf_ckpt_bert_toy").glob("bert_model.ckpt*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    bundle = TensorBundle(tmp_path / "bert_model.ckpt")
    name, entry = next((name, entry) for name, entry in bundle.entries.items() if entry.size > 50)
    bundle.tensor(name)
    path = tmp_path / "bert_model.ckpt.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[entry.offset + 40] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableError, match=f"is damaged: the bytes of {name} are not"):
        bundle.tensor(name)


WRITE = """
import sys, numpy as np, tensorflow as tf
values = np.load(sys.argv[1])
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    for name in values.files:
        tf.compat.v1.get_variable(name, initializer=values[name])
    tf.compat.v1.get_variable("rounded", initializer=tf.cast([1.5, -2.0], tf.bfloat16))
    session.run(tf.compat.v1.global_variables_initializer())
    tf.compat.v1.train.Saver().save(session, sys.argv[2])
"""


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="the extra `dev-tensorflow` is not installed")
def test_what_tensorflow_itself_writes_is_read(tmp_path, tensors):
    np.savez(tmp_path / "values.npz", **tensors)
    subprocess.run([sys.executable, "-c", WRITE, str(tmp_path / "values.npz"), str(tmp_path / "model.ckpt")], check=True)
    bundle = TensorBundle(tmp_path / "model.ckpt")
    assert set(bundle.entries) == {*tensors, "rounded"}
    assert bundle.tensor("rounded").tolist() == [1.5, -2.0]
    for name, values in tensors.items():
        assert np.array_equal(bundle.tensor(name), values), name
