"""Product reviews: train, read the score beside the baselines, predict, and use the model in plain transformers.

python examples/sentiment.py
"""

import os
from pathlib import Path

from transformers import pipeline

import superfine

REVIEWS = Path(__file__).parent / "data" / "reviews_en.csv"
EPOCHS = os.environ.get("SUPERFINE_EXAMPLE_EPOCHS")


def main() -> None:
    run = superfine.train(REVIEWS, out="runs/sentiment", force=True, settings={"training.epochs": EPOCHS and int(EPOCHS)})

    accuracy = run.metrics["test"]["accuracy"]
    print(f"accuracy {accuracy['value']:.3f}, 95 % interval {accuracy['low']:.3f} to {accuracy['high']:.3f}")
    for name, comparison in run.metrics["comparison"].items():
        print(f"{name}: {comparison['verdict']}")

    texts = ["Stopped working after a week.", "My daughter will not go to bed without it."]
    ours = run.load().predict(texts)
    # The folder is plain Hugging Face layout: the same answer, to four digits, where Superfine is not installed.
    theirs = pipeline("text-classification", model=str(run.folder / "model"), truncation=True)(texts)
    for text, label, confidence, other in zip(texts, ours.label, ours.confidence, theirs, strict=True):
        print(f"{label} ({confidence:.4f}; transformers: {other['label']}, {other['score']:.4f}): {text}")


if __name__ == "__main__":
    main()
