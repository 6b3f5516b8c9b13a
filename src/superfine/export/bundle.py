"""The folder of an exported model: what predictors need, without torch, with the checksum of every file."""

from __future__ import annotations

import shutil
from pathlib import Path

from superfine.data.encode import Encoder
from superfine.predictors.bundle import OTHERS, Bundle, GraphFacts, write_manifest
from superfine.predictors.graph import TOKENIZER
from superfine.records import BundlePrecision

KEPT = ("config.json", "tokenizer_config.json", "reference.npz")
"""What is taken over: the first two are for others who open the folder, the last is what rows at prediction are compared with."""


def write_export(
    folder: Path, source: Bundle, encoder: Encoder, facts: GraphFacts, predictor: str, precision: BundlePrecision
) -> None:
    """Make a bundle of the folder, in which the graph lies already. source: of the trained model, encoder: its own."""
    for name in (*KEPT, *sorted(OTHERS - {"README.md"})):
        if (source.folder / name).is_file():
            shutil.copyfile(source.folder / name, folder / name)
    (folder / TOKENIZER).write_text(encoder.as_json, encoding="utf-8")
    manifest = source.manifest.model_copy(update={"predictor": predictor, "precision": precision, "graph": facts})
    write_manifest(folder, manifest)
