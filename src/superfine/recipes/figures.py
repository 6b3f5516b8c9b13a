"""What was measured in a run: the scores of the test part, and the content of `metrics.json`."""

from __future__ import annotations

import platform
import sys
import time
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from superfine.backbones.locate import commit_of, resolve
from superfine.backbones.sources.embedded import embedded_model
from superfine.data.suspects import Suspect
from superfine.evaluation.compare import Comparison, compare
from superfine.evaluation.evaluate import evaluate
from superfine.recipes.baselines import FittedBaseline
from superfine.recipes.prepare import Parts
from superfine.recipes.reporter import Counter, Reporter
from superfine.recipes.slices import slices_of, with_nearest_rows
from superfine.records import Answers, Choices, Evaluation, Examples, Finding, IntArray
from superfine.tasks.task import Task

if TYPE_CHECKING:
    from superfine.model import Model
    from superfine.recipes.encode import EncodedParts
    from superfine.training.loop import EpochRecord, FitResult


@dataclass(frozen=True)
class Timing:
    """Seconds of each stage beside training."""

    load_seconds: float
    encode_seconds: float
    baseline_seconds: float
    evaluate_seconds: float


@dataclass(frozen=True)
class Scores:
    """Everything measured on the test part, and the validation score of the weights that were kept.

    answers: for every test row. details: what the task tells beside the scores.
    """

    answers: Answers
    test: Evaluation
    details: dict[str, Any]
    test_without_leaks: Evaluation | None
    validation: Evaluation
    baselines: Mapping[str, Evaluation]
    comparisons: Mapping[str, Comparison]
    seconds: float


def score(
    model: Model,
    parts: Parts,
    baselines: Mapping[str, FittedBaseline],
    leaked: list[int],
    reporter: Reporter,
    given: Answers | None = None,
) -> Scores:
    """Let the model answer for the test and validation parts, and set it beside the baselines. leaked: positions in the scored
    test. given: the answers for the test part, where others than the model give them."""
    started = time.perf_counter()
    task, test = model.task, parts.scored_test
    counter = Counter(reporter, (0 if given is not None else len(parts.test)) + len(parts.validation))
    every = model.predict_examples(parts.test, counter) if given is None else given
    answers = every.take(parts.scored)
    statistics = task.statistics(test, answers)
    clean = np.setdiff1d(np.arange(len(test)), np.array(leaked, dtype=np.int64))
    without = None
    if leaked and len(clean):
        without = evaluate(statistics.take(clean), task.scores, test.take(clean).group)
    theirs = {name: task.statistics(test, baseline.answers.take(parts.scored)) for name, baseline in baselines.items()}
    of_baselines = {name: evaluate(other, task.scores, test.group) for name, other in theirs.items()}
    if given is None and (blind := _blind(task, test)) is not None:
        asked, blinded = blind
        own = task.statistics(asked, model.predict_examples(blinded))
        of_baselines[BLINDED] = evaluate(own, task.scores, asked.group)
    of_validation = task.statistics(parts.validation, model.predict_examples(parts.validation, counter))
    return Scores(
        answers=every,
        test=evaluate(statistics, task.scores, test.group),
        details={
            **task.details(test, answers),
            **slices_of(task, parts, statistics),
        },
        test_without_leaks=without,
        validation=evaluate(of_validation, task.scores, parts.validation.group),
        baselines=of_baselines,
        comparisons={name: compare(statistics, other, task.scores, test.group, main=task.main) for name, other in theirs.items()},
        seconds=time.perf_counter() - started,
    )


BLINDED, BLINDED_TITLE = "without_question", "this model without the questions"
MOST_BLINDED = 1000
"""Test texts, evenly spread, are enough to tell what the texts alone give away."""


def _blind(task: Task, test: Examples) -> tuple[Examples, Examples] | None:
    """Some of the examples, and the same without what they are asked about; None where the task asks nothing."""
    some = test.take(np.unique(np.linspace(0, len(test) - 1, min(MOST_BLINDED, len(test))).astype(np.int64)))
    blinded = task.blinded(some)
    return None if blinded is None else (some, blinded)


def _shown_model(name: str) -> str:
    """The name of a model of the hub, or that of a folder without the path to it, which tells of the user's machine alone."""
    path = Path(name).expanduser()
    return path.resolve().name if path.is_dir() or path.is_absolute() else name


def _source(name: str) -> dict[str, str]:
    """Of an embedded model: the hub's name of the weights it was made of, and whose work it is; of one of the hub's, its name and
    the commit that was read."""
    if Path(name).expanduser().is_dir():
        return {}
    if (embedded := embedded_model(name)) is not None:
        return {"base_model": embedded.published, "credit": embedded.credit}
    repository, _, revision = name.partition("@")
    commit = commit_of(repository, revision or None)
    return {} if commit is None else {"base_model": repository, "base_model_commit": commit}


def collect_metrics(
    parts: Parts,
    model: Model,
    encoded: EncodedParts,
    result: FitResult,
    scores: Scores,
    baselines: Mapping[str, FittedBaseline],
    findings: list[Finding],
    timing: Timing,
) -> dict[str, Any]:
    """The content of `metrics.json`. Scores by label and the task's own details stand there once, with the test part."""
    config, task = parts.config, model.task
    metrics: dict[str, Any] = {
        "task": task.name,
        "main": task.main,
        "chosen_by": task.chosen_by(config.training.choose_by),
        "labels": list(task.labels),
        "shown": task.shown.model_dump(mode="json"),
        "model": _shown_model(config.model.name),
        **_source(config.model.name),
        **({"adapter_only": _base_of_adapter(config.model.name, task.head.auto_class)} if config.model.adapter_only else {}),
        **({"decisions": facts["decisions"]} if (facts := task.facts()).get("decisions") else {}),
        **({"calibrated_beside": True} if {"isotonic", "shift"} & {*facts} else {}),
        "precision": "float32",
        "saved_weights": str(model.backbone.saved_dtype).removeprefix("torch."),
        "test": {**scores.test.to_json(), **scores.details},
        "validation": scores.validation.to_json(by_label=False),
        "baselines": {
            name: {
                "title": BLINDED_TITLE if name == BLINDED else baselines[name].predictor.title,
                **({"saved": False} if name == BLINDED or not baselines[name].is_saved else {}),
                **evaluation.to_json(by_label=False),
            }
            for name, evaluation in scores.baselines.items()
        },
        "comparison": {
            name: {**comparison.to_json(), "verdict": verdict(comparison, baselines[name])}
            for name, comparison in scores.comparisons.items()
        },
        "training": {
            **_training_facts(model, len(encoded.train), result),
            **vars(timing),
        },
        "data": _data_facts(parts, model, encoded),
        "findings": [finding.to_json() for finding in findings],
        "environment": environment(model),
        "seed": config.seed,
    }
    fitted_rows = [baseline.n_rows for baseline in baselines.values() if baseline.n_rows is not None]
    if fitted_rows:
        metrics["training"]["baseline_rows"] = fitted_rows[0]
    if scores.test_without_leaks is not None:
        metrics["test_without_leaks"] = scores.test_without_leaks.to_json(by_label=False)
    return metrics


def verdict(comparison: Comparison, baseline: FittedBaseline) -> str:
    """The comparison with a baseline in plain words."""
    said = _said(comparison, baseline.predictor.title, is_saved=baseline.is_saved)
    return said if baseline.n_rows is None else f"{said} (fitted on {baseline.n_rows} rows)"


def _said(comparison: Comparison, title: str, *, is_saved: bool) -> str:
    if comparison.outcome == "undecided":
        return f"not distinguishable from the baseline, {title}"
    if comparison.outcome == "better":
        return f"better than {title}"
    return f"worse than {title}: use the baseline" if is_saved else f"worse than {title}: the model has learned too little"


def why_kept(history: Sequence[EpochRecord], kept_epoch: int) -> str:
    """In one sentence why the weights are those after this epoch, counted from 0."""
    kept = f"The weights are those after epoch {kept_epoch + 1}"
    sign = 1.0 if history[-1].rises else -1.0
    best = max(history, key=lambda record: sign * record.score)
    own = next((record for record in history if record.epoch == kept_epoch), history[-1])
    if len(history) == 1:
        return f"{kept}, the only one that was validated."
    if kept_epoch < history[-1].epoch:
        return f"{kept}: what came later validates worse, beyond chance."
    if sign * own.score >= sign * best.score:
        return f"{kept}, the last one: none has a better score on the validation part."
    near = f"its score on the validation part is within chance of the best, that of epoch {best.epoch + 1}"
    return f"{kept}, the last one: {near}."


def _training_facts(model: Model, n_rows: int, result: FitResult) -> dict[str, Any]:
    progress = result.progress
    seconds = max(progress.step_seconds, 1e-9)
    steps_per_epoch = max(1, -(-n_rows // result.recipe.batch_size))
    return {
        "seconds": progress.total_seconds,
        "examples_per_second": progress.texts / seconds,
        "tokens_per_second": progress.tokens / seconds,
        "epochs": progress.epoch if result.stopped is None else progress.step / steps_per_epoch,
        "steps": progress.step,
        "batch_size": result.recipe.batch_size,
        "learning_rate": result.recipe.learning_rate,
        "curve": progress.trace.points(),
        "kept_epoch": progress.kept_epoch + 1,
        "kept_because": why_kept(progress.history, progress.kept_epoch),
        "history": [{**vars(record), "epoch": record.epoch + 1} for record in progress.history],
        "peak_memory_mb": peak_memory_mb(),
        "precision": result.precision,
        "packed": model.backbone.is_packed,
        "stopped": result.stopped,
    }


def _data_facts(parts: Parts, model: Model, encoded: EncodedParts) -> dict[str, Any]:
    train = encoded.train.encoded
    return {
        **sizes(parts),
        "not_scored": list(parts.unscored_rows),
        "bad_rows": len(parts.bad_rows),
        "dropped": {name: dropped.to_json() for name, dropped in parts.dropped.items() if len(dropped)},
        "max_length": model.max_length,
        "preparation": [step.model_dump(mode="json") for step in (*parts.columns.steps, *model.encoder.steps)],
        "windows_per_text": len(train.owners) / max(1, len(train)),
        "truncated_share": float(train.truncated.mean()),
        "unread_share": encoded.unread_share,
        "unknown_token_share": train.unknown_share,
        "tokens_per_text": float(train.tokens_per_text.mean()),
        "lengths": _lengths(train.tokens_per_text),
        "class_sizes": dict(Tally(parts.task.spelled(parts.train).label or [])) if parts.task.reads_classes else {},
    }


N_LENGTHS = 20


def _lengths(tokens: IntArray) -> list[list[int]]:
    """[fewest tokens, number of texts] of up to twenty classes of equal width; the last holds the hundredth that is longest."""
    most = max(1, int(np.quantile(tokens, 0.99)))
    width = max(1, -(-most // N_LENGTHS))
    counts = np.bincount(np.minimum(tokens // width, N_LENGTHS))
    return [[i * width, int(count)] for i, count in enumerate(counts)]


def _base_of_adapter(name: str, auto_class: str) -> dict[str, Any]:
    """What opens the model that an adapter belongs to in plain transformers. is_here: it lies in a folder of this machine."""
    location = resolve(name)
    base = str(Path(location.path).absolute()) if location.is_folder else location.path
    return {"auto_class": auto_class, "base": base, "revision": location.revision, "is_here": location.is_folder}


def sizes(parts: Parts) -> dict[str, int]:
    """Rows of each part."""
    return {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)}


def environment(model: Model) -> dict[str, Any]:
    """The versions and the machine behind the figures."""
    import torch

    device = model.backbone.device
    return {
        "superfine": version("superfine"),
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
    }


def peak_memory_mb() -> int | None:
    """The largest resident size of this process so far, where the system tells: Linux and macOS."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak // (1024 * 1024 if sys.platform == "darwin" else 1024))


def _probability(answers: Answers, place: int, label: str) -> float | None:
    """That of a class, in the answer at a place; None where answers are of another shape."""
    if not isinstance(answers, Choices) or label not in answers.labels:
        return None
    return float(answers.probabilities[place, answers.labels.index(label)])


MOST_ERRORS, ERRORS_OF_A_PAIR, ERRORS_IN_ALL = 12, 3, 100
"""The errors that the report shows: those that tell most, and some more of each pair of true class and prediction."""


def shown_errors(task: Task, examples: Examples, answers: Answers, tfidf: Any = None) -> list[dict[str, Any]]:
    """The wrong answers that tell most, as the task sees it, and after them some of each pair of classes.

    tfidf: a fitted `Tfidf`, which names the words that speak for what was said, or None.
    """
    worst = task.worst(examples, answers)
    if isinstance(answers, Choices) and len(worst):
        labels = np.array(task.spelled(examples).label)[worst]
        pairs = list(zip(labels.tolist(), answers.class_ids[worst].tolist(), strict=True))
        seen: Tally[Any] = Tally()
        chosen = []
        for i, pair in enumerate(pairs):
            seen[pair] += 1
            if i < MOST_ERRORS or seen[pair] <= ERRORS_OF_A_PAIR:
                chosen.append(i)
        worst = worst[chosen[:ERRORS_IN_ALL]]
    else:
        worst = worst[:MOST_ERRORS]
    words = _words(task, examples.take(worst), answers.take(worst), tfidf)
    return [error | {"words": own} for error, own in zip(_told(task, examples, answers, worst), words, strict=True)]


def errors_with_nearest_rows(
    model: Model, parts: Parts, scores: Scores, baselines: Mapping[str, FittedBaseline]
) -> list[dict[str, Any]]:
    """The errors that the report shows, of classes each with the training rows that are most like it to the model."""
    tfidf = baselines["tfidf"].predictor if "tfidf" in baselines else None
    answers = scores.answers.take(parts.scored)
    errors = shown_errors(model.task, parts.scored_test, answers, tfidf)
    if not isinstance(answers, Choices) or parts.config.training.time_limit is not None:
        return errors
    return with_nearest_rows(errors, model, parts.train)


SURE = 0.5
"""By so much more probable than the label the answer of a confident error is."""


def confident_errors(task: Task, examples: Examples, answers: Answers) -> list[Suspect]:
    """Rows that the model has not learned from and answers otherwise than their label, sure of it: often the label is wrong."""
    if not isinstance(answers, Choices) or not task.reads_classes or answers.grades is not None:
        return []
    found = []
    spelled = task.spelled(examples).label or []
    for i in task.worst(examples, answers).tolist():
        said = answers.labels[int(answers.class_ids[i])]
        given = _probability(answers, i, spelled[i]) or 0.0
        margin = float(answers.confidence[i]) - given
        if margin >= SURE:
            reason = f"the model is {answers.confidence[i]:.0%} sure, and has not learned from this row"
            found.append(
                Suspect(int(examples.row[i]), examples.text[i], (examples.label or [])[i], said, margin, reason, examples.source)
            )
    return found


def _words(task: Task, examples: Examples, answers: Answers, tfidf: Any) -> list[list[str]]:
    """What TF-IDF counts for the class that was said of each, against the true one; nothing where answers are no classes."""
    if tfidf is None or not isinstance(answers, Choices) or not len(examples):
        return [[] for _ in range(len(examples))]
    places = {label: i for i, label in enumerate(answers.labels)}
    true = np.array([places.get(label, -1) for label in task.spelled(examples).label or []])
    words: list[list[str]] = tfidf.words_for(examples, answers.class_ids, true)
    return words


def _told(task: Task, examples: Examples, answers: Answers, worst: IntArray) -> list[dict[str, Any]]:
    labels = (examples.take(worst).label or []) if len(worst) else []
    chosen = answers.take(worst)
    confidence = chosen.confidence
    return [
        {
            "row": int(examples.row[i]),
            "text": examples.text[i],
            "text_pair": None if examples.text_pair is None else examples.text_pair[i],
            "label": task.in_words(label),
            "prediction": task.in_words(said),
            "confidence": None if confidence is None else float(confidence[place]),
            "label_confidence": _probability(chosen, place, label),
        }
        for place, (i, label, said) in enumerate(zip(worst.tolist(), labels, chosen.to_columns()["prediction"], strict=True))
    ]
