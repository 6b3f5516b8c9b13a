"""Slow promises, on the real default model and real texts. Those on the data sets beside the repository skip where these are absent."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import superfine
from superfine.config import ENGLISH_MODEL, MULTILINGUAL_MODEL
from superfine.recipes.run_folder import unfinished
from tests.conftest import needs_embedded_model, needs_multilingual_model, write_csv
from tests.test_parity import plain_probabilities

ROOT = Path(__file__).parent.parent
REVIEWS = ROOT / "examples" / "data" / "reviews_en.csv"
DATA = Path(os.environ.get("SUPERFINE_DATA", ROOT.parent / "shared" / "data"))

pytestmark = [pytest.mark.slow, needs_embedded_model]
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the real data sets are not beside the repository")


def head(name: str, n: int, step: int = 1) -> list[tuple[str, str]]:
    """n rows, every `step`-th: several files are sorted by label."""
    csv.field_size_limit(10**9)
    with open(DATA / name, encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    return rows[::step][:n]


@pytest.fixture(scope="module")
def reviews_run(tmp_path_factory):
    return superfine.train(REVIEWS, out=tmp_path_factory.mktemp("real") / "run", settings={"training.epochs": 4}, progress=False)


def test_the_default_model_beats_the_majority_class_on_the_example_reviews(reviews_run):
    difference = reviews_run.metrics["comparison"]["majority"]["accuracy"]
    assert difference["low"] > 0.1
    assert reviews_run.metrics["training"]["packed"]


def test_the_usual_lines_give_our_probabilities_on_the_example_reviews(reviews_run):
    with open(REVIEWS, encoding="utf-8", newline="") as file:
        texts = [row["review"] for row in csv.DictReader(file)][:200]
    ours = reviews_run.load().predict(texts).probabilities
    np.testing.assert_allclose(plain_probabilities(reviews_run.folder / "model", texts), ours, atol=1e-4)


@pytest.fixture(scope="module")
def chinese_run(tmp_path_factory):
    """With nothing chosen but the number of epochs, on the Chinese reviews that come with the project."""
    folder = tmp_path_factory.mktemp("real") / "run"
    file = ROOT / "examples" / "data" / "reviews_zh.csv"
    return superfine.train(file, out=folder, settings={"training.epochs": 4}, progress=False)


@needs_multilingual_model
def test_chinese_texts_get_the_multilingual_model_by_themselves_and_learn_from_the_first_command(chinese_run):
    metrics = chinese_run.metrics
    assert metrics["model"] == MULTILINGUAL_MODEL
    assert metrics["base_model"] == "intfloat/multilingual-e5-small"
    assert metrics["comparison"]["majority"]["accuracy"]["low"] > 0
    assert metrics["data"]["unknown_token_share"] < 0.01
    assert metrics["training"]["packed"]
    assert metrics["parity"]["problems"] == []


@needs_multilingual_model
def test_its_bundle_is_half_as_large_and_gives_our_probabilities_in_plain_transformers(chinese_run):
    model = chinese_run.folder / "model"
    assert chinese_run.metrics["saved_weights"] == "float16"
    assert sum(path.stat().st_size for path in model.iterdir()) < 300e6
    texts = [
        "质量很好，五星！",
        "ｆｕｌｌ　ｗｉｄｔｈ１２３",
        "餐廳的菜色普普通通，服務倒是不錯。",
        "一般般吧😀",
        "  &amp; <br/> 还行～",
    ]
    ours = chinese_run.load().predict(texts).probabilities
    np.testing.assert_allclose(plain_probabilities(model, texts), ours, atol=1e-4)


@needs_data
def test_the_usual_lines_give_our_probabilities_on_dirty_real_texts(reviews_run):
    texts = [t for t, _ in head("en/ag_news/test.csv", 60) + head("en/imdb/test.csv", 12) + head("zh/tnews/test.csv", 40)]
    assert any("<br" in t for t in texts)
    ours = reviews_run.load().predict(texts).probabilities
    np.testing.assert_allclose(plain_probabilities(reviews_run.folder / "model", texts), ours, atol=1e-4)


def test_a_time_limit_holds_with_the_real_model(tmp_path):
    started = time.monotonic()
    run = superfine.train(REVIEWS, out=tmp_path / "run", time_limit="60s", settings={"training.epochs": 50}, progress=False)
    assert time.monotonic() - started < 70
    assert run.metrics["training"]["stopped"] == "time_limit"


def test_a_killed_run_resumes(tmp_path, monkeypatch):
    patch = "import superfine.training.checkpoint as c; c.SECONDS_BETWEEN = c.COST_FACTOR = 0; from superfine.cli.main import main; main()"
    with open(REVIEWS, encoding="utf-8", newline="") as file:
        few = [(row["review"], row["sentiment"]) for row in csv.DictReader(file)][:300]
    rows = write_csv(tmp_path / "few.csv", few)
    command = [sys.executable, "-c", patch, "train", str(rows), "--out", str(tmp_path / "run"), "--set", "training.epochs=2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (unfinished(tmp_path / "run") / "checkpoint" / "state.json").exists():
        assert process.poll() is None, "the run ended before its first checkpoint"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run = superfine.train(rows, resume=tmp_path / "run", progress=False)
    assert run.metrics["training"]["epochs"] == 2
    assert not run.interrupted


@needs_data
def test_chinese_on_the_english_model_is_a_loud_warning_and_the_baseline_is_recommended(tmp_path):
    data = write_csv(tmp_path / "zh.csv", head("zh/waimai_10k/train.csv", 1500, step=6))
    run = superfine.train(data, model=ENGLISH_MODEL, out=tmp_path / "run", settings={"training.epochs": 1}, progress=False)
    warning = next(f for f in run.metrics["findings"] if f["name"] == "unknown_tokens")
    assert warning["share"] > 0.5
    assert "hfl/" in warning["advice"]
    assert run.metrics["comparison"]["tfidf"]["verdict"] in {
        "worse than TF-IDF + logistic regression: use the baseline",
        "not distinguishable from the baseline, TF-IDF + logistic regression",
    }


@needs_data
@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("en/trec", 88.2),
        ("en/rotten_tomatoes", 79.1),
        ("en/sst2", 82.8),
        ("en/ag_news", 90.8),
        ("en/emotion", 86.1),
        ("en/banking77", 89.4),
        ("en/sms_spam", 98.3),
    ],
)
def test_the_tfidf_baseline_reaches_the_known_figures_on_the_full_training_parts(name, known):
    from superfine.baselines.tfidf import Tfidf
    from superfine.records import Examples
    from superfine.tasks.classification import Classification

    train = head(f"{name}/train.csv", 10**6)
    test = head(f"{name}/{'validation' if name == 'en/sst2' else 'test'}.csv", 10**6)
    names = sorted({label for _, label in train})
    targets = [np.array([names.index(label) for _, label in rows]) for rows in (train, test)]
    rows = replace(Examples.of_texts([t for t, _ in train]), label=[label for _, label in train])
    model = Tfidf.fit(rows, Classification(names))
    predicted = model.predict_examples(Examples.of_texts([t for t, _ in test])).class_ids
    assert 100 * float((predicted == targets[1]).mean()) > known - 0.5


WEIGHTS = DATA.parent / "weights"


@pytest.mark.skipif(not WEIGHTS.exists(), reason="the checkpoints are not beside the repository")
@pytest.mark.parametrize("name", ["camphr_bert_2019", "camphr_xlnet", "jammi_tiny_modernbert", "stories260k_llama"])
def test_checkpoints_that_users_bring_are_trained_packed_and_answer_alike_in_plain_transformers(tmp_path, name):
    pytest.importorskip("sentencepiece", reason="XLNet's old folder has a tokenizer of SentencePiece alone")
    settings = {"training.epochs": 1, "model.long_texts": "cut"}
    run = superfine.train(REVIEWS, model=str(WEIGHTS / name), out=tmp_path / "run", settings=settings, progress=False)
    assert run.metrics["parity"]["problems"] == []
    assert run.load().backbone.is_packed
