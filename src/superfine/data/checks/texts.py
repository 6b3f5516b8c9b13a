"""Texts that say nothing, say the same as all others, or were read in the wrong encoding."""

from __future__ import annotations

from collections import Counter

import numpy as np

from superfine.data.checks.inspection import Inspection, finding
from superfine.data.mojibake import repaired
from superfine.data.scripts import LATIN, main_script
from superfine.data.terms import written
from superfine.records import Finding, IntArray, Ragged

BOILERPLATE_TERMS, BOILERPLATE_SHARE, FEWEST_ROWS = 6, 0.05, 20
"""A beginning or an end of so many words that at least this share of the texts has, and so many rows."""
MIXED_SHARE = 0.01


def empty_text(inspection: Inspection) -> list[Finding]:
    """Texts without a letter or a digit."""
    rows = [i for i, text in enumerate(inspection.train.text) if not any(map(str.isalnum, text))]
    if inspection.train.text_pair is not None:
        rows = [i for i in rows if not any(map(str.isalnum, inspection.train.text_pair[i]))]
    return finding(
        "empty_text",
        "note",
        rows,
        inspection.train,
        f"{len(rows)} training texts have no letter and no digit.",
        "What they are is told by signs alone (an emoji may be enough); if they are nothing, leave them out.",
    )


def boilerplate(inspection: Inspection) -> list[Finding]:
    """Beginnings and ends that many texts share."""
    found: list[Finding] = []
    terms = inspection.train_terms
    for at_end in (False, True):
        rows, phrase = _commonest(inspection, terms, at_end=at_end)
        if len(rows) < max(FEWEST_ROWS, BOILERPLATE_SHARE * len(inspection.train)):
            continue
        said = (
            f'{len(rows)} training texts ({len(rows) / len(terms):.0%}) end with the same words: "{phrase}".'
            if at_end
            else f'{len(rows)} training texts ({len(rows) / len(terms):.0%}) begin with the same words: "{phrase}".'
        )
        advice = "If it says nothing of the label, take it out: it costs time, and long texts lose what stands behind it."
        found += finding("boilerplate", "note", rows, inspection.train, said, advice)
    return found


def _commonest(inspection: Inspection, terms: Ragged, *, at_end: bool) -> tuple[list[int], str]:
    """The rows with the most frequent beginning (or end) of `BOILERPLATE_TERMS` words, and these words. Texts that are nothing
    else do not count."""
    rows = np.flatnonzero(terms.lengths > BOILERPLATE_TERMS)
    if not len(rows):
        return [], ""
    first = terms.starts[1:][rows] - BOILERPLATE_TERMS if at_end else terms.starts[:-1][rows]
    words: IntArray = terms.values[first[:, None] + np.arange(BOILERPLATE_TERMS)]
    different, which, counts = np.unique(words, axis=0, return_inverse=True, return_counts=True)
    most = int(counts.argmax())
    return rows[which.ravel() == most].tolist(), written(inspection.term_names, different[most].tolist())


def encoding(inspection: Inspection) -> list[Finding]:
    """Texts that were written in one encoding and read in another."""
    train = inspection.train
    rows = [i for i, text in enumerate(train.text) if repaired(text) != text or "\ufffd" in text]
    n_lost = sum("\ufffd" in train.text[i] for i in rows)
    said = f"{len(rows)} training texts were read in another encoding than they were written in, before they came into this file."
    if n_lost:
        said = (
            f"{len(rows)} training texts were read in another encoding than they were written in, before they came into this "
            f"file; {n_lost} of them have lost characters for good (\ufffd)."
        )
    severity = "warning" if len(rows) > 0.01 * len(train) else "note"
    return finding("encoding", severity, rows, train, said, "What can be read again is repaired by --fix.")


def language_mix(inspection: Inspection) -> list[Finding]:
    """Texts in another script than most. Languages that share a script are not told apart."""
    train = inspection.train
    scripts = [main_script(text) for text in train.text]
    counts = Counter(filter(None, scripts))
    if len(counts) < 2:
        return []
    usual = counts.most_common(1)[0][0]
    rows = [i for i, script in enumerate(scripts) if script and script != usual]
    if len(rows) < max(2, MIXED_SHARE * len(train)):
        return []
    named = ", ".join(f"{script} {n}" for script, n in counts.most_common(5))
    advice = "A model of one language reads the others badly: --model auto chooses one of about 100 languages here."
    if LATIN not in counts:
        advice = "Look whether the model reads all of these scripts (unknown tokens tell it)."
    said = f"{len(rows)} training texts are in another script than most: {named}."
    return finding("language_mix", "note", rows, train, said, advice)
