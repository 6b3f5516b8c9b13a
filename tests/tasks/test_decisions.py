"""Decisions keep what they promise on rows that nothing was fitted to, cost what they say, and say what cannot be promised."""

import json

import numpy as np
import pytest

import superfine
from superfine.errors import ConfigError
from superfine.records.decisions import Costs, Decisions
from superfine.tasks.decisions import NOBODY, abstain, measured, parse_costs, set_threshold, upper_bound
from tests.conftest import FAST, make_rows, write_csv

LABELS = ("ham", "spam")


def drawn(rng, n):
    """Confidences, and whether each answer is right: more often than not where it is sure."""
    confidence = rng.beta(4, 1, n)
    return confidence, rng.random(n) < confidence**0.3


def test_a_promised_error_is_kept_in_nineteen_of_twenty_draws():
    rng = np.random.default_rng(0)
    broken = answered = 0
    for _ in range(200):
        found = abstain(*drawn(rng, 800), 0.05)
        confidence, right = drawn(rng, 20_000)
        kept = confidence >= found.answers_from
        answered += kept.any()
        broken += bool(kept.any()) and (~right[kept]).mean() > 0.05
    assert broken <= 0.05 * 200
    assert answered > 150, "a promise that is never made is always kept"


def test_more_is_answered_where_more_errors_are_allowed_and_all_where_none_are_made():
    confidence, right = drawn(np.random.default_rng(1), 4000)
    shares = [abstain(confidence, right, target).coverage for target in (0.04, 0.08, 0.2)]
    assert 0 < shares[0] < shares[1] <= shares[2] == 1.0
    assert abstain(confidence, np.ones(4000, bool), 0.01).coverage == 1.0


def test_what_cannot_be_promised_says_what_can():
    confidence, right = drawn(np.random.default_rng(2), 100)
    found = abstain(confidence, right, 0.001)
    assert found.answers_from == NOBODY
    assert 0.001 < found.bound < 1


def test_answers_of_one_confidence_are_answered_together():
    found = abstain(np.full(1000, 0.9), np.ones(1000, bool), 0.05)
    assert (found.answers_from, found.coverage) == (0.9, 1.0)
    # The first half alone would keep the promise; what has its confidence and errs belongs to it.
    right = np.arange(1000) < 800
    assert abstain(np.full(1000, 0.9), right, 0.05).answers_from == NOBODY


def test_the_upper_end_is_that_of_clopper_and_pearson():
    assert upper_bound(0, 299, 0.95) == pytest.approx(1 - 0.05 ** (1 / 299))
    assert upper_bound(5, 5, 0.95) == 1.0


def test_sets_hold_the_true_class_as_often_as_promised():
    rng, rates = np.random.default_rng(0), []
    for _ in range(100):
        rows = rng.dirichlet([1, 1, 1], 1200)
        true = np.array([rng.choice(3, p=row) for row in rows])
        of_true = rows[np.arange(1200), true]
        decisions = Decisions(set_from=set_threshold(of_true[:200], 0.9))
        rates.append(decisions.in_set(rows[200:])[np.arange(1000), true[200:]].mean())
    assert 0.89 < np.mean(rates) < 0.93
    assert set_threshold(of_true[:5], 0.9) == 0.0, "five rows promise nothing but sets of all classes"


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_equal_those_of_mapie(coverage):
    """Split conformal prediction with the score of Sadinle, Lei and Wasserman, by another library."""
    pytest.importorskip("mapie")
    from mapie.classification import SplitConformalClassifier
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):
        """Answers with the probabilities that it is asked with."""

        def fit(self, X, y):  # noqa: N803  (its name in scikit-learn)
            self.classes_ = np.arange(4)
            self.n_features_in_ = 4
            return self

        def predict_proba(self, X):  # noqa: N803
            return np.asarray(X)

        def predict(self, X):  # noqa: N803
            return np.asarray(X).argmax(axis=1)

    rng = np.random.default_rng(0)
    rows = rng.dirichlet([0.6] * 4, 900)
    true = np.array([rng.choice(4, p=row) for row in rows])
    held, others = rows[:300], rows[300:]
    reference = SplitConformalClassifier(Given().fit(held, true[:300]), confidence_level=coverage, conformity_score="lac")
    _, theirs = reference.conformalize(held, true[:300]).predict_set(others)
    threshold = set_threshold(held[np.arange(300), true[:300]], coverage)
    ours = others >= threshold
    assert np.array_equal(ours, theirs[:, :, 0])
    with_largest = Decisions(set_from=threshold).in_set(others)
    assert (with_largest | ours == with_largest).all(), "besides, the most probable class is always there"


def test_the_decision_is_what_costs_least():
    costs = parse_costs("false_alarm=1,miss=20", LABELS, {"ham": 0.9, "spam": 0.1})
    assert costs.matrix.tolist() == [[0, 1], [20, 0]]
    probabilities = np.array([[0.97, 0.03], [0.94, 0.06], [0.2, 0.8]])
    assert Decisions(costs=costs).decided(LABELS, probabilities, probabilities.argmax(1)) == ["ham", "spam", "spam"]
    assert parse_costs("miss=20", LABELS, {"ham": 0.1, "spam": 0.9}).matrix.tolist() == [[0, 20], [1, 0]], "of the rarer class"
    assert parse_costs("spam>ham=7", LABELS, {}).matrix.tolist() == [[0, 1], [7, 0]]


def test_a_file_may_name_other_decisions(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text("true,spam,ham,review\nham,10,0,1\nspam,0,5,1\n")
    costs = parse_costs(str(path), LABELS, {})
    assert costs.choices == ("spam", "ham", "review")
    probabilities = np.array([[0.5, 0.5], [0.99, 0.01]])
    assert Decisions(costs=costs).decided(LABELS, probabilities, probabilities.argmax(1)) == ["review", "ham"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("miss=much", "is no cost"),
        ("miss=-1", "is no cost"),
        ("spam>hamm=1", 'Did you mean "ham"'),
        ("loss=3", "is no pair of classes"),
        ("nowhere.csv", "cannot be read"),
    ],
)
def test_costs_that_are_none_are_told(text, why):
    with pytest.raises(ConfigError, match=why):
        parse_costs(text, LABELS, {})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("true,ham,spam\nham,0,1\n", 'no row for the class "spam"'),
        ("true,ham,spam\nham,0,1\nspam,2\n", "has 2 cells instead of 3"),
        ("true,ham,spam\nham,0,1\nspom,2,0\n", 'there is no class "spom"'),
        ("\n", "no table of true classes by decisions"),
    ],
)
def test_a_file_of_costs_that_is_none_is_told(tmp_path, content, why):
    path = tmp_path / "costs.csv"
    path.write_text(content)
    with pytest.raises(ConfigError, match=why):
        parse_costs(str(path), LABELS, {})


def test_false_alarms_are_of_two_classes():
    with pytest.raises(ConfigError, match="of two classes, and here are 3"):
        parse_costs("miss=3", ("a", "b", "c"), {})


def test_what_it_came_to_is_measured_beside_the_most_probable_class():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.55, 0.45]])
    true, said = np.array([0, 1, 1, 0]), np.array([0, 0, 1, 0])
    decisions = Decisions(answers_from=0.7, costs=Costs(LABELS, np.array([[0.0, 1], [20, 0]])), set_from=0.4)
    found = measured(decisions, LABELS, probabilities, said, true)
    assert (found["answered"], found["n_answered"], found["error"]["value"]) == (0.5, 2, 0.0)
    assert (found["cost"]["value"], found["usual_cost"]["value"], found["saved"]["value"]) == (0.5, 5.0, 4.5)
    assert (found["covered"]["value"], found["set_size"]) == (1.0, 1.5)


def test_a_run_decides_and_says_so_wherever_its_answers_go(tiny_model, tmp_path):
    data = write_csv(tmp_path / "data.csv", make_rows(240))
    wanted = {"target_error": "30%", "cost": "bad>good=3", "set_coverage": 0.8}
    settings = FAST | {f"task.options.{name}": value for name, value in wanted.items()}
    run = superfine.train(data, model=str(tiny_model("bert")), settings=settings, out=tmp_path / "run", progress=False)
    facts, test = run.metrics["decisions"], run.metrics["test"]["decisions"]
    assert facts["target_error"] == 0.3
    assert {"answered", "error", "cost", "saved", "covered", "set_size"} <= set(test)
    saved = json.loads((run.folder / "model" / "superfine.json").read_text())["task"]["decisions"]
    assert saved["costs"]["of_classes"] == [[0.0, 3.0], [1.0, 0.0]]
    model = superfine.load(run.folder)
    answers = model.predict(["this lamp is broken", "a lovely chair"])
    assert answers.decisions.answers_from == facts["answers_from"]
    assert {"decision", "set"} <= set(answers.to_columns()) & set(answers.to_objects()[0])
    assert "decision,set,p:bad,p:good" in (run.folder / "predictions.csv").read_text().splitlines()[0]
    assert "What is decided" in (run.folder / "report.html").read_text()
    assert "costs least by the probabilities" in (run.folder / "model" / "README.md").read_text()


def test_without_a_wish_nothing_is_decided(trained):
    assert "decisions" not in trained.metrics
    assert "decision" not in superfine.load(trained.folder).predict(["a lamp"]).to_columns()
