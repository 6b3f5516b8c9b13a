"""Which task the labels of the training rows are for, where the user leaves it open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from superfine.config import AUTO
from superfine.data.columns import LABEL_NAMES
from superfine.tasks import TASKS
from superfine.tasks.task import Task

LABEL = LABEL_NAMES[0]
"""A column of this name says that the table is of texts and classes, whatever the others are called."""


class Choice(NamedTuple):
    """A task, and a line that says why and how to choose another; "" where the user chose."""

    task: type[Task]
    line: str


def columns_by_name(name: str, columns: Sequence[str]) -> tuple[str, Mapping[str, Any]]:
    """The columns that a task finds by their names, and which task that is: that of this name, or with "auto" the first one that
    finds any, if there is no column that is called a label. The name stays, and no column is found, where none does."""
    if name == AUTO and any(column.casefold() == LABEL for column in columns):
        return name, {}
    for one in TASKS if name == AUTO else [name]:
        found = TASKS.load(one).columns_of(columns)
        if found is not None:
            return one, found
    return name, {}


def choose_task(name: str, labels: Sequence[str], n_columns: int) -> Choice:
    """The task of that name, or with "auto" the first one that these labels speak for; if they do for none, the usual one.

    Raises ConfigError for a name that is none.
    """
    if name != AUTO:
        return Choice(TASKS.load(name), "")
    types: list[type[Task]] = [TASKS.load(one) for one in TASKS]
    usual, *others = types
    found = next(((one, reason) for one in others if (reason := one.suits(labels, n_columns))), None)
    chosen, reason = (usual, usual.suits(labels, n_columns)) if found is None else found
    possible = [one.name for one in types if one is not chosen and one.is_possible(labels, n_columns)]
    known = f"also possible: --task {', '.join(possible)}" if possible else "another one: --task NAME"
    said = f"Task: {chosen.name}, because the labels are {reason} ({known})"
    return Choice(chosen, said)
