"""What can be learned from labelled text. One file per task: targets, loss, decoding, metrics, and its options."""

from superfine.names import NameTable

TASKS = NameTable("task", {"classification": "superfine.tasks.classification:Classification"})
"""A task provides `from_labels`, `encode`, `loss`, `decode` and `Options`; see `classification.py` for their shapes."""
