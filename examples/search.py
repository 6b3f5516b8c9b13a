"""A scikit-learn pipeline in cross-validation, beside TF-IDF on the same folds.

python examples/search.py
"""

import os
from pathlib import Path

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from superfine import SuperfineClassifier

MAIL = Path(__file__).parent / "data" / "mail_en.csv"
EPOCHS = os.environ.get("SUPERFINE_EXAMPLE_EPOCHS")


def main() -> None:
    mail = pd.read_csv(MAIL)
    texts, labels = (mail["subject"] + "\n" + mail["body"]).tolist(), mail["label"].tolist()
    contestants = {
        "TF-IDF": make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)),
        "Superfine": SuperfineClassifier(epochs=EPOCHS and int(EPOCHS)),
    }
    for name, contestant in contestants.items():
        scores = cross_val_score(contestant, texts, labels, cv=StratifiedKFold(3, shuffle=True, random_state=0))
        print(f"{name}: {scores.mean():.3f} (folds {', '.join(f'{score:.3f}' for score in scores)})")


if __name__ == "__main__":
    main()
