"""Questions with answers in a text: learn from some, then answer new ones on a page, with the places of the answers.

python examples/questions.py                  learn from seventy questions, which is far too few: the baseline says so
python examples/questions.py train-v1.1.json  learn from a file of SQuAD's kind first, and be tested on the seventy
"""

import os
import sys
from pathlib import Path

import superfine

HERE = Path(__file__).parent
QUESTIONS = HERE / "data" / "questions_en.json"
PAGE = HERE / "data" / "README.md"
EPOCHS = os.environ.get("SUPERFINE_EXAMPLE_EPOCHS")
ASKED = ["What is the licence?", "How many rows has mail_en.csv?"]


def main() -> None:
    given = sys.argv[1] if len(sys.argv) > 1 else None
    run = superfine.train(
        given or QUESTIONS,
        test=QUESTIONS if given else None,
        out="runs/questions",
        force=True,
        epochs=EPOCHS and int(EPOCHS),
    )
    for name, scores in [("this model", run.metrics["test"]), *run.metrics["baselines"].items()]:
        print(f"{name}: F1 {scores['f1']['value']:.3f}, exact match {scores['exact_match']['value']:.3f}")

    page = PAGE.read_text(encoding="utf-8")
    answers = {
        "model": superfine.load(run.folder),
        "most similar sentence": superfine.load(run.folder, baseline="similar_sentence"),
    }
    for question in ASKED:
        print(question)
        for name, predictor in answers.items():
            found = predictor.answer(question, page)
            print(f"  {name}: {found['prediction']!r} at {found['start']}, confidence {found['confidence']:.2f}")


if __name__ == "__main__":
    main()
