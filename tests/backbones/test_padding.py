"""A text's answer does not hang on the texts beside it, whatever the family makes of padding."""

import json
import shutil

import numpy as np
import pytest
import torch

import superfine
from superfine.backbones.batch import collate
from superfine.backbones.padding import agree, differ_plainly
from superfine.errors import ModelError
from superfine.records import Examples
from tests.conftest import FAST, SENSITIVE_FAMILIES, load_for_classification, make_rows, model_of

TEXTS = ["a", *(text for text, _ in make_rows(16, seed=5)), "lovely " * 20]


def build(folder):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = load_for_classification(str(folder), ["bad", "good"])
    # A head as wide as a trained one, so that differences can be seen.
    for name, parameter in backbone.network.named_parameters():
        if name in backbone.fresh:
            parameter.data.mul_(20)
    backbone.network.eval()
    assert not backbone.pack_if_sound()
    return model_of(backbone)


def padded_on_the(side, folder, target):
    """The same model, whose tokenizer pads on that side."""
    shutil.copytree(folder, target)
    path = target / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"padding_side": side}))
    return target


@pytest.mark.usefixtures("xlnet_unlisted")
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", [*SENSITIVE_FAMILIES, "xlnet"])
def test_a_text_is_answered_alone_as_in_company(tiny_model, tmp_path, family, side):
    model = build(padded_on_the(side, tiny_model(family), tmp_path / "model"))
    encoded = model.encoder.encode(Examples.of_texts(TEXTS))
    together = model.outputs(encoded)
    alone = np.concatenate([model.outputs(encoded.take(np.array([i]))) for i in range(len(TEXTS))])
    assert np.ptp(alone[:, 0]) > 0.01
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("family", ["fnet", "convbert", "gpt_neo"])
def test_embeddings_are_answered_as_the_tokens_they_come_from(tiny_model, family):
    model = build(tiny_model(family))
    batch = collate(model.encoder.encode(Examples.of_texts(TEXTS)), np.arange(len(TEXTS)))
    with torch.no_grad():
        np.testing.assert_allclose(model.logits(batch.with_embeddings(model.embed(batch))), model.logits(batch), atol=1e-5)


@pytest.mark.usefixtures("xlnet_unlisted")
def test_the_padding_that_changes_least_is_chosen(tiny_model, tmp_path):
    assert build(tiny_model("fnet")).backbone.padding == "none"
    assert build(tiny_model("convbert")).backbone.padding == "none"
    assert build(padded_on_the("left", tiny_model("gpt_neo"), tmp_path / "gpt")).backbone.padding == "right"
    assert build(padded_on_the("right", tiny_model("xlnet"), tmp_path / "xlnet")).backbone.padding == "left"
    assert build(tiny_model("bart")).backbone.padding == "right"


@pytest.mark.parametrize("family", SENSITIVE_FAMILIES)
def test_a_run_with_such_a_model_is_proved_and_where_padding_matters_that_is_said(tiny_model, reviews, tmp_path, family, capsys):
    folder = padded_on_the("left", tiny_model(family), tmp_path / "model")
    run = superfine.train(reviews, model=str(folder), out=tmp_path / "run", settings=FAST, progress=True)
    problems, mixes = run.metrics["parity"]["problems"], family in {"fnet", "convbert"}
    assert ("only texts of one length are computed together" in " ".join(capsys.readouterr().err.split())) == mixes
    assert all("in padded batches" in problem for problem in problems)
    assert not problems or mixes
    if problems:
        assert "one text at a time" in run.metrics["findings"][0]["advice"]
    ours = run.load().predict(TEXTS).probabilities
    from transformers import pipeline

    plain = pipeline("text-classification", model=str(run.folder / "model"), top_k=None, truncation=True, device="cpu")
    singly = [{answer["label"]: answer["score"] for answer in answers} for answers in plain(TEXTS, batch_size=1)]
    np.testing.assert_allclose([[scores["bad"], scores["good"]] for scores in singly], ours, atol=1e-5)


def test_a_model_that_takes_no_embeddings_refuses_attacks_on_them(tiny_model, reviews, tmp_path):
    settings = FAST | {"training.regularisers": {"fgm": {}}}
    with pytest.raises(ModelError, match=r"cannot be computed from embeddings.\nLeave out the regularisers"):
        superfine.train(reviews, model=str(tiny_model("bart")), out=tmp_path / "run", settings=settings, progress=False)


@pytest.mark.usefixtures("xlnet_unlisted")
def test_a_model_whose_answers_hang_on_the_neighbours_whatever_the_padding_is_refused(tiny_model, monkeypatch):
    model = load_for_classification(str(tiny_model("xlnet")), ["bad", "good"])
    forward = type(model.network).forward

    def mixed(self, *args, **kwargs):
        output = forward(self, *args, **kwargs)
        output.logits = output.logits + output.logits.mean(dim=0) * len(output.logits)
        return output

    monkeypatch.setattr(type(model.network), "forward", mixed)
    with pytest.raises(ModelError, match="depends on the texts beside it, however they are padded"):
        model.pack_if_sound()


def test_small_logits_are_compared_by_what_texts_differ_by():
    texts = torch.tensor([[0.0, 0.0], [1e-4, -1e-4], [2e-4, -2e-4]])
    assert agree(texts, texts + 1e-8)
    assert not agree(texts, texts + 5e-6), "a twentieth of what the texts differ by"
    assert not agree(100 * texts, 100 * texts + 2e-4)


def test_large_logits_that_rounding_moves_leave_a_family_what_it_is(tiny_model):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = load_for_classification(str(tiny_model("bert")), ["bad", "good"])
    backbone.network.classifier.weight.data.mul_(1e6)
    backbone.network.eval()
    backbone.pack_if_sound()
    assert backbone.family is not None
    texts = torch.tensor([[1e4, -1e4], [1.1e4, -1.1e4]])
    assert not differ_plainly(texts * (1 + 1e-6), texts)
    assert differ_plainly(texts.flip(0), texts)
