"""What each task reaches on a real data set, beside its baseline and what it is measured against.

    python -m benchmarks.tasks multilabel --rows 8000 --seeds 0 1 2
    python -m benchmarks.tasks ordinal --rows 4000 --on validation --set '{"softness 1": {"task.options.softness": 1.0}}'
    python -m benchmarks.tasks regression --table          print the table of what there is

Each seed draws its own training rows and trains with it. A finished run is kept in benchmarks/results/tasks and not repeated; delete
a file to repeat its run. Differences are paired by seed and test row, with 95 % intervals that resample both. `--on validation`
scores the validation part, by which choices are made; the test part is looked at once. Needs the extras `offline` and `bench`.
"""

import argparse
import csv
import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import datasets

RESULTS = datasets.REPOSITORY / "benchmarks" / "results" / "tasks"
FOLDER = datasets.REPOSITORY / "benchmarks" / "runs" / "tasks"
N_RESAMPLES = 1000


class Measure(NamedTuple):
    """A data set, the task's options there, what is run beside the task's defaults (settings by name), the scores that are shown.

    peer: the arguments of the plain loop, where it has some of its own. settings: of every run of ours, so that the loop is
    given as many passes.
    """

    data: str
    options: Mapping[str, Any]
    variants: Mapping[str, Mapping[str, Any]]
    scores: tuple[str, ...]
    peer: tuple[str, ...] = ()
    settings: Mapping[str, Any] = {}


FIVE = {"training.epochs": 5}
SPANS = ("micro_f1", "micro_precision", "micro_recall")
MEASURES = {
    "multilabel": Measure("en/go_emotions", {}, {}, ("micro_f1", "macro_f1", "exact_match")),
    "ordinal": Measure(
        "en/sst5",
        {"order": ["very negative", "negative", "neutral", "positive", "very positive"]},
        {"softmax": {"task.name": "classification"}},
        ("quadratic_kappa", "mae", "accuracy"),
    ),
    "regression": Measure("en/stsb", {}, {}, ("spearman", "pearson", "r2", "rmse")),
    "hierarchical": Measure("en/trec_fine", {}, {"flat": {"task.name": "classification"}}, ("accuracy", "accuracy_1")),
    "tokens": Measure("en/wnut17", {}, {}, SPANS, ("--epochs", "5", "--rate", "1e-4"), FIVE),
    "tokens_zh": Measure("zh/weibo_ner", {}, {}, SPANS, ("--epochs", "5", "--rate", "1e-4"), FIVE),
}
TASK = {"tokens_zh": "tokens"}
"""The task of a measure that is called otherwise."""


def read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def source(name: str, part: str) -> list[dict[str, str]]:
    """The rows of a part of a data set, whether it is a table or has CoNLL columns."""
    from superfine.data.read import read_table

    path = datasets.FOLDER / name / f"{part}.csv"
    if path.exists():
        return read(path)
    columns = read_table(path.with_suffix(".conll")).columns
    return [{"text": text, "label": label} for text, label in zip(columns["text"], columns["label"], strict=True)]


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def prepare(name: str, seed: int, n_rows: int, on: str) -> tuple[Path, Path]:
    """The rows to learn from that this seed draws, and the rows that are scored."""
    folder = FOLDER / f"{name.replace('/', '_')}-{n_rows}"
    folder.mkdir(parents=True, exist_ok=True)
    train, scored = folder / f"train-{seed}.csv", folder / f"{on}.csv"
    if not train.exists():
        rows = source(name, "train")
        random.Random(seed).shuffle(rows)
        write(train, rows[:n_rows])
    if not scored.exists():
        write(scored, source(name, on))
    return train, scored


def result_path(task: str, variant: str, seed: int, n_rows: int, on: str) -> Path:
    return RESULTS / f"{MEASURES[task].data.replace('/', '_')}-{n_rows}-{on}" / f"{variant.replace(' ', '_')}-{seed}.json"


def run(task: str, variant: str, settings: Mapping[str, Any], seed: int, n_rows: int, on: str) -> None:
    out = result_path(task, variant, seed, n_rows, on)
    if out.exists():
        return
    train, scored = prepare(MEASURES[task].data, seed, n_rows, on)
    out.parent.mkdir(parents=True, exist_ok=True)
    files = [str(train), str(scored), "--out", str(out), "--seed", str(seed)]
    command = [sys.executable, "-m", "benchmarks.peers.task", *files]
    if variant == "transformers" and MEASURES[task].peer:
        module = "benchmarks.peers.token_classification"
        command = [sys.executable, "-m", module, *files, "--model", model_of(task), *MEASURES[task].peer]
    elif variant == "transformers":
        command += ["--peer"]
    else:
        own = {f"task.options.{name}": value for name, value in MEASURES[task].options.items()}
        command += [
            "--set",
            json.dumps(
                {
                    "task.name": TASK.get(task, task),
                    **MEASURES[task].settings,
                    **({} if "task.name" in settings else own),
                    **settings,
                }
            ),
        ]
    subprocess.run(command, check=True, cwd=datasets.REPOSITORY)


def model_of(task: str) -> str:
    """The folder of the model that the language of a measure's data asks for."""
    from superfine.backbones.locate import resolve
    from superfine.backbones.sources.embedded import ENGLISH, MULTILINGUAL

    return resolve((MULTILINGUAL if MEASURES[task].data.startswith("zh") else ENGLISH).name).path


def tables_of(task: str, variants: list[str], seeds: list[int], n_rows: int, on: str) -> tuple[dict, Mapping[str, Any]]:
    """The statistics of each variant and of the baseline by seed, and the scores of the task."""
    from superfine.records import Examples
    from superfine.tasks import TASKS

    found: dict[str, list] = {}
    for seed in seeds:
        train, scored = (read(path) for path in prepare(MEASURES[task].data, seed, n_rows, on))
        kind = TASKS.load(TASK.get(task, task))
        learned = kind.learn(examples_of(Examples, train), kind.Options(**MEASURES[task].options))
        test = examples_of(Examples, scored)
        for variant in variants:
            content = json.loads(result_path(task, variant, seed, n_rows, on).read_text(encoding="utf-8"))
            for name, said in content["predictions"].items():
                who = variant if name == "model" else name
                if name == "model" or variant == variants[0]:
                    found.setdefault(who, []).append(learned.statistics(test, answers_of(learned, test, said)))
    return found, learned.scores


def examples_of(kind: Any, rows: list[dict[str, str]]) -> Any:
    from dataclasses import replace

    pair = [row["text_pair"] for row in rows] if "text_pair" in rows[0] else None
    return replace(kind.of_texts([row["text"] for row in rows], pair), label=[row["label"] for row in rows])


def answers_of(task: Any, test: Any, said: list[str]) -> Any:
    """Answers that say just this: numbers, or outputs of which those that are said are far above the others."""
    from dataclasses import replace

    from superfine.records import Spans, Values

    if task.head.activation == "none":
        values = np.array([float(value) for value in said])
        return Values(test.row, values, values - np.inf, values + np.inf)
    gold = task.gold(replace(test, label=said))
    if task.head.by_token:
        return Spans(test.row, task.labels, test.text, gold, np.ones(len(gold.values)))
    members = gold if gold.ndim == 2 else np.eye(len(task.head))[gold]
    return task.decode(test, 40.0 * (2 * members - 1))


def values_of(score: Any, tables: list, seeds: Any, weights: Any) -> float:
    """The mean score over seeds, of rows with these weights (n,)."""
    from superfine.records import Ranking

    found = []
    for seed in seeds:
        table = tables[seed]
        if isinstance(score, Ranking):
            found.append(float(score.value(table.columns, weights[None])[0]))
            continue
        totals = {name: np.asarray(weights @ as_rows(block)) for name, block in table.sums.items()}
        found.append(float(score.value(totals)))
    return float(np.mean(found))


def as_rows(block: Any) -> Any:
    return block.toarray() if hasattr(block, "toarray") else np.asarray(block).reshape(len(block), -1)


def table(task: str, variants: list[str], seeds: list[int], n_rows: int, on: str) -> str:
    found, scores = tables_of(task, variants, seeds, n_rows, on)
    rng = np.random.default_rng(0)
    n = len(next(iter(found.values()))[0])
    draws = [
        (rng.integers(0, len(seeds), len(seeds)), np.bincount(rng.integers(0, n, n), minlength=n).astype(float))
        for _ in range(N_RESAMPLES)
    ]
    first = variants[0]
    lines = [f"{MEASURES[task].data}, {n_rows} rows to learn from, {n} scored ({on}), {len(seeds)} seeds", ""]
    lines += [f"| | {' | '.join(MEASURES[task].scores)} |", f"|---|{'---|' * len(MEASURES[task].scores)}"]
    everyone, ones = range(len(seeds)), np.ones(n)
    for who, tables in found.items():
        lines.append(
            f"| {who} | {' | '.join(f'{values_of(scores[s], tables, everyone, ones):.4f}' for s in MEASURES[task].scores)} |"
        )
    for who, tables in found.items():
        if who == first:
            continue
        cells = []
        for name in MEASURES[task].scores:
            differences = [
                values_of(scores[name], found[first], some, w) - values_of(scores[name], tables, some, w) for some, w in draws
            ]
            value = values_of(scores[name], found[first], everyone, ones) - values_of(scores[name], tables, everyone, ones)
            low, high = np.percentile(differences, [2.5, 97.5])
            cells.append(f"{value:+.4f} ({low:+.4f} to {high:+.4f})")
        lines.append(f"| {first} − {who} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=MEASURES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--on", choices=["test", "validation"], default="test")
    parser.add_argument("--peer", action="store_true", help="also a plain loop of transformers, on the same model")
    parser.add_argument("--set", dest="variants", type=json.loads, default={}, help="JSON: more variants, settings by name")
    parser.add_argument("--table", action="store_true", help="run nothing")
    a = parser.parse_args()
    variants: dict[str, Any] = {"superfine": {}, **MEASURES[a.task].variants, **a.variants}
    if a.peer:
        variants["transformers"] = {}
    for seed in a.seeds:
        for name, settings in variants.items():
            if not a.table:
                run(a.task, name, settings, seed, a.rows, a.on)
    print(table(a.task, list(variants), a.seeds, a.rows, a.on))


if __name__ == "__main__":
    main()
