"""What a runtime needs to be given a model: a file of its own format, and ways to compute it in eight bits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from superfine.predictors.bundle import GraphFacts
from superfine.predictors.graph import Graph

if TYPE_CHECKING:
    from superfine.backbones.padding import Padding

Inputs = Mapping[str, NDArray[np.int64]]
"""Of a graph, by name, each (n, length)."""


@dataclass(frozen=True)
class Quantisation:
    """One way to quantise. static: the scale of states is settled by calibration texts; else it is found anew for each batch.
    smoothed: outliers of states are moved into the weights before. spared: the first and the last sixth of the products stay in
    float32. weights_only: states are not quantised at all."""

    name: str
    static: bool = False
    smoothed: bool = False
    spared: bool = False
    weights_only: bool = False


class Runtime(ABC):
    """graph: the name of the file. ways: to quantise, in the order in which they are tried. title: how it is spoken of. is_raced:
    whether it may be the fastest."""

    title: ClassVar[str]
    graph: ClassVar[str]
    ways: ClassVar[tuple[Quantisation, ...]]
    is_raced: ClassVar[bool] = True

    @abstractmethod
    def check(self) -> None:
        """Raises ConfigError with the command that installs what is missing."""

    def make_ready(self, say: Callable[[str], None]) -> None:  # noqa: B027  (most need nothing)
        """Install what the user's own packages cannot hold. Raises ConfigError where that fails."""

    def why_unsuited(self, padding: Padding) -> str:
        """Why a network that is padded so cannot be exported to this, in words; "" where it can."""
        return ""

    def facts_of(self, facts: GraphFacts, source: Path, max_length: int, max_positions: int | None) -> GraphFacts:
        """What is known of the file that is made of the ONNX graph in `source`. max_length: in tokens, of what is read at once.
        max_positions: what the network can read at most, None for no limit."""
        return facts.model_copy(update={"file": self.graph})

    @abstractmethod
    def convert(self, source: Path, target: Path, facts: GraphFacts) -> None:
        """Write the ONNX graph in `source` as `target`, in float32. facts: of the target."""

    @abstractmethod
    def quantise(self, source: Path, target: Path, facts: GraphFacts, way: Quantisation, calibration: Sequence[Inputs]) -> None:
        """The same in eight bits. calibration: inputs of texts that the model has learned from."""

    def twins(self, target: Path) -> Mapping[str, Callable[..., Graph]]:
        """What was written beside the target and must answer alike, by names: each opened as a `Graph` is."""
        return {}

    def versions(self) -> Mapping[str, str]:
        """Of packages that took part and are not installed here."""
        return {}
