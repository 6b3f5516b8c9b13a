"""A SavedModel's answers, computed by TensorFlow in its own environment: what was written for others is asked too."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from superfine.errors import ModelError
from superfine.export.tensorflow import environment
from superfine.predictors.graph import LOGITS, WINDOW_SCORES, Graph
from superfine.predictors.tflite import signature_of
from superfine.records import FloatArray


class SavedModel(Graph):
    """A folder that TensorFlow reads, in a process of its own, which ends with `close`. python: in which it is installed."""

    def __init__(self, python: Path, *arguments: Any, **options: Any) -> None:
        self._python = python
        super().__init__(*arguments, **options)

    def open(self, path: Path) -> None:
        self._process = subprocess.Popen(
            environment.command(self._python, "answer", str(path)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._asked, self._said = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        if self._said.readline() != b"ready\n":
            self.close()
            raise ModelError("TensorFlow cannot open it.", "Please report this model.")

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> tuple[FloatArray, FloatArray | None]:
        given = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        question = {
            "signature": signature_of(next(iter(given.values())).shape[1]),
            "inputs": [[name, value.dtype.str, value.shape] for name, value in given.items()],
        }
        try:
            self._asked.write(json.dumps(question).encode() + b"\n" + b"".join(value.tobytes() for value in given.values()))
            self._asked.flush()
        except OSError:
            raise self._ended() from None
        answer = self._said.readline()
        if not answer:
            raise self._ended()
        found = {name: self._array(dtype, shape) for name, dtype, shape in json.loads(answer)}
        return found[LOGITS], found.get(WINDOW_SCORES)

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._asked.close()
        self._process.wait()
        self._said.close()

    def _array(self, dtype: str, shape: list[int]) -> NDArray[Any]:
        kind = np.dtype(dtype)
        n_bytes = int(np.prod(shape)) * kind.itemsize
        content = self._said.read(n_bytes)
        if len(content) < n_bytes:
            raise self._ended()
        return np.frombuffer(content, dtype=kind).reshape(shape)

    def _ended(self) -> ModelError:
        return ModelError("TensorFlow ended while it computed the SavedModel.", "Please report this model.")
