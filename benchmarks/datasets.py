"""The real data sets that the benchmarks read, and the one seeded sample of rows that every contestant gets.

The folder is `../shared/data` beside the repository, or what SUPERFINE_DATA names. Nothing of it is copied here.
"""

import csv
import os
import random
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("SUPERFINE_DATA", REPOSITORY.parent / "shared" / "data"))
csv.field_size_limit(10**9)


class Rows(NamedTuple):
    texts: list[str]
    labels: list[str]


def read(path: Path, label: str = "label") -> Rows:
    with open(path, encoding="utf-8", newline="") as file:
        pairs = [(row["text"], row[label]) for row in csv.DictReader(file)]
    return Rows([text for text, _ in pairs], [label for _, label in pairs])


def stratified_sample(rows: Rows, n: int, seed: int = 0) -> Rows:
    """At most about `n` rows, each class in its share and with two rows at least, in a seeded random order.

    Several files are sorted by label, so the first n rows would not do.
    """
    if len(rows.labels) <= n:
        order = list(range(len(rows.labels)))
        random.Random(seed).shuffle(order)
        return Rows([rows.texts[i] for i in order], [rows.labels[i] for i in order])
    rng = random.Random(seed)
    by_label: dict[str, list[int]] = {}
    for i, label in enumerate(rows.labels):
        by_label.setdefault(label, []).append(i)
    picked: list[int] = []
    for label in sorted(by_label):
        members = by_label[label]
        rng.shuffle(members)
        picked += members[: max(2, round(n * len(members) / len(rows.labels)))]
    rng.shuffle(picked)
    return Rows([rows.texts[i] for i in picked], [rows.labels[i] for i in picked])


def write(rows: Rows, path: Path) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(zip(rows.texts, rows.labels, strict=True))


def train_and_test(name: str) -> tuple[Path, Path]:
    """The training file, and the file that is looked at once: the validation part where published figures are of that."""
    folder = FOLDER / name
    test = folder / "test.csv"
    if name in {"en/sst2", "en/cola", "en/rte"}:
        test = folder / "validation.csv"
    return folder / "train.csv", test
