"""Which rows an export is held against: those of the run, read again, and what the user adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from superfine.data.clean import same_text_keys
from superfine.data.columns import to_examples
from superfine.data.learned import LearnedTexts
from superfine.data.read import read_table
from superfine.errors import DataError
from superfine.predictors.bundle import Bundle
from superfine.recipes.evaluate import columns_for, read_scored_rows
from superfine.recipes.exports.request import ExportRequest
from superfine.recipes.run_rows import RunRows, home_of, rows_of_run
from superfine.records import Examples

MOST_UNLABELLED = 20_000


@dataclass(frozen=True)
class RowsForExport:
    """labelled: those of the test part and of `--data`, which chose nothing. learned: for calibration. validation, unlabelled:
    for choosing among ways. None where there are none. notes: what the user should know of them."""

    labelled: Examples | None
    learned: Examples | None
    validation: Examples | None
    unlabelled: Examples | None
    notes: tuple[str, ...]


def rows_for_export(bundle: Bundle, asked: ExportRequest) -> RowsForExport:
    """Raises DataError for files that cannot be used, or that the model has learned from."""
    home, notes = home_of(bundle), []
    own = RunRows(None, None, None, (f"{bundle.folder} lies in no run: it has no rows of its own.",))
    own = own if home is None else rows_of_run(bundle, home)
    learned = LearnedTexts.of_run(bundle.folder)
    if not len(learned.hashes) and (asked.data is not None or asked.unlabelled is not None):
        notes.append("Nothing here tells which texts the model has learned from: such rows would count for the proof.")
    labelled = own.test
    if asked.data is not None:
        more = read_scored_rows(
            bundle.manifest, asked.data, list(asked.text) or None, asked.text_pair, list(asked.label) or None, asked.options,
            ignore_unknown_labels=asked.ignore_unknown_labels,
        )  # fmt: skip
        if len(more.dropped):
            notes.append(f"Left out of --data: {len(more.dropped)} rows without a label that the model knows")
        rows = _others(more.examples, learned, [labelled], "--data", notes)
        labelled = rows if labelled is None else labelled.joined(rows)
    texts = None
    if asked.unlabelled is not None:
        texts = _others(_texts(bundle, asked), learned, [labelled, own.validation], "--unlabelled", notes)
        if len(texts) > MOST_UNLABELLED:
            notes.append(f"Of --unlabelled {MOST_UNLABELLED} of {len(texts)} texts are used, drawn")
            texts = texts.take(np.sort(np.random.default_rng(0).permutation(len(texts))[:MOST_UNLABELLED]))
    return RowsForExport(labelled, own.learned, own.validation, texts, (*own.notes, *notes))


def _others(
    examples: Examples, learned: LearnedTexts, beside: Sequence[Examples | None], option: str, notes: list[str]
) -> Examples:
    """Those whose text the model has not learned from, and that stands neither in other rows nor before: each text counts once.

    Raises DataError where there is none.
    """
    is_learned = learned.holds(examples)
    if len(examples) and is_learned.all():
        raise DataError(f"{examples.source}: the model has learned from every row.", "Give rows that it has not learned from.")
    seen = {key for part in beside if part is not None for key in same_text_keys(part.text, part.text_pair)}
    kept, n_again = [], 0
    for i, key in enumerate(same_text_keys(examples.text, examples.text_pair)):
        if is_learned[i]:
            continue
        n_again += key in seen
        if key not in seen:
            kept.append(i)
        seen.add(key)
    if is_learned.any():
        notes.append(f"Left out of {option}: {int(is_learned.sum())} rows that the model has learned from")
    if n_again:
        notes.append(f"Left out of {option}: {n_again} rows whose text counts already")
    if not kept:
        raise DataError(f"{examples.source} holds no text that does not count already.", "Give other rows, or leave it out.")
    return examples.take(kept)


def _texts(bundle: Bundle, asked: ExportRequest) -> Examples:
    assert asked.unlabelled is not None
    table = read_table(asked.unlabelled, asked.options)
    choice = columns_for(bundle.manifest, table, list(asked.text) or None, asked.text_pair, None, needs_label=False)
    examples, _ = to_examples(table, choice, keep_all=True)
    examples = examples.take(np.flatnonzero([bool(text.strip()) for text in examples.text]))
    if not len(examples):
        raise DataError(f"{table.source} holds no text.", "Name another file with --unlabelled.")
    return examples
