"""TF-IDF with logistic regression, as Superfine fits it for its baseline, on all training rows.

python -m benchmarks.peers.tfidf TRAIN.csv TEST.csv --out RESULT.json
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="ignored: nothing is random here")
    a = parser.parse_args()

    from benchmarks import datasets
    from superfine.baselines.tfidf import Tfidf
    from superfine.data.clean import STEPS
    from superfine.records import Examples
    from superfine.tasks.classification import Classification

    train, test = datasets.read(a.train), datasets.read(a.test)
    names = sorted(set(train.labels))
    started = time.perf_counter()
    model = Tfidf.fit(replace(Examples.of_texts(train.texts), label=train.labels), Classification(names), cleaning=STEPS)
    seconds = time.perf_counter() - started
    predicted = model.predict_examples(Examples.of_texts(test.texts)).label
    accuracy = sum(p == label for p, label in zip(predicted, test.labels, strict=True)) / len(predicted)
    a.out.write_text(
        json.dumps({"system": "tfidf", "accuracy": accuracy, "seconds": seconds, "predictions": predicted}), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
