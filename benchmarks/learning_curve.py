"""Whether the gain that more rows promise is the gain that they bring: half of each set is hidden, and then shown.

    python -m benchmarks.learning_curve frozen --draws 3
    python -m benchmarks.learning_curve fine_tuning --rows 2000 --draws 3

From the curve of one half of the rows the gain of as many again is told; then all of them are learned from, and the score on the
same test rows says what it was. frozen: a logistic regression on the vectors of the pretrained model as it is. fine_tuning: the
command `superfine train --learning-curve`. Draws are of other rows, with other seeds.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.datasets import Rows, read, train_and_test, write
from benchmarks.training_speed import machine
from superfine.evaluation.learning_curve import CurvePoint, Gain, expected_gains
from superfine.recipes.learning_curve import FRACTIONS, main_score, point_beside
from superfine.records import Examples, Interval
from superfine.tasks.classification import Classification

FROZEN = ["en/ag_news", "en/sst2", "en/trec", "en/banking77", "zh/waimai_10k", "zh/tnews"]
FINE_TUNED = ["en/sst2", "en/trec", "en/ag_news"]
TESTED = 2000


@dataclass(frozen=True)
class Outcome:
    """What was promised of as many rows again, and what they brought."""

    n: int
    score: float
    gain: Gain
    truth: float

    @property
    def is_inside(self) -> bool:
        return self.gain.gain.low <= self.truth <= self.gain.gain.high


def drawn(rows: Rows, n: int, seed: int) -> Rows:
    order = np.random.default_rng(seed).permutation(len(rows.texts))[:n]
    return Rows([rows.texts[i] for i in order], [rows.labels[i] for i in order])


def frozen(name: str, n_rows: int, n_draws: int) -> list[Outcome]:
    from sklearn.linear_model import LogisticRegression

    train, test = (read(path) for path in train_and_test(name))
    n = min(n_rows, len(train.texts))
    pool, scored = drawn(train, min(2 * n, len(train.texts)), 100), drawn(test, TESTED, 101)
    vectors, of_test = embedded(pool), embedded(scored)
    task = Classification(sorted({*pool.labels, *scored.labels}))
    labels = np.array(pool.labels)
    examples = Examples.of_texts(scored.texts)
    examples = Examples(examples.row, examples.text, label=scored.labels)
    score = task.scores[task.main]

    def statistics(places: np.ndarray):
        fitted = LogisticRegression(C=16.0, max_iter=300).fit(vectors[places], labels[places])
        outputs = np.full((len(scored.texts), len(task.labels)), -20.0)
        outputs[:, [task.labels.index(label) for label in fitted.classes_]] = np.log(fitted.predict_proba(of_test).clip(1e-9))
        return task.statistics(examples, task.decode(examples, outputs))

    found = []
    for draw in range(n_draws):
        order = np.random.default_rng(draw).permutation(len(pool.texts))[:n]
        half = order[: n // 2]
        whole = statistics(half)
        rng = np.random.default_rng(draw + 50)
        points = []
        for share, times in FRACTIONS:
            for _ in range(times):
                some = rng.permutation(half)[: int(share * len(half))]
                points.append(point_beside(whole, statistics(some), len(some), task, score))
        last = CurvePoint(len(half), main_score(whole, task, score))
        (gain,) = expected_gains([*points, last], [n - len(half)])
        found.append(Outcome(len(half), last.value, gain, main_score(statistics(order), task, score) - last.value))
    return found


def embedded(rows: Rows) -> np.ndarray:
    """(n, width) vectors by the embedded model of their language."""
    from superfine.config import build_config
    from superfine.recipes.embeddings import vectors_of
    from superfine.recipes.fine_tune import open_model
    from superfine.recipes.prepare import prepare
    from superfine.recipes.reporter import Reporter

    table = {"text": rows.texts, "label": rows.labels}
    parts = prepare(table, None, None, build_config({}, {"data.label": ["label"], "data.text": ["text"]}), needs_test=False)
    model, _ = open_model(parts, Reporter())
    return vectors_of(model, Examples.of_texts(rows.texts))


def fine_tuning(name: str, n_rows: int, n_draws: int) -> list[Outcome]:
    train, test = (read(path) for path in train_and_test(name))
    found = []
    for draw in range(n_draws):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            write(drawn(test, TESTED, 101), place / "test.csv")
            rows = drawn(train, n_rows, draw)
            half = Rows(rows.texts[: n_rows // 2], rows.labels[: n_rows // 2])
            metrics = {}
            for part, more in ((half, ["--learning-curve"]), (rows, [])):
                write(part, place / "train.csv")
                command = [
                    sys.executable, "-m", "superfine", "train", str(place / "train.csv"), "--test", str(place / "test.csv"),
                    "--ignore-unknown-labels", "--seed", str(draw), "--out", str(place / "run"), "--force", "--json", *more,
                ]  # fmt: skip
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                if done.returncode not in (0, 1):
                    raise SystemExit(done.stderr[-3000:])
                metrics[len(part.texts)] = json.loads(done.stdout)
        first, second = metrics[n_rows // 2], metrics[n_rows]
        points = [CurvePoint(point["n"], point["value"], point["deviation"]) for point in first["learning_curve"]["points"]]
        # As many training rows more as the second run had, of which the validation part is held out too.
        (gain,) = expected_gains(points, [second["data"]["train"] - first["data"]["train"]])
        before, after = (metrics["test"]["accuracy"]["value"] for metrics in (first, second))
        found.append(Outcome(first["data"]["train"], before, gain, after - before))
    return found


def points(value: float) -> str:
    return f"{100 * value:+.1f}"


def told(interval: Interval) -> str:
    return f"{points(interval.value)} ({points(interval.low)} to {points(interval.high)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["frozen", "fine_tuning"])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--sets", nargs="+")
    args = parser.parse_args()
    print(f"{machine()}\n")
    print("| set | rows | accuracy | promised of as many again, points | brought | inside |\n|---|---|---|---|---|---|")
    every: list[Outcome] = []
    for name in args.sets or (FROZEN if args.what == "frozen" else FINE_TUNED):
        for outcome in (frozen if args.what == "frozen" else fine_tuning)(name, args.rows, args.draws):
            every.append(outcome)
            print(
                f"| {name} | {outcome.n} | {outcome.score:.3f} | {told(outcome.gain.gain)} | {points(outcome.truth)} | "
                f"{'yes' if outcome.is_inside else 'no'} |",
                flush=True,
            )
    print(f"\n{sum(one.is_inside for one in every)} of {len(every)} inside")


if __name__ == "__main__":
    main()
