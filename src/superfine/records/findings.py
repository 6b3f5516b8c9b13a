"""What an audit of data or of a model has to say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Severity = Literal["blocking", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing an audit of data or of a model has to say.

    `share` is `count` over the number of rows looked at; `rows` point into the user's file, and `texts` are some of theirs.
    `n_different`: how many different texts these rows have, where that was counted.
    """

    name: str
    severity: Severity
    count: int
    share: float
    rows: tuple[int, ...]
    message: str
    advice: str = ""
    texts: tuple[str, ...] = ()
    n_different: int | None = None

    def without_texts(self) -> Finding:
        """For what must not be repeated."""
        return replace(self, texts=())

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "severity": self.severity,
            "count": self.count,
            "share": self.share,
            "rows": list(self.rows),
            "texts": list(self.texts),
            "message": self.message,
            "advice": self.advice,
            **({} if self.n_different is None else {"different_texts": self.n_different}),
        }
