"""Who may ask, and how often: keys from a file, and a bucket of requests for each."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
from collections import OrderedDict
from pathlib import Path

from superfine.errors import ConfigError

SHORTEST = 16
"""Characters of a key: shorter ones can be guessed."""
COMMENT = re.compile(r"(^|\s)#.*")
MOST_BUCKETS = 10_000
"""Clients that are remembered; the one that has not asked for longest is forgotten."""


class Keys:
    """The keys of a file: one a line, with a name behind it if wanted; # begins a comment."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError for a file without any, or with one that is too short."""
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
            raise ConfigError(f"The keys in {path} cannot be read: {reason}.", "Name a file with one key a line.") from None
        self._names: dict[bytes, str] = {}
        for number, line in enumerate(lines, 1):
            words = COMMENT.sub("", line).split(maxsplit=1)
            if not words:
                continue
            key, name = words[0], words[1] if len(words) > 1 else ""
            if not (key.isascii() and key.isprintable()):
                raise ConfigError(f"{path}, line {number}: a key has signs that no header can hold.", "Make one of ASCII signs.")
            if len(key) < SHORTEST:
                raise ConfigError(
                    f"{path}, line {number}: a key has {SHORTEST} characters at least.",
                    "Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
                )
            self._names[_digest(key)] = name.strip() or f"key of line {number}"
        if not self._names:
            raise ConfigError(f"{path} holds no key.", "Write one key a line into it.")

    def name_of(self, key: str) -> str | None:
        """Whose key it is, None where it is nobody's. All are compared, in the same time whichever it is."""
        asked, found = _digest(key), None
        for digest, name in self._names.items():
            if hmac.compare_digest(digest, asked):
                found = name
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


class RateLimit:
    """So many requests a minute for each client, as many at once after a pause: a token bucket."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, client: str) -> float:
        """0 where the client may ask now, which counts; else the seconds until it may."""
        now, per_second = time.monotonic(), self._per_minute / 60
        with self._lock:
            left, since = self._buckets.pop(client, (float(self._per_minute), now))
            left = min(self._per_minute, left + (now - since) * per_second)
            allowed = left >= 1
            self._buckets[client] = (left - 1 if allowed else left, now)
            while len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / per_second
