"""Whether a promised error holds: thresholds from some rows, errors on the others, in many random splits.

    python -m benchmarks.decisions --rows 2000 --splits 200 --held 1000 2000

A model is trained on a sample of each set and answers for its test rows (for waimai_10k: the rows left of its only file). In each
split some of these rows stand for the validation part, from which the confidence is found from on answers are given, and the rest
shows the error among the answered ones, and how often a set of classes holds the true one.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.datasets import FOLDER, Rows, read, stratified_sample, write
from benchmarks.training_speed import machine
from superfine.records.decisions import Decisions
from superfine.tasks.decisions import NOBODY, abstain, set_threshold

SETS = {"en/ag_news": (0.05, 0.1), "en/semeval2017_4a": (0.1, 0.2), "zh/waimai_10k": (0.05, 0.1), "zh/tnews": (0.1, 0.2)}
"""The errors that are promised: what a model of so few rows can keep for some of the texts."""


def answers(name: str, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, K) probabilities and (n,) true classes of the test rows."""
    with tempfile.TemporaryDirectory() as folder:
        data, test = Path(folder) / "train.csv", Path(folder) / "test.csv"
        rows = read(FOLDER / name / "train.csv")
        sample = stratified_sample(rows, n_rows)
        write(sample, data)
        source = FOLDER / name / "test.csv"
        scored = read(source)
        if len(scored.texts) < 6000:
            taken = set(sample.texts)
            others = [(text, label) for text, label in zip(rows.texts, rows.labels, strict=True) if text not in taken]
            scored = Rows([*scored.texts, *(text for text, _ in others)], [*scored.labels, *(label for _, label in others)])
        write(stratified_sample(scored, 8000), test)
        command = [sys.executable, "-m", "superfine", "train", str(data), "--test", str(test), "--out", f"{folder}/run", "--json"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
        labels = json.loads(done.stdout)["labels"]
        with open(f"{folder}/run/predictions.csv", encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
    probabilities = np.array([[float(row[f"p:{label}"]) for label in labels] for row in found])
    return probabilities, np.array([labels.index(row["label"]) for row in found])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--held", type=int, nargs="+", default=[1000, 2000])
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    args = parser.parse_args()
    print(f"{machine()}\n")
    print(
        "| set | test rows | accuracy | promised error | validation rows | answered | error kept | nothing promised | sets of 90 % hold |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in args.sets:
        probabilities, true = answers(name, args.rows)
        said = probabilities.argmax(axis=1)
        confidence, right = probabilities.max(axis=1), said == true
        for target in SETS[name]:
            for held in args.held:
                kept, shares, nothing, covered = [], [], 0, []
                for split in range(args.splits):
                    order = np.random.default_rng(split).permutation(len(true))
                    some, rest = order[:held], order[held:]
                    found = abstain(confidence[some], right[some], target)
                    answered = confidence[rest] >= found.answers_from
                    nothing += found.answers_from == NOBODY
                    shares.append(answered.mean())
                    kept.append(not answered.any() or (~right[rest])[answered].mean() <= target)
                    sets = Decisions(set_from=set_threshold(probabilities[some, true[some]], 0.9))
                    covered.append(sets.in_set(probabilities[rest])[np.arange(len(rest)), true[rest]].mean())
                print(
                    f"| {name} | {len(true)} | {right.mean():.3f} | {target:.0%} | {held} | {np.mean(shares):.0%} | "
                    f"{np.mean(kept):.1%} | {nothing / args.splits:.0%} | {np.mean(covered):.1%} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
