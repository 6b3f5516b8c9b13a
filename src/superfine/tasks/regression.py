"""A number for each text, or for each pair of texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from superfine import metrics
from superfine.errors import DataError
from superfine.records import (
    SHARE,
    Examples,
    FloatArray,
    Function,
    Head,
    IntArray,
    Ranking,
    Ratio,
    Score,
    Statistics,
    Totals,
    Values,
)  # fmt: skip
from superfine.tasks.task import Fold, Shown, Task, labels_of, rows_by_label

if TYPE_CHECKING:
    from torch import Tensor

    from superfine.data.encoded import Encoded

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
N_STRATA = 10
LIKE_CLASSES = 10
COVERAGE = 0.95
FEWEST_RESIDUALS = 20
"""An interval of 95 % needs the residuals of so many validation rows at least: with 19 the largest is its end."""
MOST_GRADES = 10
"""Whole numbers with more different values are no grades; fewer may be classes."""
FEWEST_FRACTIONS = 6
"""Fewer different numbers with fractions are as likely names of versions or of chapters."""
DENSE, MOST_CODES = 0.8, 50
"""Numbers of classes leave hardly any out; a few that are far apart are codes."""
MOST = 0.95
"""Where so many are numbers the others are mistakes, which are named."""
LARGEST = 1e30
ROUND_SCALES = (100, 1000)
"""A scale that reaches from 0 or 1 to such a number is one of points, though every number may occur."""
QUANTILES = (0.0, 0.1, 0.25, 0.75, 0.9, 1.0)
"""Of the residuals, for the report."""
N_POINTS = 400
"""So many test texts are drawn in the report."""


@dataclass(frozen=True)
class Scale:
    """The mean and the standard deviation of the numbers of the training rows."""

    mean: float
    deviation: float


class Regression(Task):
    """The squared error of numbers is minimised, in units of their standard deviation.

    scale: of the training rows. centre, factor: what makes numbers of outputs, `centre + factor · output`. half_width: of the
    95 % interval of a prediction, from the residuals of validation rows, or None.
    """

    name = "regression"
    main = "r2"
    reads_classes = False

    def __init__(
        self, scale: Scale, centre: float | None = None, factor: float | None = None, half_width: float | None = None
    ) -> None:
        self.scale = scale
        self.centre = scale.mean if centre is None else centre
        self.factor = scale.deviation if factor is None else factor
        self.half_width = half_width

    @classmethod
    def suits(cls, labels: Sequence[str], n_columns: int) -> str:
        """Numbers that are no grades and no numbers of classes."""
        cells = [label for label in labels if label]
        numbers = [cell for cell in cells if NUMBER.fullmatch(cell)]
        if n_columns > 1 or not cells or len(numbers) < MOST * len(cells):
            return ""
        values = np.unique([float(cell) for cell in set(numbers)])
        if (values != np.round(values)).any():
            return "numbers with fractions" if len(values) >= FEWEST_FRACTIONS else ""
        low, high = values[0], values[-1]
        if len(values) <= MOST_GRADES:
            return ""
        step = float(np.gcd.reduce(np.diff(values).astype(np.int64)))
        is_dense = len(values) >= DENSE * ((high - low) / step + 1)
        are_ids = is_dense and step == 1 and low in (0, 1) and high not in ROUND_SCALES
        are_codes = not is_dense and len(values) <= MOST_CODES
        return "" if are_ids or are_codes else f"{len(values)} different whole numbers from {low:.0f} to {high:.0f}"

    @classmethod
    def is_possible(cls, labels: Sequence[str], n_columns: int) -> bool:
        return n_columns == 1 and all(NUMBER.fullmatch(label) for label in set(labels) if label)

    @classmethod
    def learn(cls, examples: Examples, options: Any = None, *, merges: bool = False) -> Self:
        """Mean and deviation. Raises DataError for what is no number, and where all are the same."""
        values = _numbers(examples)
        deviation = float(values.std())
        if not deviation > 1e-9 * float(np.abs(values).max()):
            raise DataError(
                f"Every row of the training part has the number {values[0]:g}.", "Is the label column the right one? Use --label."
            )
        return cls(Scale(float(values.mean()), deviation))

    def facts(self) -> dict[str, Any]:
        return {
            "mean": self.scale.mean,
            "deviation": self.scale.deviation,
            "centre": self.centre,
            "factor": self.factor,
            "half_width": self.half_width,
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        try:
            mean, deviation, centre, factor = (float(facts[key]) for key in ("mean", "deviation", "centre", "factor"))
            half_width = None if facts.get("half_width") is None else float(facts["half_width"])
        except (KeyError, TypeError, ValueError):
            raise ValueError("mean, deviation, centre, factor: numbers are needed") from None
        if not all(map(np.isfinite, (mean, deviation, centre, factor))) or not deviation > 0:
            raise ValueError("mean, deviation, centre, factor: finite numbers are needed")
        return cls(Scale(mean, deviation), centre, factor, half_width)

    @property
    def head(self) -> Head:
        return Head(("value",), "regression")

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    @property
    def size(self) -> int:
        """Numbers take as many steps as some classes: small batches and three passes (docs/experiments.md)."""
        return LIKE_CLASSES

    @property
    def shown(self) -> Shown:
        summary = "one number each"
        limits = []
        if self.half_width is not None:
            limits.append(
                f"The interval of a prediction is as wide for every text, {self.half_width:.3g} to either side: 95 % of the "
                "validation texts were as near."
            )
        if self.centre:
            limits.append(
                f"The head of this type of model cannot be shifted: add {self.centre:.6g} to what plain transformers gives. "
                "Superfine does so by itself."
            )
        return Shown(
            title="Text regression",
            summary=summary,
            purpose=f"Gives a number for a text; those of the training texts have a mean of {self.scale.mean:.3g} and a standard "
            f"deviation of {self.scale.deviation:.3g}.",
            limits=tuple(limits),
            headline=("r2", "spearman", "rmse"),
            sections=("numbers",),
        )

    @property
    def scores(self) -> dict[str, Score]:
        """All in the user's units but R² and the correlations; sums are of deviations from the training mean."""
        unit = self.scale.deviation

        def rmse(totals: Totals) -> FloatArray:
            return unit * np.sqrt(totals["squares"][..., 0] / totals["rows"][..., 0])

        found: dict[str, Score] = {
            "r2": Function(_r2, ("squares", "true", "true2", "rows"), (-np.inf, 1.0)),
            "pearson": Function(_pearson, ("true", "true2", "said", "said2", "product", "rows"), (-1.0, 1.0)),
            "spearman": Ranking(_spearman, (-1.0, 1.0), cost=4.0),
            "rmse": Function(rmse, ("squares", "rows"), (0.0, np.inf), rises=False),
            "mae": Ratio({"error": 1.0}, {"rows": 1.0}, (0.0, np.inf), pooled=True, rises=False),
        }
        if self.half_width is not None:
            found["coverage"] = Ratio({"covered": 1.0}, {"bounded": 1.0}, SHARE, pooled=True)
        return found

    def gold(self, examples: Examples) -> FloatArray:
        """(n,) the numbers. Raises DataError that names values and rows which are none."""
        return _numbers(examples)

    def targets(self, examples: Examples, encoded: Encoded | None = None) -> Any:
        """(n, 1) in units of the outputs."""
        return ((_numbers(examples) - self.centre) / self.factor)[:, None].astype(np.float32)

    def is_known(self, examples: Examples) -> NDArray[np.bool_]:
        """(n,) which labels are numbers."""
        return np.array([_is_number(cell) for cell in labels_of(examples)], dtype=bool)

    def why_not_scored(self, examples: Examples) -> str:
        return "" if len(np.unique(_numbers(examples))) > 1 else "all of its numbers are the same"

    def strata(self, examples: Examples) -> IntArray:
        """(n,) tenths of the rows, by their numbers."""
        values = _numbers(examples)
        ends = np.unique(np.quantile(values, np.linspace(0, 1, N_STRATA + 1)[1:-1]))
        return np.searchsorted(ends, values).astype(np.int64)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(n,) squared differences of (n, 1) outputs and targets."""
        return (outputs - targets.to(outputs.dtype)).square().sum(dim=-1)

    def adjusted(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Self:
        """With the half width of an interval that holds 95 % of further rows like these (split conformal prediction, Lei et al.
        2018)."""
        residuals = np.sort(np.abs(self._values(outputs) - _numbers(examples)))
        n = len(residuals)
        rank = int(np.ceil((n + 1) * COVERAGE))
        half_width = float(residuals[rank - 1]) if n >= FEWEST_RESIDUALS and rank <= n else None
        return type(self)(self.scale, self.centre, self.factor, half_width)

    @property
    def fold(self) -> Fold:
        return Fold(np.array([self.factor]), np.array([self.centre]))

    def folded(self, *, shifted: bool) -> Self:
        return type(self)(self.scale, 0.0 if shifted else self.centre, 1.0, self.half_width)

    def choices(self) -> dict[str, Any]:
        return {"mean": self.scale.mean, "deviation": self.scale.deviation}

    def _values(self, outputs: FloatArray) -> FloatArray:
        return np.asarray(self.centre + self.factor * outputs[:, 0].astype(np.float64))

    def decode(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Values:
        values = self._values(outputs)
        half_width = np.inf if self.half_width is None else self.half_width
        return Values(examples.row, values, values - half_width, values + half_width)

    def statistics(self, examples: Examples, answers: Values) -> Statistics:
        """What each answer adds: number, prediction, their squares and product, the error; in deviations from the mean."""
        gold = _numbers(examples)
        true, said = ((numbers - self.scale.mean) / self.scale.deviation for numbers in (gold, answers.values))
        sums = {
            "true": true,
            "true2": true**2,
            "said": said,
            "said2": said**2,
            "product": true * said,
            "squares": (true - said) ** 2,
            "error": np.abs(gold - answers.values),
            "bounded": np.isfinite(answers.high).astype(np.float64),
            "covered": np.isfinite(answers.high) * ((answers.low <= gold) & (gold <= answers.high)).astype(np.float64),
            "rows": np.ones(len(true)),
        }
        return Statistics(sums, {"true": true, "said": said})

    def details(self, examples: Examples, answers: Values) -> dict[str, Any]:
        """points: [number, prediction] of some texts, evenly spread. residuals: quantiles of prediction minus number."""
        gold = _numbers(examples)
        some = np.unique(np.linspace(0, max(0, len(gold) - 1), min(N_POINTS, len(gold))).astype(int))
        residuals = np.quantile(answers.values - gold, QUANTILES).tolist() if len(gold) else []
        return {"points": [[float(gold[i]), float(answers.values[i])] for i in some], "residuals": residuals}

    def worst(self, examples: Examples, answers: Values) -> IntArray:
        """The rows furthest from their numbers."""
        return np.argsort(-np.abs(answers.values - _numbers(examples)), kind="stable")


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None and abs(float(cell)) <= LARGEST


def _numbers(examples: Examples) -> FloatArray:
    cells = labels_of(examples)
    odd = [i for i, cell in enumerate(cells) if not _is_number(cell)]
    if odd:
        with_comma = all("," in cells[i] for i in odd)
        raise DataError(
            f"{examples.source}: labels that are no numbers: {rows_by_label(examples, odd)}.",
            "Write numbers with a point and without commas."
            if with_comma
            else "Correct them, or choose another task with --task.",
        )
    return np.array([float(cell) for cell in cells], dtype=np.float64)


def _r2(totals: Totals) -> FloatArray:
    """1 - squared error / squared deviations from the mean of these rows."""
    n, true, true2, squares = (totals[key][..., 0] for key in ("rows", "true", "true2", "squares"))
    spread = true2 - true**2 / np.maximum(n, 1)
    return np.where(spread > 1e-12, 1 - squares / np.where(spread > 1e-12, spread, 1), np.nan)


def _pearson(totals: Totals) -> FloatArray:
    n, x, x2, y, y2, xy = (totals[key][..., 0] for key in ("rows", "true", "true2", "said", "said2", "product"))
    covariance, spread_x, spread_y = n * xy - x * y, n * x2 - x**2, n * y2 - y**2
    product = spread_x * spread_y
    defined = product > 1e-12 * np.maximum(n, 1) ** 4
    return np.where(defined, covariance / np.sqrt(np.where(defined, product, 1)), 0.0)


def _spearman(columns: Mapping[str, Any], weights: FloatArray) -> FloatArray:
    return metrics.spearman(columns["true"], columns["said"], weights)
