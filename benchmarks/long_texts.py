"""Texts longer than the model reads: cut, without their middle, and in windows.

    python -m benchmarks.long_texts imdb --rows 500 --scored 1000 --seeds 0
    python -m benchmarks.long_texts topic --rows 300 --scored 300 --seeds 0
    python -m benchmarks.long_texts end --rows 300 --scored 300 --seeds 0

`imdb`: film reviews. `topic`: a sentence that names the class behind 1,000 words of ag_news texts of all classes; whoever reads the
sentence knows the answer. `end`: an ag_news text behind 1,000 words of film reviews. Differences are paired by text, with those of cutting at 128 and at 512 tokens. Seconds are of training alone, on one thread where
OMP_NUM_THREADS says so. Needs the extras `offline` and `bench`.
"""

import argparse
import multiprocessing
import random
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import datasets
from benchmarks.accuracy import interval, points

WAYS: dict[str, dict[str, object]] = {
    "cut at 128": {"model.max_length": 128, "model.long_texts": "cut"},
    "cut at 512": {"model.max_length": 512, "model.long_texts": "cut"},
    "head and tail, 512": {"model.max_length": 512, "model.long_texts": "head_tail"},
    "windows of 128": {"model.max_length": 128, "model.long_texts": "windows", "model.window_pooling": "mean"},
    "windows of 512": {"model.max_length": 512, "model.long_texts": "windows", "model.window_pooling": "mean"},
    "windows of 128, attention": {"model.max_length": 128, "model.long_texts": "windows", "model.window_pooling": "attention"},
    "windows of 512, attention": {"model.max_length": 512, "model.long_texts": "windows", "model.window_pooling": "attention"},
}
WORDS_BEFORE = 1000


def with_evidence_at_the_end(rows: datasets.Rows, others: list[str], seed: int) -> datasets.Rows:
    """Each text behind so many words of `others`, drawn with the seed."""
    rng = random.Random(seed)
    texts = []
    for text in rows.texts:
        before: list[str] = []
        while len(before) < WORDS_BEFORE:
            before += rng.choice(others).split()
        texts.append(" ".join([*before[:WORDS_BEFORE], text]))
    return datasets.Rows(texts, rows.labels)


def with_topic(rows: datasets.Rows) -> datasets.Rows:
    """Instead of each text a sentence that names its class."""
    return datasets.Rows([f"So much for the news of {label}." for label in rows.labels], rows.labels)


def learn(
    learned: datasets.Rows, scored: datasets.Rows, settings: dict[str, object], seed: int
) -> tuple[list[str], float, float, float]:
    """What is said of the texts, the seconds of training, the peak memory in MB, and the share of tokens that was never read."""
    import superfine

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        datasets.write(learned, folder / "train.csv")
        datasets.write(scored, folder / "test.csv")
        run = superfine.train(folder / "train.csv", test=folder / "test.csv", out=folder / "run", seed=seed, settings=settings)
        said = datasets.read(run.folder / "predictions.csv", label="prediction").labels
    training = run.metrics["training"]
    return said, training["seconds"], training["peak_memory_mb"] or 0, run.metrics["data"]["unread_share"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=["imdb", "topic", "end"])
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--scored", type=int, default=2500)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--epochs", type=int, help="the usual number when absent")
    a = parser.parse_args()

    name = "en/imdb" if a.data == "imdb" else "en/ag_news"
    train, test = datasets.train_and_test(name)
    others = [datasets.read(part).texts for part in datasets.train_and_test("en/imdb")]
    right: dict[str, list[np.ndarray]] = {way: [] for way in a.ways}
    facts: dict[str, list[tuple[float, float, float]]] = {way: [] for way in a.ways}
    for seed in a.seeds:
        learned = datasets.stratified_sample(datasets.read(train), a.rows, seed)
        scored = datasets.stratified_sample(datasets.read(test), a.scored, 0)
        if a.data == "topic":
            texts = [datasets.read(part).texts for part in (train, test)]
            learned, scored = (
                with_evidence_at_the_end(with_topic(rows), texts[i], seed) for i, rows in enumerate((learned, scored))
            )
        if a.data == "end":
            learned = with_evidence_at_the_end(learned, others[0], seed)
            scored = with_evidence_at_the_end(scored, others[1], 1000)
        for way in a.ways:
            settings = WAYS[way] | ({} if a.epochs is None else {"training.epochs": a.epochs})
            # A process of its own, so that its peak memory is its own.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                said, *found = pool.submit(learn, learned, scored, settings, seed).result()
            right[way].append((np.array(said) == np.array(scored.labels)).astype(float))
            facts[way].append((found[0], found[1], found[2]))
    print(
        "| way | accuracy | less cut at 128, points | less cut at 512, points | training, s | peak memory, MB | tokens never read |"
    )
    print("|---|---|---|---|---|---|---|")
    for way in a.ways:
        own = np.array(right[way])
        differences = [
            points(interval(own - np.array(right[other]))) if other in right and other != way else "–"
            for other in ("cut at 128", "cut at 512")
        ]
        seconds, memory, unread = np.mean(facts[way], axis=0)
        print(f"| {way} | {own.mean():.2%} | {differences[0]} | {differences[1]} | {seconds:.0f} | {memory:.0f} | {unread:.0%} |")


if __name__ == "__main__":
    main()
