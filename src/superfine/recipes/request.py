"""What the user asked `train` for."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from superfine.config import RunConfig, build_config, known_keys, parse_yaml, read_config_file
from superfine.data.read import DataSource
from superfine.errors import ConfigError, OutputError
from superfine.paths import expanded
from superfine.predictors.bundle import UNFINISHED

MARKER = "run.yaml"
LONGEST_STEM = 200
"""Bytes of the name of the data in the name of a run."""


@dataclass(frozen=True)
class Request:
    """One call of `train`. `started` is on `time.monotonic`'s scale and is what a time limit counts from.

    notes: what the user should know of the configuration, such as keys that have a new name. is_named: whether the user chose
    the folder.
    """

    data: DataSource
    validation: DataSource | None
    test: DataSource | None
    config: RunConfig
    folder: Path
    force: bool = False
    resume: bool = False
    strict: bool = False
    started: float = 0.0
    language: str = "en"
    notes: tuple[str, ...] = ()
    is_named: bool = True


def make_request(
    data: DataSource,
    *,
    validation: DataSource | None,
    test: DataSource | None,
    out: Path | None,
    config: Path | Mapping[str, Any] | None,
    overrides: Mapping[str, Any],
    force: bool,
    resume: Path | None,
    strict: bool,
    started: float,
    language: str = "en",
) -> Request:
    """A request from what the user said. A resumed run takes its configuration, and files that are not named, from its folder.

    `overrides` are dotted keys; those that are None were not said. Raises ConfigError or OutputError.
    """
    overrides = {key: value for key, value in overrides.items() if value is not None}
    notes: list[str] = []
    out, resume = (None if folder is None else expanded(folder) for folder in (out, resume))
    config = expanded(config) if isinstance(config, Path) else config
    if resume is None:
        tree = read_config_file(config) if isinstance(config, Path) else dict(config or {})
        folder = out if out is not None else default_folder(data)
        settings = build_config(tree, overrides, notes)
        named = out is not None
        return Request(data, validation, test, settings, folder, force, False, strict, started, language, tuple(notes), named)
    if config is not None or out is not None:
        raise ConfigError("--resume takes configuration and folder from the run.", "Leave out --config and --out.")
    marker = _marker_to_resume(resume)
    settings = build_config(read_config_file(marker), overrides, notes)
    asked = parse_yaml(marker.read_text(encoding="utf-8")).get("request") or {}
    validation, test = validation or asked.get("validation"), test or asked.get("test")
    return Request(data, validation, test, settings, resume, force, True, strict, started, language, tuple(notes))


def _marker_to_resume(folder: Path) -> Path:
    """The configuration of the run that was broken off there. Raises OutputError where there is none."""
    for marker in (folder / UNFINISHED / MARKER, folder / MARKER):
        if marker.exists():
            break
    else:
        raise OutputError(f"{folder} holds no run to resume.", "Name the folder of a run that was broken off.")
    if (folder / "metrics.json").exists() and not (folder / UNFINISHED).is_dir():
        raise OutputError(f"The run in {folder} is finished.", "Start a new one without --resume.")
    return marker


def default_folder(data: DataSource, parent: str = "runs") -> Path:
    """`runs/<name of the data>-<date>-<time>`."""
    first = data[0] if isinstance(data, list | tuple) and data else data
    stem = Path(first).name.split(".")[0].split(":")[0] if isinstance(first, str | Path) and str(first) != "-" else "data"
    # Names of folders end at 255 bytes, and a Chinese character takes three. Bytes that are no UTF-8 are left out.
    stem = stem.encode(errors="ignore")[:LONGEST_STEM].decode(errors="ignore")
    return Path(parent) / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"


def data_names(source: DataSource | None) -> list[str]:
    """The names of the files, without the paths to them, which tell of the user's machine."""
    parts = source if isinstance(source, list | tuple) else [source]
    return [_readable(Path(part).name) if isinstance(part, str | Path) else "data" for part in parts if part is not None]


def _readable(name: str) -> str:
    """A name with a mark for each byte that is no UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def command_of(request: Request) -> str:
    """The command line that asks for the same: the names of the files, and the settings that are not the usual ones."""
    words = ["superfine", "train", *data_names(request.data)]
    for name in ("validation", "test"):
        for part in data_names(getattr(request, name)):
            words += [f"--{name}", part]
    usual, asked = (config.model_dump(mode="json") for config in (RunConfig(), request.config))
    for key in known_keys():
        section, _, name = key.rpartition(".")
        default, value = (tree[section][name] if section else tree[name] for tree in (usual, asked))
        if value == default:
            continue
        if key == "model.name":
            words += ["--model", Path(value).name if Path(value).expanduser().is_dir() else value]
        elif key != "track":
            words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"]
    return shlex.join(words)
