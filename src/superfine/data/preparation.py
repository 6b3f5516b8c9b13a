"""What is done to a text before it is a sequence of tokens, beyond what the saved tokenizer does: a list of steps.

A model's manifest holds the list. Training, prediction and whatever exports or serves the model apply it here and nowhere else,
and the card tells it: plain transformers knows of no such step, so what it gives is promised for each sequence, not for a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from superfine.errors import ConfigError
from superfine.records import Head, IntArray, WindowPooling

if TYPE_CHECKING:
    from superfine.config import ModelConfig

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

    pooling: what the answer for the text is made of, where texts answer: the mean of the outputs for its windows, or one in which
    each counts as much as the network has learned. of: what is cut into windows; of a pair it is the second text, and the first
    one stands before each.
    """

    step: Literal["windows"] = "windows"
    stride: int = Field(ge=0)
    pooling: WindowPooling = "mean"
    of: Literal["text", "text_pair"] = "text"


class HeadTail(_Step):
    """Of a text that is longer than the model reads, `head` tokens of the beginning, and the rest from its end."""

    step: Literal["head_tail"] = "head_tail"
    head: int = Field(ge=1)


class Redact(_Step):
    """Personal data in a text is replaced by placeholders such as [EMAIL] (see `personal.py`)."""

    step: Literal["redact"] = "redact"


Step = Annotated[Join | Windows | HeadTail | Redact, Field(discriminator="step")]


FEWEST_TOKENS, MOST_TOKENS = 256, 512
"""Between these the tokens that are read at a time follow the texts. Fewer would save nothing, because padding costs nothing, and
cut the longest texts of later; more take memory with each step, and windows read longer texts."""
LONGER_SHARE = 0.05
"""Where more of the texts are longer than what is read at a time, they are read in windows."""


class Reading(NamedTuple):
    """How texts are read: at most so many tokens at a time, in windows, without their middle, or cut at the end where neither is
    said; and what the user should know of that."""

    max_length: int
    windows: Windows | None
    notes: tuple[str, ...] = ()
    head_tail: HeadTail | None = None


def chosen_reading(
    settings: ModelConfig, head: Head, bound: int | None, counts: Callable[[], IntArray], *, pairs: bool = False
) -> Reading:
    """What the settings say, and what the texts need where they leave it open.

    bound: what the model can read at most. counts: gives the tokens of texts to learn from. Pairs are cut, unless an answer is
    looked for in the second text. Raises ConfigError as `chosen_windows` does.
    """
    most = MOST_TOKENS if bound is None else bound
    asks = not pairs and not head.extractive and settings.long_texts == "auto"
    tokens = counts() if settings.max_length is None or asks else np.zeros(0, dtype=np.int64)
    nearly_all = int(np.quantile(tokens, 0.99)) if len(tokens) else 0
    max_length, notes = settings.max_length or 0, []
    if settings.max_length is None:
        max_length = min(most, MOST_TOKENS, max(FEWEST_TOKENS, -(-nearly_all // 8) * 8))
        if max_length > FEWEST_TOKENS:
            said = f"{max_length} tokens are read at a time, because of the lengths of the texts (model.max_length)"
            notes.append(said)
    elif bound is not None and bound < settings.max_length:
        max_length = bound
    long_texts = settings.long_texts
    share = float((tokens > max_length).mean()) if len(tokens) else 0.0
    if long_texts == "auto":
        long_texts = "windows" if asks and share > LONGER_SHARE else "cut"
    windows = chosen_windows(settings.model_copy(update={"long_texts": long_texts}), max_length, head)
    if pairs and windows is not None and windows.of == "text":
        said = "Pairs of texts are cut, not read in windows."
        return Reading(max_length, None, (*notes, said))
    if windows is not None and asks:
        more = tokens.sum() / np.minimum(tokens, max_length).sum() * max_length / (max_length - windows.stride)
        said = (
            f"{share:.0%} of the texts are longer than {max_length} tokens and are read in windows, which takes about {more:.1f} "
            "times as long (--set model.long_texts=cut reads their beginnings)"
        )
        notes.append(said)
    if long_texts != "head_tail" or head.extractive:
        return Reading(max_length, windows, tuple(notes))
    if head.by_token:
        raise ConfigError(
            "model.long_texts=head_tail leaves out the middle of long texts, where tokens must answer too.", "Use windows or cut."
        )
    if pairs:
        said = "Pairs of texts are cut at the end, not in the middle."
        return Reading(max_length, None, (*notes, said))
    return Reading(max_length, None, tuple(notes), HeadTail(head=max(1, max_length // 4)))


def chosen_windows(settings: ModelConfig, max_length: int, head: Head) -> Windows | None:
    """In which windows texts are read that have more than `max_length` tokens; None where they are cut. Where tokens answer, they
    share more, because a token needs what stands around it; texts in which an answer is looked for are always read whole.

    Raises ConfigError for windows that share half of their tokens or more.
    """
    if settings.long_texts != "windows" and not head.extractive:
        return None
    most = max_length // 2 - 2  # some are special tokens
    stride = max_length // (4 if head.by_token else 8) if settings.stride is None else settings.stride
    if not 0 <= stride <= most:
        raise ConfigError(
            f"model.stride {stride} is too much for windows of {max_length} tokens: neighbours share less than half of them.",
            f"At most {most}." if most >= 0 else "Raise model.max_length.",
        )
    if settings.window_pooling == "attention" and head.by_token:
        raise ConfigError(
            f"model.window_pooling={settings.window_pooling} makes one answer of windows, and here each token has its own.",
            "Leave it out.",
        )
    pooling = settings.window_pooling or ("mean" if head.by_token else "attention")
    return Windows(stride=stride, pooling=pooling, of="text_pair" if head.extractive else "text")


def separator_in(steps: Sequence[Step]) -> str:
    """What stands between the columns that are joined."""
    return next((step.separator for step in steps if isinstance(step, Join)), SEPARATOR)


def head_tail_in(steps: Sequence[Step]) -> HeadTail | None:
    """Which part of long texts is read, where the steps say so."""
    return next((step for step in steps if isinstance(step, HeadTail)), None)


def redacts_in(steps: Sequence[Step]) -> bool:
    """Whether personal data is replaced."""
    return any(isinstance(step, Redact) for step in steps)


def windows_in(steps: Sequence[Step]) -> Windows | None:
    """The windows among the steps, where there are some."""
    return next((step for step in steps if isinstance(step, Windows)), None)
