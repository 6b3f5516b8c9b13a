"""The settings that depend on the data and the model, where the user leaves them open: batch size, epochs and learning rate.

The rules were chosen on validation rows of training parts (docs/experiments.md), never on a test part.
"""

from __future__ import annotations

from dataclasses import dataclass

from superfine.config import TrainingConfig

FEW_CLASSES, MANY_ROWS, LONG_TEXTS = 4, 1800, 50
"""Up to so many classes, and from so many rows or tokens a text on, half as many steps do as well, in batches twice as large."""
USUAL_BATCH, LARGE_BATCH = 16, 32
REFERENCE_WIDTH = 384
REFERENCE_RATE = 1e-4
HIGHEST_RATE = 5e-4
WANTED_TEXTS, WANTED_LONG_TEXTS = 5440, 1800
"""Few rows get more passes until the run has learned from about so many texts. A long text teaches more than a short one."""
WANTED_TEXTS_PER_CLASS = 72
"""Many classes need more than few: this matters above 75 of them (docs/experiments.md)."""
WANTED_TAGGED_TEXTS = 15_000
"""Spans take longer to learn than classes of whole texts (docs/experiments.md)."""
USUAL_EPOCHS, EPOCHS_FOR_SMALL_CLASSES, MOST_EPOCHS = 2, 3, 10
MANY_ROWS_PER_CLASS = 800
"""Many classes with fewer rows on average get a third pass."""


@dataclass(frozen=True)
class Recipe:
    """batch_size: texts per step. epochs: passes over the training rows at most. learning_rate: the peak, below the head."""

    batch_size: int
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class TrainingData:
    """What the recipe depends on. tokens_per_text: on average, as the model reads them. by_token: each token has a target."""

    n_rows: int
    n_classes: int
    tokens_per_text: float
    by_token: bool = False

    @property
    def learns_in_large_batches(self) -> bool:
        return (
            not self.by_token
            and self.n_classes <= FEW_CLASSES
            and (self.n_rows >= MANY_ROWS or self.tokens_per_text >= LONG_TEXTS)
        )


def choose_recipe(settings: TrainingConfig, data: TrainingData, width: int) -> Recipe:
    """What the settings say, and the rules for what they leave open. width: of the model's hidden states."""
    batch_size = settings.batch_size or (LARGE_BATCH if data.learns_in_large_batches else USUAL_BATCH)
    return Recipe(
        batch_size=batch_size,
        epochs=settings.epochs or usual_epochs(data),
        learning_rate=settings.learning_rate or usual_rate(width, batch_size),
    )


def usual_epochs(data: TrainingData) -> int:
    """Two, three where there are many small classes, and more for few rows, or few for each of many classes."""
    many_small_classes = not data.learns_in_large_batches and data.n_rows < MANY_ROWS_PER_CLASS * data.n_classes
    many = max(WANTED_TEXTS, WANTED_TEXTS_PER_CLASS * data.n_classes)
    wanted = WANTED_LONG_TEXTS if data.learns_in_large_batches else WANTED_TAGGED_TEXTS if data.by_token else many
    return max(EPOCHS_FOR_SMALL_CLASSES if many_small_classes else USUAL_EPOCHS, min(MOST_EPOCHS, round(wanted / data.n_rows)))


def usual_rate(width: int, batch_size: int) -> float:
    """1e-4 for a width of 384 and batches of 16: falling with the square of the width, rising with the root of the batch size.

    The root is what Adam's noise scale suggests (Malladi et al. 2022). Rounded to three digits, because people read it.
    """
    rate = REFERENCE_RATE * (REFERENCE_WIDTH / width) ** 2 * (batch_size / USUAL_BATCH) ** 0.5
    return min(HIGHEST_RATE, float(f"{rate:.3g}"))
