"""`superfine compare`: which of several predictors is better? Asked on the same rows, which none of them has learned from.

Predictors are trained models, exported or saved beside them, and files of predictions of any tool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from superfine.data.read import DataSource
from superfine.data.table import ReadOptions
from superfine.data.write import refuse_unwritable, unused_names, write_table
from superfine.errors import ConfigError, ModelError, OutputError
from superfine.evaluation.compare import Comparison, compare
from superfine.evaluation.evaluate import evaluate, sums_of
from superfine.evaluation.multiple_testing import holm
from superfine.evaluation.non_inferiority import NonInferiority, non_inferiority
from superfine.metrics import title_of
from superfine.predictors.bundle import Manifest, open_bundle, open_predictor
from superfine.recipes.compared_rows import Asked, matched, rows_to_compare
from superfine.recipes.evaluate import ScoredRows
from superfine.recipes.given_answers import GivenAnswers, is_predictions_file
from superfine.records import Answers, Choices, Count, Evaluation, Examples, IntArray, Ranking, Score
from superfine.tasks.task import Task

OF_PROBABILITIES = {"log_loss", "brier"}


@dataclass(frozen=True)
class Pair:
    """Two predictors by their places. comparison: of the first with the second. only_first, only_second, neither: positions of
    rows that they answer differently, by which of them is right; None where answers are not simply right or wrong. changed: all
    of these rows. margin: of a test whether the first is not worse, or None."""

    first: int
    second: int
    comparison: Comparison
    changed: IntArray
    only_first: IntArray | None
    only_second: IntArray | None
    margin: NonInferiority | None = None


@dataclass(frozen=True)
class Compared:
    """names: of the predictors. answers, evaluations: of each on the same rows. pairs: each with each. of: where the rows come
    from. notes: what the user should know of it."""

    task: Task
    names: tuple[str, ...]
    answers: tuple[Answers, ...]
    evaluations: tuple[Evaluation, ...]
    pairs: tuple[Pair, ...]
    rows: ScoredRows
    of: str
    notes: tuple[str, ...] = ()

    @property
    def comparison(self) -> Comparison:
        """Of the first with the second."""
        return self.pairs[0].comparison

    @property
    def verdict(self) -> str:
        """Which of the first two is better, in words."""
        return self.verdict_of(self.pairs[0])

    def verdict_of(self, pair: Pair) -> str:
        """Which one is better, in words."""
        first, second = self.names[pair.first], self.names[pair.second]
        said = {"better": f"{first} is better than {second}", "worse": f"{second} is better than {first}"}
        return said.get(pair.comparison.outcome, f"{first} and {second} cannot be told apart on these texts")

    def said_of_margin(self, pair: Pair) -> str:
        """Whether the first is shown to be hardly worse, in words; "" where nobody asked."""
        if pair.margin is None:
            return ""
        first, second = self.names[pair.first], self.names[pair.second]
        is_number = title_of(self.task.main).unit == "number"
        upper, margin = (
            f"{value:.3f}" if is_number else f"{100 * value:.2f}" for value in (pair.margin.upper, pair.margin.margin)
        )
        margin = f"{margin} of {title_of(self.task.main).long}" if is_number else f"{margin} points"
        if pair.margin.upper <= 0:
            return f"{first} is not worse than {second} at all (95 % sure)"
        if pair.margin.holds:
            return f"{first} is not worse than {second} by {margin}: it loses less than {upper} (95 % sure)"
        return f"It is not shown that {first} is not worse than {second} by {margin}: it may lose up to {upper} (95 % sure)"

    def to_json(self) -> dict[str, Any]:
        scores = [evaluation.to_json(by_label=False) for evaluation in self.evaluations]
        first = [pair for pair in self.pairs if pair.first == 0]
        return {
            "task": self.task.name,
            "main": self.task.main,
            "shown": self.task.shown.model_dump(mode="json"),
            "rows": self.of,
            "notes": list(self.notes),
            "test": scores[0],
            "baselines": {name: {"title": name, **own} for name, own in zip(self.names[1:], scores[1:], strict=True)},
            "comparison": {
                self.names[pair.second]: {**pair.comparison.to_json(), "verdict": self.verdict_of(pair)} for pair in first
            },
            "pairs": [self._pair_to_json(pair) for pair in self.pairs],
        }

    def _pair_to_json(self, pair: Pair) -> dict[str, Any]:
        main = self.task.main
        document: dict[str, Any] = {
            "first": self.names[pair.first],
            "second": self.names[pair.second],
            **pair.comparison.to_json(),
            "verdict": self.verdict_of(pair),
            "changed": len(pair.changed),
        }
        if pair.only_first is not None and pair.only_second is not None:
            document |= {"only_first_right": len(pair.only_first), "only_second_right": len(pair.only_second)}
        if pair.margin is not None:
            document["non_inferiority"] = {**pair.margin.to_json(), "score": main, "verdict": self.said_of_margin(pair)}
        return document


def compare_runs(
    first: Path,
    second: Path,
    data: DataSource | None = None,
    text: list[str] | None = None,
    text_pair: str | None = None,
    label: Sequence[str] | None = None,
    options: ReadOptions | None = None,
    *,
    more: Sequence[Path] = (),
    group: str | None = None,
    ignore_unknown_labels: bool = False,
    margin: float | None = None,
) -> Compared:
    """Let all answer for every labelled row of `data`; without it, for the rows in the test parts of all runs.

    more: others than the first two. margin: what the first may lose against each other one, in points where the score is a share.
    Raises ModelError for models of other tasks or labels, DataError where no row can be compared.
    """
    paths = (first, second, *more)
    given = [GivenAnswers(path, options) if is_predictions_file(path) else None for path in paths]
    manifests = [None if file is not None else open_bundle(path).manifest for path, file in zip(paths, given, strict=True)]
    tasks = _same_tasks(paths, manifests)
    asked = Asked(data, text, text_pair, label, options, group, ignore_unknown_labels)
    rows, of, task = rows_to_compare(paths, given, manifests, tasks, asked)
    rows, places, notes = matched(rows, given)
    examples = rows.scored.examples
    answers = tuple(
        open_predictor(path).predict_examples(examples) if file is None else file.answers(task, examples, place)
        for path, file, place in zip(paths, given, places, strict=True)
    )
    notes += tuple(note for file in given if file is not None for note in file.notes())
    scores = _comparable(task, all(file is None or file.has_probabilities for file in given))
    statistics = [(own or task).statistics(examples, said) for own, said in zip(tasks, answers, strict=True)]
    comparisons = [
        (i, j, compare(statistics[i], statistics[j], scores, examples.group, main=task.main))
        for i, j in combinations(range(len(paths)), 2)
    ]
    if len(comparisons) > 1:
        adjusted = holm([found.p_values.get(task.main, 1.0) for _, _, found in comparisons]).tolist()
        comparisons = [(i, j, replace(found, adjusted_p=p)) for (i, j, found), p in zip(comparisons, adjusted, strict=True)]
    allowed = None if margin is None else margin if title_of(task.main).unit == "number" else margin / 100
    pairs = []
    for i, j, found in comparisons:
        shown = None
        if allowed is not None and i == 0:
            shown = non_inferiority(statistics[i], statistics[j], scores, examples.group, main=task.main, margin=allowed)
        pairs.append(Pair(i, j, found, *_changed(task, examples, answers[i], answers[j]), shown))
    return Compared(
        task,
        _names(paths),
        answers,
        tuple(evaluate(one, scores, examples.group) for one in statistics),
        tuple(pairs),
        rows.scored,
        of if not notes else f"{len(examples)} rows of {of}",
        notes,
    )


def _same_tasks(paths: Sequence[Path], manifests: Sequence[Manifest | None]) -> list[Task | None]:
    """The task of each model. Raises ModelError where they differ."""
    tasks = [None if manifest is None else manifest.open_task() for manifest in manifests]
    known = [(path, task) for path, task in zip(paths, tasks, strict=True) if task is not None]
    for path, task in known[1:]:
        if task.name != known[0][1].name or task.labels != known[0][1].labels:
            raise ModelError(
                f"{known[0][0]} and {path} answer other questions: {_described(known[0][1])}, and {_described(task)}.",
                "Models can be compared that tell the same things apart.",
            )
    return tasks


def _comparable(task: Task, with_probabilities: bool) -> Mapping[str, Score]:
    """The scores that can be had of labels alone, or all."""
    if with_probabilities or not task.labels:
        return task.scores
    return {
        name: score
        for name, score in task.scores.items()
        if isinstance(score, Count) or not (isinstance(score, Ranking) or OF_PROBABILITIES & {*sums_of(score)})
    }


def _changed(task: Task, examples: Examples, one: Answers, other: Answers) -> tuple[IntArray, IntArray | None, IntArray | None]:
    """Positions of the rows that are answered differently; and of those of them that only the first, or only the second, has
    right."""
    said = [answers.label for answers in (one, other)]  # without their probabilities, which differ in the last digits
    changed = np.flatnonzero([a != b for a, b in zip(*said, strict=True)])
    if not (isinstance(one, Choices) and isinstance(other, Choices) and task.reads_classes):
        return changed, None, None
    true = np.array(task.spelled(examples).label or [], dtype=object)
    right = [np.array(words, dtype=object) == true for words in said]
    return changed, changed[right[0][changed]], changed[right[1][changed]]


def refuse_margin(margin: float | None) -> None:
    """Raises ConfigError for a margin that is none."""
    if margin is not None and not (np.isfinite(margin) and margin > 0):
        raise ConfigError(f"--margin {margin:g} is no loss that could be accepted.", "It is a number of points above 0.")


def write_flips(path: Path, compared: Compared, *, force: bool) -> int:
    """Write the rows that are not answered alike by all, with every answer: how many there are."""
    refuse_unwritable(path, force=force)
    examples, names = compared.rows.examples, unused_names(["row", "text", "text_pair", "label"], compared.names)
    chosen = np.unique(np.concatenate([pair.changed for pair in compared.pairs])).astype(np.int64)
    some = examples.take(chosen)
    said = [
        [compared.task.in_words(value) for value in answers.take(chosen).to_columns()["prediction"]]
        for answers in compared.answers
    ]
    labels = compared.task.spelled(some).label or [""] * len(some)
    columns = {
        "row": [str(row) for row in some.row.tolist()],
        "text": some.text,
        **({} if some.text_pair is None else {"text_pair": some.text_pair}),
        "label": labels,
        **dict(zip(names, said, strict=True)),
    }
    try:
        write_table(path, columns)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from None
    return len(chosen)


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Short ones where they differ; one that is given twice has a number."""
    names = [path.resolve().name for path in paths]
    names = names if len(set(names)) == len(names) else [str(path) for path in paths]
    return tuple(f"{name} ({names[: i + 1].count(name)})" if name in names[:i] else name for i, name in enumerate(names))


def _described(task: Task) -> str:
    return f"{task.name} ({', '.join(task.labels[:5])}{', …' if len(task.labels) > 5 else ''})" if task.labels else task.name
