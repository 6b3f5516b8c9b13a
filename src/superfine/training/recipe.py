"""The settings that depend on the data and the model, where the user leaves them open: batch size, epochs and learning rate.

The rules were chosen on validation rows of training parts (docs/experiments.md), never on a test part.
"""

from __future__ import annotations

from dataclasses import dataclass

from superfine.config import TrainingConfig

FEW_CLASSES = 4
"""Up to so many classes learn as well from half as many steps, with batches twice as large."""
BATCH_FOR_FEW_CLASSES, BATCH_FOR_MANY_CLASSES = 32, 16
REFERENCE_WIDTH, REFERENCE_BATCH = 384, 16
REFERENCE_RATE = 1e-4
HIGHEST_RATE = 5e-4
WANTED_TEXTS_FOR_FEW_CLASSES, WANTED_TEXTS_FOR_MANY_CLASSES = 3600, 5440
"""Small data get more passes until the run has learned from about so many texts."""
USUAL_EPOCHS, EPOCHS_FOR_SMALL_CLASSES, MOST_EPOCHS = 2, 3, 10
MANY_ROWS_PER_CLASS = 800
"""Many classes with fewer rows on average get a third pass."""


@dataclass(frozen=True)
class Recipe:
    """batch_size: texts per step. epochs: passes over the training rows at most. learning_rate: the peak, below the head."""

    batch_size: int
    epochs: int
    learning_rate: float


def choose_recipe(settings: TrainingConfig, n_rows: int, n_classes: int, width: int) -> Recipe:
    """What the settings say, and the rules for what they leave open. width: of the model's hidden states."""
    few_classes = n_classes <= FEW_CLASSES
    batch_size = settings.batch_size or (BATCH_FOR_FEW_CLASSES if few_classes else BATCH_FOR_MANY_CLASSES)
    return Recipe(
        batch_size=batch_size,
        epochs=settings.epochs or usual_epochs(n_rows, n_classes),
        learning_rate=settings.learning_rate or usual_rate(width, batch_size),
    )


def usual_epochs(n_rows: int, n_classes: int) -> int:
    """Two, three where there are many small classes, and more for few rows."""
    few_classes = n_classes <= FEW_CLASSES
    epochs = USUAL_EPOCHS if few_classes or n_rows >= MANY_ROWS_PER_CLASS * n_classes else EPOCHS_FOR_SMALL_CLASSES
    wanted_texts = WANTED_TEXTS_FOR_FEW_CLASSES if few_classes else WANTED_TEXTS_FOR_MANY_CLASSES
    return max(epochs, min(MOST_EPOCHS, round(wanted_texts / n_rows)))


def usual_rate(width: int, batch_size: int) -> float:
    """1e-4 for a width of 384 and batches of 16: falling with the square of the width, rising with the root of the batch size.

    The root is what Adam's noise scale suggests (Malladi et al. 2022). Rounded to three digits, because people read it.
    """
    rate = REFERENCE_RATE * (REFERENCE_WIDTH / width) ** 2 * (batch_size / REFERENCE_BATCH) ** 0.5
    return min(HIGHEST_RATE, float(f"{rate:.3g}"))
