"""The rows of a finished run, read again from where the run had them: for whatever goes on with its model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from superfine.config import build_config, parse_yaml, read_config_file
from superfine.data.learned import LearnedTexts
from superfine.data.read import DataSource
from superfine.errors import InputError, ModelError
from superfine.predictors.bundle import Bundle
from superfine.recipes.compared_rows import test_rows_of
from superfine.recipes.evaluate import read_scored_rows
from superfine.recipes.prepare import Parts, prepare
from superfine.recipes.request import MARKER
from superfine.recipes.run_folder import PREDICTIONS
from superfine.records import Examples

FROM_PYTHON = "(given from Python)"


@dataclass(frozen=True)
class RunRows:
    """test: labelled rows that the model has not learned from, or None. learned: the training rows, and validation: those that
    chose the weights; None where the data that the run was given is no longer there. notes: why something is missing."""

    test: Examples | None
    learned: Examples | None
    validation: Examples | None
    notes: tuple[str, ...] = ()


def home_of(bundle: Bundle) -> Path | None:
    """The folder of the run that a bundle is the model of, or an export of it; None where it lies in none."""
    return next((home for home in (bundle.folder, *bundle.folder.resolve().parents[:2]) if (home / MARKER).is_file()), None)


def rows_of_run(bundle: Bundle, home: Path) -> RunRows:
    """What the run in `home` trained, validated and tested its model on."""
    notes: list[str] = []
    test: Examples | None = None
    if (home / PREDICTIONS).is_file():
        try:
            test = read_scored_rows(bundle.manifest, test_rows_of(home)).examples
        except InputError as error:
            notes.append(f"The run's test rows do not count: {error.message}")
    parts = None
    try:
        parts = _parts_again(home)
    except (InputError, OSError, ValueError) as error:
        why = error.message if isinstance(error, InputError) else str(error)
        notes.append(f"The rows that the model learned from cannot be read again, so nothing is settled or chosen by them: {why}")
    if parts is None:
        return RunRows(test, None, None, tuple(notes))
    return RunRows(test, parts.train, parts.validation, tuple(notes))


def _parts_again(home: Path) -> Parts:
    """Raises an InputError where the data is no longer what the run learned from."""
    asked = parse_yaml((home / MARKER).read_text(encoding="utf-8")).get("request") or {}
    sources: dict[str, DataSource | None] = {name: asked.get(name) for name in ("data", "validation", "test")}
    data = sources["data"]
    if data is None or data == FROM_PYTHON:
        raise ModelError("The data was given from Python.", "Name rows with --data FILE.")
    config = build_config(read_config_file(home / MARKER), {}, [])
    has_folds = config.evaluation.folds is not None
    parts = prepare(data, sources["validation"], sources["test"], config, needs_test=not has_folds, needs_model=False)
    known = LearnedTexts.of_run(home)
    again = LearnedTexts.of_examples([parts.train, parts.validation])
    if not np.array_equal(known.hashes, again.hashes):
        raise ModelError("The data has changed since.", "Name rows with --data FILE.")
    return parts
