"""`superfine compare`: is one trained model better than another? Asked on the same rows, which neither has learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from superfine.data.learned import LearnedTexts
from superfine.data.read import DataSource
from superfine.data.table import ReadOptions
from superfine.errors import DataError, ModelError
from superfine.evaluation.compare import Comparison, compare
from superfine.evaluation.evaluate import evaluate
from superfine.predictors.bundle import open_bundle, open_predictor
from superfine.recipes.evaluate import ScoredRows, read_scored_rows
from superfine.recipes.run_folder import PREDICTIONS
from superfine.records import Evaluation, Examples, IntArray
from superfine.tasks.task import Task


@dataclass(frozen=True)
class Compared:
    """names: of the two. evaluations: of each on the same rows. comparison: of the first with the second. of: where the rows come
    from."""

    task: Task
    names: tuple[str, str]
    evaluations: tuple[Evaluation, Evaluation]
    comparison: Comparison
    rows: ScoredRows
    of: str

    @property
    def verdict(self) -> str:
        """Which one is better, in words."""
        first, second = self.names
        said = {"better": f"{first} is better than {second}", "worse": f"{second} is better than {first}"}
        return said.get(self.comparison.outcome, f"{first} and {second} cannot be told apart on these texts")

    def to_json(self) -> dict[str, Any]:
        first, second = (evaluation.to_json(by_label=False) for evaluation in self.evaluations)
        return {
            "task": self.task.name,
            "main": self.task.main,
            "shown": self.task.shown.model_dump(mode="json"),
            "rows": self.of,
            "test": first,
            "baselines": {self.names[1]: {"title": self.names[1], **second}},
            "comparison": {self.names[1]: {**self.comparison.to_json(), "verdict": self.verdict}},
        }


def compare_runs(
    first: Path,
    second: Path,
    data: DataSource | None = None,
    text: list[str] | None = None,
    text_pair: str | None = None,
    label: Sequence[str] | None = None,
    options: ReadOptions | None = None,
    *,
    group: str | None = None,
    ignore_unknown_labels: bool = False,
) -> Compared:
    """Let both models answer for every labelled row of `data`; without it, for the rows in the test parts of both runs.

    Raises ModelError for models of other tasks or labels, DataError where no row can be compared.
    """
    manifests = [open_bundle(folder).manifest for folder in (first, second)]
    task, other = (manifest.open_task() for manifest in manifests)
    if task.name != other.name or task.labels != other.labels:
        raise ModelError(
            f"{first} and {second} answer other questions: {_described(task)}, and {_described(other)}.",
            "Models can be compared that tell the same things apart.",
        )
    folders = (first, second)
    if data is None:
        tests = [read_scored_rows(one, _test_rows(folder)) for one, folder in zip(manifests, folders, strict=True)]
        rows = _common_rows(first, second, tests, task)
        n_first, n_second = (len(test.examples) for test in tests)
        of = f"the test rows that both runs have ({len(rows.examples)} of {n_first} and {n_second})"
    else:
        rows = read_scored_rows(
            manifests[0], data, text, text_pair, label, options, group=group, ignore_unknown_labels=ignore_unknown_labels
        )
        n_rows, rows = len(rows.examples), _not_learned(rows, folders)
        of = rows.table.source
        if len(rows.examples) < n_rows:
            of = f"{len(rows.examples)} of {n_rows} rows of {of}, those that neither has learned from"
    examples = rows.examples
    one, another = (
        own.statistics(examples, open_predictor(folder).predict_examples(examples))
        for folder, own in ((first, task), (second, other))
    )
    return Compared(
        task,
        _names(first, second),
        (evaluate(one, task.scores, examples.group), evaluate(another, task.scores, examples.group)),
        compare(one, another, task.scores, examples.group, main=task.main),
        rows,
        of,
    )


def _test_rows(folder: Path) -> Path:
    """The file with the test part of a run."""
    path = folder / PREDICTIONS
    if not path.is_file():
        raise DataError(f"{folder} has no {PREDICTIONS} with its test rows.", "Name labelled rows with --data FILE.")
    return path


def _not_learned(rows: ScoredRows, folders: Sequence[Path]) -> ScoredRows:
    """Those that no run has learned from. Raises DataError where there is none."""
    is_learned = np.any([LearnedTexts.of_run(folder).holds(rows.examples) for folder in folders], axis=0)
    if is_learned.all():
        raise DataError(
            f"{rows.table.source}: one of the two has learned from every row.", "Give rows that neither has learned from."
        )
    return replace(rows, examples=rows.examples.take(np.flatnonzero(~is_learned)))


def _common_rows(first: Path, second: Path, rows: Sequence[ScoredRows], task: Task) -> ScoredRows:
    """Those of the first run that are in the test part of the second too. Raises DataError where there is none."""
    theirs = Counter(_keys(rows[1].examples, task))
    chosen = []
    for i, key in enumerate(_keys(rows[0].examples, task)):
        if theirs[key]:
            theirs[key] -= 1
            chosen.append(i)
    if not chosen:
        raise DataError(
            f"The test parts of {first} and {second} have no row in common.",
            "Name labelled rows that neither has learned from with --data FILE.",
        )
    common: IntArray = np.array(chosen, dtype=np.int64)
    return ScoredRows(rows[0].examples.take(common), rows[0].dropped, rows[0].columns, rows[0].table)


def _keys(examples: Examples, task: Task) -> list[tuple[str, str, str]]:
    """Of texts and labels as the task writes them: the same ones may be spelled otherwise in another file."""
    examples = task.spelled(examples)
    pairs, labels = examples.text_pair or [""] * len(examples), examples.label or [""] * len(examples)
    return list(zip(examples.text, pairs, labels, strict=True))


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Short ones where they differ."""
    short = first.resolve().name, second.resolve().name
    return short if short[0] != short[1] else (str(first), str(second))


def _described(task: Task) -> str:
    return f"{task.name} ({', '.join(task.labels[:5])}{', …' if len(task.labels) > 5 else ''})" if task.labels else task.name
