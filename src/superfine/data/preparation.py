"""What is done to a text before it is a sequence of tokens, beyond what the saved tokenizer does: a list of steps.

A model's manifest holds the list. Training, prediction and whatever exports or serves the model apply it here and nowhere else,
and the card tells it: plain transformers knows of no such step, so what it gives is promised for each sequence, not for a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from superfine.config import ModelConfig
from superfine.errors import ConfigError
from superfine.records import Head, IntArray

SEPARATOR = " "


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Join(_Step):
    """Several columns are one text: what is in them, one after the other, with `separator` between those that are not empty."""

    step: Literal["join"] = "join"
    columns: tuple[str, ...] = Field(min_length=2)
    separator: str = SEPARATOR

    def texts(self, columns: Mapping[str, list[str]]) -> list[str]:
        """The text of each row of these columns."""
        rows = zip(*(columns[name] for name in self.columns), strict=True)
        return [self.separator.join(filter(None, cells)) for cells in rows]

    def starts(self, columns: Mapping[str, list[str]]) -> IntArray:
        """(n, c) where in the text of each row its columns begin; -1 where the cell is empty."""
        lengths = np.array([[len(cell) for cell in columns[name]] for name in self.columns], dtype=np.int64).T
        taken = np.where(lengths > 0, lengths + len(self.separator), 0)
        before = np.cumsum(taken, axis=1) - taken
        return np.asarray(np.where(lengths > 0, before, -1), dtype=np.int64)


class Windows(_Step):
    """A text longer than the model reads is read in windows, neighbours of which share `stride` tokens.

    pooling: what the answer for the text is made of, where texts answer: the mean of the outputs for its windows. of: what is
    cut into windows; of a pair it is the second text, and the first one stands before each.
    """

    step: Literal["windows"] = "windows"
    stride: int = Field(ge=0)
    pooling: Literal["mean"] = "mean"
    of: Literal["text", "text_pair"] = "text"


Step = Annotated[Join | Windows, Field(discriminator="step")]


def chosen_windows(settings: ModelConfig, max_length: int, head: Head) -> Windows | None:
    """In which windows texts are read that have more than `max_length` tokens; None where they are cut. Where tokens answer, they
    share more, because a token needs what stands around it; texts in which an answer is looked for are always read whole.

    Raises ConfigError for windows that share half of their tokens or more.
    """
    if settings.long_texts == "cut" and not head.extractive:
        return None
    most = max_length // 2 - 2  # some are special tokens
    stride = max_length // (4 if head.by_token else 8) if settings.stride is None else settings.stride
    if not 0 <= stride <= most:
        raise ConfigError(
            f"model.stride {stride} is too much for windows of {max_length} tokens: neighbours share less than half of them.",
            f"At most {most}." if most >= 0 else "Raise model.max_length.",
        )
    return Windows(stride=stride, of="text_pair" if head.extractive else "text")


def separator_in(steps: Sequence[Step]) -> str:
    """What stands between the columns that are joined."""
    return next((step.separator for step in steps if isinstance(step, Join)), SEPARATOR)


def windows_in(steps: Sequence[Step]) -> Windows | None:
    """The windows among the steps, where there are some."""
    return next((step for step in steps if isinstance(step, Windows)), None)
