"""What a model trained on simplified Chinese loses on the same texts in traditional characters.

    python -m benchmarks.traditional --rows 3000 --seeds 0 1 2

Learns from a set's training rows and scores its test part twice: as it is, and with OpenCC's conversion to the characters of Taiwan
(`s2twp`, which changes words as well). Differences are paired by text. Needs the extras `multilingual` and `bench`.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import datasets
from benchmarks.accuracy import interval, points, prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["zh/waimai_10k"])
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    a = parser.parse_args()

    import opencc

    import superfine

    convert = opencc.OpenCC("s2twp").convert
    print("| set | seed | simplified | traditional | texts that differ | answers that differ |\n|---|---|---|---|---|---|")
    for name in a.sets:
        differences = []
        for seed in a.seeds:
            train, test = prepare(name, seed, a.rows)
            rows = datasets.read(test)
            texts = [convert(text) for text in rows.texts]
            with tempfile.TemporaryDirectory() as scratch:
                run = superfine.train(train, test=test, out=Path(scratch) / "run", seed=seed)
                model = superfine.load(run.folder)
                simplified, traditional = (np.array(model.predict(part).label) for part in (rows.texts, texts))
            truth = np.array(rows.labels)
            changed = np.mean([before != after for before, after in zip(rows.texts, texts, strict=True)])
            differences.append((traditional == truth).astype(float) - (simplified == truth))
            print(
                f"| {name} | {seed} | {(simplified == truth).mean():.2%} | {(traditional == truth).mean():.2%} | {changed:.0%} "
                f"| {(simplified != traditional).mean():.1%} |",
                flush=True,
            )
        print(f"\n{name}, traditional less simplified: {points(interval(np.array(differences)))} points")


if __name__ == "__main__":
    main()
