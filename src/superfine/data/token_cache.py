"""Encoded texts kept on disk: a repeated run does not tokenise again, and training reads its rows from there.

What is kept is found by a digest of all it was made of: the texts, the tokenizer with its cleaning, and the maximum length.
Tokens spell their texts, so the folder is readable by its owner only; `data.cache_tokens: false` keeps nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from superfine.data.encode import Encoder
from superfine.data.encoded import Encoded
from superfine.records import Examples

FORMAT = 4
"""Goes up when Encoded or the way of tokenising changes."""
FEWEST_TEXTS = 20_000
"""Fewer are tokenised in a second or two, and kept in memory alone."""
MOST_BYTES = 4 << 30
"""What all kept tokens may take. The ones not used for longest go first."""
VARIABLE = "SUPERFINE_CACHE"


def cache_folder() -> Path:
    """Where everything is kept that can be made again: in $SUPERFINE_CACHE, else in the user's cache folder."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    if general := os.environ.get("XDG_CACHE_HOME"):
        return Path(general) / "superfine"
    try:
        return Path.home() / ".cache" / "superfine"
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir()) / f"superfine-{getattr(os, 'getuid', int)()}"


def token_folder() -> Path:
    """Where tokens are kept."""
    return cache_folder() / "tokens"


def encode_cached(
    encoder: Encoder, examples: Examples, on_chunk: Callable[[int], None] | None = None, *, keep: bool = True
) -> tuple[Encoded, bool]:
    """`encoder.encode`, from disk where the same was encoded before; and whether it was.

    Columns from disk are mapped, not loaded. Nothing is kept of few texts, without `keep`, or where the folder cannot be written.
    """
    if not keep or len(examples) < FEWEST_TEXTS:
        return encoder.encode(examples, on_chunk), False
    folder = token_folder() / digest(encoder, examples)
    if (found := _load(folder)) is not None:
        if on_chunk is not None:
            on_chunk(len(examples))
        return found, True
    encoded = encoder.encode(examples, on_chunk)
    _store(encoded, folder)
    return _load(folder) or encoded, False


def digest(encoder: Encoder, examples: Examples) -> str:
    """Of all that decides how the examples are encoded."""
    what = hashlib.blake2b(digest_size=20)
    what.update(f"{FORMAT} {encoder.fingerprint()} {len(examples)} {examples.text_pair is not None}".encode())
    for column in (examples.text, examples.text_pair or []):
        for text in column:
            content = text.encode("utf-8", "surrogatepass")
            what.update(len(content).to_bytes(8, "little") + content)
    return what.hexdigest()


def _load(folder: Path) -> Encoded | None:
    try:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        columns: dict[str, Any] = {name: _mapped(folder / f"{name}.npy") for name in facts["columns"]}
        encoded = Encoded(**columns, unknown_share=facts["unknown_share"])
        os.utime(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return encoded


def _mapped(path: Path) -> NDArray:  # type: ignore[type-arg]
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]


def _store(encoded: Encoded, folder: Path) -> None:
    """Write whole or not at all; what cannot be written is not kept."""
    home = folder.parent
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=home, prefix="new-"))
        try:
            values = {column.name: getattr(encoded, column.name) for column in fields(encoded)}
            columns = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
            for name, value in columns.items():
                np.save(fresh / f"{name}.npy", value)
            facts = {"columns": list(columns), "unknown_share": encoded.unknown_share}
            (fresh / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)  # what is there already could not be read
            fresh.replace(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        _make_room(home, spare=folder)
    except OSError:
        return


def _make_room(home: Path, spare: Path) -> None:
    folders = sorted((path for path in home.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for folder in [spare, *(path for path in folders if path != spare)]:
        total += sum(file.stat().st_size for file in folder.iterdir())
        if total > MOST_BYTES and folder != spare:
            shutil.rmtree(folder, ignore_errors=True)
