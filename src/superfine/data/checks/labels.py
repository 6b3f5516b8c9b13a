"""Labels that look like one class written in several ways, or like something else than classes."""

from __future__ import annotations

import re
from collections import Counter

from superfine.data.checks.inspection import Inspection, finding, label_counts
from superfine.data.labels import merge_key, repr_label
from superfine.records import Finding

LONGEST_SET, MANY_NUMBERS = 200, 12


def label_spelling(inspection: Inspection) -> list[Finding]:
    """Classes whose names differ only in case, white space, width, or in letters that look alike."""
    if not inspection.has_classes:
        return []
    spellings: dict[str, list[str]] = {}
    for name in label_counts(inspection.train):
        spellings.setdefault(merge_key(name), []).append(name)
    alike = [names for names in spellings.values() if len(names) > 1]
    doubtful = {name for names in alike for name in names}
    rows = [i for i, label in enumerate(inspection.train.label or []) if label in doubtful]
    named = "; ".join(" = ".join(map(repr_label, names)) for names in alike[:5])
    return finding(
        "label_spelling",
        "warning",
        rows,
        inspection.train,
        f"Classes that differ only in how they are written: {named}.",
        "If they mean the same: --merge-labels",
    )


GRADES = (
    ("very negative", "negative", "neutral", "positive", "very positive"),
    ("terrible", "bad", "okay", "good", "great"),
    ("strongly disagree", "disagree", "neutral", "agree", "strongly agree"),
    ("very low", "low", "medium", "high", "very high"),
    ("never", "rarely", "sometimes", "often", "always"),
    ("非常差", "差", "一般", "好", "非常好"),
    ("很差", "较差", "中等", "较好", "很好"),
    ("负面", "消极", "中性", "积极", "正面"),
    ("低", "较低", "中", "较高", "高"),
)
"""Words of scales, from the lowest to the highest."""
SEVERAL = re.compile(r"[^|;,]+(?:[|;,][^|;,]+)+|\[.*\]")


def ordinal_labels(inspection: Inspection) -> list[Finding]:
    """Three or more classes that are grades of one thing."""
    if not inspection.has_classes:
        return []
    names = {" ".join(name.casefold().replace("_", " ").split()) for name in label_counts(inspection.train)}
    numbers = sorted(int(name) for name in names if re.fullmatch(r"-?[0-9]{1,3}", name))
    stars = len(numbers) == len(names) and numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len(numbers) <= 11
    words = any(names <= set(grades) for grades in GRADES)
    starred = sum(bool(re.fullmatch(r"[0-9.]+ ?(?:stars?|星)", name)) for name in names) == len(names)
    if len(names) < 3 or not (stars or words or starred):
        return []
    return finding(
        "ordinal_labels",
        "note",
        list(range(len(inspection.train))),
        inspection.train,
        f"The {len(names)} labels look like grades of one thing, in an order.",
        "--task ordinal learns the order and scores by how far a grade is missed.",
    )


def several_labels(inspection: Inspection) -> list[Finding]:
    """Labels that hold several classes, read as one class each."""
    if not inspection.has_classes:
        return []
    counts = label_counts(inspection.train)
    parts = Counter(part.strip() for name in counts for part in re.split(r"[|;,]", name.strip("[]")))
    joined = {name for name in counts if SEVERAL.fullmatch(name) and len(name) <= LONGEST_SET}
    # "Food, drinks" is a class of its own where its words occur in no other.
    joined = {name for name in joined if all(parts[part.strip()] > 1 for part in re.split(r"[|;,]", name.strip("[]")))}
    rows = [i for i, label in enumerate(inspection.train.label or []) if label in joined]
    return finding(
        "several_labels",
        "warning",
        rows,
        inspection.train,
        f"{len(rows)} training rows have a label that looks like several: {', '.join(map(repr_label, sorted(joined)[:3]))}.",
        "--task multilabel learns each of them by itself.",
    )


def numeric_labels(inspection: Inspection) -> list[Finding]:
    """Many different numbers, read as classes."""
    if not inspection.has_classes:
        return []
    counts = label_counts(inspection.train)
    if len(counts) < MANY_NUMBERS or not all(re.fullmatch(r"[-+]?[0-9]*[.,]?[0-9]+(?:e[-+]?[0-9]+)?", name) for name in counts):
        return []
    return finding(
        "numeric_labels",
        "warning",
        list(range(len(inspection.train))),
        inspection.train,
        f"The labels are {len(counts)} different numbers, each read as a class of its own.",
        "--task regression learns numbers as numbers.",
    )
