"""Audits that need only the data: what is wrong with it, before any time is spent on training.

A check is a function `(inspection) -> list of Finding`, where `inspection` holds the parts and what has been computed of them.
"""

from superfine.names import NameTable

CHECKS = NameTable(
    "check",
    {
        "leak": "superfine.data.checks.repeats:leak",
        "group_leak": "superfine.data.checks.repeats:group_leak",
        "duplicate": "superfine.data.checks.repeats:duplicate",
        "contradiction": "superfine.data.checks.repeats:contradiction",
        "rare_class": "superfine.data.checks.balance:rare_class",
        "imbalance": "superfine.data.checks.balance:imbalance",
        "label_spelling": "superfine.data.checks.labels:label_spelling",
        "removed_by_cleaning": "superfine.data.checks.cleaning:removed_by_cleaning",
        "unknown_tokens": "superfine.data.checks.tokens:unknown_tokens",
        "truncation": "superfine.data.checks.tokens:truncation",
    },
)
