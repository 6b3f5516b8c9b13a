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
        "header_row": "superfine.data.checks.table:header_row",
        "placeholder_label": "superfine.data.checks.table:placeholder_label",
        "left_out_rows": "superfine.data.checks.table:left_out_rows",
        "numeric_text": "superfine.data.checks.table:numeric_text",
        "rare_class": "superfine.data.checks.balance:rare_class",
        "imbalance": "superfine.data.checks.balance:imbalance",
        "label_spelling": "superfine.data.checks.labels:label_spelling",
        "removed_by_cleaning": "superfine.data.checks.cleaning:removed_by_cleaning",
        "chinese_script": "superfine.data.checks.scripts:chinese_script",
        "unknown_tokens": "superfine.data.checks.tokens:unknown_tokens",
        "truncation": "superfine.data.checks.tokens:truncation",
    },
)
