"""From files to parts, in one ladder: read → choose the columns → learn the task → hold rows out for validation and test →
choose the model, where that is left open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from superfine.backbones.choose import choose
from superfine.backbones.sources.embedded import Say
from superfine.config import AUTO, DataConfig, RunConfig, validate_options
from superfine.data.checks.inspection import Reading
from superfine.data.clean import same_text_keys
from superfine.data.columns import ColumnChoice, Dropped, choose_columns, label_values, to_examples
from superfine.data.labels import visible
from superfine.data.personal import redacted_examples
from superfine.data.read import DataSource, read_table
from superfine.data.split import split
from superfine.data.table import BadRow, ReadOptions, Table, read_options
from superfine.data.times import named_column, same_name, times_of
from superfine.errors import ConfigError, DataError, ModelError
from superfine.paths import same_file
from superfine.records import Examples, IntArray
from superfine.tasks import TASKS
from superfine.tasks.choose import choose_task, columns_by_name
from superfine.tasks.task import Task
from superfine.training.regularisers import refuse_unsuited

if TYPE_CHECKING:
    from superfine.recipes.reporter import Reporter


MOST_LATE = 0.5
"""A part that is held out by time is not larger than this, where many rows are of its first time."""


@dataclass(frozen=True)
class Parts:
    """The rows by their use, and what was learned and chosen on the way.

    scored: (m,) the positions in the test part of rows whose label can be scored, `scored_test` these rows, `unscored_rows` the
    row numbers of the others. config: with every column that was found written down. notes: choices made in reading. bad_rows:
    records left out on request. reading: how the training file was read, for the checks.
    """

    train: Examples
    validation: Examples
    test: Examples
    task: Task
    scored: IntArray
    scored_test: Examples
    unscored_rows: tuple[int, ...]
    columns: ColumnChoice
    dropped: dict[str, Dropped]
    config: RunConfig
    notes: tuple[str, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    reading: Reading | None = None


def prepare(
    data: DataSource,
    validation: DataSource | None,
    test: DataSource | None,
    config: RunConfig,
    *,
    needs_test: bool = True,
    needs_validation: bool = True,
    needs_model: bool = True,
    reporter: Reporter | None = None,
) -> Parts:
    """Read what was given and hold out what was not. A part without a need is empty where it is not given; a model without a need
    stays open where none can be had.

    Raises DataError for files, columns or labels that cannot be used.
    """
    for name, source in (("validation", validation), ("test", test)):
        _refuse_same_file(data, source, name)
    tables = _read_tables({"train": data, "validation": validation, "test": test}, config.data, reporter)
    rows = _choose_rows(tables, config)
    config = _with_named_columns(rows.given, config)
    rows = replace(rows, notes=rows.notes + _not_told_apart(rows.given.get("test"), config))
    task = _learn_task(rows, config)
    rows = _without_personal_data(rows, task) if config.data.redact else rows
    task.chosen_by(config.training.choose_by)
    task.class_weights(config.training.class_weights, task.spelled(rows.given["train"]))
    config = _with_defaults_of(task, config)
    refuse_unsuited(config.training.regularisers or {}, task.head)
    parts = _hold_out_parts(rows, task, config, needs_test=needs_test, needs_validation=needs_validation)
    try:
        return _with_model(parts, None if reporter is None else reporter.note)
    except ModelError as error:
        if needs_model:
            raise
        return replace(parts, notes=(*parts.notes, f"No model is chosen: {error.message}"))


def _with_named_columns(given: Mapping[str, Examples], config: RunConfig) -> RunConfig:
    """The configuration with the columns of times and slices as the training table writes them.

    Raises DataError for one that it lacks, and for rows of any table that hold no time.
    """
    data, evaluation, rows = config.data, config.evaluation, given["train"]
    if data.time is not None:
        if data.group is not None:
            raise ConfigError("--time and --group both say which rows are held out.", "Leave one out.")
        data = data.model_copy(update={"time": named_column(rows, data.time, "--time")})
        for part in given.values():
            if (name := same_name(part, str(data.time))) is not None:
                times_of(part, name)
    slices = [named_column(rows, name, "--slice") for name in evaluation.slices]
    return config.model_copy(update={"data": data, "evaluation": evaluation.model_copy(update={"slices": slices})})


def _not_told_apart(test: Examples | None, config: RunConfig) -> tuple[str, ...]:
    """Notes on columns by which scores cannot be given, because a test file lacks them."""
    wanted = [*config.evaluation.slices, *filter(None, [config.data.time])]
    lacking = [] if test is None else [name for name in wanted if same_name(test, name) is None]
    return tuple(f'{test.source} has no column "{name}": no scores are given by it.' for name in lacking if test is not None)


def _refuse_same_file(data: DataSource, other: DataSource | None, name: str) -> None:
    """Raises DataError where a part is a file that is learned from."""
    given = [part for part in (data if isinstance(data, list | tuple) else [data]) if isinstance(part, str | Path)]
    for part in other if isinstance(other, list | tuple) else [other]:
        if isinstance(part, str | Path) and any(same_file(part, one) for one in given):
            raise DataError(
                f"--{name} {part} is the file that is learned from: a score on it would be worth nothing.",
                f"Give other rows, or leave out --{name}: some are held out then.",
            )


def _with_defaults_of(task: Task, config: RunConfig) -> RunConfig:
    """The configuration with what the task brings where the user says nothing."""
    config = config.model_copy(update={"task": config.task.model_copy(update={"name": task.name})})
    if config.training.regularisers is not None:
        return config
    own = {name: dict(options) for name, options in task.regularisers.items()}
    return config.model_copy(update={"training": config.training.model_copy(update={"regularisers": own})})


def _with_model(parts: Parts, say: Say | None) -> Parts:
    """The parts with the model that suits their texts, where the configuration leaves it open."""
    if parts.config.model.name != AUTO:
        return parts
    choice = choose(texts_of(parts.train), say)
    model = parts.config.model.model_copy(update={"name": choice.name})
    return replace(parts, config=parts.config.model_copy(update={"model": model}), notes=(*parts.notes, choice.line))


def texts_of(examples: Examples) -> list[str]:
    """All texts, the second ones of pairs too."""
    return examples.text if examples.text_pair is None else [*examples.text, *examples.text_pair]


def without_cleaning(parts: Parts) -> Parts:
    """The parts for a model that reads texts as they are."""
    data = parts.config.data.model_copy(update={"cleaning": False})
    return replace(parts, config=parts.config.model_copy(update={"data": data}))


@dataclass(frozen=True)
class _Rows:
    """The usable rows of each file that was given, by its use, what they are for, and the columns they were read from."""

    given: dict[str, Examples]
    task: type[Task]
    columns: ColumnChoice
    dropped: dict[str, Dropped]
    notes: tuple[str, ...]
    bad_rows: tuple[BadRow, ...]


def _read_tables(sources: dict[str, DataSource | None], settings: DataConfig, reporter: Reporter | None) -> dict[str, Table]:
    return {
        name: _read(source, replace(read_options(settings.model_dump()), part=name), reporter)
        for name, source in sources.items()
        if source is not None
    }


def _read(source: DataSource, options: ReadOptions, reporter: Reporter | None) -> Table:
    if reporter is None:
        return read_table(source, options)
    try:
        return read_table(source, replace(options, on_bytes=reporter.progress))
    finally:
        reporter.progress_ends()


def _choose_rows(tables: dict[str, Table], config: RunConfig) -> _Rows:
    """The rows of every table and what they are for, by the columns that are named or found in the training table."""
    settings = config.data
    name, found = columns_by_name(config.task.name, list(tables["train"].columns))
    named = {"text": settings.text, "text_pair": settings.text_pair, "label": settings.label}
    if name != config.task.name and any(given and given != found[role] for role, given in named.items()):
        name, found = config.task.name, {}  # the user has something else in mind
    columns = choose_columns(
        tables["train"],
        settings.text or found.get("text"),
        settings.text_pair or found.get("text_pair"),
        settings.label or found.get("label"),
        settings.group,
        settings.weight,
        time=settings.time,
    )
    task, line = choose_task(name, label_values(tables["train"], columns), len(columns.label))
    if name != config.task.name:
        read = ", ".join([*columns.text, str(columns.text_pair), *columns.label])
        line = f"Task: {name}, because of the columns {read} (another one: --task NAME)"
    rows, dropped = to_examples(tables["train"], columns, keep_unlabelled=task.reads_empty, lists=task.reads_lists)
    _refuse_unusable(rows, columns)
    notes = _texts_left_out(tables["train"], columns)
    notes += tuple(note for table in tables.values() for note in _unseen_characters(table, columns.label))
    given, lost = {"train": rows}, {"train": dropped}
    for name, table in tables.items():
        if name != "train":
            given[name], lost[name] = to_examples(
                table,
                _same_columns(table, columns),
                keep_all=name == "test",
                keep_unlabelled=task.reads_empty,
                lists=task.reads_lists,
            )
    if "validation" in given and not len(given["validation"]):
        raise DataError(f"{given['validation'].source} holds no row with a text and a label.")
    notes = tuple(note for table in tables.values() for note in table.notes) + notes
    notes += (line,) if line else ()
    return _Rows(given, task, columns, lost, notes, tuple(bad for table in tables.values() for bad in table.bad_rows))


def _without_personal_data(rows: _Rows, task: Task) -> _Rows:
    """The rows with placeholders for personal data."""
    refuse_redaction(task, "data.redact")
    texts = [*rows.columns.text, *filter(None, (rows.columns.text_pair,))]
    given = {name: redacted_examples(part, texts) for name, part in rows.given.items()}
    return replace(rows, given=given, columns=replace(rows.columns, redacts=True))


def refuse_redaction(task: Task, option: str) -> None:
    """Raises ConfigError for a task whose labels say where in a text they stand. option: that asks for placeholders."""
    if task.head.by_token:
        raise ConfigError(
            f"{option} changes texts, and the labels of the task {task.name} say where in them they stand.", "Leave it out."
        )


def _learn_task(rows: _Rows, config: RunConfig) -> Task:
    """The task, with what it learns from the training file."""
    options = validate_options(TASKS.kind, rows.task.name, rows.task.Options, config.task.options)
    return rows.task.learn(rows.given["train"], options, merges=config.data.merge_labels)


def _hold_out_parts(rows: _Rows, task: Task, config: RunConfig, *, needs_test: bool, needs_validation: bool) -> Parts:
    """The parts: files that were given as they are, the others held out of the training rows."""
    settings = config.data
    given, lost = _labelled({name: task.spelled(examples) for name, examples in rows.given.items()}, task, rows.dropped)
    train, test, validation = given["train"], given.get("test"), given.get("validation")
    n_usable = len(train)
    if validation is not None and settings.ignore_unknown_labels:
        validation = validation.take(scored_positions(validation, task, ignore_unknown=True))
    if validation is not None:
        task.gold(validation)  # what cannot be read there is told before anything is held out
    if test is None:
        if not needs_test:
            test = train.take([])
        elif settings.time is not None:
            train, test = _hold_out_latest(train, settings.time, settings.test_share, "test")
        else:
            train, test = _hold_out(train, task, settings.test_share, config.seed, "test")
    if validation is None and not needs_validation:
        validation = train.take([])
    elif validation is None:
        train, validation = hold_out_validation(train, task, config)
    scored = np.zeros(0, dtype=np.int64)
    if needs_test:
        scored = scored_positions(test, task, ignore_unknown=settings.ignore_unknown_labels)
        if why := task.why_not_scored(test.take(scored)):
            raise DataError(f"The test part cannot be scored: {why}.", "Give more rows, or a test part of its own with --test.")
    columns = rows.columns
    found = {"text": list(columns.text), "text_pair": columns.text_pair, "label": list(columns.label), "group": columns.group}
    found["weight"] = columns.weight
    return Parts(
        train=train,
        validation=validation,
        test=test,
        task=task,
        scored=scored,
        scored_test=test if len(scored) == len(test) else test.take(scored),
        unscored_rows=tuple(int(row) for row in np.delete(test.row, scored)),
        columns=columns,
        dropped=lost,
        config=config.model_copy(update={"data": settings.model_copy(update=found)}),
        notes=rows.notes + task.notes(),
        bad_rows=rows.bad_rows,
        reading=Reading(columns, settings.header, n_read=n_usable + len(lost["train"]), n_left_out=len(lost["train"])),
    )


def hold_out_validation(rows: Examples, task: Task, config: RunConfig) -> tuple[Examples, Examples]:
    """What is learned from, and what chooses the epoch. Raises DataError where no row can be held out."""
    share = min(config.data.validation_share, config.data.validation_rows / len(rows))
    if config.data.time is not None:
        return _hold_out_latest(rows, config.data.time, share, "validation")
    return _hold_out(rows, task, share, config.seed + 1, "validation")


def _labelled(
    given: Mapping[str, Examples], task: Task, dropped: Mapping[str, Dropped]
) -> tuple[dict[str, Examples], dict[str, Dropped]]:
    """The parts without the rows that the task reads no label from, and which were left out by now; a test part stays whole.

    Raises DataError where nothing is left to learn from.
    """
    kept, lost = dict(given), dict(dropped)
    for name in ("train", "validation"):
        if name in given and not (has_label := task.is_learnable(given[name])).all():
            kept[name] = given[name].take(np.flatnonzero(has_label))
            more = tuple(int(row) for row in given[name].row[~has_label])
            lost[name] = replace(lost[name], without_label=tuple(sorted((*lost[name].without_label, *more))))
    if not len(kept["train"]):
        raise DataError(f"{given['train'].source} holds no row with a text and a label.", "Name the label column with --label.")
    return kept, lost


def scored_positions(test: Examples, task: Task, *, ignore_unknown: bool) -> IntArray:
    """(m,) positions of the rows that have a label, one of the task's where others are ignored.

    Raises DataError for labels that the task does not have, and when nothing is left to score.
    """
    positions = np.flatnonzero(task.is_labelled(test))
    if ignore_unknown:
        positions = positions[task.is_known(test.take(positions))]
    if not len(positions):
        raise DataError(f"{test.source} holds no row with a label that can be scored.", "Name the label column with --label.")
    task.gold(test.take(positions))
    return positions


def _unseen_characters(table: Table, label: Sequence[str]) -> list[str]:
    """A note on labels with characters that one cannot see: they are read without them."""
    values = table.columns.get(label[0], []) if len(label) == 1 else []
    unseen = {value for value in set(values) if visible(value) != value.strip()}
    rows = [row for row, value in zip(table.row.tolist(), values, strict=False) if value in unseen] if unseen else []
    if not rows:
        return []
    return [f"{table.source}: {len(rows)} labels are read without characters that one cannot see, the first in row {rows[0]}"]


def _same_columns(table: Table, columns: ColumnChoice) -> ColumnChoice:
    group = columns.group if columns.group in table.columns else None
    weight = columns.weight if columns.weight in table.columns else None
    return choose_columns(table, columns.text, columns.text_pair, columns.label, group, weight)


def _texts_left_out(table: Table, columns: ColumnChoice) -> tuple[str, ...]:
    """A note on columns that look like texts and are not read."""
    if not columns.left_out or columns.text_pair:
        return ()
    other, text = columns.left_out[0], columns.text[0]
    return (
        f"{table.source}: {', '.join(columns.left_out[:5])} looks like a text as well and is not read. "
        f'Pairs: --text-pair "{other}"; joined: --text "{text}" --text "{other}"',
    )


def _refuse_unusable(rows: Examples, columns: ColumnChoice) -> None:
    if not len(rows):
        raise DataError(
            f"{rows.source} holds no row with a text and a label ({columns.describe()}).",
            "Name the columns with --text and --label.",
        )
    if len(rows) > 1 and len(set(rows.text)) == 1 and len(set(rows.text_pair or [])) <= 1:
        raise DataError(
            f"{rows.source}: every row has the same text ({columns.describe()}).",
            "Is the text column the right one? Name it with --text.",
        )


def _hold_out(rows: Examples, task: Task, share: float, seed: int, name: str) -> tuple[Examples, Examples]:
    keys = same_text_keys(rows.text, rows.text_pair)
    stay, held_out = split(task.strata(rows), keys, share, seed=seed, groups=rows.group)
    if not len(held_out):
        raise DataError(
            f"No row of {rows.source} can be held out for {name}: {_why_none(rows, task, share)}.",
            f"Or give a file of their own with --{name}.",
        )
    return rows.take(stay), rows.take(held_out)


def _hold_out_latest(rows: Examples, column: str, share: float, name: str) -> tuple[Examples, Examples]:
    """The rows before a time, and about that share of them from it on; rows of one time are in one part."""
    times = times_of(rows, column)
    from_on = np.quantile(times, 1 - share, method="higher")
    is_late = times >= from_on
    if is_late.all() or is_late.mean() > MOST_LATE:
        is_late = times > from_on
    if not is_late.any() or is_late.all():
        raise DataError(
            f'{rows.source}: no row can be held out for {name} by the column "{column}": the rows are of one time, or nearly so.',
            f"Leave out --time, or give a file of their own with --{name}.",
        )
    return rows.take(np.flatnonzero(~is_late)), rows.take(np.flatnonzero(is_late))


def _why_none(rows: Examples, task: Task, share: float) -> str:
    """What keeps every row in training, and what to change."""
    if why := task.why_not_held_out(rows):
        return why
    n_texts = len(set(rows.text))
    if n_texts < len(rows) / 2:
        return (
            f"its {len(rows)} rows hold only {n_texts} different texts, and equal texts stay together. Give more different ones"
        )
    return f"{share:.4g} of {len(rows)} rows, taken from each class, is less than one. Give more rows"
