"""Accuracy with default settings, beside the Hugging Face Trainer on the same backbone, rows and seeds.

    python -m benchmarks.accuracy                 run what is missing, then print the table
    python -m benchmarks.accuracy --table         print the table of what there is
    python -m benchmarks.accuracy --sets zh/tnews --rows 3000 --systems superfine tfidf
    python -m benchmarks.accuracy --sets zh/tnews --rows all --systems superfine tfidf --seeds 0

All learn from at most 4,000 training rows (stratified; each seed draws its own, the same for all systems) and are scored once on the
whole test part; Superfine holds out its validation rows from those 4,000. The Trainer runs at learning rate 5e-5, batch 32, 3 epochs, in
bfloat16 with batches grouped by length. Differences are paired by seed and test row; their intervals hold the chance of both. A
finished run is kept in benchmarks/results/accuracy and not repeated, so the benchmark goes on where it was stopped; delete a file to
repeat its run. Needs the extras `offline` and `bench`, and `multilingual` for sets that are not English.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks import datasets

SETS = ["en/trec", "en/rotten_tomatoes", "en/sms_spam", "en/emotion", "en/banking77", "en/sst2", "en/ag_news"]
ROWS = 4000
SYSTEMS = ["huggingface_trainer", "superfine", "tfidf"]
FOLDER = datasets.REPOSITORY / "benchmarks" / "runs" / "accuracy"
RESULTS = datasets.REPOSITORY / "benchmarks" / "results" / "accuracy"


def embedded_model() -> str:
    from superfine.backbones.sources.embedded import ENGLISH

    folder = ENGLISH.folder()
    if folder is None:
        sys.exit("The embedded model is missing: pip install 'superfine[offline]'")
    return str(folder)


def folder_name(name: str, rows: int | None) -> str:
    """Of a set with so many rows to learn from; None is all."""
    stem = name.replace("/", "_")
    return stem if rows == ROWS else f"{stem}-{rows or 'all'}"


def prepare(name: str, seed: int, rows: int | None = ROWS) -> tuple[Path, Path]:
    """The rows to learn from that this seed draws for every contestant, and the test rows."""
    folder = FOLDER / folder_name(name, rows)
    folder.mkdir(parents=True, exist_ok=True)
    own_train, own_test = folder / f"train-{seed}.csv", folder / "test.csv"
    train, test = datasets.train_and_test(name)
    if not own_test.exists():
        datasets.write(datasets.read(test), own_test)
    if not own_train.exists():
        datasets.write(datasets.stratified_sample(datasets.read(train), rows or sys.maxsize, seed), own_train)
    return own_train, own_test


def result_path(name: str, system: str, seed: int, rows: int | None = ROWS) -> Path:
    """Where the result of a run is kept."""
    return RESULTS / folder_name(name, rows) / f"{system}-{seed}.json"


def run(system: str, name: str, seed: int, rows: int | None) -> None:
    out = result_path(name, system, seed, rows)
    if out.exists():
        return
    files = [str(path) for path in prepare(name, seed, rows)]
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", f"benchmarks.peers.{system}", *files, "--out", str(out), "--seed", str(seed)]
    if system == "huggingface_trainer":
        command += ["--model", embedded_model(), "--bf16", "--group"]
    subprocess.run(command, check=True, cwd=datasets.REPOSITORY)


def load(name: str, system: str, seed: int, rows: int | None = ROWS) -> dict:
    return json.loads(result_path(name, system, seed, rows).read_text(encoding="utf-8"))


def correct(result: dict, labels: list[str]) -> np.ndarray:
    """(n,) 1 where the prediction is the label."""
    return np.array([p == label for p, label in zip(result["predictions"], labels, strict=True)], dtype=float)


def interval(differences: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Mean of (runs, n) paired differences with a 95 % bootstrap interval that resamples runs and test rows, each on its own.

    A run is a draw of training rows and a seed. Owen 2007, "The pigeonhole bootstrap". With one run it is over rows alone; with three
    the part of the variance that is the runs' comes out a third too small.
    """
    rng = np.random.default_rng(seed)
    n_runs, n = differences.shape
    means = []
    for _ in range(2000):
        of_rows = differences[rng.integers(0, n_runs, n_runs)].mean(axis=0)
        means.append(of_rows[rng.integers(0, n, n)].mean())
    low, high = np.percentile(means, [2.5, 97.5])
    return float(differences.mean()), float(low), float(high)


def table(names: list[str], seeds: list[int]) -> str:
    lines = [
        "| set | test rows | seeds | Trainer | Superfine | difference, points | TF-IDF | Superfine − TF-IDF, points |",
        "|---|---|---|---|---|---|---|---|",
    ]
    means = []
    for name in names:
        done = [s for s in seeds if all(result_path(name, system, s).exists() for system in SYSTEMS)]
        if not done:
            continue
        labels = datasets.read(datasets.train_and_test(name)[1]).labels
        peer, ours, tfidf = (np.array([correct(load(name, system, s), labels) for s in done]) for system in SYSTEMS)
        against_peer, against_tfidf = interval(ours - peer), interval(ours - tfidf)
        means.append(against_peer[0])
        lines.append(
            f"| {name} | {len(labels)} | {len(done)} | {peer.mean():.2%} | {ours.mean():.2%} | {points(against_peer)} "
            f"| {tfidf.mean():.2%} | {points(against_tfidf)} |"
        )
    if means:
        lines.append(
            f"\nMean of the paired differences to the Trainer: {100 * np.mean(means):+.2f} points over {len(means)} sets."
        )
    return "\n".join(lines)


def table_beside_tfidf(names: list[str], seeds: list[int], rows: int | None) -> str:
    """The same without the Trainer, with macro F1, and with what a run took."""
    lines = [
        "| set | rows | test rows | seeds | Superfine | TF-IDF | difference, points | macro F1, points | training, s | peak memory, MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        done = [s for s in seeds if all(result_path(name, system, s, rows).exists() for system in ("superfine", "tfidf"))]
        if not done:
            continue
        labels = datasets.read(datasets.train_and_test(name)[1]).labels
        ours, theirs = ([load(name, system, s, rows) for s in done] for system in ("superfine", "tfidf"))
        right, wrong = (np.array([correct(result, labels) for result in results]) for results in (ours, theirs))
        f1 = np.mean([macro_f1(a, labels) - macro_f1(b, labels) for a, b in zip(ours, theirs, strict=True)])
        n_rows = len(datasets.read(prepare(name, done[0], rows)[0]).labels)
        seconds, memory = (np.mean([result[key] for result in ours]) for key in ("seconds", "peak_memory_mb"))
        lines.append(
            f"| {name} | {n_rows} | {len(labels)} | {len(done)} | {right.mean():.2%} | {wrong.mean():.2%} "
            f"| {points(interval(right - wrong))} | {100 * f1:+.2f} | {seconds:.0f} | {memory:.0f} |"
        )
    return "\n".join(lines)


def macro_f1(result: dict, labels: list[str]) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(labels, result["predictions"], average="macro", zero_division=0))


def points(value: tuple[float, float, float]) -> str:
    return f"{100 * value[0]:+.2f} ({100 * value[1]:+.2f} to {100 * value[2]:+.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS)
    parser.add_argument("--rows", default=str(ROWS), help="to learn from at most; all for every one")
    parser.add_argument("--table", action="store_true", help="run nothing")
    a = parser.parse_args()
    rows = None if a.rows == "all" else int(a.rows)
    shown = table if "huggingface_trainer" in a.systems else lambda names, seeds: table_beside_tfidf(names, seeds, rows)
    if not a.table:
        for seed in a.seeds:
            for name in a.sets:
                for system in a.systems:
                    run(system, name, seed, rows)
                print(shown([name], a.seeds), flush=True)
    print(shown(a.sets, a.seeds))


if __name__ == "__main__":
    main()
