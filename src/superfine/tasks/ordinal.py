"""One of several grades in order for each text: a grade that is nearly right counts more than one that is far off."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from superfine.data.labels import NUMBER, Spelling, label_order, merge_key
from superfine.errors import DataError
from superfine.records import Choices, Examples, FloatArray, Function, Ratio, Score, Statistics, Totals
from superfine.tasks.classification import Classification, refuse_objects
from superfine.tasks.task import Shown, labels_of

if TYPE_CHECKING:
    from torch import Tensor

    from superfine.data.encoded import Encoded

FEWEST_GRADES, MOST_GRADES = 3, 10
"""What may be grades: so many different whole numbers."""
SOFTNESS = 0.5


def _as_texts(order: Any) -> Any:
    """Numbers as they are written."""
    return [str(name) if type(name) in (int, float) else name for name in order] if isinstance(order, list) else order


def _different(order: list[str] | None) -> list[str] | None:
    if order is not None and len({merge_key(name) for name in order}) < len(order):
        raise ValueError("two grades have the same name")
    return order


def _quoted(names: Sequence[str]) -> str:
    """As YAML reads them as texts, whatever they are."""
    return f"[{', '.join(json.dumps(name, ensure_ascii=False) for name in names)}]"


class Ordinal(Classification):
    """Softmax over K grades whose targets leave a part of their mass to the grades beside them; the answer is the median.

    The targets are `exp(-d / softness)` of the distance d in grades, divided by their sum (Díaz and Marathe 2019). The median of
    the probabilities is the grade with the least expected distance, where the most probable one has the highest accuracy.
    """

    name = "ordinal"
    main = "quadratic_kappa"
    regularisers = {}

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        order: Annotated[list[str] | None, AfterValidator(_different), BeforeValidator(_as_texts)] = Field(
            None, min_length=2, description="the grades from the lowest to the highest; absent: numbers"
        )
        softness: float = Field(
            SOFTNESS, ge=0, le=10, description="how much of a target's mass the grades beside it get; 0: none"
        )

    def __init__(
        self,
        labels: Sequence[str],
        spelling: Spelling | None = None,
        softness: float = SOFTNESS,
    ) -> None:
        super().__init__(labels, spelling)
        self.softness = softness

    @classmethod
    def suits(cls, labels: Sequence[str], n_columns: int) -> str:
        return ""

    @classmethod
    def is_possible(cls, labels: Sequence[str], n_columns: int) -> bool:
        """Whether they are a few whole numbers without gaps."""
        found = {label for label in set(labels) if label}
        if n_columns > 1 or not FEWEST_GRADES <= len(found) <= MOST_GRADES or not all(map(NUMBER.fullmatch, found)):
            return False
        values = sorted(map(float, found))
        return all(value.is_integer() for value in values) and values[-1] - values[0] == len(values) - 1

    @classmethod
    def learn(cls, examples: Examples, options: Any = None, *, merges: bool = False) -> Self:
        """The grades in their order. Raises DataError for names without one, and for grades that the given order lacks."""
        options = options or cls.Options()
        refuse_objects(examples)
        labels = labels_of(examples)
        learned = Spelling.learn(labels, merges=merges)
        found = sorted(set(learned.classes.values()), key=label_order)
        if options.order is not None:
            spelling = Spelling.of_classes(map(str, options.order), merges=merges)
            missing = sorted({label for label in set(labels) if spelling.of(label) not in set(map(str, options.order))})
            if missing:
                raise DataError(
                    f"The order of grades lacks: {', '.join(missing[:5])}.",
                    f"Name all of them: --set 'task.options.order={_quoted([*options.order, *missing[:5]])}'",
                )
            return cls(list(map(str, options.order)), spelling, options.softness)
        if not all(map(NUMBER.fullmatch, found)):
            raise DataError(
                f"Grades need an order, and these are no numbers: {', '.join(found[:5])}.",
                f"Name them from the lowest to the highest: --set 'task.options.order={_quoted(found[:5])}'",
            )
        if len(found) < 2:
            raise DataError(f'The training part holds only the grade "{found[0]}".', "Is the label column the right one?")
        return cls(found, learned, options.softness)

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"softness": self.softness}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        task = super().from_facts(facts)
        task.softness = float(facts.get("softness", SOFTNESS))
        return task

    @property
    def grades(self) -> FloatArray:
        """(K,) the numbers of the grades, or their places where they are names."""
        if all(map(NUMBER.fullmatch, self.labels)):
            return np.array([float(label) for label in self.labels])
        return np.arange(len(self.labels), dtype=np.float64)

    @property
    def shown(self) -> Shown:
        summary = f"{len(self.labels)} grades"
        usual = super().shown
        return usual.model_copy(
            update={
                "title": "Text grader",
                "summary": summary,
                "purpose": f"Gives a text one of {len(self.labels)} grades, from {self.labels[0]} to {self.labels[-1]}.",
                "headline": ("quadratic_kappa", "mae", "accuracy"),
                "ordered": True,
                "sections": ("confusion", "classes"),
            }
        )

    @property
    def scores(self) -> dict[str, Score]:
        return {
            "quadratic_kappa": Function(_quadratic_kappa, ("place", "place2", "said", "said2", "product", "rows"), (-1.0, 1.0)),
            "mae": Ratio({"distance": 1.0}, {"rows": 1.0}, (0.0, np.inf), pooled=True, rises=False),
            **super().scores,
        }

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(n,) cross-entropy in nats of (n, K) logits against the softened grades."""
        import torch

        places = torch.arange(outputs.shape[1], device=outputs.device)
        distance = (places[None] - targets[:, None]).abs().to(outputs.dtype)
        soft = torch.softmax(-distance / max(self.softness, 1e-6), dim=-1)
        return -(soft * torch.log_softmax(outputs, dim=-1)).sum(dim=-1)

    def decode(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Choices:
        probabilities = super().decode(examples, outputs).probabilities
        return Choices(examples.row, self.labels, probabilities, grades=self.grades)

    def statistics(self, examples: Examples, answers: Choices) -> Statistics:
        """Those of a classification; places of the grades, their squares and product; the distance in grades."""
        usual = super().statistics(examples, answers)
        true, said = self.gold(examples), answers.class_ids
        grades = self.grades
        own = {
            "place": true, "place2": true**2, "said": said, "said2": said**2, "product": true * said,
            "distance": np.abs(grades[true] - grades[said]),
        }  # fmt: skip
        sums = {**usual.sums, **{name: np.asarray(values, dtype=np.float64) for name, values in own.items()}}
        return Statistics(sums, usual.columns, usual.labels)


def _quadratic_kappa(totals: Totals) -> FloatArray:
    """Cohen's kappa with squared distances as weights (Cohen 1968): 1 - squared distance / that of independent grades."""
    n, t, t2, s, s2, ts = (totals[key][..., 0] for key in ("rows", "place", "place2", "said", "said2", "product"))
    observed = t2 + s2 - 2 * ts
    expected = t2 + s2 - 2 * t * s / np.maximum(n, 1)
    return np.where(expected > 1e-9, 1 - observed / np.where(expected > 1e-9, expected, 1), 0.0)
