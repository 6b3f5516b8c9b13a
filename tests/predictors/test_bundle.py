"""The bundle: plain files with checksums, opened without surprises."""

import json
import os
import shutil

import numpy as np
import pytest

from superfine.errors import InputError, ModelError
from superfine.predictors.bundle import digest_of, open_bundle, open_predictor


def test_a_bundle_opens_from_the_runs_folder_and_from_its_model(trained):
    for folder in (trained.folder, trained.folder / "model"):
        assert open_predictor(folder).labels == ("bad", "good")


def test_the_bundle_holds_no_pickle(trained):
    names = {path.name for path in (trained.folder / "model").iterdir()}
    assert {name.rpartition(".")[2] for name in names - {"README.md"}} == {"json", "safetensors"}


def test_a_changed_or_missing_file_is_named(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained.folder, copy)
    config = copy / "model" / "config.json"
    config.write_text(config.read_text().replace("bad", "sad"))
    with pytest.raises(ModelError, match=r"config\.json has changed"):
        open_predictor(copy)
    (copy / "model" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"missing|changed"):
        open_predictor(copy)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="holds no model"):
        open_bundle(tmp_path)
    with pytest.raises(ModelError, match="does not exist"):
        open_bundle(tmp_path / "none")


def test_the_manifest_says_what_prediction_needs(trained):
    manifest = json.loads((trained.folder / "model" / "superfine.json").read_text())
    assert manifest["max_length"] == 32
    assert manifest["text"] == ["text"]
    assert manifest["precision"] == "float32"
    assert manifest["cleaning"]


def test_a_manifest_that_does_not_fit_the_weights_is_refused(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained.folder / "model", copy)
    change(copy, task={"name": "classification", "labels": ["a", "b", "c"]})
    with pytest.raises(ModelError, match="names 3 outputs, the network has 2"):
        open_predictor(copy)
    change(copy, task={"name": "classification", "labels": ["good", "bad"]})
    with pytest.raises(ModelError, match="names other classes than config"):
        open_predictor(copy)
    change(copy, format=9)
    with pytest.raises(ModelError, match="format") as error:
        open_predictor(copy)
    assert "pydantic" not in str(error.value)


def change(folder, **facts):
    """Write other facts into a manifest, with a digest that fits."""
    path = folder / "superfine.json"
    content = json.loads(path.read_text(encoding="utf-8")) | facts
    path.write_text(json.dumps(content | {"digest": digest_of(content)}), encoding="utf-8")


def test_a_bundle_of_the_first_format_opens_and_answers_alike(trained, copied):
    content = json.loads((copied / "superfine.json").read_text(encoding="utf-8"))
    task = content.pop("task")
    first = content | {"format": 1, "task": task.pop("name"), "label": "label", **task}
    (copied / "superfine.json").write_text(json.dumps(first | {"digest": digest_of(first)}), encoding="utf-8")
    texts = ["this lamp is lovely", "this lamp is broken"]
    expected = open_predictor(trained.folder).predict(texts).probabilities
    np.testing.assert_array_equal(open_predictor(copied).predict(texts).probabilities, expected)
    assert open_bundle(copied).manifest.label == ["label"]


@pytest.fixture
def copied(trained, tmp_path):
    shutil.copytree(trained.folder / "model", tmp_path / "model")
    return tmp_path / "model"


def test_a_manifest_that_was_edited_is_refused(copied):
    path = copied / "superfine.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"max_length": 32', '"max_length": 16'), encoding="utf-8")
    with pytest.raises(ModelError, match=r"superfine\.json has changed"):
        open_predictor(copied)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"max_length": -5}, "max_length"),
        ({"max_length": 10**12}, "max_length"),
        ({"max_length": None}, "how much the model reads"),
        ({"text": []}, "text"),
        ({"text": [""]}, "text"),
        ({"task": {"name": "classification", "labels": ["bad", "bad"]}}, "same name"),
        ({"task": {"name": "classification", "labels": []}}, "labels"),
        ({"sha256": {}}, "lists no checksums"),
        ({"sha256": {"../../etc/passwd": "0"}}, "sha256"),
        ({"sha256": {"..": "0"}}, "no path of a file below the folder"),
        ({"sha256": {"a/../../b": "0"}}, "no path of a file below the folder"),
        ({"sha256": {"/etc/passwd": "0"}}, "no path of a file below the folder"),
        ({"sha256": {".": "0"}}, "no path of a file below the folder"),
        ({"predictor": "nobody"}, 'no predictor "nobody"'),
        ({"task": {"name": "nothing"}}, 'none that is called "nothing"'),
    ],
)
def test_nonsense_in_a_manifest_is_refused_even_with_a_digest_that_fits(copied, facts, message):
    change(copied, **facts)
    with pytest.raises(InputError, match=message):
        open_predictor(copied)


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00", "[" * 5000, '{"format": 1}'])
def test_what_is_no_manifest_is_refused(copied, content):
    (copied / "superfine.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"superfine\.json"):
        open_predictor(copied)


def test_an_added_file_that_something_might_read_is_refused_and_a_readme_is_not(copied):
    (copied / "README.md").write_text("mine")
    assert open_predictor(copied).labels == ("bad", "good")
    (copied / "special_tokens_map.json").write_text("{}")
    with pytest.raises(ModelError, match=r"special_tokens_map\.json was added"):
        open_predictor(copied)


def test_links_and_devices_are_refused(copied, tmp_path):
    weights = copied / "model.safetensors"
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="is a link or a device"):
        open_predictor(copied)
    weights.unlink()
    os.mkfifo(weights)
    with pytest.raises(ModelError, match="is a link or a device"):
        open_predictor(copied)
    (copied / "superfine.json").unlink()
    (copied / "superfine.json").symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="no plain file"):
        open_predictor(copied)


def test_a_head_that_is_no_number_is_an_error_and_never_nan_in_json(copied, capsys, tmp_path):
    from safetensors.numpy import load_file, save_file

    from superfine.atomic import checksum
    from tests.conftest import make_rows, write_csv
    from tests.recipes.test_predict import superfine_command

    weights = load_file(copied / "model.safetensors")
    weights["classifier.bias"] = weights["classifier.bias"] * np.nan
    save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
    listed = json.loads((copied / "superfine.json").read_text())["sha256"]
    change(copied, sha256=listed | {"model.safetensors": checksum(copied / "model.safetensors")})
    assert superfine_command("predict", copied, write_csv(tmp_path / "new.csv", make_rows(3)), "--json") == 2
    output = capsys.readouterr()
    assert "NaN" not in output.out
    assert "no number" in output.err
