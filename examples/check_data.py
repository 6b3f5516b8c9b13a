"""Checks that the example data are what they claim to be: enough rows, the classes as counted, no near-duplicates or templates.

    python examples/check_data.py

Two texts are near-duplicates when they share over a third of the shorter one's word triples (Chinese: runs of five characters).
A template would show as an opening, or as a run of five words (eight characters), that many texts share.
"""

import csv
import re
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "data"
MAX_SHARED = 1 / 3
MAX_SAME_OPENING = 6
MAX_SAME_RUN = 4
SMALLEST = 3
"""Texts with no more runs than this are too short to be compared by them."""


class Table(NamedTuple):
    """What a file claims. unit: what runs are made of."""

    file: str
    text: str
    label: str
    min_rows: int
    labels: frozenset[str]
    unit: str


TABLES = [
    Table("reviews_en.csv", "review", "sentiment", 1500, frozenset({"positive", "neutral", "negative"}), "word"),
    Table("reviews_zh.csv", "评论", "情感", 1000, frozenset({"正面", "中性", "负面"}), "character"),
    Table("mail_en.csv", "body", "label", 500, frozenset({"spam", "normal"}), "word"),
    Table("news_zh.csv", "正文", "主题", 600, frozenset({"体育", "财经", "科技", "教育", "健康", "文化"}), "character"),
]


def units(text: str, unit: str) -> list[str]:
    return re.findall(r"\w+" if unit == "word" else r"\w", re.sub(r"https?://\S+|\S+@\S+", " ", text.lower()))


def runs(text: str, unit: str, n: int) -> set[tuple[str, ...]]:
    parts = units(text, unit)
    return {tuple(parts[i : i + n]) for i in range(len(parts) - n + 1)}


def near_duplicates(texts: list[str], unit: str) -> list[tuple[int, int]]:
    """Pairs of indices. Only pairs that share a run at all are compared."""
    own = [runs(text, unit, 3 if unit == "word" else 5) for text in texts]
    holders: dict[tuple[str, ...], list[int]] = {}
    for i, found in enumerate(own):
        for run in found:
            holders.setdefault(run, []).append(i)
    shared: Counter[tuple[int, int]] = Counter()
    for members in holders.values():
        shared.update(combinations(members, 2))
    return [
        (i, j)
        for (i, j), n in shared.items()
        if min(len(own[i]), len(own[j])) > SMALLEST and n > MAX_SHARED * min(len(own[i]), len(own[j]))
    ]


def problems(table: Table, folder: Path = FOLDER) -> list[str]:
    """What is wrong with a file, in words."""
    with open(folder / table.file, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [row[table.text] for row in rows]
    found = []
    if len(rows) < table.min_rows:
        found.append(f"only {len(rows)} rows")
    counts = Counter(row[table.label] for row in rows)
    if counts.keys() != table.labels:
        found.append(f"the classes are not {', '.join(sorted(table.labels))}")
    card = (FOLDER / table.file).with_suffix(".md").read_text(encoding="utf-8")
    wrong = [label for label, n in counts.items() if f"| {label} | {n} |" not in card]
    found += [f"its page does not say {counts[label]} rows of {label}" for label in wrong]
    exact = Counter(" ".join(units(text, table.unit)) for text in texts)
    found += [f"repeated: {text}" for text, n in exact.items() if n > 1]
    pairs = near_duplicates(texts, table.unit)
    found += [f"near-duplicates in rows {i + 2} and {j + 2}: {texts[i]!r} / {texts[j]!r}" for i, j in pairs]
    openings = Counter(" ".join(units(text, table.unit)[: 3 if table.unit == "word" else 5]) for text in texts)
    found += [f"{n} texts begin with {text!r}" for text, n in openings.items() if n > MAX_SAME_OPENING]
    long_runs = Counter(run for text in texts for run in runs(text, table.unit, 5 if table.unit == "word" else 8))
    found += [f"{n} texts hold {' '.join(run)!r}" for run, n in long_runs.items() if n > MAX_SAME_RUN]
    return [f"{table.file}: {problem}" for problem in found]


if __name__ == "__main__":
    found = [problem for table in TABLES for problem in problems(table)]
    print("\n".join(found) or "The example data are sound.")
    sys.exit(bool(found))
