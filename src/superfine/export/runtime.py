"""What a runtime needs to be given a model: a file of its own format, and ways to compute it in eight bits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

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
    """graph: the name of the file. ways: to quantise, in the order in which they are tried. title: how it is spoken of."""

    title: ClassVar[str]
    graph: ClassVar[str]
    ways: ClassVar[tuple[Quantisation, ...]]

    @abstractmethod
    def check(self) -> None:
        """Raises ConfigError with the command that installs what is missing."""

    @abstractmethod
    def convert(self, source: Path, target: Path) -> None:
        """Write the ONNX graph in `source` as `target`, in float32."""

    @abstractmethod
    def quantise(self, source: Path, target: Path, way: Quantisation, calibration: Sequence[Inputs]) -> None:
        """The same in eight bits. calibration: inputs of texts that the model has learned from."""
