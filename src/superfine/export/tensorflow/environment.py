"""The Python in which TensorFlow's tools are installed: the one that the user names, or one that is made once and kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

from superfine.atomic import temporary_beside
from superfine.data.token_cache import cache_folder
from superfine.errors import ConfigError, first_line
from superfine.paths import expanded

VARIABLE = "SUPERFINE_TENSORFLOW"
"""Names a Python that has the tools."""
PINS = ("onnx2tf==1.29.24",)
"""It pins TensorFlow, NumPy, ONNX and protobuf itself."""
SIZE = "2.6 GB"
NEWEST = (3, 12)
"""Versions of Python that these pins have packages for: up to this one."""
WORKER = Path(__file__).with_name("worker.py")


def check() -> None:
    """Raises ConfigError where there is no such Python and none can be made."""
    if (named := _named()) is not None:
        versions_in(named)
    elif not _own().exists() and sys.version_info[:2] > NEWEST:
        wanted = ".".join(map(str, NEWEST))
        raise ConfigError(
            f"TensorFlow's converter is not to be had for Python {sys.version_info[0]}.{sys.version_info[1]}.", _name_one(wanted)
        )


def python(say: Callable[[str], None]) -> Path:
    """The Python to call, made where it is missing. Raises ConfigError where that fails."""
    if (named := _named()) is not None:
        return named
    folder = _own()
    if not folder.exists():
        say(f"Installing TensorFlow and onnx2tf into {folder}, once: about {SIZE}, apart from all other packages.")
        _make(folder)
    found = _python_in(folder)
    versions_in(found)
    return found


@cache
def versions_in(python: Path) -> dict[str, str]:
    """What is installed there. Raises ConfigError where the tools are missing."""
    try:
        ran = subprocess.run(command(python, "check"), capture_output=True, text=True, check=False, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{python} cannot be run: {error.strerror}.", _name_one("3.11")) from None
    if ran.returncode:
        raise ConfigError(
            f"{python} has no TensorFlow with onnx2tf: {_last_line(ran.stderr)}",
            f"Install them there: {python} -m pip install {' '.join(PINS)}",
        )
    versions: dict[str, str] = json.loads(ran.stdout.splitlines()[-1])
    return versions


def command(python: Path, *arguments: str) -> list[str]:
    """The worker's command line, which takes nothing from the user's own packages."""
    return [str(python), "-I", str(WORKER), *arguments]


def _named() -> Path | None:
    return expanded(named) if (named := os.environ.get(VARIABLE)) else None


def _own() -> Path:
    made_of = " ".join((*PINS, ".".join(map(str, sys.version_info[:2]))))
    return cache_folder() / "environments" / f"tensorflow-{sha256(made_of.encode()).hexdigest()[:12]}"


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _make(folder: Path) -> None:
    """Whole or not at all."""
    fresh = temporary_beside(folder)
    try:
        fresh.parent.mkdir(parents=True, exist_ok=True)
        venv.create(fresh, with_pip=True)
        pip = [str(_python_in(fresh)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *PINS]
        ran = subprocess.run(pip, capture_output=True, text=True, check=False, encoding="utf-8")
        if ran.returncode:
            raise ConfigError(f"TensorFlow cannot be installed: {_last_line(ran.stderr)}", _name_one("3.11"))
        try:
            fresh.replace(folder)
        except OSError:
            if not folder.exists():  # another process has been faster where it does
                raise
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigError(f"The environment {folder} cannot be made: {first_line(error)}.", _name_one("3.11")) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing."


def _name_one(version: str) -> str:
    return f"Install {' '.join(PINS)} with Python {version} and name that Python in {VARIABLE}."
