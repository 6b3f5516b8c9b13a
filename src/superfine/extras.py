"""What few need is installed on request: `require("files", "pyarrow")` imports it, or says how to get it."""

from __future__ import annotations

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, metadata
from types import ModuleType

from superfine.errors import ConfigError


def require(extra: str, module: str) -> ModuleType:
    """Import `module`, which the extra `superfine[extra]` brings. Raises ConfigError with the command that installs it."""
    assert extra in declared(), f"pyproject.toml declares no extra {extra}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise ConfigError(f'This needs the package "{module}".', f"Install it: pip install 'superfine[{extra}]'") from None


def require_installed(extra: str, *modules: str) -> None:
    """Raises ConfigError with the command that installs `superfine[extra]` where one of these modules is not there."""
    missing = [module for module in modules if not has_module(module)]
    if missing:
        raise ConfigError(f'This needs the package "{missing[0]}".', f"Install it: pip install 'superfine[{extra}]'")


def has_module(*modules: str) -> bool:
    """Whether all of these are installed."""
    return all(importlib.util.find_spec(module) is not None for module in modules)


def declared() -> list[str]:
    """The extras of this package, from its own metadata."""
    try:
        return metadata("superfine").get_all("Provides-Extra") or []
    except PackageNotFoundError:  # a source tree on the path, not installed
        return ["train", "files", "tensorboard", "mlflow", "wandb", "plots"]
