"""Options that several commands take, alike in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output, and nothing else there."
)
text_option = click.option(
    "--text", multiple=True, metavar="COLUMN", help="Text column, where it is named otherwise than in training."
)
label_option = click.option(
    "--label", multiple=True, metavar="COLUMN", help="Label column, where it is named otherwise than in training."
)
ignore_unknown_option = click.option(
    "--ignore-unknown-labels", is_flag=True, help="Do not score rows whose label training never had."
)
pair_option = click.option("--text-pair", metavar="COLUMN", help="Column of the second text, likewise.")
precision_option = click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    help="Of the computation. bfloat16 is faster on processors that have it; absent: float32, as the model was tested.",
)


device_option = click.option(
    "--device", metavar="NAME", help="Where to compute: cpu, cuda, cuda:1, mps.  [default: the GPU where there is one]"
)


def _complete_baselines(_: click.Context, __: click.Parameter, start: str) -> list[CompletionItem]:
    from superfine.baselines import BASELINES

    return [CompletionItem(name) for name in BASELINES if name.startswith(start)]


baseline_option = click.option(
    "--with",
    "baseline",
    metavar="BASELINE",
    shell_complete=_complete_baselines,
    help="Use a baseline saved with the run instead of the model: tfidf or majority. Needs no torch.",
)


def complete_files(_: click.Context, __: click.Parameter, start: str) -> list[CompletionItem]:
    """The shell's own completion of file names, for what may be a file and need not be one."""
    return [CompletionItem(start, type="file")]


def _delimiter(_: click.Context, option: click.Parameter, text: str | None) -> Any:
    from superfine.config import parse_delimiter

    try:
        return parse_delimiter(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param=option) from None


def _character(_: click.Context, option: click.Parameter, text: str | None) -> Any:
    from superfine.config import parse_quote

    try:
        return parse_quote(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param=option) from None


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """How files are read, alike in every command that reads some."""
    for option in reversed(
        (
            click.option("--encoding", metavar="NAME", help="Text encoding of the files, e.g. gb18030.  [default: detected]"),
            click.option(
                "--delimiter",
                metavar="CHARACTER",
                callback=_delimiter,
                help="Character between the fields of a line.  [default: detected]",
            ),
            click.option(
                "--quote", metavar="CHARACTER", callback=_character, help='Sign that holds a field together.  [default: "]'
            ),
            click.option(
                "--escape",
                metavar="CHARACTER",
                callback=_character,
                help="Sign before a quotation mark inside a text, where it is not doubled.  [default: detected]",
            ),
            click.option(
                "--no-header",
                "header",
                is_flag=True,
                flag_value=False,
                default=None,
                help="The first row is data; columns are named by their numbers: --text 1 --label 2.",
            ),
            click.option(
                "--sheet",
                metavar="NAME",
                help="Sheet of a workbook, or part of a JSON file.  [default: the first that holds a table]",
            ),
            click.option(
                "--bad-rows",
                type=click.Choice(["refuse", "skip"]),
                help="Records that cannot be read: refuse the file, or skip and list them.  [default: refuse]",
            ),
        )
    ):
        command = option(command)
    return command


def source_of(data: tuple[str, ...]) -> str | list[str]:
    """One file, or several."""
    return data[0] if len(data) == 1 else list(data)


def check_precision(baseline: str | None, precision: str | None) -> None:
    """Raises ConfigError for a precision that would have no effect."""
    if baseline is not None and precision is not None:
        from superfine.errors import ConfigError

        raise ConfigError("--precision is of the model, and --with asks a baseline.", "Leave one of them out.")


def check_device(baseline: str | None, device: str | None) -> None:
    """Raises ConfigError for a device that there cannot be, or that would have no effect."""
    from superfine.config import build_config
    from superfine.errors import ConfigError

    if device is not None:
        build_config({"device": device})
        if baseline is not None:
            raise ConfigError("--device is of the model, and --with asks a baseline.", "Leave one of them out.")
