"""What can go wrong, as a tree. Each error says what happened and what to do about it.

SuperfineError
└── InputError                what the user gave cannot be used (the command line exits with 2)
    ├── DataError             a file, a row, a column
    ├── ConfigError           an option, a key of the configuration, a name that does not exist
    ├── ModelError            a pretrained model or a trained bundle that cannot be found or read
    └── OutputError           a folder that must not or cannot be written
"""

from __future__ import annotations


class SuperfineError(Exception):
    """The root of the tree. `message` says what happened, `advice` the way out."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(f"{message}\n{advice}" if advice else message)
        self.message = message
        self.advice = advice

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the message alone, for the mistake is not in the code that it passed through."""
        return [f"{type(self).__name__}: {self}"]


class InputError(SuperfineError):
    """What the user gave cannot be used."""


class DataError(InputError):
    """A file, a row or a column cannot be used."""


class ConfigError(InputError):
    """An option, a configuration key or a name does not exist or has a wrong value."""


class ModelError(InputError):
    """A pretrained model or a trained bundle cannot be found or read."""


class OutputError(InputError):
    """The output folder must not or cannot be written."""


def first_line(error: BaseException) -> str:
    """What an error of somebody else's says, in one line."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the system's or the graphics card's memory ran out: torch has a type for the one and a sentence for the other."""
    text = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and (type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in text or "not enough memory" in text)
    )
