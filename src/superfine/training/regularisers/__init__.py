"""Ways to fit the training rows less and the world more. One file each; `wrap` changes the loss, `step` the gradients."""

from collections.abc import Iterable

from superfine.errors import ConfigError
from superfine.names import NameTable
from superfine.records import Head

REGULARISERS = NameTable(
    "regulariser",
    {
        "label_smoothing": "superfine.training.regularisers.label_smoothing:LabelSmoothing",
        "r_drop": "superfine.training.regularisers.r_drop:RDrop",
        "focal": "superfine.training.regularisers.focal:Focal",
        "fgm": "superfine.training.regularisers.fgm:FGM",
    },
)
OF_PROBABILITIES = frozenset({"label_smoothing", "focal"})


def refuse_unsuited(names: Iterable[str], head: Head) -> None:
    """Raises ConfigError for regularisers of the probabilities of classes where the outputs are none."""
    of_classes = OF_PROBABILITIES | {"r_drop"} if head.extractive else OF_PROBABILITIES
    unsuited = sorted(of_classes.intersection(names)) if head.activation in ("none", "exp") else []
    if unsuited:
        raise ConfigError(f"The regulariser {unsuited[0]} is of probabilities, and this task has none.", "Leave it out.")
