"""The two settings that depend on the data and the model, where the user leaves them open: epochs and learning rate.

Both rules were chosen on validation rows of training parts (docs/experiments.md), never on a test part.
"""

from __future__ import annotations

from dataclasses import dataclass

from superfine.config import TrainingConfig

REFERENCE_WIDTH = 384
REFERENCE_RATE = 1e-4
HIGHEST_RATE = 5e-4
WANTED_STEPS = 340
"""Small data get more passes until the run has about so many steps."""
USUAL_EPOCHS, EPOCHS_FOR_SMALL_CLASSES, MOST_EPOCHS = 2, 3, 10
MANY_ROWS_PER_CLASS = 800
"""Classes with fewer rows on average get a third pass."""


@dataclass(frozen=True)
class Recipe:
    """epochs: passes over the training rows at most. learning_rate: the peak rate of the layers below the head."""

    epochs: int
    learning_rate: float


def choose_recipe(settings: TrainingConfig, n_rows: int, n_classes: int, width: int) -> Recipe:
    """What the settings say, and the rules for what they leave open. width: of the model's hidden states."""
    return Recipe(
        epochs=settings.epochs or usual_epochs(n_rows, n_classes, settings.batch_size),
        learning_rate=settings.learning_rate or usual_rate(width),
    )


def usual_epochs(n_rows: int, n_classes: int, batch_size: int) -> int:
    """Two, three where classes are small, and more for few rows."""
    steps = -(-n_rows // batch_size)
    epochs = USUAL_EPOCHS if n_rows >= MANY_ROWS_PER_CLASS * n_classes else EPOCHS_FOR_SMALL_CLASSES
    return max(epochs, min(MOST_EPOCHS, -(-WANTED_STEPS // steps)))


def usual_rate(width: int) -> float:
    """1e-4 for a width of 384, falling with the square of the width: 2.5e-5 at 768, 1.4e-5 at 1,024."""
    return min(HIGHEST_RATE, REFERENCE_RATE * (REFERENCE_WIDTH / width) ** 2)
