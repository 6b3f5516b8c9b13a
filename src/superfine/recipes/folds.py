"""`--folds N`: cross-validation. Every row is answered by a model, and by baselines, that have not learned from its fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from superfine.data.clean import same_text_keys
from superfine.data.split import fold_of
from superfine.errors import ConfigError
from superfine.evaluation.evaluate import evaluate
from superfine.recipes.baselines import FittedBaseline, fit_baselines
from superfine.recipes.frozen_embeddings import Embed
from superfine.recipes.prepare import Parts, hold_out_validation
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import Request
from superfine.records import Answers, Evaluation, Examples, IntArray
from superfine.tasks.task import Task

if TYPE_CHECKING:
    from superfine.recipes.fine_tune import Opened

NOT_ALL_FOLDS = "Interrupted: without every fold there is no score. --resume goes on behind the trainings that are done."


@dataclass(frozen=True)
class CrossValidation:
    """answers: to the rows of `parts.test`, by models that have not learned from them. baselines: fitted on all rows, with
    answers of that kind. folds: the scores of each."""

    parts: Parts
    answers: Answers
    baselines: dict[str, FittedBaseline]
    folds: Sequence[Evaluation]

    def to_json(self, task: Task) -> dict[str, Any]:
        """The scores of each fold, and their mean and standard deviation."""
        names = task.shown.headline
        found = {name: [fold.scores[name].value for fold in self.folds if name in fold.scores] for name in names}
        return {
            "runs": [
                {"n": fold.n, **{name: fold.scores[name].to_json() for name in names if name in fold.scores}}
                for fold in self.folds
            ],
            "over": {
                name: {"mean": float(np.mean(values)), "deviation": float(np.std(values, ddof=1))}
                for name, values in found.items()
                if len(values) > 1
            },
        }


def refuse_beside_folds(request: Request) -> None:
    """Raises ConfigError for what cross-validation leaves no room for."""
    evaluation = request.config.evaluation
    if evaluation.folds is None:
        return
    reasons = {
        "--test": request.test is not None,
        "--validation": request.validation is not None,
        "--seeds": evaluation.seeds > 1,
        "--learning-curve": evaluation.learning_curve,
        "--time": request.config.data.time is not None,
        "--target-error": request.config.task.options.get("target_error") is not None,
        "--set-coverage": request.config.task.options.get("set_coverage") is not None,
    }
    for option, is_given in reasons.items():
        if is_given:
            raise ConfigError(f"--folds tests on every row of the data in turn: {option} does not go with it.", "Leave one out.")


def in_folds(parts: Parts) -> tuple[Examples, IntArray]:
    """All rows that there are, in their order, and the fold of each."""
    rows = parts.train.joined(parts.validation)
    rows = rows.take(np.argsort(rows.row, kind="stable"))
    n_folds = parts.config.evaluation.folds or 2
    keys = same_text_keys(rows.text, rows.text_pair)
    fold = fold_of(parts.task.strata(rows), keys, n_folds, seed=parts.config.seed, groups=rows.group)
    if len(np.unique(fold)) < n_folds:
        raise ConfigError(
            f"--folds {n_folds}: the rows are too few different texts or groups for so many folds.", "Ask for fewer of them."
        )
    return rows, fold


def cross_validate(
    opened: Opened,
    parts: Parts,
    fitted: Mapping[str, FittedBaseline],
    embed: Embed | None,
    request: Request,
    reporter: Reporter,
) -> CrossValidation:
    """Train without each fold in turn and let that model answer for it. fitted: the baselines, on all rows.

    Raises KeyboardInterrupt where a training is interrupted: without one fold there is no score of all rows.
    """
    from superfine.recipes.trials import run_trial

    rows, fold = in_folds(parts)
    answers: list[Answers] = []
    theirs: dict[str, list[Answers]] = {name: [] for name in fitted}
    scores, order = [], []
    n_folds = int(fold.max()) + 1
    for k in range(n_folds):
        reporter.stage("folds")
        reporter.note(f"Fold {k + 1} of {n_folds}")
        tested = np.flatnonzero(fold == k)
        train, validation = hold_out_validation(rows.take(np.flatnonzero(fold != k)), parts.task, parts.config)
        test = rows.take(tested)
        own = replace(
            parts, train=train, validation=validation, test=test, scored=np.arange(len(test)), scored_test=test, unscored_rows=()
        )
        trial = run_trial(opened, own, request, reporter, f"checkpoint-fold-{k}")
        if trial.was_interrupted:
            raise KeyboardInterrupt(NOT_ALL_FOLDS)
        answers.append(trial.model.predict_examples(test))
        scores.append(evaluate(trial.model.task.statistics(test, answers[-1]), trial.model.task.single_scores, test.group))
        trial.model.backbone.release()
        of_fold = fit_baselines(own, Reporter(), embed).fitted
        for name in [name for name in theirs if name not in of_fold]:
            del theirs[name]  # what could not be fitted once has no answers for all rows
        for name, found in theirs.items():
            found.append(of_fold[name].answers)
        order.append(tested)
    back = np.argsort(np.concatenate(order))
    whole = replace(parts, test=rows, scored=np.arange(len(rows), dtype=np.int64), scored_test=rows, unscored_rows=())
    return CrossValidation(whole, _in_order(answers, back), _baselines(fitted, theirs, back), scores)


def _in_order(answers: Sequence[Answers], back: IntArray) -> Answers:
    return type(answers[0]).joined(answers).take(back)


def _baselines(
    fitted: Mapping[str, FittedBaseline], theirs: Mapping[str, list[Answers]], back: IntArray
) -> dict[str, FittedBaseline]:
    return {name: replace(fitted[name], answers=_in_order(found, back)) for name, found in theirs.items()}
