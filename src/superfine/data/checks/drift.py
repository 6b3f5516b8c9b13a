"""Whether the test part is like the training part: its texts, and the shares of its classes."""

from __future__ import annotations

import numpy as np

from superfine.data.checks.inspection import Inspection, finding, label_counts
from superfine.records import Finding

NOTED, WARNED = 0.55, 0.65
"""Areas under the curve that the lower end of the interval must be above."""
LABEL_DRIFT = 0.05


def drift(inspection: Inspection) -> list[Finding]:
    """Test texts that can be told from training texts, and classes whose shares differ."""
    return [] if inspection.test is None or not inspection.test_is_given else [*_of_texts(inspection), *_of_labels(inspection)]


def _of_texts(inspection: Inspection) -> list[Finding]:
    if (told := inspection.told_apart) is None or told.low < NOTED:
        return []
    test = inspection.test
    assert test is not None
    typical = ", ".join(f'"{word}"' for word in told.words)
    return finding(
        "drift",
        "warning" if told.low > WARNED else "note",
        list(range(len(test))),
        test,
        f"Test texts can be told from training texts: AUC {told.auc:.2f} ({told.low:.2f} to {told.high:.2f}; 0.5 is none). "
        f"Typical of the test part: {typical}.",
        "The score on this test part says less of the texts that training resembles, and the reverse. If the test part is what "
        "will come, more training rows like it help most.",
    )


def _of_labels(inspection: Inspection) -> list[Finding]:
    """Shares of classes that differ beyond chance (chi-squared) and by more than a twentieth."""
    from scipy.stats import chi2_contingency

    train, test = inspection.train, inspection.test
    if not inspection.has_classes or test is None or not test.label:
        return []
    learned, scored = label_counts(train), label_counts(test)
    names = [name for name in learned if name]
    table = np.array([[counts.get(name, 0) for name in names] for counts in (learned, scored)])
    if len(names) < 2 or not table.sum(axis=1).all():
        return []
    shares = table / table.sum(axis=1, keepdims=True)
    differs = np.abs(shares[1] - shares[0])
    if chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue > 0.001 or differs.max() < LABEL_DRIFT:
        return []
    name, (before, after) = names[int(differs.argmax())], shares[:, int(differs.argmax())]
    return finding(
        "drift",
        "warning",
        list(range(len(test))),
        test,
        f'The shares of classes differ: "{name}" is {before:.0%} of the training rows and {after:.0%} of the test rows.',
        "Precision and probabilities hold for shares like those of training: choose thresholds on rows like those to come.",
    )
