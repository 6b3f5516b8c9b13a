"""What the choices of the TF-IDF baseline cost, on rows of training parts that no choice has seen. No test part is read.

    python -m benchmarks.baselines strength    rows to choose the strength by
    python -m benchmarks.baselines pairs       both texts apart, beside one text made of both
    python -m benchmarks.baselines features    fewer features, class means and neighbours, beside a regression on all features

Each line holds a fifth of the rows out, by seed, equal texts on one side, and fits on the others. Figures are percentages of the
rows held out. Needs the extra `offline`.
"""

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from benchmarks import datasets
from superfine.baselines import tfidf
from superfine.baselines.features import Features
from superfine.data.clean import same_text_keys
from superfine.data.split import split
from superfine.records import Examples, IntArray
from superfine.tasks.classification import Classification

SETS = {
    "strength": ["en/sst2", "en/rotten_tomatoes", "en/trec", "en/emotion", "en/sms_spam", "en/ag_news", "zh/waimai_10k"],
    "pairs": ["en/mrpc", "en/rte", "zh/lcqmc_small"],
    "features": ["en/imdb", "en/emotion", "en/banking77", "zh/tnews"],
}
SELECTION_ROWS = (5_000, 20_000)
NEIGHBOURS = 5


def parts(name: str, n_rows: int, seed: int) -> tuple[Examples, IntArray, Examples, IntArray]:
    """Rows to fit on and their class ids, rows held out and theirs."""
    with open(datasets.FOLDER / name / "train.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))[:n_rows]]
    text, pair = [row["text"] for row in rows], [row.get("text_pair") for row in rows]
    examples = Examples.of_texts(text, pair if None not in pair else None)
    _, ids = np.unique([row["label"] for row in rows], return_inverse=True)
    stay, out = split(ids, same_text_keys(examples.text, examples.text_pair), 0.2, seed=seed, groups=None)
    return examples.take(stay), ids[stay], examples.take(out), ids[out]


def correct(linear: tfidf.Linear, features: Features, examples: Examples, targets: IntArray) -> float:
    return 100 * float((linear.logits(features.transform(examples)).argmax(axis=1) == targets).mean())


def strength(name: str, n_rows: int, seed: int) -> str:
    """How much the chosen strength, and always the usual one, fall short of the best one, by the number of rows to choose by."""
    train, targets, others, theirs = parts(name, n_rows, seed)
    started = time.perf_counter()
    features = Features.fit(train)
    matrix = features.transform(train)
    by_strength = {}
    for candidate in tfidf.STRENGTHS:
        by_strength[candidate] = correct(tfidf._regression(matrix, targets, candidate), features, others, theirs)
    seconds = (time.perf_counter() - started) / len(tfidf.STRENGTHS)
    said = [f"always {tfidf.USUAL_STRENGTH:g}: short by {max(by_strength.values()) - by_strength[tfidf.USUAL_STRENGTH]:.2f}"]
    for n in SELECTION_ROWS:
        if n // 2 > len(train) and n > min(SELECTION_ROWS):
            continue
        started, tfidf.SELECTION_ROWS = time.perf_counter(), n
        chosen = tfidf._choose_strength(train, targets, 10**9)
        short = max(by_strength.values()) - by_strength[chosen]
        said.append(f"{n} rows: {chosen:g}, short by {short:.2f}, {time.perf_counter() - started:.0f} s")
    scores = ", ".join(f"{candidate:g}: {score:.2f}" for candidate, score in by_strength.items())
    return f"{len(train)} rows to fit, {len(others)} others | {scores} ({seconds:.0f} s a fit) | {'; '.join(said)}"


def pairs(name: str, n_rows: int, seed: int) -> str:
    """The baseline on pairs, beside the same on one text that joins them."""
    train, targets, others, theirs = parts(name, n_rows, seed)
    labels = [str(i) for i in range(int(targets.max()) + 1)]

    def accuracy(fitted: Examples, scored: Examples) -> float:
        rows = replace(fitted, label=[labels[i] for i in targets])
        predicted = tfidf.Tfidf.fit(rows, Classification(labels)).predict_examples(scored).class_ids
        return 100 * float((predicted == theirs).mean())

    joined = [Examples.of_texts([f"{a} {b}" for a, b in zip(e.text, e.text_pair or [], strict=True)]) for e in (train, others)]
    majority = 100 * float((theirs == np.bincount(targets).argmax()).mean())
    return f"majority {majority:.1f}, one text {accuracy(*joined):.1f}, both apart {accuracy(train, others):.1f}"


def features(name: str, n_rows: int, seed: int) -> str:
    """Regression on all features and on the most frequent tenth and fiftieth, class means and neighbours on all."""
    from sklearn.neighbors import KNeighborsClassifier

    train, targets, others, theirs = parts(name, n_rows, seed)
    every = Features.fit(train)
    n_features, said = every.n_columns(train), []
    for share in (1, 10, 50):
        fewer = Features.fit(train, n_features // share)
        linear = tfidf._regression(fewer.transform(train), targets, tfidf.USUAL_STRENGTH)
        said.append(f"regression on 1/{share} {correct(linear, fewer, others, theirs):.1f}")
    means = tfidf._class_means(every.transform(train), targets, 1.0)
    said.append(f"class means {correct(means, every, others, theirs):.1f}")
    model = KNeighborsClassifier(NEIGHBOURS, weights="distance", metric="cosine", algorithm="brute")
    predicted = model.fit(every.transform(train), targets).predict(every.transform(others))
    said.append(f"neighbours {100 * float((predicted == theirs).mean()):.1f}")
    return f"{n_features} features, {int(targets.max()) + 1} classes: {', '.join(said)}"


def lines(study: str, sets: Sequence[str], n_rows: int, seeds: Sequence[int]) -> Iterator[str]:
    run = {"strength": strength, "pairs": pairs, "features": features}[study]
    for name in sets:
        for seed in seeds:
            yield f"| {name} | {seed} | {run(name, n_rows, seed)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=SETS)
    parser.add_argument("--sets", nargs="+", help="folders of the data")
    parser.add_argument("--rows", type=int, default=70_000, help="of each set at most")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    a = parser.parse_args()
    for line in lines(a.study, a.sets or SETS[a.study], a.rows, a.seeds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
