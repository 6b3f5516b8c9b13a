"""The limits of a server."""

from __future__ import annotations

from dataclasses import dataclass

from superfine.serving.keys import Keys


@dataclass(frozen=True)
class Settings:
    """most_waiting: texts that wait for one model. most_texts: in one request. most_bytes: of a request's body. seconds: until a
    request is given up. keys: who may ask, None for everybody. per_minute: requests of one client, None for any number."""

    most_waiting: int = 4096
    most_texts: int = 1024
    most_bytes: int = 4 << 20
    seconds: float = 30.0
    keys: Keys | None = None
    per_minute: int | None = None
