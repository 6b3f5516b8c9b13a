"""The bundle: plain files with checksums, opened without surprises."""

import json
import shutil

import pytest

from superfine.errors import ModelError
from superfine.predictors.bundle import open_bundle, open_predictor


def test_a_bundle_opens_from_the_runs_folder_and_from_its_model(trained):
    for folder in (trained.folder, trained.folder / "model"):
        assert open_predictor(folder).labels == ("bad", "good")


def test_the_bundle_holds_no_pickle(trained):
    endings = {path.suffix for path in (trained.folder / "model").iterdir()}
    assert endings == {".json", ".safetensors"}


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
    path = copy / "superfine.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"labels": ["a", "b", "c"], "sha256": {}}))
    with pytest.raises(ModelError, match="names 3 classes, the network has 2"):
        open_predictor(copy)
    path.write_text(json.dumps(manifest | {"format": 9}))
    with pytest.raises(ModelError, match="format") as error:
        open_predictor(copy)
    assert "pydantic" not in str(error.value)
