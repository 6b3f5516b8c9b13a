"""What the user asked `export` for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from superfine.data.read import DataSource
from superfine.data.table import ReadOptions


@dataclass(frozen=True)
class ExportRequest:
    """One call of `export`.

    to: a runtime, "int8" or "fastest". runtime: of a quantised model. margin: in points, most_changed in per cent: what the gate
    accepts. data: more labelled rows for it. unlabelled: more texts for its second door. prefer: the speed that chooses the
    fastest, of many texts or of a single one. distil: layers of a student that is exported in the model's place, with what its
    gate accepts; `to` None is the student alone. text, text_pair, label, ignore_unknown_labels: how the files are read, where
    columns are called otherwise than in training.
    """

    folder: Path
    to: str | None
    out: Path | None = None
    force: bool = False
    runtime: str = "onnx"
    margin: float = 1.0
    most_changed: float = 2.0
    data: DataSource | None = None
    unlabelled: DataSource | None = None
    prefer: str = "bulk"
    options: ReadOptions | None = None
    text: Sequence[str] = ()
    text_pair: str | None = None
    label: Sequence[str] = ()
    ignore_unknown_labels: bool = False
    language: str = "en"
    distil: int | None = None
    distil_margin: float | None = None
    distil_most_changed: float | None = None

    @property
    def is_quantised(self) -> bool:
        return self.to == "int8"

    @property
    def runtime_name(self) -> str:
        return self.runtime if self.is_quantised else self.to or ""

    @property
    def name(self) -> str:
        """Of the folder, where nobody names one."""
        return f"int8-{self.runtime}" if self.is_quantised and self.runtime != "onnx" else self.to or ""
