"""What can be learned from labelled text, one file per task, each behind `superfine.tasks.task.Task`."""

from superfine.names import NameTable

TASKS = NameTable(
    "task",
    {
        "classification": "superfine.tasks.classification:Classification",
        "tokens": "superfine.tasks.tokens:Tokens",
        "questions": "superfine.tasks.questions:Questions",
        "label_distribution": "superfine.tasks.label_distribution:LabelDistribution",
        "multilabel": "superfine.tasks.multilabel:MultiLabel",
        "hierarchical": "superfine.tasks.hierarchical:Hierarchical",
        "ordinal": "superfine.tasks.ordinal:Ordinal",
        "regression": "superfine.tasks.regression:Regression",
    },
)
"""The first is what labels are taken for where no other suits them."""
