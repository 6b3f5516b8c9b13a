"""Texts that occur more than once: in training and test, within training, and with two labels."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from superfine.data.checks.inspection import Inspection, finding
from superfine.records import Finding


def leak(inspection: Inspection) -> list[Finding]:
    """Test texts that training or the choice of the epoch has seen: the score would count memory as skill."""
    if inspection.test is None:
        return []
    n, n_texts = len(inspection.leaked), len({inspection.test_keys[i] for i in inspection.leaked})
    said = f"{n} of {len(inspection.test)} test texts also stand in the training or validation part."
    if n_texts < n:
        total = len(inspection.test)
        said = f"{n} of {total} test texts also stand in the training or validation part ({n_texts} different texts)."
    return finding(
        "leak",
        "blocking" if n > 0.01 * len(inspection.test) else "warning",
        inspection.leaked,
        inspection.test,
        said,
        "Remove them from one of the two; the report gives the score with and without them.",
        n_texts,
    )


def group_leak(inspection: Inspection) -> list[Finding]:
    """Test rows of a group that training or the choice of the epoch has seen: what is learned of the group counts as skill."""
    if inspection.test is None or inspection.test.group is None:
        return []
    n = len(inspection.leaked_groups)
    n_groups = len({inspection.test.group[i] for i in inspection.leaked_groups})
    return finding(
        "group_leak",
        "blocking" if n > 0.01 * len(inspection.test) else "warning",
        inspection.leaked_groups,
        inspection.test,
        f"{n} of {len(inspection.test)} test rows belong to {n_groups} groups that the training or validation part has too.",
        "Keep each group in one file; the report gives the score with and without these rows.",
    )


def duplicate(inspection: Inspection) -> list[Finding]:
    """Training rows whose text stood in an earlier row."""
    seen: set[str] = set()
    repeated = []
    for i, key in enumerate(inspection.train_keys):
        if key in seen:
            repeated.append(i)
        seen.add(key)
    share = len(repeated) / max(1, len(inspection.train))
    return finding(
        "duplicate",
        "warning" if share > 0.05 else "note",
        repeated,
        inspection.train,
        f"{len(repeated)} training rows repeat the text of an earlier row.",
        "They count twice in training. Parts are split so that equal texts stay together.",
    )


def contradiction(inspection: Inspection) -> list[Finding]:
    """Training rows that the model reads as it reads others with another label: by tokens where they are known, else by texts
    after cleaning."""
    if not inspection.has_classes:
        return []
    encoded, train = inspection.encoded, inspection.train
    keys: Sequence[Hashable] = inspection.train_keys if encoded is None else encoded.keys()
    rows = _with_two_labels(keys, train.label or [])
    raw = zip(train.text, train.text_pair or [""] * len(train), strict=True)
    n_differing = len(set(rows) - set(_with_two_labels(list(raw), train.label or [])))
    message = f"{len(rows)} training rows have a text that stands elsewhere with another label."
    if n_differing and encoded is None:
        message = (
            f"{len(rows)} training rows have, after cleaning, a text that stands elsewhere with another label; "
            f"as they are in the file, {n_differing} of them have one label there."
        )
    elif n_differing:
        message = (
            f"{len(rows)} training rows are to the model the same as rows with another label; in the file {n_differing} of them "
            f"differ, by what it does not read: markup, case, unknown characters, or all after {inspection.max_length} tokens."
        )
    advice = "Decide which label is right: nothing can learn both."
    found = finding("contradiction", "warning", rows, train, message, advice, len({keys[i] for i in rows}))
    return [*found, *_between_parts(inspection)]


def _between_parts(inspection: Inspection) -> list[Finding]:
    """Validation and test rows whose text has another label elsewhere, in training or beside them."""
    train, validation, test = inspection.train, inspection.validation, inspection.test
    scored = test if test is not None else validation
    if scored is None or not scored.label:
        return []
    labels: dict[str, set[str]] = {}
    parts = ((train, inspection.train_keys), (validation, inspection.validation_keys), (test, inspection.test_keys))
    for part, keys in parts:
        for key, label in zip(keys, (part.label if part is not None else None) or [], strict=False):
            labels.setdefault(key, set()).add(label)
    own = inspection.test_keys if test is not None else inspection.validation_keys
    rows = [i for i, key in enumerate(own) if len(labels[key] - {""}) > 1]
    n_texts = sum(len(known - {""}) > 1 for known in labels.values())
    said = f"{n_texts} different texts have two labels over all parts; {len(rows)} test rows are among them."
    if test is None:
        said = f"{n_texts} different texts have two labels over all parts; {len(rows)} validation rows are among them."
    return finding(
        "contradiction",
        "warning",
        rows,
        scored,
        said,
        "One of the two is scored as wrong, whatever the model says.",
        n_texts,
    )


def _with_two_labels(keys: Sequence[Hashable], labels: Sequence[str]) -> list[int]:
    """Positions whose key also stands with another label."""
    seen: dict[Hashable, set[str]] = {}
    for key, label in zip(keys, labels, strict=True):
        seen.setdefault(key, set()).add(label)
    return [i for i, key in enumerate(keys) if len(seen[key]) > 1] if labels else []
