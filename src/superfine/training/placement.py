"""Where a training computes and in which number format: all that the device decides."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from superfine.backbones.batch import Batch
from superfine.config import PrecisionSetting
from superfine.training.precision import choose_precision


@dataclass(frozen=True)
class Placement:
    """One process on one device, which computes in `dtype`."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, device: torch.device, precision: PrecisionSetting) -> Self:
        """On this device, in the number format that the setting asks for or that is fastest there."""
        return cls(device, choose_precision(precision, device))

    def put(self, batch: Batch) -> Batch:
        """The batch where it is computed."""
        return batch.to(self.device)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a scalar to those of the parameters."""
        loss.backward()  # type: ignore[no-untyped-call]

    def now(self) -> float:
        """Seconds of a clock, when all that was asked of the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    @contextmanager
    def same_random_state(self) -> Iterator[None]:
        """Whatever is drawn inside, the random state is afterwards what it was."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            yield

    def random_state(self) -> dict[str, Tensor]:
        """For a checkpoint, by the kind of device."""
        cuda = {"cuda": torch.cuda.get_rng_state(self.device)} if self.device.type == "cuda" else {}
        return {"cpu": torch.get_rng_state(), **cuda}

    def restore_random_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on where `random_state` was taken."""
        torch.set_rng_state(state["cpu"])
        if self.device.type == "cuda" and "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"], self.device)
