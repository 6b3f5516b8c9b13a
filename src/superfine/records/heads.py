"""What is put on top of a pretrained body, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
Activation = Literal["softmax", "sigmoid", "none", "exp"]
"""What makes answers of outputs, under the names that transformers' pipelines use for `function_to_apply`; `exp` of
log-probabilities."""
_ACTIVATIONS: dict[ProblemType, Activation] = {
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
    "regression": "none",
}


Read = Literal["first", "last", "mean", "all"]
"""Which states of a text's tokens are read: one of them, their mean, or each."""


@dataclass(frozen=True)
class Head:
    """outputs: the names of what is computed for a text, in order. problem_type: as in a Hugging Face configuration.

    by_token: it is computed for each token, not once for the text. extractive: the outputs are where an answer starts and where
    it ends, as log-probabilities over the tokens of a sequence.
    """

    outputs: tuple[str, ...]
    problem_type: ProblemType = "single_label_classification"
    by_token: bool = False
    extractive: bool = False

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def activation(self) -> Activation:
        return "exp" if self.extractive else _ACTIVATIONS[self.problem_type]

    @property
    def auto_class(self) -> str:
        """The class of transformers that opens a model with this head."""
        if self.extractive:
            return "AutoModelForQuestionAnswering"
        return f"AutoModelFor{'Token' if self.by_token else 'Sequence'}Classification"
