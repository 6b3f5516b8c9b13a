"""Baselines learn what can be learned without a network, in both kinds of script."""

from dataclasses import replace

import numpy as np
import pytest

from superfine.baselines import BASELINES, tfidf
from superfine.baselines.features import is_unspaced
from superfine.baselines.majority import Majority
from superfine.baselines.tfidf import Tfidf
from superfine.data.columns import ColumnChoice
from superfine.errors import DataError
from superfine.predictors.bundle import Manifest, open_predictor
from superfine.records import Examples
from superfine.tasks.classification import Classification
from tests.conftest import make_rows


def fit(baseline, examples, targets, labels, cleaning=()):
    """A baseline on examples with these class ids."""
    rows = replace(examples, label=[labels[int(i)] for i in targets])
    return baseline.fit(rows, Classification(labels), cleaning=cleaning)


def test_the_majority_baseline_says_the_most_frequent_class_with_the_class_shares():
    predicted = fit(Majority, Examples.of_texts(["x"] * 4), np.array([1, 1, 1, 0]), ("a", "b")).predict_examples(
        Examples.of_texts(["?"])
    )
    assert predicted.label == ["b"]
    np.testing.assert_allclose(predicted.probabilities, [[0.25, 0.75]])


def test_tfidf_learns_english_words():
    rows = make_rows(300)
    texts, targets = [t for t, _ in rows], np.array([label == "good" for _, label in rows]).astype(np.int64)
    model = fit(Tfidf, Examples.of_texts(texts[:200]), targets[:200], ("bad", "good"))
    assert (model.predict_examples(Examples.of_texts(texts[200:])).class_ids == targets[200:]).mean() > 0.95


def test_tfidf_reads_chinese_by_characters():
    good, bad = ["质量很好", "非常满意", "味道不错", "速度很快"], ["质量很差", "非常失望", "味道难吃", "速度太慢"]
    rng = np.random.default_rng(0)
    texts, targets = [], []
    for _ in range(120):
        k = int(rng.integers(0, 2))
        texts.append("".join(rng.permutation(good if k else bad)[:2]) + str(rng.integers(0, 99)))
        targets.append(k)
    assert is_unspaced(texts)
    model = fit(Tfidf, Examples.of_texts(texts[:80]), np.array(targets[:80]), ("bad", "good"))
    assert (model.predict_examples(Examples.of_texts(texts[80:])).class_ids == targets[80:]).mean() > 0.95


def test_a_class_without_training_rows_keeps_probability_zero():
    model = fit(Tfidf, Examples.of_texts(["red one", "blue two"] * 30), np.array([0, 2] * 30), ("a", "b", "c"))
    probabilities = model.predict_examples(Examples.of_texts(["red one"])).probabilities
    assert probabilities[0, 1] == 0
    assert probabilities.sum() == pytest.approx(1)


def test_english_is_not_taken_for_an_unspaced_script():
    assert not is_unspaced(["A fine film, 好", "with one character of Han"])


def some_rows(pairs: bool = False) -> tuple[Examples, np.ndarray]:
    rows = make_rows(120)
    second = [text[::-1] for text, _ in rows] if pairs else None
    return Examples.of_texts([text for text, _ in rows], second), np.array([int(label == "good") for _, label in rows])


OF_OTHER_TASKS = {"most_frequent_tag", "similar_sentence"}
"""Baselines of words and of answers, which are saved and opened where these are tested."""


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("name", [name for name in BASELINES if name not in OF_OTHER_TASKS])
def test_a_saved_baseline_gives_the_same_answers_when_it_is_opened(name, pairs, tmp_path):
    examples, targets = some_rows(pairs)
    fitted = fit(BASELINES.load(name), examples, targets, ("bad", "good"), cleaning=["tags"])
    columns = ColumnChoice(("a",), "b" if pairs else None, ("label",), None, False)
    fitted.save(
        tmp_path / "baselines" / name, Manifest.of(Classification(["bad", "good"]), columns, predictor=name, cleaning=["tags"])
    )
    assert {path.suffix for path in (tmp_path / "baselines" / name).iterdir()} <= {".json", ".safetensors"}
    opened = open_predictor(tmp_path, baseline=name)
    expected = fitted.predict_examples(examples)
    np.testing.assert_array_equal(opened.predict_examples(examples).probabilities, expected.probabilities)
    assert opened.predict(examples.text[:3], examples.text_pair and examples.text_pair[:3]).label == expected.label[:3]


def test_a_baseline_cleans_what_it_reads_as_the_model_does():
    examples, targets = some_rows()
    fitted = fit(Tfidf, examples, targets, ("bad", "good"), cleaning=["tags"])
    dirty = Examples.of_texts([f"<p>  {text.replace(' ', '&nbsp;')}</p>" for text in examples.text])
    np.testing.assert_array_equal(fitted.predict_examples(dirty).probabilities, fitted.predict_examples(examples).probabilities)


def test_both_texts_of_a_pair_have_features_of_their_own():
    rng = np.random.default_rng(0)
    words = ["red", "blue", "green", "white"]
    first, second = ([words[i] for i in rng.integers(0, 4, 400)] for _ in range(2))
    asked_first = np.array([int(word in ("red", "blue")) for word in first])
    examples = Examples.of_texts(first, second)
    model = fit(Tfidf, examples.take(range(300)), asked_first[:300], ("no", "yes"))
    rest = model.predict_examples(examples.take(range(300, 400))).class_ids
    assert (rest == asked_first[300:]).mean() > 0.97, "the class hangs on the first text alone"


def test_pairs_that_share_their_words_can_be_told():
    rng = np.random.default_rng(1)
    words = np.array([f"word{i}" for i in range(30)])
    first = [" ".join(rng.choice(words, 4, replace=False)) for _ in range(1500)]
    same = rng.random(1500) < 0.5
    second = [
        " ".join(rng.permutation(text.split())) if s else " ".join(rng.choice(words, 4, replace=False))
        for text, s in zip(first, same, strict=True)
    ]
    examples = Examples.of_texts(first, second)
    model = fit(Tfidf, examples.take(range(1200)), same[:1200].astype(np.int64), ("other", "same"))
    assert (model.predict_examples(examples.take(range(1200, 1500))).class_ids == same[1200:]).mean() > 0.9


def test_many_weights_are_a_regression_on_fewer_features_and_not_neighbours(monkeypatch):
    rng = np.random.default_rng(2)
    rows = make_rows(600, seed=4)
    texts, targets = [t for t, _ in rows], np.array([int(label == "good") for _, label in rows])
    del rng
    whole = fit(Tfidf, Examples.of_texts(texts[:400]), targets[:400], ("bad", "good"))
    monkeypatch.setattr(tfidf, "MOST_WEIGHTS", 2 * 300)
    monkeypatch.setattr(tfidf, "FEWEST_FEATURES", 100)
    fewer = fit(Tfidf, Examples.of_texts(texts[:400]), targets[:400], ("bad", "good"))
    assert whole.linear.weights.shape[1] > 300
    assert fewer.linear.weights.shape == (2, 300)
    assert fewer.title == "TF-IDF + logistic regression"
    assert (fewer.predict_examples(Examples.of_texts(texts[400:])).class_ids == targets[400:]).mean() > 0.9


def test_where_few_features_are_left_each_class_is_the_mean_of_its_texts(monkeypatch, tmp_path):
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 40, 800)
    texts = [f"topic{k} and {rng.integers(0, 50)} more of topic{k}" for k in targets]
    monkeypatch.setattr(tfidf, "MOST_WEIGHTS", 40 * 300)
    labels = tuple(map(str, range(40)))
    fitted = fit(Tfidf, Examples.of_texts(texts[:600]), targets[:600], labels)
    assert fitted.title == "TF-IDF + class means"
    answers = fitted.predict_examples(Examples.of_texts(texts[600:]))
    assert (answers.class_ids == targets[600:]).mean() > 0.95
    assert answers.confidence.mean() > 0.5, "similarities are sharpened into probabilities"
    fitted.save(
        tmp_path / "baselines" / "tfidf",
        Manifest.of(Classification(labels), ColumnChoice(("a",), None, (), None, False), predictor="tfidf", cleaning=[]),
    )
    opened = open_predictor(tmp_path, baseline="tfidf")
    np.testing.assert_array_equal(opened.predict_examples(Examples.of_texts(texts[600:])).probabilities, answers.probabilities)


def test_the_strength_is_chosen_on_rows_of_other_groups_and_other_texts(monkeypatch):
    rows = make_rows(100)
    texts = [text for text, _ in rows] * 3
    groups = [str(i // 5) for i in range(100)] * 3
    targets = np.array([int(label == "good") for _, label in rows] * 3)
    examples = Examples(row=np.arange(300), text=texts, group=groups)
    chosen = tfidf._selection(examples, targets)
    assert len(chosen.held_out) >= 20
    assert not set(chosen.fitted.text) & set(chosen.held_out.text)
    assert not set(chosen.fitted.group) & set(chosen.held_out.group)


@pytest.mark.parametrize(
    "texts", [["great", "bad", "okay", "no"], ["好", "坏", "行", "差"], ["1", "2", "3", "4"], ["😀", "😡", "👍", "👎"]]
)
def test_short_texts_that_share_nothing_are_counted_all_the_same(texts):
    model = fit(Tfidf, Examples.of_texts(texts), np.array([0, 1, 0, 1]), ("a", "b"))
    assert model.predict_examples(Examples.of_texts([*texts, ""])).probabilities.shape == (5, 2)


def test_texts_with_nothing_to_count_are_one_message():
    with pytest.raises(DataError, match="nothing to count"):
        fit(Tfidf, Examples.of_texts(["", " ", "", " "]), np.array([0, 1, 0, 1]), ("a", "b"))


def test_the_words_that_speak_for_a_class_are_named_in_english_in_chinese_and_of_pairs():
    rows = make_rows(300)
    texts, targets = [t for t, _ in rows], np.array([label == "good" for _, label in rows]).astype(np.int64)
    model = fit(Tfidf, Examples.of_texts(texts), targets, ("bad", "good"))
    one = Examples.of_texts(["the lovely kettle was awful ."])
    (for_good,), (for_bad,) = (model.words_for(one, np.array([said]), np.array([1 - said])) for said in (1, 0))
    assert any("lovely" in word for word in for_good)
    assert not any("awful" in word for word in for_good)
    assert any("awful" in word for word in for_bad)
    assert "." not in for_good + for_bad, "a full stop tells a reader nothing"
    pair = Examples.of_texts(texts, ["something else"] * len(texts))
    of_pairs = fit(Tfidf, pair, targets, ("bad", "good"))
    (words,) = of_pairs.words_for(Examples.of_texts(["the kettle"], ["it was superb"]), np.array([1]), np.array([0]))
    assert all(word for word in words), "differences of the two texts are no words"


def test_the_words_of_chinese_are_its_characters():
    good, bad = ["质量很好"] * 20, ["太差了"] * 20
    model = fit(Tfidf, Examples.of_texts(good + bad), np.array([1] * 20 + [0] * 20), ("bad", "good"))
    (words,) = model.words_for(Examples.of_texts(["质量太差"]), np.array([0]), np.array([1]))
    assert words
    assert all(set(word) <= set("太差") for word in words)


def test_no_word_speaks_for_a_class_that_no_training_row_had():
    model = fit(Tfidf, Examples.of_texts(["one two", "three four"] * 5), np.array([0, 2] * 5), ("a", "b", "c"))
    assert model.words_for(Examples.of_texts(["one"]), np.array([0]), np.array([1])) == [[]]
