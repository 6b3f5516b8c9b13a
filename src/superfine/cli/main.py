"""`superfine`: the group of commands, and what becomes of their errors. A command's file is imported when it runs or is
listed."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from superfine.cli.commands import COMMANDS
from superfine.cli.help import TranslatedGroup, language_of, speaking
from superfine.cli.output import end_orderly, tell, write_utf8
from superfine.errors import SuperfineError, is_out_of_memory

EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130


class CommandTable(TranslatedGroup):
    """A group whose commands stand in COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command: click.Command | None = COMMANDS.load(cmd_name) if cmd_name in COMMANDS else None
        return command


@click.group(cls=CommandTable, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="superfine", message="superfine %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Fine-tune a pretrained language model on your labelled text, and know what it is worth.

    \b
    superfine train reviews.csv                     train and test a classifier
    superfine predict runs/reviews-... new.csv      use it
    superfine evaluate runs/reviews-... more.csv    test it on other data
    superfine models reviews.csv                    which pretrained models suit it
    superfine doctor                                what this installation can do
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status: 0 done, 1 the answer is no, 2 unusable input, 130 interrupted."""
    if sys.stderr is None:  # closed by whoever called: what is told goes nowhere
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (until the end)
    language = speaking.set(language_of(sys.argv[1:] if arguments is None else arguments))
    write_utf8()
    try:
        end_orderly()
        sys.exit(run(lambda: cli.main(arguments, standalone_mode=False)))
    finally:
        speaking.reset(language)


def run(command: Callable[[], Any]) -> int:
    """The exit status of a command, its errors told in one message on standard error."""
    try:
        result = command()
        return result if isinstance(result, int) else 0
    except (click.exceptions.Abort, KeyboardInterrupt) as interruption:
        return _say(str(interruption) or "Interrupted.", EXIT_INTERRUPTED)
    except click.ClickException as error:
        advice = _setting_for(error.option_name, error.possibilities or []) if isinstance(error, click.NoSuchOption) else ""
        usage = f"{error.ctx.get_usage()}\n" if isinstance(error, click.UsageError) and error.ctx is not None else ""
        return _say(f"{usage}Error: {error.format_message()}{advice}", EXIT_UNUSABLE)
    except SuperfineError as error:
        return _say(f"Error: {error}", EXIT_UNUSABLE)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return _say(
            "Error: Memory ran out.\nClose other programs, or choose a smaller model or a shorter model.max_length.",
            EXIT_UNUSABLE,
        )
    except OSError as error:
        if error.filename is None:
            raise
        return _say(f"Error: {error.filename} cannot be used: {error.strerror}.", EXIT_UNUSABLE)


def _setting_for(option: str, possibilities: Sequence[str]) -> str:
    """A line of advice where an option that does not exist is nearer to a setting than to the options that are suggested:
    `--patienc` is `training.patience`."""
    from superfine.config import known_keys

    by_last = {key.rpartition(".")[2]: key for key in known_keys()}
    near = difflib.get_close_matches(option.lstrip("-").replace("-", "_"), by_last, n=1, cutoff=0.75)
    if not near or max([0.0, *(_likeness(option, other) for other in possibilities)]) >= _likeness(option, near[0]):
        return ""
    return f"\nAs a setting: --set {by_last[near[0]]}=VALUE"


def _likeness(option: str, name: str) -> float:
    return difflib.SequenceMatcher(None, option.lstrip("-").replace("-", "_"), name.lstrip("-").replace("-", "_")).ratio()


def _say(message: str, status: int) -> int:
    tell(message)
    return status
