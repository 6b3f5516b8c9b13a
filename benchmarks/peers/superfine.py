"""Superfine with default settings, through its public API, in the form of the other contestants.

python -m benchmarks.peers.superfine TRAIN.csv TEST.csv --out RESULT.json [--seed 0] [--validation FILE] [--set JSON]
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validation", type=Path, help="a file of its own, so that every training row is learned from")
    parser.add_argument(
        "--set", dest="settings", type=json.loads, default={}, help="JSON mapping of settings; none are the defaults"
    )
    a = parser.parse_args()

    import superfine

    with tempfile.TemporaryDirectory() as scratch:
        run = superfine.train(
            a.train, test=a.test, validation=a.validation, out=Path(scratch) / "run", seed=a.seed, settings=a.settings
        )
        with open(run.folder / "predictions.csv", encoding="utf-8", newline="") as file:
            predicted = [row["prediction"] for row in csv.DictReader(file)]
    metrics = run.metrics

    result = {
        "system": "superfine",
        "accuracy": metrics["test"]["accuracy"]["value"],
        "seconds": metrics["training"]["seconds"],
        "examples_per_second": metrics["training"]["examples_per_second"],
        "encode_seconds": metrics["training"]["encode_seconds"],
        "tokens_per_text": metrics["data"]["tokens_per_text"],
        "precision": metrics["training"]["precision"],
        "peak_memory_mb": metrics["training"]["peak_memory_mb"],
        "options": {
            "seed": a.seed,
            "epochs": metrics["training"]["epochs"],
            "learning_rate": metrics["training"]["learning_rate"],
        },
        "predictions": predicted,
    }
    a.out.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
