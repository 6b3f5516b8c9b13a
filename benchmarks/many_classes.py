"""How many passes many small classes need: 150 classes and more of several data sets, with few rows each.

    python -m benchmarks.many_classes --epochs 3 6 --seeds 0 1 2
    python -m benchmarks.many_classes --sets en/banking77 --rows 1000 --epochs 3 5 --seeds 0 1 2

The rows come from training parts alone, drawn by seed: so many of each class to learn from, so many others to score by. What is
printed are accuracies by seed and the paired difference to the first number of epochs, with its standard error over seeds. Needs the
extras `offline` and `bench`.
"""

import argparse
import csv
import random
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks import datasets

SETS = ["en/banking77", "en/trec_fine", "en/ag_news", "en/go_emotions"]
SCORED = 10


def by_class(names: list[str]) -> dict[str, list[str]]:
    """The texts of each class with enough rows; a class is called by its set and its label, rows of several labels are left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        with open(datasets.FOLDER / name / "train.csv", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if "|" not in row["label"]:
                    found[f"{name}: {row['label']}"].append(row["text"])
    return found


def draw(classes: dict[str, list[str]], n_rows: int, seed: int, folder: Path) -> tuple[Path, Path]:
    """Files to learn from and to score by, every class in both."""
    rng, parts = random.Random(seed), ([], [])
    per_class = max(2, n_rows // len(classes))
    for label in sorted(classes):
        texts = rng.sample(classes[label], min(len(classes[label]), per_class + SCORED))
        parts[0].extend((text, label) for text in texts[: len(texts) - min(SCORED, len(texts) // 2)])
        parts[1].extend((text, label) for text in texts[len(texts) - min(SCORED, len(texts) // 2) :])
    paths = folder / "train.csv", folder / "scored.csv"
    for path, rows in zip(paths, parts, strict=True):
        rng.shuffle(rows)
        datasets.write(datasets.Rows([text for text, _ in rows], [label for _, label in rows]), path)
    return paths


def accuracy(train: Path, scored: Path, epochs: int | None, seed: int) -> tuple[float, float, int]:
    """Of one run, with the seconds of its training and the passes it took."""
    import superfine

    settings = {} if epochs is None else {"training.epochs": epochs}
    with tempfile.TemporaryDirectory() as scratch:
        run = superfine.train(train, test=scored, out=Path(scratch) / "run", seed=seed, settings=settings, progress=False)
    found = run.metrics
    return found["test"]["accuracy"]["value"], found["training"]["seconds"], round(found["training"]["epochs"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--epochs", nargs="+", default=["3", "6"], help="numbers; rule for what superfine chooses")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    a = parser.parse_args()
    classes = by_class(a.sets)
    table = np.zeros((len(a.seeds), len(a.epochs)))
    for i, seed in enumerate(a.seeds):
        with tempfile.TemporaryDirectory() as folder:
            train, scored = draw(classes, a.rows, seed, Path(folder))
            for j, epochs in enumerate(a.epochs):
                table[i, j], seconds, passes = accuracy(train, scored, None if epochs == "rule" else int(epochs), seed)
                print(
                    f"{len(classes)} classes, seed {seed}, {passes} epochs: {100 * table[i, j]:.2f} % in {seconds:.0f} s",
                    flush=True,
                )
    for j, epochs in enumerate(a.epochs[1:], 1):
        gains = 100 * (table[:, j] - table[:, 0])
        error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else float("nan")
        print(f"{epochs} instead of {a.epochs[0]} epochs: {gains.mean():+.2f} points (standard error {error:.2f})")


if __name__ == "__main__":
    main()
