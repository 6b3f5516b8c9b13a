"""The two settings that depend on the data and the model, where the user leaves them open: epochs and learning rate.

Both rules were chosen on validation rows of training parts (docs/experiments.md), never on a test part.
"""

from __future__ import annotations

from dataclasses import dataclass

from superfine.config import TrainingConfig

REFERENCE_WIDTH = 384
REFERENCE_RATE = 1e-4
HIGHEST_RATE = 5e-4
WANTED_STEPS = 240
"""Small data get more passes until the run has about so many steps."""
FEWEST_EPOCHS, USUAL_EPOCHS, MOST_EPOCHS = 2, 4, 10
MANY_ROWS = 20_000
"""Large data get fewer passes: each doubling beyond this many rows takes one away."""


@dataclass(frozen=True)
class Recipe:
    """epochs: passes over the training rows at most. learning_rate: the peak rate of the layers below the head."""

    epochs: int
    learning_rate: float


def choose_recipe(settings: TrainingConfig, n_rows: int, width: int) -> Recipe:
    """What the settings say, and the rules for what they leave open. width: of the model's hidden states."""
    return Recipe(
        epochs=settings.epochs or usual_epochs(n_rows, settings.batch_size),
        learning_rate=settings.learning_rate or usual_rate(width),
    )


def usual_epochs(n_rows: int, batch_size: int) -> int:
    """Four, more for few rows and fewer for many."""
    steps = -(-n_rows // batch_size)
    if steps * USUAL_EPOCHS < WANTED_STEPS:
        return min(MOST_EPOCHS, -(-WANTED_STEPS // steps))
    halvings = max(0, (n_rows // MANY_ROWS).bit_length())
    return max(FEWEST_EPOCHS, USUAL_EPOCHS - halvings)


def usual_rate(width: int) -> float:
    """1e-4 for a width of 384, falling with the square of the width: 2.5e-5 at 768, 1.4e-5 at 1,024."""
    return min(HIGHEST_RATE, REFERENCE_RATE * (REFERENCE_WIDTH / width) ** 2)
