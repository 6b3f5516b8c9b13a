"""`SuperfineClassifier` behaves as scikit-learn's estimators do."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

import superfine
from superfine import SuperfineClassifier, SuperfineRegressor
from superfine.errors import ConfigError, OutputError
from tests.conftest import FAST, make_rows

ROWS = make_rows(240)
TEXTS, LABELS = [text for text, _ in ROWS], [label for _, label in ROWS]


@pytest.fixture(scope="module")
def unfitted(tiny_model):
    return SuperfineClassifier(str(tiny_model("bert")), settings=FAST | {"training.epochs": 12})


@pytest.fixture(scope="module")
def fitted(unfitted):
    return clone(unfitted).fit(TEXTS, LABELS)


def test_it_learns_predicts_and_scores(fitted):
    assert fitted.classes_.tolist() == ["bad", "good"]
    probabilities = fitted.predict_proba(TEXTS)
    assert probabilities.shape == (240, 2)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert np.array_equal(fitted.predict(TEXTS), fitted.classes_[probabilities.argmax(axis=1)])
    assert fitted.score(TEXTS, LABELS) > 0.9


@pytest.mark.parametrize("values", [[0, 1], [False, True], [10, 9]])
def test_labels_keep_their_type_and_their_order(unfitted, values):
    labels = [values[label == "good"] for label in LABELS]
    model = clone(unfitted).fit(np.array(TEXTS, dtype=object), labels)
    assert model.classes_.tolist() == sorted(values)
    assert model.score(TEXTS, labels) > 0.9
    assert model.predict(TEXTS).dtype == np.asarray(labels).dtype


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_class_is_named(unfitted, missing):
    with pytest.raises(ValueError, match=r"y\[2\] is missing"):
        clone(unfitted).fit(["a", "b", "c"], ["x", "y", missing])


def test_a_model_is_not_saved_over_another(fitted, tmp_path):
    fitted.save(tmp_path / "there")
    with pytest.raises(OutputError, match="already holds a model"):
        fitted.save(tmp_path / "there")


def test_parameters_are_got_set_and_cloned(unfitted):
    assert unfitted.get_params()["seed"] == 0
    other = clone(unfitted).set_params(epochs=1, seed=3)
    assert (other.epochs, other.seed, unfitted.seed) == (1, 3, 0)


def test_the_same_seed_gives_the_same_model(unfitted, fitted):
    again = clone(unfitted).fit(TEXTS, LABELS)
    assert np.array_equal(again.predict_proba(TEXTS[:20]), fitted.predict_proba(TEXTS[:20]))


def test_a_pickle_holds_the_bundle_and_predicts_the_same(fitted):
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.predict_proba(TEXTS[:20]), fitted.predict_proba(TEXTS[:20]))
    assert b"model/model.safetensors" in pickle.dumps(fitted)


@pytest.mark.slow
def test_it_stands_in_cross_validation_pipelines_and_searches(unfitted):
    scores = cross_val_score(unfitted, TEXTS, LABELS, cv=2)
    assert scores.shape == (2,)
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [text.upper() for text in texts]), unfitted)
    search = GridSearchCV(pipeline, {"superfineclassifier__epochs": [1, 2]}, cv=2).fit(TEXTS, LABELS)
    assert search.best_params_["superfineclassifier__epochs"] in {1, 2}
    assert search.predict(TEXTS[:3]).shape == (3,)


def test_a_saved_model_is_a_bundle(fitted, tmp_path):
    fitted.save(tmp_path / "kept")
    assert superfine.load(tmp_path / "kept").predict(TEXTS[:5]).label == fitted.predict(TEXTS[:5]).tolist()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "not a list"),
        (["a", 3], r"texts\[1\] is no string but int"),
        (np.zeros((2, 2)), "not a table"),
        (["a"], "inconsistent numbers of samples"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(unfitted, texts, message):
    with pytest.raises(ValueError, match=message):
        clone(unfitted).fit(texts, ["x", "y"])


def test_an_unfitted_one_says_so(unfitted):
    with pytest.raises(NotFittedError):
        unfitted.predict(TEXTS)


FOR_TEXT = [
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]
"""The checks that need no data. All the others of scikit-learn fit, or predict for, tables of random numbers, sparse or dense."""


@pytest.mark.parametrize("name", FOR_TEXT)
def test_the_checks_of_scikit_learn_that_make_sense_for_text_pass(name):
    getattr(estimator_checks, name)("SuperfineClassifier", SuperfineClassifier())


def test_scikit_learn_itself_takes_it_for_an_estimator_of_something_other_than_tables():
    """So `check_estimator` runs nothing but cloning; what else makes sense for text is run above by name."""
    names = {check.func.__name__ for _, check in estimator_checks.estimator_checks_generator(SuperfineClassifier())}
    assert names == {"check_estimator_cloneable"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (pd.array([1, pd.NA, 0], dtype="Int64"), r"y\[1\] is missing"),
        (pd.Series(["x", None, "y"], dtype="string"), r"y\[1\] is missing"),
        (np.array([["x", "y"]] * 3), "not a table of shape"),
        (pd.DataFrame({"a": list("xyx"), "b": list("xyx")}), "not a table of shape"),
        (["1", "1.0", "2"], "two classes read the same"),
        (["x", "x\u200b", "y"], "two classes read the same"),
    ],
)
def test_labels_that_cannot_be_classes_are_named(unfitted, labels, message):
    with pytest.raises(ValueError, match=message):
        clone(unfitted).fit(["a", "b", "c"], labels)


def test_a_class_of_empty_texts_alone_is_named(unfitted):
    with pytest.raises(ValueError, match='all texts of the class "z" are empty'):
        clone(unfitted).fit(["a", "b", " ", ""], ["x", "y", "z", "z"])


def test_nullable_labels_and_half_surrogates_are_learned_from_and_predicted(unfitted):
    texts = [text + " \ud83d" for text in TEXTS]
    labels = pd.array([int(label == "good") for label in LABELS], dtype="Int64")
    model = clone(unfitted).set_params(settings=FAST | {"training.epochs": 1}).fit(texts, labels)
    assert model.classes_.tolist() == [0, 1]
    assert model.predict_proba(texts[:5]).shape == (5, 2)
    with pytest.raises(TypeError, match=r"hand over one, texts\['text'\]"):
        model.predict_proba(pd.DataFrame({"text": TEXTS[:5]}))


def test_a_table_of_other_numbers_is_refused():
    with pytest.raises(ValueError, match=r"not a table of shape \(2, 2\)"):
        SuperfineClassifier().fit(["a", "b"], np.array([[0, 2], [1, 0]]))


@pytest.fixture(scope="module")
def fast(unfitted):
    """The settings of the unfitted classifier."""
    return unfitted.get_params()


def test_several_labels_are_a_table_of_zeros_and_ones(fast):
    rng = np.random.default_rng(0)
    table = np.stack(
        [np.array(LABELS) == sorted(set(LABELS))[0], rng.random(len(TEXTS)) < 0.5, np.zeros(len(TEXTS))], axis=1
    ).astype(int)
    model = SuperfineClassifier(**fast).fit(TEXTS, table, sample_weight=np.ones(len(TEXTS)))
    assert model.predict(TEXTS[:4]).shape == (4, 3)
    assert set(np.unique(model.predict(TEXTS))) <= {0, 1}
    assert (model.predict_proba(TEXTS[:4])[:, 2] == 0).all(), "a label that no text has stays zero"


def test_numbers_are_predicted_with_intervals_and_survive_pickling(fast):
    numbers = np.array([float(len(text)) for text in TEXTS])
    model = SuperfineRegressor(**fast).fit(TEXTS, numbers)
    predicted = model.predict(TEXTS[:3])
    assert np.isfinite(predicted).all()
    assert model.predict_interval(TEXTS[:3]).shape == (3, 2)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(TEXTS[:3]), predicted)
    with pytest.raises(ValueError, match="one finite number"):
        SuperfineRegressor().fit(TEXTS[:2], [1.0, float("nan")])


def test_what_is_measured_on_a_test_part_is_no_setting_of_an_estimator(tiny_model):
    model = SuperfineClassifier(str(tiny_model("bert")), settings=FAST | {"evaluation.seeds": 3})
    texts, labels = zip(*make_rows(60), strict=True)
    with pytest.raises(ConfigError, match="settings of evaluation"):
        model.fit(list(texts), list(labels))
