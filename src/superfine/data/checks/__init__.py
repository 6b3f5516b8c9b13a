"""Audits that need only the data: what is wrong with it, before any time is spent on training.

A check is a function `(inspection) -> list of Finding`, where `inspection` holds the parts and what has been computed of them.
"""

from superfine.names import NameTable

CHECKS = NameTable(
    "check",
    {
        "leak": "superfine.data.checks.repeats:leak",
        "near_leak": "superfine.data.checks.near:near_leak",
        "group_leak": "superfine.data.checks.repeats:group_leak",
        "duplicate": "superfine.data.checks.repeats:duplicate",
        "near_duplicate": "superfine.data.checks.near:near_duplicate",
        "contradiction": "superfine.data.checks.repeats:contradiction",
        "header_row": "superfine.data.checks.table:header_row",
        "placeholder_label": "superfine.data.checks.table:placeholder_label",
        "left_out_rows": "superfine.data.checks.table:left_out_rows",
        "broken_row": "superfine.data.checks.table:broken_row",
        "numeric_text": "superfine.data.checks.table:numeric_text",
        "rare_class": "superfine.data.checks.balance:rare_class",
        "imbalance": "superfine.data.checks.balance:imbalance",
        "label_spelling": "superfine.data.checks.labels:label_spelling",
        "ordinal_labels": "superfine.data.checks.labels:ordinal_labels",
        "several_labels": "superfine.data.checks.labels:several_labels",
        "numeric_labels": "superfine.data.checks.labels:numeric_labels",
        "removed_by_cleaning": "superfine.data.checks.cleaning:removed_by_cleaning",
        "encoding": "superfine.data.checks.texts:encoding",
        "empty_text": "superfine.data.checks.texts:empty_text",
        "boilerplate": "superfine.data.checks.texts:boilerplate",
        "language_mix": "superfine.data.checks.texts:language_mix",
        "chinese_script": "superfine.data.checks.scripts:chinese_script",
        "personal_data": "superfine.data.checks.personal:personal_data",
        "unknown_tokens": "superfine.data.checks.tokens:unknown_tokens",
        "truncation": "superfine.data.checks.tokens:truncation",
        "drift": "superfine.data.checks.drift:drift",
        "shortcut": "superfine.data.checks.shortcuts:shortcut",
        "sorted_by_label": "superfine.data.checks.order:sorted_by_label",
        "time_order": "superfine.data.checks.order:time_order",
    },
)
BEFORE_TRAINING = (
    "leak", "near_leak", "group_leak", "duplicate", "contradiction", "header_row", "placeholder_label", "left_out_rows",
    "numeric_text", "rare_class", "imbalance", "label_spelling", "several_labels", "removed_by_cleaning", "encoding",
    "chinese_script", "unknown_tokens", "truncation",
)  # fmt: skip
"""What `train` looks at as well: what changes the meaning of a score, or what is learned."""
