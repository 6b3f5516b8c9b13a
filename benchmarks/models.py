"""Two pretrained models on the same rows: what the choice between them is worth.

    python -m benchmarks.models --sets en/trec en/rotten_tomatoes en/ag_news --rows 2000 --seeds 0 1 2

Both learn with their usual settings from the rows that each seed draws, and are scored once on the whole test part (10,000 rows at
most). Differences, the second less the first, are paired by seed and text. Needs the extras `offline`, `multilingual`, `bench`.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import datasets
from benchmarks.accuracy import interval, points, prepare

ENGLISH, MULTILINGUAL = "sentence-transformers/all-MiniLM-L6-v2", "multilingual-e5-small-q4"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["en/trec", "en/rotten_tomatoes", "en/ag_news"])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--models", nargs=2, default=[ENGLISH, MULTILINGUAL])
    a = parser.parse_args()

    import superfine

    print(f"first: {a.models[0]}, second: {a.models[1]}\n")
    print("| set | rows | seeds | first | second | difference, points | training, s |\n|---|---|---|---|---|---|---|")
    for name in a.sets:
        right: list[list[np.ndarray]] = [[], []]
        seconds: list[list[float]] = [[], []]
        for seed in a.seeds:
            train, test = prepare(name, seed, a.rows)
            labels = np.array(datasets.read(test).labels)
            for place, model in enumerate(a.models):
                with tempfile.TemporaryDirectory() as scratch:
                    run = superfine.train(train, test=test, model=model, out=Path(scratch) / "run", seed=seed)
                    said = datasets.read(run.folder / "predictions.csv", label="prediction").labels
                right[place].append((np.array(said) == labels).astype(float))
                seconds[place].append(run.metrics["training"]["seconds"])
        first, second = (np.array(of) for of in right)
        print(
            f"| {name} | {a.rows} | {len(a.seeds)} | {first.mean():.2%} | {second.mean():.2%} | {points(interval(second - first))} "
            f"| {np.mean(seconds[0]):.0f}, {np.mean(seconds[1]):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
