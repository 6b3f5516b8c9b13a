"""Wrong labels: how many of the first suspects are wrong, and what correcting them, or counting them less, does to the score.

    python -m benchmarks.label_noise precision
    python -m benchmarks.label_noise effect --seeds 0 1 2
    python -m benchmarks.label_noise clean --sets en/sst2 en/trec --rows 2000 --seeds 0 1 2

The data is noisy_ag_news (its validation.csv: 10,000 rows with the labels of annotators and the true ones; 7,600 clean test rows).
precision: `superfine check --label-noise` reads texts and given labels alone; `true_label` is read here afterwards. effect: the
model is trained on the rows as they are, with the true label in place of the given one where a row is among the first 1,500
suspects, and with `--set training.label_noise=downweight`; all on the same test rows. clean: the last of these on sets without
known noise. Intervals are of the mean over the seeds' paired differences of rows, drawn by rows and by seeds.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.datasets import FOLDER, read, stratified_sample, train_and_test, write
from benchmarks.training_speed import machine

NOISY = FOLDER / "en" / "noisy_ag_news"
CORRECTED = 1500


def superfine(*arguments: str) -> dict:
    done = subprocess.run([sys.executable, "-m", "superfine", *arguments, "--json"], check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout)


def suspects(folder: Path) -> list[dict[str, str]]:
    """Of the noisy rows, the surest first, without contradictions, which come before them."""
    superfine("check", str(NOISY / "validation.csv"), "--label", "label", "--label-noise", "--out", str(folder / "check"))
    with open(folder / "check" / "suspects.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def noisy_rows() -> list[dict[str, str]]:
    with open(NOISY / "validation.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def precision() -> None:
    with tempfile.TemporaryDirectory() as name:
        found, rows = suspects(Path(name)), noisy_rows()
    wrong = [rows[int(one["row"]) - 2]["true_label"] != one["label"] for one in found]
    right = [rows[int(one["row"]) - 2]["true_label"] == one["suggested_label"] for one in found]
    n_wrong = sum(row["true_label"] != row["label"] for row in rows)
    print(f"{len(found)} suspects, {n_wrong} of {len(rows)} labels are wrong\n")
    print("| first | wrong | the suggestion is right | of all wrong ones |\n|---|---|---|---|")
    for k in (100, 300, 500, 1000, 1500, len(found)):
        print(f"| {k} | {np.mean(wrong[:k]):.3f} | {np.mean(right[:k]):.3f} | {sum(wrong[:k]) / n_wrong:.2f} |")


def hits(folder: Path) -> np.ndarray:
    """(n,) which test rows were answered rightly."""
    with open(folder / "predictions.csv", encoding="utf-8", newline="") as file:
        return np.array([row["label"] == row["prediction"] for row in csv.DictReader(file)])


def difference(before: list[np.ndarray], after: list[np.ndarray]) -> str:
    """In points, with a 95 % interval over rows and seeds."""
    paired = 100 * (np.stack(after).astype(float) - np.stack(before))
    rng = np.random.default_rng(0)
    n_seeds, n_rows = paired.shape
    drawn = [paired[rng.integers(0, n_seeds, n_seeds)].mean(axis=0)[rng.integers(0, n_rows, n_rows)].mean() for _ in range(2000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{paired.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def train(data: Path, test: Path, out: Path, seed: int, *more: str) -> np.ndarray:
    superfine("train", str(data), "--label", "label", "--test", str(test), "--out", str(out), "--seed", str(seed), *more)
    return hits(out)


def effect(seeds: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, rows = Path(name), noisy_rows()
        first = [int(one["row"]) - 2 for one in suspects(folder)][:CORRECTED]
        ways = {"as it is": {}, "corrected": dict.fromkeys(first), "downweight": {}}
        with open(NOISY / "test.csv", encoding="utf-8", newline="") as file:
            tested = [(row["text"], row["true_label"]) for row in csv.DictReader(file)]
        _write(folder / "test.csv", tested)
        found: dict[str, list[np.ndarray]] = {way: [] for way in ways}
        for seed in seeds:
            for way, corrected in ways.items():
                labels = [row["true_label"] if i in corrected else row["label"] for i, row in enumerate(rows)]
                _write(folder / "train.csv", [(row["text"], label) for row, label in zip(rows, labels, strict=True)])
                more = ("--set", "training.label_noise=downweight") if way == "downweight" else ()
                found[way].append(train(folder / "train.csv", folder / "test.csv", folder / f"{way}{seed}", seed, *more))
                print(f"seed {seed}, {way}: {found[way][-1].mean():.4f}", flush=True)
    _table(found)


def clean(sets: list[str], n_rows: int, seeds: list[int]) -> None:
    for each in sets:
        data, test = train_and_test(each)
        found: dict[str, list[np.ndarray]] = {"as it is": [], "downweight": []}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(stratified_sample(read(data), n_rows), folder / "train.csv")
            for seed in seeds:
                for way, right in found.items():
                    more = ("--set", "training.label_noise=downweight") if way == "downweight" else ()
                    right.append(train(folder / "train.csv", test, folder / f"{way}{seed}", seed, *more))
        print(f"\n{each}")
        _table(found)


def _table(found: dict[str, list[np.ndarray]]) -> None:
    print("\n| training labels | accuracy, mean over seeds | difference, points |\n|---|---|---|")
    for way, of_seeds in found.items():
        said = "" if way == "as it is" else difference(found["as it is"], of_seeds)
        print(f"| {way} | {np.mean(of_seeds):.4f} | {said} |", flush=True)


def _write(path: Path, pairs: list[tuple[str, str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["precision", "effect", "clean"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=["en/sst2", "en/trec"])
    parser.add_argument("--rows", type=int, default=2000)
    args = parser.parse_args()
    print(f"{machine()}\n")
    if args.what == "precision":
        precision()
    elif args.what == "effect":
        effect(args.seeds)
    else:
        clean(args.sets, args.rows, args.seeds)


if __name__ == "__main__":
    main()
