"""Which rows predictors are compared on: those of data that are named, of the test parts of runs, or of files of predictions; and
where a file has what it says of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from superfine.config import parse_yaml
from superfine.data.columns import Dropped, choose_columns, label_values, to_examples
from superfine.data.learned import LearnedTexts
from superfine.data.read import DataSource, read_table
from superfine.data.table import ReadOptions
from superfine.errors import ConfigError, DataError
from superfine.predictors.bundle import Manifest, open_bundle
from superfine.recipes.evaluate import ScoredRows, read_scored_rows
from superfine.recipes.given_answers import GivenAnswers
from superfine.recipes.prepare import scored_positions
from superfine.recipes.request import MARKER
from superfine.recipes.run_folder import PREDICTIONS
from superfine.records import Examples, IntArray
from superfine.tasks.choose import choose_task
from superfine.tasks.task import Task

MOST_LISTED = 10


@dataclass(frozen=True)
class Asked:
    """What the user says of the rows to compare on."""

    data: DataSource | None
    text: list[str] | None
    text_pair: str | None
    label: Sequence[str] | None
    options: ReadOptions | None
    group: str | None
    ignore_unknown_labels: bool


@dataclass(frozen=True)
class ComparedRows:
    """Rows to compare on. text_columns: the columns of the text, and that of its pair or ""."""

    scored: ScoredRows
    text_columns: tuple[str, ...]

    def take(self, places: IntArray) -> ComparedRows:
        return replace(self, scored=replace(self.scored, examples=self.scored.examples.take(places)))


def matched(rows: ComparedRows, given: Sequence[GivenAnswers | None]) -> tuple[ComparedRows, list[IntArray], tuple[str, ...]]:
    """The rows that all files have predictions for, the places of these in each file, and notes on the others."""
    examples, notes = rows.scored.examples, []
    every = np.arange(len(examples))
    found = [
        (every, every)
        if file is None
        else file.match(examples, rows.text_columns[:-1], rows.text_columns[-1] or None, rows.scored.table)
        for file in given
    ]
    kept = every
    for file, (here, _) in zip(given, found, strict=True):
        if file is not None and len(here) < len(examples):
            lacking = examples.row[np.setdiff1d(every, here)].tolist()
            some = ", ".join(map(str, lacking[:MOST_LISTED])) + (" …" if len(lacking) > MOST_LISTED else "")
            notes.append(f"{file.path} has no prediction for {len(lacking)} rows, which are left out: {some}")
        kept = np.intersect1d(kept, here)
    if not len(kept):
        raise DataError("No row has a prediction in every file.", "Are they predictions for the same data?")
    return rows.take(kept), [there[np.searchsorted(here, kept)] for here, there in found], tuple(notes)


def rows_to_compare(
    paths: Sequence[Path],
    given: Sequence[GivenAnswers | None],
    manifests: Sequence[Manifest | None],
    tasks: Sequence[Task | None],
    asked: Asked,
) -> tuple[ComparedRows, str, Task]:
    """The rows, where they come from, and the task."""
    models = [(path, manifest) for path, manifest in zip(paths, manifests, strict=True) if manifest is not None]
    if not models:
        return _rows_of_files(given, asked)
    if asked.data is None:
        named = {"--text": asked.text, "--text-pair": asked.text_pair, "--label": asked.label, "--group": asked.group}
        option = next((option for option, value in named.items() if value), None)
        if option is not None:
            raise ConfigError(f"{option} is a column of --data, and none is named.", "Name labelled rows with --data FILE.")
    manifest, task = models[0][1], next(task for task in tasks if task is not None)
    columns = (*(asked.text or manifest.text), asked.text_pair or manifest.text_pair or "")
    if asked.data is not None:
        rows = read_scored_rows(
            manifest, asked.data, asked.text, asked.text_pair, asked.label, asked.options, group=asked.group,
            ignore_unknown_labels=asked.ignore_unknown_labels,
        )  # fmt: skip
        n_rows, rows = len(rows.examples), _not_learned(rows, [path for path, _ in models])
        of = rows.table.source
        if len(rows.examples) < n_rows:
            of = f"{len(rows.examples)} of {n_rows} rows of {of}, those that neither has learned from"
        return ComparedRows(rows, columns), of, task
    tests = [read_scored_rows(one, test_rows_of(path)) for path, one in models]
    if len(tests) == 1:
        return ComparedRows(tests[0], columns), f"the test rows of {models[0][0]}", task
    rows = _common_rows([path for path, _ in models], tests, task)
    counts = ", ".join(str(len(test.examples)) for test in tests[:-1])
    of = f"the test rows that all runs have ({len(rows.examples)} of {counts} and {len(tests[-1].examples)})"
    return ComparedRows(rows, columns), of, task


def _rows_of_files(given: Sequence[GivenAnswers | None], asked: Asked) -> tuple[ComparedRows, str, Task]:
    """Of the data that are named, or of the first file of predictions, which then holds the labels too. The task is that of the
    run which the first file lies in, or learned from labels and predictions."""
    files = [file for file in given if file is not None]
    first = files[0]
    if asked.data is None and (manifest := _run_around(first.path)) is not None:
        rows = read_scored_rows(
            manifest, first.path, asked.text, asked.text_pair, asked.label, asked.options, group=asked.group,
            ignore_unknown_labels=asked.ignore_unknown_labels,
        )  # fmt: skip
        columns = (*(asked.text or manifest.text), asked.text_pair or manifest.text_pair or "")
        return ComparedRows(rows, columns), rows.table.source, manifest.open_task()
    table = first.table if asked.data is None else read_table(asked.data, asked.options)
    if asked.data is None and not asked.label and "label" not in table.columns:
        raise DataError(
            f"{first.path} has no column of true labels.", "Name the labelled rows with --data FILE, or the column with --label."
        )
    label = list(asked.label) if asked.label else ["label"] if "label" in table.columns else None
    pair = asked.text_pair or ("text_pair" if "text_pair" in table.columns else None)
    choice = choose_columns(table, asked.text, pair, label, asked.group)
    kind, _ = choose_task("auto", label_values(table, choice), len(choice.label))
    examples, _ = to_examples(table, choice, keep_all=True, lists=kind.reads_lists)
    labels = [value for value in examples.label or [] if value]
    labels += [name for file in files for name in file.names()] if kind.reads_classes and not kind.reads_lists else []
    task = kind.learn(replace(Examples.of_texts(labels), label=labels, source=table.source), kind.Options())
    places = scored_positions(examples, task, ignore_unknown=asked.ignore_unknown_labels)
    dropped = Dropped(without_label=tuple(np.delete(examples.row, places).tolist()))
    rows = ScoredRows(examples.take(places), dropped, choice.describe(), table)
    return ComparedRows(rows, (*choice.text, choice.text_pair or "")), table.source, task


def _run_around(path: Path) -> Manifest | None:
    """The manifest of the run whose table of test rows this is, or None."""
    if path.name != PREDICTIONS or not (path.parent / MARKER).is_file():
        return None
    return open_bundle(path.parent).manifest


def test_rows_of(folder: Path) -> Path:
    """The file with the test part of a run, which may be the one whose `model/` or baseline it is.

    Raises DataError where there is none, or where the model has learned from these rows.
    """
    homes = (folder, folder.resolve().parent, folder.resolve().parent.parent)
    home = next((home for home in homes if (home / PREDICTIONS).is_file()), None)
    if home is None:
        raise DataError(f"{folder} has no {PREDICTIONS} with its test rows.", "Name labelled rows with --data FILE.")
    if _was_cross_validated(home):
        raise DataError(
            f"{folder} was scored by cross-validation, and its model has learned from all of these rows.",
            f"Compare {home / PREDICTIONS} instead, which holds the answers of models that have not.",
        )
    return home / PREDICTIONS


def _was_cross_validated(home: Path) -> bool:
    try:
        settings = parse_yaml((home / MARKER).read_text(encoding="utf-8"))
        return (settings.get("evaluation") or {}).get("folds") is not None
    except (OSError, ValueError, AttributeError, json.JSONDecodeError):
        return False


def _not_learned(rows: ScoredRows, folders: Sequence[Path]) -> ScoredRows:
    """Those that no run has learned from. Raises DataError where there is none."""
    is_learned = np.any([LearnedTexts.of_run(folder).holds(rows.examples) for folder in folders], axis=0)
    if is_learned.all():
        raise DataError(
            f"{rows.table.source}: one of the two has learned from every row.", "Give rows that neither has learned from."
        )
    return replace(rows, examples=rows.examples.take(np.flatnonzero(~is_learned)))


def _common_rows(folders: Sequence[Path], rows: Sequence[ScoredRows], task: Task) -> ScoredRows:
    """Those of the first run that are in the test parts of the others too. Raises DataError where there is none."""
    common = rows[0]
    for folder, other in zip(folders[1:], rows[1:], strict=True):
        theirs = Counter(_keys(other.examples, task))
        chosen = []
        for i, key in enumerate(_keys(common.examples, task)):
            if theirs[key]:
                theirs[key] -= 1
                chosen.append(i)
        if not chosen:
            raise DataError(
                f"The test parts of {folders[0]} and {folder} have no row in common.",
                "Name labelled rows that neither has learned from with --data FILE.",
            )
        common = replace(common, examples=common.examples.take(np.array(chosen, dtype=np.int64)))
    return common


def _keys(examples: Examples, task: Task) -> list[tuple[str, str, str]]:
    """Of texts and labels as the task writes them: the same ones may be spelled otherwise in another file."""
    examples = task.spelled(examples)
    pairs, labels = examples.text_pair or [""] * len(examples), examples.label or [""] * len(examples)
    return list(zip(examples.text, pairs, labels, strict=True))
