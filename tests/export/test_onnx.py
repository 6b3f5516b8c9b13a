"""The graph answers as the network does: every family, every kind of head, texts of all lengths, alone and together."""

import numpy as np
import pytest

pytest.importorskip("onnxscript", reason="the packages of the extra `export` are not installed")

from superfine.backbones.load import open_pretrained
from superfine.export.onnx import write_onnx
from superfine.predictors.onnx import OnnxModel
from superfine.recipes.exports.hard_texts import hard_texts
from superfine.records import Head
from tests.conftest import FAMILIES, SENSITIVE_FAMILIES, make_rows, model_of

TEXTS = [text for text, _ in make_rows(30)] + hard_texts(32, pairs=False).text
BOUND = 1e-4


def exported(model, folder):
    facts = write_onnx(model, folder)
    return OnnxModel(model.task, model.encoder, facts, folder / facts.file, takes_pairs=model.takes_pairs)


def fresh_model(name, labels=("bad", "good", "odd")):
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(2)
        backbone = open_pretrained(str(name)).backbone(Head(labels))
    backbone.network.eval()
    backbone.pack_if_sound()
    return model_of(backbone, labels)


QUICK = ("bert", "gpt2")
"""One encoder and one decoder; the others take minutes together."""


@pytest.mark.parametrize(
    "family",
    [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in {**FAMILIES, **SENSITIVE_FAMILIES} if name not in QUICK)],
)
def test_a_graph_gives_the_probabilities_of_its_network(family, tiny_model, tmp_path):
    model = fresh_model(tiny_model(family))
    # BART's kind refuses texts together of which one spells the token that ends a text.
    texts = [text for text in TEXTS if family != "bart" or "</s>" not in text]
    expected = model.predict_proba(texts)
    graph = exported(model, tmp_path)
    assert np.abs(graph.predict_proba(texts) - expected).max() < BOUND
    alone = np.concatenate([graph.predict_proba([text]) for text in texts])
    assert np.abs(alone - expected).max() < BOUND
    assert np.abs(model.predict_proba(texts) - expected).max() < 1e-6, "the model is as it was"
