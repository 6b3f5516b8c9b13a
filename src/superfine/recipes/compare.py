"""`superfine compare`: which of several predictors is better? Asked on the same rows, which none of them has learned from.

Predictors are trained models, exported or saved beside them, and files of predictions of any tool.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from superfine.config import parse_yaml
from superfine.data.columns import Dropped, choose_columns, label_values, to_examples
from superfine.data.learned import LearnedTexts
from superfine.data.read import DataSource, read_table
from superfine.data.table import ReadOptions
from superfine.data.write import refuse_unwritable, unused_names, write_table
from superfine.errors import ConfigError, DataError, ModelError, OutputError
from superfine.evaluation.compare import Comparison, compare
from superfine.evaluation.evaluate import evaluate, sums_of
from superfine.evaluation.multiple_testing import holm
from superfine.evaluation.non_inferiority import NonInferiority, non_inferiority
from superfine.metrics import title_of
from superfine.predictors.bundle import Manifest, open_bundle, open_predictor
from superfine.recipes.evaluate import ScoredRows, read_scored_rows
from superfine.recipes.given_answers import GivenAnswers, is_predictions_file
from superfine.recipes.prepare import scored_positions
from superfine.recipes.request import MARKER
from superfine.recipes.run_folder import PREDICTIONS
from superfine.records import Answers, Choices, Count, Evaluation, Examples, IntArray, Ranking, Score
from superfine.tasks.choose import choose_task
from superfine.tasks.task import Task

MOST_LISTED = 10
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
    asked = _Asked(data, text, text_pair, label, options, group, ignore_unknown_labels)
    rows, of, task = _rows_to_compare(paths, given, manifests, tasks, asked)
    rows, places, notes = _matched(rows, given)
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


@dataclass(frozen=True)
class _Asked:
    """What the user says of the rows to compare on."""

    data: DataSource | None
    text: list[str] | None
    text_pair: str | None
    label: Sequence[str] | None
    options: ReadOptions | None
    group: str | None
    ignore_unknown_labels: bool


@dataclass(frozen=True)
class _Rows:
    """Rows to compare on. text_columns: the columns of the text, and that of its pair or ""."""

    scored: ScoredRows
    text_columns: tuple[str, ...]

    def take(self, places: IntArray) -> _Rows:
        return replace(self, scored=replace(self.scored, examples=self.scored.examples.take(places)))


def _matched(rows: _Rows, given: Sequence[GivenAnswers | None]) -> tuple[_Rows, list[IntArray], tuple[str, ...]]:
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


def _rows_to_compare(
    paths: Sequence[Path],
    given: Sequence[GivenAnswers | None],
    manifests: Sequence[Manifest | None],
    tasks: Sequence[Task | None],
    asked: _Asked,
) -> tuple[_Rows, str, Task]:
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
        return _Rows(rows, columns), of, task
    tests = [read_scored_rows(one, _test_rows(path)) for path, one in models]
    if len(tests) == 1:
        return _Rows(tests[0], columns), f"the test rows of {models[0][0]}", task
    rows = _common_rows([path for path, _ in models], tests, task)
    counts = ", ".join(str(len(test.examples)) for test in tests[:-1])
    of = f"the test rows that all runs have ({len(rows.examples)} of {counts} and {len(tests[-1].examples)})"
    return _Rows(rows, columns), of, task


def _rows_of_files(given: Sequence[GivenAnswers | None], asked: _Asked) -> tuple[_Rows, str, Task]:
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
        return _Rows(rows, columns), rows.table.source, manifest.open_task()
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
    return _Rows(rows, (*choice.text, choice.text_pair or "")), table.source, task


def _run_around(path: Path) -> Manifest | None:
    """The manifest of the run whose table of test rows this is, or None."""
    if path.name != PREDICTIONS or not (path.parent / MARKER).is_file():
        return None
    return open_bundle(path.parent).manifest


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
    said = [answers.to_columns()["prediction"] for answers in (one, other)]
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


def _test_rows(folder: Path) -> Path:
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


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Short ones where they differ; one that is given twice has a number."""
    names = [path.resolve().name for path in paths]
    names = names if len(set(names)) == len(names) else [str(path) for path in paths]
    return tuple(f"{name} ({names[: i + 1].count(name)})" if name in names[:i] else name for i, name in enumerate(names))


def _described(task: Task) -> str:
    return f"{task.name} ({', '.join(task.labels[:5])}{', …' if len(task.labels) > 5 else ''})" if task.labels else task.name
