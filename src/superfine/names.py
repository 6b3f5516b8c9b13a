"""The lazy name table: what can be chosen by name, and where it is defined.

Each room of plug-ins owns one table in its `__init__.py`. An entry is a string `"package.module:Thing"` that is
imported only when the name is asked for, so a long table costs nothing.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from superfine.errors import ConfigError


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`' Did you mean "training.epochs"?'`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""


class NameTable(Mapping[str, str]):
    """A mapping from names to `"module:Thing"`, with `load(name)` to import the thing.

    `kind` is the word for an entry in messages: `"regulariser"`, `"task"`.
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> str:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, name: str) -> Any:
        """Import and return the thing behind `name`. Raises ConfigError with the names there are."""
        if name not in self._entries:
            raise ConfigError(
                f'There is no {self.kind} "{name}".{did_you_mean(name, self._entries)}',
                f"There is: {', '.join(self._entries)}.",
            )
        module, _, thing = self._entries[name].partition(":")
        return getattr(importlib.import_module(module), thing)
