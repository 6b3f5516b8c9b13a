"""What plain transformers makes of `model/` is what we make of it: on the raw text, with dirt, within 1e-4."""

import numpy as np
import pytest
import torch

import superfine
from tests.conftest import DECODERS, FAMILIES, FAST, make_rows, needs_embedded_model

DIRTY = [
    "this kettle is <br /><br /> lovely &amp; quite sturdy",
    "AWFUL\u200b pan!!!   broken &#39;on day one&#39;",
    "caf\u00e9 cafe\u0301 <b>lovely</b> \x07 book",
    "lovely " * 200,
    "",
    "?",
    "质量很好 &lt;3 😀",
    *[text for text, _ in make_rows(20, seed=4)],
]


def plain_probabilities(folder, texts) -> np.ndarray:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    inputs = tokenizer(texts, return_tensors="pt", padding=True, truncation=True)
    with torch.no_grad():
        return model(**inputs).logits.softmax(-1).numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_plain_transformers_gives_our_probabilities_on_raw_text(tiny_model, reviews, tmp_path_factory, family):
    # Not in a folder with the family's name: AutoTokenizer chooses its class by what the path looks like.
    tmp_path = tmp_path_factory.mktemp("plain")
    run = superfine.train(reviews, model=str(tiny_model(family)), out=tmp_path / "run", settings=FAST, progress=False)
    # In a family without special tokens an empty text has no token: plain transformers classifies its padding, so it is left out.
    texts = DIRTY if family not in DECODERS else [text for text in DIRTY if text]
    assert run.metrics["parity"]["problems"] == [], "the run has proved it itself"
    assert run.metrics["parity"]["texts"] >= 32
    ours = run.load().predict(texts).probabilities
    assert np.ptp(ours[:, 0]) > 1e-4, "the texts must differ, or the comparison says nothing"
    np.testing.assert_allclose(plain_probabilities(run.folder / "model", texts), ours, atol=1e-5)


def test_the_usual_seven_lines_run_unchanged(trained):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = trained.folder / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    inputs = tokenizer(["this lamp is lovely"], return_tensors="pt", truncation=True)
    label = model.config.id2label[int(model(**inputs).logits.argmax(-1)[0])]
    assert [label] == trained.load().predict(["this lamp is lovely"]).label


def test_the_pipeline_runs_with_the_class_names(trained):
    from transformers import pipeline

    answers = pipeline("text-classification", model=str(trained.folder / "model"), truncation=True, device="cpu")(DIRTY)
    ours = trained.load().predict(DIRTY)
    assert [a["label"] for a in answers] == ours.label
    np.testing.assert_allclose([a["score"] for a in answers], ours.confidence, atol=1e-4)


def test_predictions_do_not_depend_on_the_rows_beside_them(trained):
    model = trained.load()
    together = model.predict(DIRTY).probabilities
    alone = np.concatenate([model.predict([text]).probabilities for text in DIRTY])
    np.testing.assert_allclose(alone, together, atol=1e-6)


@needs_embedded_model
def test_the_embedded_model_keeps_no_truncation_or_padding_of_its_own(tmp_path):
    from tokenizers import Tokenizer

    from tests.conftest import load_for_classification

    backbone = load_for_classification("sentence-transformers/all-MiniLM-L6-v2", ["a", "b"])
    backbone.save(tmp_path, 256)
    saved = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert saved.padding is None
    assert saved.truncation is None
    assert len(saved.encode("word " * 300).ids) == 302
    np.testing.assert_allclose(plain_probabilities(tmp_path, DIRTY).sum(axis=1), 1.0, atol=1e-5)  # it loads in plain transformers


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen2"])
def test_a_decoder_reads_the_token_that_transformers_reads_where_the_end_token_pads(tiny_model, tmp_path, family):
    import shutil

    from transformers import AutoTokenizer

    folder = tmp_path / "model"
    shutil.copytree(tiny_model(family), folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = "</s>"
    tokenizer.save_pretrained(folder)
    odd = ["this pan is lovely</s>", "awful</s></s>", "</s>", "a </s> in the middle", "</s></s></s>"]
    rows = [*make_rows(120), *((text, "good" if i % 2 else "bad") for i, text in enumerate(odd))]
    columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    run = superfine.train(columns, test=columns, model=str(folder), out=tmp_path / "run", settings=FAST, progress=False)
    assert run.metrics["parity"]["problems"] == []
    ours = run.load().predict(odd).probabilities
    assert np.ptp(ours[:, 0]) > 1e-4
    np.testing.assert_allclose(plain_probabilities(run.folder / "model", odd), ours, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2"])
def test_tokens_that_were_added_without_a_row_in_the_table_get_one(tiny_model, reviews, tmp_path, family):
    import shutil

    from transformers import AutoTokenizer

    folder = tmp_path / "model"
    shutil.copytree(tiny_model(family), folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"newword{i}" for i in range(50)])
    tokenizer.save_pretrained(folder)
    said = []

    from superfine.backbones.load import open_pretrained

    pretrained = open_pretrained(str(folder))
    said += pretrained.notes
    assert pretrained.n_missing_rows > 0
    assert "the table is enlarged" in said[0]
    texts = ["newword49 is lovely", "plain words", "newword0 newword1"]
    run = superfine.train(reviews, model=str(folder), out=tmp_path / "run", settings=FAST, progress=False)
    assert run.metrics["parity"]["problems"] == []
    np.testing.assert_allclose(
        plain_probabilities(run.folder / "model", texts), run.load().predict(texts).probabilities, atol=1e-5
    )
    assert open_pretrained(str(run.folder / "model")).n_missing_rows == 0
