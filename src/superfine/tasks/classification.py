"""One class for each text, or for each pair of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from superfine import metrics
from superfine.data.labels import Spelling, label_order, repr_label
from superfine.errors import ConfigError, DataError
from superfine.names import did_you_mean
from superfine.records import (
    SHARE,
    Choices,
    Count,
    Examples,
    FloatArray,
    Function,
    Head,
    IntArray,
    Mean,
    Ranking,
    Ratio,
    Score,
    Statistics,
    Totals,
)  # fmt: skip
from superfine.records.decisions import Decisions
from superfine.tasks.decisions import (
    Abstention,
    DecisionOptions,
    abstain,
    decision_facts,
    decisions_of,
    measured,
    parse_costs,
    promise_notes,
    set_threshold,
)
from superfine.tasks.task import Fold, Shown, Task, labels_of, rows_by_label

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from torch import Tensor

    from superfine.data.encoded import Encoded

OCCURS = {"support": 1.0, "predicted": 1.0}
"""A class counts in a mean over classes where it is the truth or the prediction of some text."""
PRECISION = Ratio({"hits": 1.0}, {"predicted": 1.0})
RECALL = Ratio({"hits": 1.0}, {"support": 1.0})
F1 = Ratio({"hits": 1.0}, {"support": 1.0, "predicted": 1.0, "hits": -1.0}, shape=metrics.f1_of_overlap)
MOST_RANKED_CLASSES = 200
"""With more classes the ROC area, one class against the rest, says little and costs minutes: it is left out."""


def _matthews(totals: Totals) -> FloatArray:
    return metrics.matthews_correlation(totals["hits"], totals["support"], totals["predicted"])


SCORES: dict[str, Score] = {
    "accuracy": Ratio({"hits": 1.0}, {"support": 1.0}, pooled=True),
    "macro_precision": Mean(PRECISION, OCCURS),
    "macro_recall": Mean(RECALL, OCCURS),
    "macro_f1": Mean(F1, OCCURS),
    "weighted_precision": Mean(PRECISION, OCCURS, {"support": 1.0}),
    "weighted_recall": Mean(RECALL, OCCURS, {"support": 1.0}),
    "weighted_f1": Mean(F1, OCCURS, {"support": 1.0}),
    "mcc": Function(_matthews, ("hits", "support", "predicted"), (-1.0, 1.0)),
    "log_loss": Ratio({"log_loss": 1.0}, {"rows": 1.0}, (0.0, np.inf), pooled=True, rises=False),
    "brier_score": Ratio({"brier": 1.0}, {"rows": 1.0}, (0.0, np.inf), pooled=True, rises=False),
    "calibration_error": Ranking(lambda columns, weights: metrics.calibration_error(columns, weights), SHARE, rises=False),
    "precision": PRECISION,
    "recall": RECALL,
    "f1": F1,
    "support": Count("support"),
}
"""By the names that `metrics.json` uses; the last four are by class. An undefined score of a class counts as 0 in a mean over
classes."""

FEWEST_CALIBRATED, N_FOLDS = 50, 5
"""A temperature needs so many validation rows at least."""
MOST_LOGITS = 2_000_000
"""Of more, some rows are enough to choose it by."""
TEMPERATURES = (0.1, 10.0)
RARE_FACTOR = 10.0
"""Class weights `auto` begins to weigh when the largest class has over so many times the rows of the smallest."""


class Classification(Task):
    """Softmax classification over K named classes.

    labels: the class names as they stand in the file, sorted (as numbers where all are numbers).
    spelling: which labels of a file mean which class. temperature: by which logits are divided; calibrated: by which those of the
    output layer were divided before.
    """

    name = "classification"
    main = "accuracy"
    regularisers = {"label_smoothing": {"amount": 0.1}}
    Options: ClassVar[type[BaseModel]] = DecisionOptions

    def __init__(self, labels: Sequence[str], spelling: Spelling | None = None) -> None:
        self._labels = tuple(labels)
        self.temperature, self.calibrated = 1.0, 1.0
        self.options = DecisionOptions()
        self.decisions = Decisions()
        self.abstention: Abstention | None = None
        self.spelling = Spelling.of_classes(self._labels) if spelling is None else spelling
        self._ids = {label: i for i, label in enumerate(self._labels)}

    @classmethod
    def suits(cls, labels: Sequence[str], n_columns: int) -> str:
        return f"{len(set(labels) - {''})} different names"

    @classmethod
    def is_possible(cls, labels: Sequence[str], n_columns: int) -> bool:
        different = set(labels)
        return n_columns == 1 and len(different) <= len(labels) / 2 and not any(label[:1] in ("[", "{") for label in different)

    @classmethod
    def learn(cls, examples: Examples, options: Any = None, *, merges: bool = False) -> Self:
        """The task whose classes are the different labels. Raises DataError when there is only one."""
        refuse_objects(examples)
        spelling = Spelling.learn(labels_of(examples), merges=merges)
        names = sorted(spelling.classes.values(), key=label_order)
        if len(names) < 2:
            only = f'only the class "{names[0]}"' if names else "no class at all"
            raise DataError(
                f"The training part holds {only}.", "A classifier needs at least two classes. Is the label column the right one?"
            )
        task = cls(names, spelling=spelling)
        if isinstance(options, DecisionOptions):
            task.options = options
            if options.cost is not None:
                counts = Counter(spelling.of(label) for label in labels_of(examples))
                costs = parse_costs(options.cost, names, {name: counts[name] / len(examples) for name in names})
                task.decisions = replace(task.decisions, costs=costs)
        return task

    def facts(self) -> dict[str, Any]:
        return {
            "labels": list(self.labels),
            "merge_labels": self.spelling.merges,
            "merged_labels": {name: list(others) for name, others in self.spelling.joined.items()},
            "calibrated": self.calibrated,
            **(
                {}
                if self.decisions == Decisions()
                else {"decisions": decision_facts(self.decisions, self.options, self.abstention)}
            ),
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        labels, merges = different_names(facts), bool(facts.get("merge_labels"))
        joined = {str(name): list(others) for name, others in dict(facts.get("merged_labels") or {}).items()}
        task = cls(labels, spelling=replace(Spelling.of_classes(labels, merges=merges), joined=joined))
        task.calibrated = float(facts.get("calibrated", 1.0))
        if not (np.isfinite(task.calibrated) and task.calibrated > 0):
            raise ValueError("calibrated: a positive number is needed")
        if (found := facts.get("decisions")) is not None:
            task.decisions = decisions_of(found, len(labels))
        return task

    @property
    def head(self) -> Head:
        return Head(self._labels)

    @property
    def shown(self) -> Shown:
        summary = f"{len(self.labels)} classes"
        return Shown(
            title="Text classifier",
            summary=summary,
            purpose=f"Tells {len(self.labels)} classes apart in text.",
            limits=(
                "Every text gets one of the classes, even where none fits.",
                "The probabilities are the model's own: no temperature would have made those of the validation texts better."
                if self.calibrated == 1.0
                else f"The probabilities were calibrated on the validation texts, with a temperature of {self.calibrated:.3g}.",
            ),
            headline=("accuracy", "macro_f1", "mcc"),
            sections=("classes", "confusion"),
        )

    @property
    def scores(self) -> dict[str, Score]:
        n_classes = len(self.labels)
        return (
            SCORES if n_classes > MOST_RANKED_CLASSES else SCORES | {"roc_auc": Ranking(_roc_auc, SHARE, cost=float(n_classes))}
        )

    def spelled(self, examples: Examples) -> Examples:
        return self.spelling.apply(examples)

    def notes(self) -> tuple[str, ...]:
        return notes_on(self.spelling)

    def is_known(self, examples: Examples) -> NDArray[np.bool_]:
        labels = labels_of(examples)
        known = {label: self.spelling.of(label) in self._ids for label in set(labels)}
        return np.array([known[label] for label in labels], dtype=bool)

    def gold(self, examples: Examples) -> IntArray:
        """(n,) the class id of each example. Raises DataError that names values and rows which training never saw."""
        labels = labels_of(examples)
        ids = {label: self._ids.get(self.spelling.of(label)) for label in set(labels)}
        unknown = [i for i, label in enumerate(labels) if ids[label] is None]
        if unknown:
            raise DataError(
                f"{examples.source}: labels that the training part never had: {rows_by_label(examples, unknown)}.",
                "Correct them, add training rows with these labels, or leave such rows out of the score: --ignore-unknown-labels",
            )
        return np.array([ids[label] for label in labels], dtype=np.int64)

    def strata(self, examples: Examples) -> IntArray:
        """(n,) the class ids."""
        return self.gold(examples)

    def why_not_held_out(self, examples: Examples) -> str:
        if examples.group is not None and len(set(examples.group)) < 2 * len(self.labels):
            n_groups = len(set(examples.group))
            return f"the --group column holds only {n_groups} groups, and a group is never split. Choose another one"
        if len(self.labels) > len(examples) / 2:
            return (
                f"there are {len(self.labels)} classes in {len(examples)} rows, and the only row of a class stays. "
                "Check that the label column is the right one"
            )
        return ""

    def class_weights(self, setting: str | Mapping[str, float], examples: Examples) -> FloatArray | None:
        if isinstance(setting, str):
            return chosen_weights(setting, self.gold(examples), len(self.labels))
        unknown = [name for name in setting if self.spelling.of(name) not in self._ids]
        if unknown:
            raise ConfigError(
                f'training.class_weights: there is no class "{unknown[0]}".{did_you_mean(unknown[0], self.labels)}',
                f"Classes: {', '.join(self.labels[:20])}.",
            )
        weights = np.ones(len(self.labels))
        for name, weight in setting.items():
            weights[self._ids[self.spelling.of(name)]] = weight
        return weights

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(n,) cross-entropy in nats of (n, K) logits against (n,) class ids."""
        from torch.nn import functional as F

        return F.cross_entropy(outputs, targets, reduction="none")

    def adjusted(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Self:
        """With the temperature that makes the probabilities of these rows best, where it does so by folds (Guo et al. 2017)."""
        task = copy(self)
        task.temperature = choose_temperature(outputs, self.gold(examples))
        return task._with_thresholds(examples, metrics.softmax(outputs / task.temperature))

    def _with_thresholds(self, examples: Examples, probabilities: FloatArray) -> Self:
        """With what decisions need of validation rows, in place."""
        true, said = self.gold(examples), probabilities.argmax(axis=1)
        if self.options.target_error is not None:
            confidence = probabilities[np.arange(len(said)), said]
            self.abstention = abstain(confidence, said == true, self.options.target_error)
            self.decisions = replace(self.decisions, answers_from=self.abstention.answers_from)
        if self.options.set_coverage is not None:
            of_true = probabilities[np.arange(len(true)), true]
            self.decisions = replace(self.decisions, set_from=set_threshold(of_true, self.options.set_coverage))
        return self

    def learned_notes(self) -> tuple[str, ...]:
        return promise_notes(self.options, self.abstention)

    @property
    def fold(self) -> Fold | None:
        if self.temperature == 1.0:
            return None
        return Fold(np.full(len(self.labels), 1 / self.temperature), np.zeros(len(self.labels)))

    def folded(self, *, shifted: bool) -> Self:
        task = copy(self)
        task.temperature, task.calibrated = 1.0, self.calibrated * self.temperature
        return task

    def decode(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Choices:
        """Softmax in float64: (n, K) logits to class probabilities."""
        own = None if self.decisions == Decisions() else self.decisions
        return Choices(examples.row, self.labels, metrics.softmax(outputs / self.temperature), decisions=own)

    def statistics(self, examples: Examples, answers: Choices) -> Statistics:
        """What each answer adds: one hit, one text of its class, one text called so, its log loss in nats."""
        if answers.labels != self.labels:
            raise ValueError("the answers are over other classes, or over the same in another order")
        true, said = self.gold(examples), answers.class_ids
        if len(true) != len(said):
            raise ValueError(f"{len(true)} true labels for {len(said)} answers")
        n_classes = len(self.labels)
        sums = {
            "hits": _one_hot(true, n_classes, where=true == said),
            "support": _one_hot(true, n_classes),
            "predicted": _one_hot(said, n_classes),
            "log_loss": metrics.log_losses(true, answers.probabilities),
            "brier": metrics.brier_losses(true, answers.probabilities),
            "rows": np.ones(len(true)),
        }
        columns: dict[str, Any] = {"confidence": answers.confidence, "right": (true == said).astype(np.float64)}
        if n_classes <= MOST_RANKED_CLASSES:
            columns |= {"true": true, "probabilities": answers.probabilities}
        return Statistics(sums, columns, self.labels)

    def details(self, examples: Examples, answers: Choices) -> dict[str, Any]:
        """confusion: [true class, predicted class, count] for every pair that occurs. calibration: of groups of texts of similar
        confidence the mean confidence, the share that is right, and how many they are. confidence: how often answers of which
        confidence are right and wrong. Of two classes also thresholds: see `operating_points`."""
        true, said = self.gold(examples), answers.class_ids
        details: dict[str, Any] = {
            "confusion": metrics.confusion_cells(true, said, len(self.labels)).tolist(),
            "calibration": metrics.calibration_groups(answers.confidence, true == said),
            "confidence": metrics.confidence_histogram(answers.confidence, true == said),
        }
        if self.decisions != Decisions():
            details["decisions"] = measured(self.decisions, self.labels, answers.probabilities, said, true)
        if len(self.labels) == 2 and len(set(true.tolist())) == 2:
            rarer = int(np.mean(true) <= 0.5)
            points = metrics.operating_points(answers.probabilities[:, rarer], true == rarer)
            details["thresholds"] = {"label": self.labels[rarer], "points": points}
        return details

    def worst(self, examples: Examples, answers: Choices) -> IntArray:
        """The wrong answers that the model was surest of: often they show wrong labels rather than a wrong model."""
        wrong = np.flatnonzero(self.gold(examples) != answers.class_ids)
        return wrong[np.argsort(-answers.confidence[wrong], kind="stable")]


def refuse_objects(examples: Examples) -> None:
    """Raises DataError for labels that were read from several columns."""
    if any(label.startswith("{") and label.endswith("}") for label in labels_of(examples)[:1]):
        raise DataError(
            f"{examples.source}: the label is an object or read from several columns (row {int(examples.row[0])}: "
            f"{labels_of(examples)[0][:60]}), and a class is one value.",
            "Name one column with --label, or choose another --task: one of several labels, or of distributions.",
        )


def notes_on(spelling: Spelling) -> tuple[str, ...]:
    """Labels of the training data that were read as another one."""
    described = "; ".join(
        f"{', '.join(map(repr_label, others[:5]))}{' …' if len(others) > 5 else ''} = {repr_label(name)}"
        for name, others in list(spelling.joined.items())[:5]
    )
    return (f"Labels that are read as one class: {described}",) if described else ()


def different_names(facts: Mapping[str, Any]) -> list[str]:
    """The labels in the facts of a task. Raises ValueError where there is none, one is no text, or two are the same."""
    labels = facts.get("labels")
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels: a list of names is needed")
    if len(set(labels)) < len(labels):
        raise ValueError("labels: two classes have the same name")
    return labels


def choose_temperature(logits: FloatArray, true: IntArray) -> float:
    """The temperature with the least log loss of (n, K) logits, or 1 where it lowers that of no rows it was not chosen by."""
    some = np.random.default_rng(0).permutation(len(true))[: max(FEWEST_CALIBRATED, MOST_LOGITS // logits.shape[1])]
    logits, true, n = logits[some], true[some], len(some)
    if n < FEWEST_CALIBRATED:
        return 1.0
    fold = np.random.default_rng(0).permutation(n) % N_FOLDS
    losses = np.zeros(n)
    for k in range(N_FOLDS):
        here = fold == k
        losses[here] = _log_losses(logits[here], true[here], _best_temperature(logits[~here], true[~here]))
    if losses.mean() >= _log_losses(logits, true, 1.0).mean():
        return 1.0
    return _best_temperature(logits, true)


def _best_temperature(logits: FloatArray, true: IntArray) -> float:
    from scipy.optimize import minimize_scalar

    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(lambda log: _log_losses(logits, true, np.exp(log)).mean(), bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


def _log_losses(logits: FloatArray, true: IntArray, temperature: float) -> FloatArray:
    return metrics.log_losses(true, metrics.softmax(logits / temperature))


def _roc_auc(columns: Any, weights: FloatArray) -> FloatArray:
    return metrics.roc_auc(columns["true"], columns["probabilities"], weights)


def _one_hot(classes: IntArray, n_classes: int, where: NDArray[np.bool_] | None = None) -> csr_array:
    """(n, K) sparse: 1 at the class of each row, or nothing."""
    from scipy.sparse import csr_array

    filled = np.ones(len(classes), dtype=bool) if where is None else where
    starts = np.concatenate([[0], np.cumsum(filled)])
    return csr_array((np.ones(int(filled.sum())), classes[filled], starts), shape=(len(classes), n_classes))


def balanced_weights(targets: IntArray, n_classes: int) -> FloatArray:
    """(K,) weights by the inverse of the class sizes, n / (K · size), as scikit-learn's "balanced": each class counts as much in
    all."""
    counts = np.bincount(targets, minlength=n_classes)
    n_present = int((counts > 0).sum())
    return np.asarray(len(targets) / (n_present * np.maximum(counts, 1)), dtype=np.float64)


def square_root_weights(targets: IntArray, n_classes: int) -> FloatArray:
    """(K,) weights by the inverse square root of the class sizes, with mean one over the rows.

    The square root is between no weights and full balance: full balance makes a rare class's few rows steer the model.
    """
    counts = np.maximum(np.bincount(targets, minlength=n_classes), 1).astype(np.float64)
    weights = 1.0 / np.sqrt(counts)
    return np.asarray(weights * counts.sum() / (weights * counts).sum(), dtype=np.float64)


def chosen_weights(setting: str, targets: IntArray, n_classes: int) -> FloatArray | None:
    """The class weights for `training.class_weights`: "none", "balanced", or "auto": by the square root where classes differ
    much."""
    if setting == "balanced":
        return balanced_weights(targets, n_classes)
    counts = np.bincount(targets, minlength=n_classes)
    counts = counts[counts > 0]
    needed = setting == "auto" and counts.max() > RARE_FACTOR * counts.min()
    return square_root_weights(targets, n_classes) if needed else None
