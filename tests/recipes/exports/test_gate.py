"""The gate: who is no worse passes, who is worse by the margin hardly ever does, who is plainly worse never does."""

import numpy as np
import pytest

from superfine.errors import ConfigError, DataError
from superfine.evaluation.agreement import agreement
from superfine.recipes.exports.gate import Gate
from superfine.records import Choices
from superfine.tasks.classification import Classification
from tests.conftest import labelled

TASK = Classification(("bad", "good"))


def answers(ids):
    return Choices(np.arange(len(ids)), ("bad", "good"), np.eye(2)[ids])


def rows(n, rng):
    """True classes of n texts, and what a model that has 85 of 100 right says of them."""
    true = rng.integers(0, 2, n)
    said = np.where(rng.random(n) < 0.85, true, 1 - true)
    return labelled([f"text {i}" for i in range(n)], true, ("bad", "good")), true, said


def verdict(gate, examples, said, other):
    ours, theirs = answers(said), answers(other)
    return gate.verdict(TASK, examples, ours, theirs, agreement(ours.probabilities, theirs.probabilities, [ours, theirs]))


def losing(said, true, loss, churn, rng):
    """Other answers: so large a share of all rows is lost, and `churn` is won and lost besides."""
    right, wrong = (rng.permutation(np.flatnonzero(one)) for one in (said == true, said != true))
    n_lost, n_won = rng.binomial(len(said), loss + churn), rng.binomial(len(said), churn)
    other = said.copy()
    for places in (right[:n_lost], wrong[:n_won]):
        other[places] = 1 - other[places]
    return other


def test_equal_answers_pass():
    examples, _, said = rows(400, np.random.default_rng(0))
    found = verdict(Gate.of(1.0, 2.0), examples, said, said)
    assert found.passes
    assert found.to_json()["why_not"] == ""
    assert (found.n_changed, found.n_compared) == (0, 400)


def test_a_true_loss_at_the_margin_passes_at_most_once_in_twenty():
    rng, gate = np.random.default_rng(1), Gate.of(2.0, 100.0)
    n_passed = 0
    for _ in range(400):
        examples, true, said = rows(600, rng)
        n_passed += verdict(gate, examples, said, losing(said, true, 0.02, 0.005, rng)).passes
    assert n_passed <= 400 * 0.05 + 2 * np.sqrt(400 * 0.05 * 0.95)


def test_a_planted_bad_quantisation_is_refused_in_twenty_of_twenty_tries():
    rng = np.random.default_rng(2)
    for _ in range(20):
        examples, true, said = rows(600, rng)
        found = verdict(Gate.of(1.0, 100.0), examples, said, losing(said, true, 0.04, 0.01, rng))
        assert not found.passes
        assert "points of the main score may be lost" in found.why_not


def test_answers_that_change_both_ways_at_an_equal_score_are_refused_by_the_second_door():
    rng = np.random.default_rng(3)
    examples, true, said = rows(1000, rng)
    other = said.copy()
    for places in (np.flatnonzero(said == true)[:15], np.flatnonzero(said != true)[:15]):
        other[places] = 1 - other[places]
    found = verdict(Gate.of(2.0, 2.0), examples, said, other)
    assert found.shown is not None
    assert found.shown.holds
    assert not found.passes
    assert found.why_not == "30 of 1000 answers change, more than 2 %"


def test_what_rows_can_show_is_said_before_and_too_few_are_refused_with_how_many_it_takes():
    gate = Gate.of(1.0, 2.0)
    examples, _, said = rows(600, np.random.default_rng(4))
    assert "at most 6 of them are answered differently" in gate.plan(TASK, examples, answers(said))
    few = examples.take(range(267))
    with pytest.raises(DataError, match=r"needs 268 labelled rows .* there are 267"):
        gate.plan(TASK, few, answers(said[:267]))


def test_a_share_of_changes_is_sure_where_enough_texts_tell_it():
    gate = Gate.of(1.0, 2.0)

    def of(n_changed, n):
        return [
            agreement(np.zeros((n, 2)), np.zeros((n, 2)), [answers([0] * n), answers([1] * n_changed + [0] * (n - n_changed))])
        ]

    assert gate.surely_holds(of(9, 853))
    assert not gate.surely_holds(of(15, 853))
    assert not gate.changes_too_much(of(15, 853))
    assert gate.surely_holds([]), "nothing speaks against it"


def test_the_second_door_has_to_be_open_on_the_labelled_rows_alone():
    examples, _, said = rows(600, np.random.default_rng(5))
    other = said.copy()
    other[:20] = 1 - other[:20]
    ours, theirs = answers(said), answers(other)
    found = agreement(ours.probabilities, theirs.probabilities, [ours, theirs])
    more = agreement(np.zeros((9000, 2)), np.zeros((9000, 2)), [answers([0] * 9000)] * 2)
    assert (
        Gate.of(20.0, 2.0).verdict(TASK, examples, ours, theirs, found, [more]).why_not
        == "20 of 600 answers change, more than 2 %"
    )
    assert Gate.of(20.0, 4.0).verdict(TASK, examples, ours, theirs, found, [more]).passes
    worse = agreement(np.zeros((9000, 2)), np.zeros((9000, 2)), [answers([0] * 9000), answers([1] * 1000 + [0] * 8000)])
    assert not Gate.of(20.0, 4.0).verdict(TASK, examples, ours, theirs, found, [worse]).passes


def test_few_groups_show_nothing_however_many_rows_they_have():
    from dataclasses import replace

    examples, _, said = rows(600, np.random.default_rng(6))
    grouped = replace(examples, group=[str(i // 100) for i in range(600)])
    with pytest.raises(DataError, match=r"268 labelled groups of rows .* there are 6"):
        Gate.of(1.0, 2.0).plan(TASK, grouped, answers(said))
    found = verdict(Gate.of(1.0, 2.0), grouped, said, said)
    assert not found.passes
    assert "points of the main score may be lost" in found.why_not


@pytest.mark.parametrize(
    ("margin", "changed"), [(0, 2), (-1, 2), (1e-9, 2), (100, 2), (float("nan"), 2), (1, 0), (1, 101), (1, float("nan"))]
)
def test_a_gate_that_is_none_is_refused(margin, changed):
    with pytest.raises(ConfigError):
        Gate.of(margin, changed)
