"""Checks that the example reviews are what they claim to be: enough rows, three classes, and no near-duplicates or templates.

    python examples/check_reviews.py

Two reviews are near-duplicates when they share over a third of the shorter one's word triples. A template would show as an
opening, or as any run of five words, that many reviews share.
"""

import csv
import re
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

DATA = Path(__file__).parent / "data" / "reviews_en.csv"
MIN_ROWS = 1500
LABELS = {"positive", "neutral", "negative"}
MAX_SHARED = 1 / 3
MAX_SAME_OPENING = 6
MAX_SAME_RUN = 4


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def runs(text: str, n: int) -> set[tuple[str, ...]]:
    w = words(text)
    return {tuple(w[i : i + n]) for i in range(len(w) - n + 1)}


def near_duplicates(texts: list[str]) -> list[tuple[int, int]]:
    """Pairs of indices. Only pairs that share a triple at all are compared."""
    triples = [runs(text, 3) for text in texts]
    holders: dict[tuple[str, ...], list[int]] = {}
    for i, own in enumerate(triples):
        for triple in own:
            holders.setdefault(triple, []).append(i)
    shared: Counter[tuple[int, int]] = Counter()
    for members in holders.values():
        shared.update(combinations(members, 2))
    smallest = 3
    return [
        (i, j)
        for (i, j), n in shared.items()
        if min(len(triples[i]), len(triples[j])) > smallest and n > MAX_SHARED * min(len(triples[i]), len(triples[j]))
    ]


def problems(path: Path = DATA) -> list[str]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [row["review"] for row in rows]
    found = []
    if len(rows) < MIN_ROWS:
        found.append(f"only {len(rows)} rows")
    if {row["sentiment"] for row in rows} != LABELS:
        found.append("the classes are not positive, neutral and negative")
    exact = Counter(" ".join(words(text)) for text in texts)
    found += [f"repeated: {text}" for text, n in exact.items() if n > 1]
    found += [f"near-duplicates in rows {i + 2} and {j + 2}: {texts[i]!r} / {texts[j]!r}" for i, j in near_duplicates(texts)]
    openings = Counter(" ".join(words(text)[:3]) for text in texts)
    found += [f"{n} reviews begin with {text!r}" for text, n in openings.items() if n > MAX_SAME_OPENING]
    five = Counter(run for text in texts for run in runs(text, 5))
    found += [f"{n} reviews hold {' '.join(run)!r}" for run, n in five.items() if n > MAX_SAME_RUN]
    return found


if __name__ == "__main__":
    found = problems()
    print("\n".join(found) or "The example reviews are sound.")
    sys.exit(bool(found))
