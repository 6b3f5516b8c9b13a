"""Mail: two text columns, a class that is rarer than the other, and the errors that cost most.

python examples/spam.py
"""

import csv
import os
from pathlib import Path

import superfine

MAIL = Path(__file__).parent / "data" / "mail_en.csv"
EPOCHS = os.environ.get("SUPERFINE_EXAMPLE_EPOCHS")


def main() -> None:
    run = superfine.train(
        MAIL,
        text=["subject", "body"],
        label="label",
        out="runs/spam",
        force=True,
        settings={"training.epochs": EPOCHS and int(EPOCHS)},
    )
    for name, scores in run.metrics["test"]["per_class"].items():
        print(
            f"{name}: precision {scores['precision']['value']:.3f}, recall {scores['recall']['value']:.3f} of {scores['support']}"
        )

    # A good mail that lands in the spam folder costs more than spam that gets through: look at those first.
    with open(run.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        lost = [row for row in csv.DictReader(file) if row["prediction"] == "spam" != row["label"]]
    print(f"{len(lost)} good mails taken for spam")
    for row in sorted(lost, key=lambda row: -float(row["confidence"]))[:5]:
        print(f"  {float(row['confidence']):.2f}  {row['subject']}")


if __name__ == "__main__":
    main()
