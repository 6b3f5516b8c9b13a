"""What can be learned from labelled text, one file per task, each behind `superfine.tasks.task.Task`."""

from superfine.names import NameTable

TASKS = NameTable("task", {"classification": "superfine.tasks.classification:Classification"})
