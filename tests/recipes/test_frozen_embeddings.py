"""`--baselines all`: a logistic regression on the model as it is, which is measured and not saved."""

import numpy as np
import pytest

import superfine
from superfine.errors import ConfigError
from tests.conftest import FAST, make_rows, write_csv

SETTINGS = FAST | {"training.epochs": 1, "evaluation.baselines": "all"}


@pytest.fixture(scope="module")
def run(tiny_model, reviews, tmp_path_factory):
    out = tmp_path_factory.mktemp("frozen") / "run"
    return superfine.train(reviews, model=str(tiny_model("bert")), out=out, settings=SETTINGS, progress=False)


def test_it_is_scored_and_compared_and_its_folder_is_not_there(run):
    found = run.metrics["baselines"]["frozen_embeddings"]
    assert found["title"] == "logistic regression on the model as it is"
    assert found["saved"] is False
    assert 0.5 < found["accuracy"]["value"] <= 1
    assert "frozen_embeddings" in run.metrics["comparison"]
    assert sorted(path.name for path in (run.folder / "baselines").iterdir()) == ["majority", "tfidf"]


def test_the_weights_that_are_trained_are_those_of_a_run_without_it(run, tiny_model, reviews, tmp_path):
    """The texts are read in bfloat16 before: not a bit of the float32 weights may change for it."""
    alone = superfine.train(
        reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST | {"training.epochs": 1}, progress=False
    )
    assert alone.metrics["test"] == run.metrics["test"]
    assert run.metrics["parity"]["problems"] == []


def test_the_weights_after_reading_in_bfloat16_are_those_before(trained):
    import torch

    from superfine.recipes.embeddings import vectors_of
    from superfine.records import Examples

    model = trained.load()
    before = [parameter.detach().clone() for parameter in model.backbone.network.parameters()]
    with model.backbone.computing_in(torch.bfloat16):
        assert any(parameter.dtype == torch.bfloat16 for parameter in model.backbone.network.parameters())
    vectors = vectors_of(model, Examples.of_texts(["lovely pan", "awful rug"]))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert all(torch.equal(a, b) for a, b in zip(before, model.backbone.network.parameters(), strict=True))


def test_tasks_without_classes_are_refused(tiny_model, tmp_path):
    data = write_csv(tmp_path / "d.csv", [(text, str(len(text) + i / 7)) for i, (text, _) in enumerate(make_rows(60))])
    with pytest.raises(ConfigError, match="--baselines all"):
        superfine.train(
            data, task="regression", model=str(tiny_model("bert")), out=tmp_path / "run", settings=SETTINGS, progress=False
        )
