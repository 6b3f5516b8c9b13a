"""What a task is: all that differs between what can be learned from labelled text, behind one class.

A task is learned from training rows alone (`learn`), written into the manifest of a model (`facts`) and opened from it
(`from_facts`). Between the two it says what is put on top of a pretrained body (`head`), what is minimised (`targets`, `loss`),
how outputs become answers (`decode`), and what each answer adds to the scores (`statistics`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from superfine.errors import ConfigError, DataError
from superfine.names import did_you_mean
from superfine.records import (
    Answers,
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
)  # fmt: skip

if TYPE_CHECKING:
    from torch import Tensor

    from superfine.data.encoded import Encoded

Targets = NDArray[Any]
"""(n, ...) one row for each text."""


class NoOptions(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """How the task is spoken of, in the report, the card and on screen.

    title: what the model is. noun: what it tells apart. summary: how many, in two or three words. purpose, limits: sentences.
    headline: the scores of the tables. ordered: whether its labels stand in an order of their own. sections: of the report beside
    those that every task has. pipeline: of transformers, with the arguments that it needs for all answers; snippet: what stands
    for it where transformers has none, with `{folder}` for the model's. call: how an opened model is asked.
    """

    title: str
    noun: Literal["class", "label"] = "class"
    summary: str
    purpose: str
    limits: tuple[str, ...] = ()
    headline: tuple[str, ...]
    ordered: bool = False
    sections: tuple[str, ...] = ()
    pipeline: str = "text-classification"
    arguments: str = ", truncation=True"
    snippet: str = ""
    call: str = 'predict(["..."]).label'


@dataclass(frozen=True)
class Fold:
    """What the output layer can do once the weights are fitted: `factor · output + shift`, each (n_outputs,)."""

    factor: FloatArray
    shift: FloatArray


class Task(ABC):
    """See the module. A subclass is one file and one line in `superfine.tasks.TASKS`."""

    name: ClassVar[str]
    main: ClassVar[str]
    """The score that chooses the epoch and decides comparisons; more is better."""
    baselines: ClassVar[tuple[str, ...]] = ("majority", "tfidf")
    regularisers: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What is on where the user says nothing."""
    Options: ClassVar[type[BaseModel]] = NoOptions
    reads_classes: ClassVar[bool] = True
    """Whether a label is the name of a class: its rows can be counted, and two labels for one text contradict each other."""
    reads_lists: ClassVar[bool] = False
    """Whether a label may hold several values."""
    reads_empty: ClassVar[bool] = False
    """Whether no label is an answer too."""

    @classmethod
    def suits(cls, labels: Sequence[str], n_columns: int) -> str:
        """What these labels of the training rows are, in a few words, where that speaks for this task; "" where nothing does.

        n_columns: how many columns they were read from.
        """
        return ""

    @classmethod
    def is_possible(cls, labels: Sequence[str], n_columns: int) -> bool:
        """Whether the task could be learned from these labels, though they speak for another."""
        return False

    @classmethod
    def columns_of(cls, names: Sequence[str]) -> Mapping[str, Any] | None:
        """Which of the columns of a table are `text` (a list), `text_pair` and `label` (a list), where their names tell that the
        table is for this task; None where they do not."""
        return None

    @classmethod
    @abstractmethod
    def learn(cls, examples: Examples, options: Any = None, *, merges: bool = False) -> Self:
        """The task of these training rows: its classes, its scale. Raises DataError for rows that do not suit it.

        merges: labels that differ only in case, blanks and the like are one.
        """

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """All that `from_facts` needs, as plain values for JSON."""

    @classmethod
    @abstractmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """The task again. Raises ValueError for facts that are none of this task."""

    @property
    @abstractmethod
    def head(self) -> Head:
        """What is put on top of the body."""

    @property
    def bias(self) -> FloatArray | None:
        """(n_outputs,) what a new output layer starts from, or None: zeros."""
        return None

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of what is told apart; none where the answer is no name."""
        return self.head.outputs

    @property
    def size(self) -> int:
        """How many things are told apart: the recipe gives more passes to more."""
        return max(2, len(self.labels))

    @property
    @abstractmethod
    def shown(self) -> Shown:
        """How the task is spoken of."""

    @property
    @abstractmethod
    def scores(self) -> Mapping[str, Score]:
        """What is measured, by name, `main` among them."""

    @property
    def single_scores(self) -> dict[str, Ratio | Mean | Function | Ranking]:
        """Those of them that are one number, not one for each label."""
        return {
            name: score
            for name, score in self.scores.items()
            if not isinstance(score, Count) and not (isinstance(score, Ratio) and not score.pooled)
        }

    def chosen_by(self, name: str | None) -> str:
        """The score by which the epoch is chosen: the setting `training.choose_by`, or the main one.

        Raises ConfigError for what is no single score of the task.
        """
        single = self.single_scores
        if name is not None and name not in single:
            raise ConfigError(
                f'training.choose_by: the task {self.name} has no score "{name}".{did_you_mean(name, single)}',
                f"It has: {', '.join(single)}.",
            )
        return name or self.main

    # Reading labels

    def spelled(self, examples: Examples) -> Examples:
        """The examples with their labels as the task writes them."""
        return examples

    def in_words(self, value: Any) -> str:
        """A label, or the `prediction` of an answer's columns, as it is shown to people."""
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    def notes(self) -> tuple[str, ...]:
        """What the user should know of how labels were read."""
        return ()

    def is_labelled(self, examples: Examples) -> NDArray[np.bool_]:
        """(n,) which rows have a label at all."""
        return np.array([bool(label) for label in examples.label or [""] * len(examples)], dtype=bool)

    def is_learnable(self, examples: Examples) -> NDArray[np.bool_]:
        """(n,) which rows can be learned from; others with a label are scored all the same."""
        return self.is_labelled(examples)

    def is_known(self, examples: Examples) -> NDArray[np.bool_]:
        """(n,) which rows have a label that training rows had; asked of rows that have one."""
        return np.ones(len(examples), dtype=bool)

    @abstractmethod
    def gold(self, examples: Examples) -> Any:
        """(n, ...) what the labels say. Raises DataError that names values and rows which cannot be read."""

    @abstractmethod
    def strata(self, examples: Examples) -> IntArray:
        """(n,) small numbers: what a split keeps balanced."""

    def why_not_scored(self, examples: Examples) -> str:
        """What leaves the main score of these rows undefined; "" where it is defined."""
        return ""

    def why_not_held_out(self, examples: Examples) -> str:
        """What keeps every row in training where a split holds out none, and what to change; "" where the task knows nothing."""
        return ""

    # Training

    def targets(self, examples: Examples, encoded: Encoded | None = None) -> Any:
        """(n, ...) what `loss` compares outputs with, or for tasks that answer by token that of all tokens, a
        `Ragged` with `IGNORED` where a token has none.

        encoded: the examples as tokens; tasks that answer by text need none.
        """
        return self.gold(examples)

    def class_weights(self, setting: str | Mapping[str, float], examples: Examples) -> FloatArray | None:
        """(K,) factors on the loss of the rows of each class, for `training.class_weights`, or None: all alike.

        Raises ConfigError where there are no classes, and for names of none.
        """
        if setting not in ("auto", "none"):
            raise ConfigError(
                f"training.class_weights is of classes, and the task {self.name} has none.", "Leave it out, or set it to none."
            )
        return None

    def row_weights(self, setting: str | Mapping[str, float], examples: Examples) -> FloatArray | None:
        """(n,) how much each row counts in training: its own weight times that of its class, or None: all alike."""
        by_class = self.class_weights(setting, examples)
        weights = None if by_class is None else by_class[self.gold(examples)]
        if examples.weight is None:
            return weights
        own = np.asarray(examples.weight, dtype=np.float64)
        return own if weights is None else own * weights

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(n,) the loss of each row of (n, n_outputs), of texts or of tokens, in nats where it is a likelihood."""

    def adjusted(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Self:
        """The task with what it learns of validation rows once the weights are fitted: thresholds, residuals."""
        return self

    @property
    def fold(self) -> Fold | None:
        """What can be folded into the output layer, so that plain transformers gives the same numbers."""
        return None

    def folded(self, *, shifted: bool) -> Self:
        """The task after that. shifted: a layer without bias can be scaled and not shifted."""
        return self

    def choices(self) -> dict[str, Any]:
        """What was chosen by rule, for `run.yaml`."""
        return {"labels": list(self.labels)}

    # Answers and scores

    @abstractmethod
    def decode(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Answers:
        """Outputs (n, n_outputs) to answers, in NumPy; (tokens, n_outputs) where tokens answer. encoded: the examples as
        tokens, which those tasks need."""

    @abstractmethod
    def statistics(self, examples: Examples, answers: Any) -> Statistics:
        """What each answer adds to the scores."""

    def learned_notes(self) -> tuple[str, ...]:
        """What the user should know of what was learned of validation rows, in words."""
        return ()

    def details(self, examples: Examples, answers: Any) -> dict[str, Any]:
        """What the report shows of the test part beside its scores, as plain values for JSON."""
        return {}

    def slices(self, examples: Examples) -> Mapping[str, list[str]]:
        """Kinds of rows that the scores are shown of apart: what they are of, to the kind of each row."""
        return {}

    @abstractmethod
    def worst(self, examples: Examples, answers: Any) -> IntArray:
        """Positions of the answers that are wrong, those first that tell most."""

    def blinded(self, examples: Examples) -> Examples | None:
        """The examples without what they are asked about, where an answer to that is worth comparing with; else None."""
        return None

    def answer_columns(self) -> list[str]:
        """The columns of every answer, known before there is one."""
        return list(self.decode(Examples.of_texts([]), np.zeros((0, len(self.head)))).to_columns())


def rows_by_label(examples: Examples, positions: Sequence[int]) -> str:
    """`"maybe" in row 5, 9; "?" in row 7`, for messages about labels at these positions."""
    found: dict[str, list[int]] = {}
    for i in positions:
        found.setdefault((examples.label or [])[i], []).append(int(examples.row[i]))
    return "; ".join(
        f'"{label}" in row {", ".join(map(str, rows[:5]))}{" …" if len(rows) > 5 else ""}'
        for label, rows in list(found.items())[:5]
    )


def labels_of(examples: Examples) -> list[str]:
    """Raises DataError where the examples have no label column."""
    if examples.label is None:
        raise DataError(f"{examples.source} has no label column.", "Name it with --label.")
    return examples.label
