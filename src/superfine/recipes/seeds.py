"""`--seeds N`: the same training from several seeds; the best by validation is kept, and the spread is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from superfine.evaluation.evaluate import evaluate
from superfine.evaluation.repeated import over_trainings
from superfine.recipes.encode import EncodedParts
from superfine.recipes.fine_tune import CHECKPOINT, Opened, build_model, fine_tune
from superfine.recipes.prepare import Parts
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import Request
from superfine.recipes.trials import Trial, with_seed
from superfine.records import Evaluation, Examples, bounds_of

if TYPE_CHECKING:
    from superfine.model import Model


@dataclass(frozen=True)
class OfSeed:
    """What the training from a seed came to."""

    seed: int
    validation: Evaluation
    test: Evaluation


@dataclass(frozen=True)
class OverSeeds:
    """kept: the training that is best by validation. kept_seed: its seed. every: what each came to, in the order of seeds; of one
    seed nothing. was_interrupted: whether the user ended one."""

    kept: Trial
    kept_seed: int
    every: Sequence[OfSeed] = ()
    was_interrupted: bool = False

    def to_json(self) -> dict[str, Any]:
        """For each score of the table its mean, interval and deviation; nothing of a single training, after an interruption."""
        task = self.kept.model.task
        document: dict[str, Any] = {
            "kept": self.kept_seed,
            "runs": [
                {
                    "seed": one.seed,
                    "validation": _single(one.validation, (task.main,)),
                    "test": _single(one.test, task.shown.headline),
                }
                for one in self.every
            ],
        }
        if len(self.every) > 1:
            document["over"] = {
                name: over_trainings([one.test.scores[name] for one in self.every], bounds_of(task.scores[name])).to_json()
                for name in task.shown.headline
                if all(name in one.test.scores for one in self.every)
            }
        return document


def _single(evaluation: Evaluation, names: Sequence[str]) -> Mapping[str, Any]:
    return {name: evaluation.scores[name].to_json() for name in names if name in evaluation.scores}


def train_seeds(
    opened: Opened, model: Model, encoded: EncodedParts, parts: Parts, request: Request, reporter: Reporter
) -> OverSeeds:
    """Train `model`, and where more seeds are asked for others like it; one that is interrupted is the last, and counts if it is
    the only one."""
    first, n_seeds = parts.config.seed, parts.config.evaluation.seeds
    if n_seeds == 1:
        keeps_last = parts.config.evaluation.folds is not None
        trial = Trial(model, encoded, fine_tune(model, encoded, parts, request, reporter, keeps_last=keeps_last))
        return OverSeeds(trial, first, was_interrupted=trial.was_interrupted)
    best: tuple[float, int, Trial] | None = None
    every: list[OfSeed] = []
    was_interrupted = False
    for i in range(n_seeds):
        seed, own = first + i, with_seed(parts, first + i)
        reporter.stage("seeds")
        reporter.note(f"Seed {seed} ({i + 1} of {n_seeds})")
        if i:
            model = build_model(opened.pretrained, own, opened.encoder)
        checkpoint = CHECKPOINT if i == 0 else f"{CHECKPOINT}-{i}"
        trial = Trial(model, encoded, fine_tune(model, encoded, own, request, reporter, checkpoint, keeps_last=True))
        was_interrupted = trial.was_interrupted
        if was_interrupted and best is not None:
            reporter.note(f"The training from seed {seed} is left out.")
            break
        every.append(OfSeed(seed, _scored(model, parts.validation), _scored(model, parts.scored_test)))
        value = _by_validation(model, every[-1].validation, parts)
        worse = best[2] if best is not None else None
        if best is None or value > best[0]:
            best = value, seed, trial
        else:
            worse = trial
        if worse is not None:
            worse.model.backbone.release()
        if was_interrupted:
            break
    assert best is not None
    chosen = OverSeeds(best[2], best[1], every, was_interrupted)
    if len(every) > 1:
        reporter.note(f"Kept: the model from seed {best[1]}, the best on the validation part.")
        reporter.note(said(chosen))
    return chosen


def said(over: OverSeeds) -> str:
    """The main score over the seeds, in words."""
    task = over.kept.model.task
    found = over_trainings([one.test.scores[task.main] for one in over.every], bounds_of(task.scores[task.main]))
    mean, n = found.mean, len(over.every)
    return (
        f"Over {n} seeds the score is {mean.value:.3f} ± {found.deviation:.3f} (95 % over seeds and texts: {mean.low:.3f} to "
        f"{mean.high:.3f})"
    )


def _scored(model: Model, examples: Examples) -> Evaluation:
    statistics = model.task.statistics(examples, model.predict_examples(examples))
    return evaluate(statistics, model.task.single_scores, examples.group)


def _by_validation(model: Model, validation: Evaluation, parts: Parts) -> float:
    """The score that chooses, larger is better."""
    name = model.task.chosen_by(parts.config.training.choose_by)
    found = validation.scores.get(name)
    return float("-inf") if found is None else found.value * (1 if model.task.single_scores[name].rises else -1)
