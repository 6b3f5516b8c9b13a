"""How far the confidence of a model is from how often it is right: the debiased calibration error of whole runs.

    python -m benchmarks.calibration --rows 3000 --seeds 0 1 2

Each seed draws its own training rows; the whole test part is scored once. Printed are the error (0 where chance explains it all) with
the run's own 95 % interval, and the accuracy. The temperature is learned from validation rows by the run. Needs the extra `offline`.
"""

import argparse
import csv
import random
import tempfile
from pathlib import Path

from benchmarks import datasets

SETS = ["en/trec", "en/emotion", "en/banking77"]


def drawn(name: str, n_rows: int, seed: int, folder: Path) -> Path:
    with open(datasets.FOLDER / name / "train.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    random.Random(seed).shuffle(rows)
    path = folder / "train.csv"
    datasets.write(datasets.Rows([row["text"] for row in rows[:n_rows]], [row["label"] for row in rows[:n_rows]]), path)
    return path


def main() -> None:
    import superfine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    a = parser.parse_args()
    print("| set | classes | seed | calibration error | accuracy |\n|---|---|---|---|---|", flush=True)
    for name in a.sets:
        for seed in a.seeds:
            with tempfile.TemporaryDirectory() as scratch:
                train, test = drawn(name, a.rows, seed, Path(scratch)), datasets.FOLDER / name / "test.csv"
                run = superfine.train(train, test=test, out=Path(scratch) / "run", seed=seed, progress=False)
            found = run.metrics["test"]
            error = found["calibration_error"]
            print(
                f"| {name} | {len(run.metrics['labels'])} | {seed} | {error['value']:.3f} ({error['low']:.3f} to {error['high']:.3f}) "
                f"| {found['accuracy']['value']:.1%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
