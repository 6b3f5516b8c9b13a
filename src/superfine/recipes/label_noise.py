"""Labels that are probably wrong, found with the model as it is, or with one that is fine-tuned on the other rows."""

from __future__ import annotations

import tempfile
import time
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from superfine.config import RunConfig
from superfine.data.checks.inspection import Inspection, label_ids
from superfine.data.clean import same_text_keys
from superfine.data.label_noise import FEWEST_OF_CLASS, Noise, find_noise
from superfine.data.suspects import Suspect
from superfine.data.terms import TermIndex, binary_counts
from superfine.errors import ConfigError
from superfine.extras import require_installed
from superfine.predictors import NEEDS
from superfine.recipes.embeddings import vectors_of
from superfine.recipes.prepare import Parts
from superfine.recipes.reporter import Counter, Reporter
from superfine.recipes.request import Request, make_request
from superfine.records import Choices, Examples, FloatArray, IntArray

if TYPE_CHECKING:
    from superfine.model import Model

MOST_ROWS = 50_000
"""All are compared with all."""
DEEP_FOLDS = 3
Train = Callable[[Request, Reporter], object]


class Doubts(NamedTuple):
    """Suspects, the surest first; how many rows were looked at; the numbers of those for which another label is more probable;
    and for how many it is much more probable."""

    suspects: list[Suspect]
    n_rows: int
    likely: list[int]
    n_sure: int


def refuse_if_impossible(parts: Parts, option: str) -> None:
    """Raises ConfigError where wrong labels cannot be looked for. option: that asks for it."""
    require_installed(*NEEDS["torch"])
    if parts.train.text_pair is not None:
        raise ConfigError(f"{option} looks at single texts, and these are pairs.", "Leave it out.")
    if not parts.task.reads_classes or parts.task.head.by_token or parts.task.reads_lists:
        raise ConfigError(f"{option} is for one class of a text, not for the task {parts.task.name}.", "Leave it out.")
    if sum(n >= FEWEST_OF_CLASS for n in Tally(parts.train.label).values()) < 2:
        raise ConfigError(f"{option} needs two classes with {FEWEST_OF_CLASS} rows or more.", "Leave it out.")


def doubts(parts: Parts, inspection: Inspection, reporter: Reporter, train: Train | None = None) -> Doubts:
    """Training rows whose label may be wrong. train: fine-tunes on two thirds of the rows, which are asked for the rest, three
    times; None leaves the model as it is."""
    from superfine.recipes.fine_tune import open_model

    rows = _rows_looked_at(parts.train, reporter)
    names, label = label_ids([(parts.train.label or [])[i] for i in rows])
    looked_at = parts.train.take(rows)
    reporter.stage("loading")
    vectors = _vectors(open_model(parts, reporter)[0], looked_at, reporter)
    terms = inspection.train_terms.take(rows)
    seen = None if train is None else _out_of_fold(parts, looked_at, label, reporter, train)
    noise = find_noise(vectors, binary_counts([terms], len(inspection.term_names)), label, seen)
    return Doubts(
        _suspects(looked_at, names, label, noise), len(rows), looked_at.row[noise.rows[noise.ratio < 1]].tolist(), noise.n_sure
    )


def _rows_looked_at(train: Examples, reporter: Reporter) -> IntArray:
    """At most `MOST_ROWS`, evenly spread, of classes that are large enough."""
    names, label = label_ids(train.label or [])
    counts = np.bincount(label, minlength=len(names))
    rows = np.flatnonzero(counts[label] >= FEWEST_OF_CLASS)
    if n_small := int((counts < FEWEST_OF_CLASS).sum()):
        reporter.note(f"{n_small} classes with fewer than {FEWEST_OF_CLASS} rows are not looked at for wrong labels.")
    if len(rows) > MOST_ROWS:
        reporter.note(f"Wrong labels are looked for in {MOST_ROWS} of {len(train)} rows.")
        rows = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]
        kept = np.bincount(label[rows], minlength=len(names))
        rows = rows[kept[label[rows]] >= FEWEST_OF_CLASS]
    return np.asarray(rows, dtype=np.int64)


def _vectors(model: Model, examples: Examples, reporter: Reporter) -> FloatArray:
    """(n, width) of the texts by the model as it is."""
    reporter.stage("embedding")
    return vectors_of(model, examples, Counter(reporter, len(examples)))


def downweighted(parts: Parts, model: Model, reporter: Reporter) -> Parts:
    """The parts, in which training rows count the less the surer it is that their label is wrong. model: before it is trained."""
    rows = _rows_looked_at(parts.train, reporter)
    names, label = label_ids([(parts.train.label or [])[i] for i in rows])
    if len(names) < 2:
        return parts
    looked_at, index = parts.train.take(rows), TermIndex()
    terms = index.number(same_text_keys(looked_at.text))
    noise = find_noise(_vectors(model, looked_at, reporter), binary_counts([terms], len(index)), label)
    weight = np.array(parts.train.weight if parts.train.weight is not None else np.ones(len(parts.train)), dtype=np.float64)
    weight[rows[noise.rows]] *= np.minimum(1, noise.ratio)
    reporter.note(f"{noise.n_likely} of {len(rows)} training rows count less, because their label may be wrong.")
    return replace(parts, train=replace(parts.train, weight=weight.tolist()))


def _out_of_fold(parts: Parts, examples: Examples, label: IntArray, reporter: Reporter, train: Train) -> FloatArray:
    """(n, K) probabilities by models that are fine-tuned on the rows of other folds."""
    from sklearn.model_selection import StratifiedKFold

    from superfine.predictors.bundle import open_predictor

    reporter.stage("folds")
    names, _ = label_ids(examples.label or [])
    found = np.zeros((len(examples), len(names)))
    for learned, scored in StratifiedKFold(DEEP_FOLDS, shuffle=True, random_state=0).split(label, label):
        with tempfile.TemporaryDirectory(prefix="superfine-") as name:
            some = {"text": [examples.text[i] for i in learned], "label": [(examples.label or [])[i] for i in learned]}
            asked = {"text": [examples.text[i] for i in scored], "label": [(examples.label or [])[i] for i in scored]}
            config = _config_of_fold(parts.config)
            request = make_request(
                some, validation=None, test=asked, out=Path(name) / "run", config=config, overrides={}, force=False,
                resume=None, strict=False, started=time.monotonic(),
            )  # fmt: skip
            train(request, Reporter())
            answers = open_predictor(Path(name) / "run").predict_examples(examples.take(scored))
            assert isinstance(answers, Choices)
            places = [names.index(one) for one in answers.labels]
            found[np.ix_(scored, places)] = answers.probabilities
    return found


def _config_of_fold(config: RunConfig) -> dict[str, object]:
    """The settings of a fold's training: those of the run, with the columns and the task that were found."""
    data = {"text": ["text"], "label": ["label"], "cleaning": config.data.cleaning}
    return {**config.model_dump(mode="json"), "data": data, "evaluation": {}, "track": []}


def _suspects(examples: Examples, names: list[str], label: IntArray, noise: Noise) -> list[Suspect]:
    found = []
    for i, suggested, score in zip(noise.rows.tolist(), noise.suggested.tolist(), noise.score.tolist(), strict=True):
        like = noise.neighbours[i]
        agreeing = like[label[like] == suggested]
        reason = f"{len(agreeing)} of the {len(like)} nearest rows have this label"
        if len(agreeing):
            nearest = examples.row[agreeing[:2]].tolist()
            reason = f"{reason}, first rows {' and '.join(map(str, nearest))}"
        found.append(
            Suspect(int(examples.row[i]), examples.text[i], names[label[i]], names[suggested], score, reason, examples.source)
        )
    return found
