"""One recorded run of a tiny model: who was handed what. Each promise has a mutation in `tests/test_mutations.py` that breaks it."""

import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import superfine
from superfine.data.clean import STEPS
from superfine.training.speed import Speed
from tests.conftest import FAST, make_rows, write_csv

N_GOOD, N_BAD, EPOCHS, BATCH = 264, 12, 3, 16
MAX_NORM, WARMUP = 0.05, 0.2
SETTINGS = FAST | {
    "training.epochs": EPOCHS,
    "training.patience": 0,
    "training.precision": "float32",
    "training.regularisers": {},
    "training.max_grad_norm": MAX_NORM,
    "training.warmup_ratio": WARMUP,
}


def table(folder):
    """Reviews with markup by authors of three rows each; one class has over ten times the rows of the other."""
    rows = make_rows(2 * N_GOOD + 40)
    chosen = [row for row in rows if row[1] == "good"][: N_GOOD - N_BAD] + [row for row in rows if row[1] == "bad"][:N_BAD]
    return write_csv(
        folder / "reviews.csv",
        [(f"<b>{text}</b> &amp; more", label, f"author {i // 3}") for i, (text, label) in enumerate(chosen)],
        ("text", "label", "author"),
    )


@pytest.fixture(scope="module")
def recorded(tiny_model, tmp_path_factory):
    """What the parts of a run were handed."""
    from superfine.baselines import features, tfidf
    from superfine.recipes import fine_tune, prepare, train
    from superfine.training import loop, optim

    seen = SimpleNamespace(
        splits=[], fitted=[], feature_texts=[], steps=[], factors=[], rates=[], scales=[], rows=[], row_rates=[], parts=[]
    )
    with pytest.MonkeyPatch.context() as patch:

        def spy(owner, name, note):
            """Call `note(arguments, result)` after each call of a function or method."""
            original = getattr(owner, name)

            def wrapped(*args, **kwargs):
                result = original(*args, **kwargs)
                note(args, kwargs, result)
                return result

            patch.setattr(owner, name, wrapped)

        spy(prepare, "split", lambda args, kwargs, _: seen.splits.append(kwargs["groups"]))
        spy(train, "prepare", lambda args, kwargs, parts: seen.parts.append(parts))
        fit = tfidf.Tfidf.fit.__func__

        def fitting(cls, examples, task, *, cleaning=()):
            seen.fitted.append(SimpleNamespace(examples=examples, task=task, cleaning=list(cleaning)))
            return fit(cls, examples, task, cleaning=cleaning)

        patch.setattr(tfidf.Tfidf, "fit", classmethod(fitting))
        spy(features.Features, "transform", lambda args, kwargs, _: seen.feature_texts.extend(args[1].text))

        obtain = loop.obtain_gradients

        def obtaining(state, batch, *rest, **more):
            outcome = obtain(state, batch, *rest, **more)
            optimiser = state.optimiser
            dense = [p.grad.clone() for p in optimiser.dense_parameters if p.grad is not None]
            table = optimiser.rows.weight.grad.coalesce().values().clone()
            seen.steps.append(
                SimpleNamespace(
                    indices=batch.indices,
                    targets=batch.targets,
                    logits=outcome.logits.detach().clone(),
                    loss=float(outcome.loss.detach()),
                    norm=math.sqrt(sum(float(g.square().sum()) for g in (*dense, table))),
                    table=table,
                )
            )
            return outcome

        patch.setattr(loop, "obtain_gradients", obtaining)

        def stepped(args, kwargs, _):
            optimiser = args[0]
            seen.factors.append(args[1])
            seen.rates.append([group["lr"] / group["peak_rate"] for group in optimiser.dense.param_groups])
            seen.scales.append(1 / float(optimiser.dense.grad_scale))

        spy(optim.Optimiser, "step", stepped)

        def stepped_rows(args, kwargs, _):
            _, _, gradient, factor = args
            seen.rows.append(gradient.clone())
            seen.row_rates.append(factor)

        spy(optim.RowAdamW, "step", stepped_rows)
        spy(fine_tune, "build_model", lambda args, kwargs, model: setattr(seen, "model", model))
        folder = tmp_path_factory.mktemp("wiring")
        run = superfine.train(
            table(folder), group="author", model=str(tiny_model("bert")), out=folder / "run", settings=SETTINGS, progress=False
        )
    seen.run = run
    (seen.parts,) = seen.parts
    return seen


def test_the_baseline_learns_from_training_and_validation_rows_and_from_no_test_row(recorded):
    (fitted,) = recorded.fitted
    parts = recorded.parts
    rows = set(fitted.examples.row.tolist())
    assert rows == {*parts.train.row.tolist(), *parts.validation.row.tolist()}
    assert len(parts.validation)
    assert rows.isdisjoint(parts.test.row.tolist())
    assert fitted.task.labels == parts.task.labels


def test_the_baseline_reads_texts_as_the_model_does(recorded):
    (fitted,) = recorded.fitted
    assert fitted.cleaning == list(STEPS)
    assert recorded.feature_texts
    assert not any("<b>" in text or "&amp;" in text for text in recorded.feature_texts)


def test_every_split_is_told_the_groups_and_no_group_is_on_two_sides(recorded):
    assert len(recorded.splits) == 2, "test and validation"
    assert all(groups is not None and len(set(groups)) > 10 for groups in recorded.splits)
    parts = [set(part.group) for part in (recorded.parts.train, recorded.parts.validation, recorded.parts.test)]
    assert parts[0].isdisjoint(parts[1] | parts[2])
    assert parts[1].isdisjoint(parts[2])


def test_the_loss_is_weighted_by_class(recorded):
    counts = np.bincount(recorded.parts.task.gold(recorded.parts.train))
    assert counts.max() > 10 * counts.min()
    weights = 1 / np.sqrt(counts)
    weights = torch.tensor(weights / (weights * counts).sum() * counts.sum(), dtype=torch.float32)
    weighed = 0
    for step in recorded.steps[:20]:
        assert step.loss == pytest.approx(float(F.cross_entropy(step.logits, step.targets, weight=weights)), rel=1e-5)
        weighed += abs(step.loss - float(F.cross_entropy(step.logits, step.targets))) > 1e-3
    assert weighed, "some batches have both classes"


def training_steps(recorded):
    """Without those that only measured the speed."""
    return recorded.steps[-len(recorded.factors) :]


def test_the_rate_rises_and_falls_for_every_parameter_the_word_embeddings_too(recorded):
    factors = np.array(recorded.factors)
    n = len(factors)
    assert n == EPOCHS * math.ceil(len(recorded.parts.train) / BATCH)
    peak = int(factors.argmax())
    assert peak == pytest.approx(WARMUP * n, abs=1.5)
    assert factors[0] < 0.2
    assert factors[peak] > 0.9
    assert (np.diff(factors[: peak + 1]) > 0).all()
    assert (np.diff(factors[peak:]) < 0).all()
    assert factors[-1] < 0.05
    np.testing.assert_allclose([max(rates) for rates in recorded.rates], factors)
    np.testing.assert_allclose([min(rates) for rates in recorded.rates], factors)
    np.testing.assert_allclose(recorded.row_rates, factors)


def test_all_gradients_are_clipped_together_those_of_the_word_embeddings_too(recorded):
    norms = np.array([step.norm for step in training_steps(recorded)])
    assert (norms > MAX_NORM).all(), "or the test says nothing"
    np.testing.assert_allclose(recorded.scales, MAX_NORM / norms, rtol=1e-3)
    for step, given, scale in zip(training_steps(recorded), recorded.rows, recorded.scales, strict=True):
        np.testing.assert_allclose(given, step.table * scale, rtol=1e-4, atol=1e-9)


def test_each_epoch_reads_every_row_once_in_an_order_of_its_own(recorded):
    steps, n = training_steps(recorded), math.ceil(len(recorded.parts.train) / BATCH)
    epochs = [steps[i * n : (i + 1) * n] for i in range(EPOCHS)]
    # A batch is sorted by length, so its rows are compared as a set.
    orders = [[frozenset(step.indices.tolist()) for step in epoch] for epoch in epochs]
    for order in orders:
        assert sorted(i for batch in order for i in batch) == list(range(len(recorded.parts.train)))
    assert orders[0] != orders[1]
    assert orders[1] != orders[2]


def test_intervals_are_of_95_per_cent(trained):
    from scipy.stats import binomtest

    test = trained.metrics["test"]
    right = round(test["accuracy"]["value"] * test["n"])
    wilson = binomtest(right, test["n"]).proportion_ci(confidence_level=0.95, method="wilson")
    assert (test["accuracy"]["low"], test["accuracy"]["high"]) == pytest.approx((wilson.low, wilson.high), abs=1e-9)


def test_resampled_intervals_are_of_95_per_cent():
    from superfine.evaluation.intervals import percentile_interval

    samples = np.random.default_rng(0).normal(0.5, 0.1, 100_000)
    interval = percentile_interval(0.5, samples, n=100, bounds=(0.0, 1.0))
    assert (interval.low, interval.high) == pytest.approx((0.5 - 0.196, 0.5 + 0.196), abs=0.003)


@pytest.fixture
def limited(tiny_model, tmp_path, monkeypatch):
    """A run under a limit of 100 s on a machine that scores the test part in 10 s, of whose time for training nine tenths are
    gone."""
    from superfine.recipes import fine_tune
    from superfine.training import clock, optim

    seen = SimpleNamespace(factors=[], clocks=[], started=time.monotonic())
    plan = fine_tune._plan

    def planned(state, encoded, config, request):
        speed = Speed(1e6, encoded.n_test_tokens / 10)
        with monkeypatch.context() as inner:
            inner.setattr(fine_tune, "measure_speed", lambda state: speed)
            seen.clocks.append(plan(state, encoded, config, request)[0])
        return seen.clocks[0], 1.0

    step = optim.Optimiser.step
    monkeypatch.setattr(fine_tune, "_plan", planned)
    monkeypatch.setattr(clock.Clock, "spent_share", lambda self: 0.9)
    monkeypatch.setattr(optim.Optimiser, "step", lambda self, factor: (seen.factors.append(factor), step(self, factor))[1])
    superfine.train(
        table(tmp_path), model=str(tiny_model("bert")), out=tmp_path / "run", settings=SETTINGS, time_limit="100s", progress=False
    )
    return seen


def test_a_time_limit_keeps_time_for_scoring_free_and_the_rate_follows_the_time(limited):
    # The test part and what is kept of the validation part are scored in float32, up to three times as slow as while training.
    assert limited.clocks[0].deadline < limited.started + 100 - 3 * 10
    assert limited.clocks[0].deadline > limited.started + 100 - 3 * 10 - 50
    assert max(limited.factors) < (1 - 0.9) / (1 - WARMUP) + 0.01
