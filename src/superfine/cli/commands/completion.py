"""`superfine completion`."""

from __future__ import annotations

import click

from superfine.cli.help import TranslatedCommand
from superfine.cli.options import json_option
from superfine.cli.output import print_json, to_standard_output


@click.command(cls=TranslatedCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@click.pass_context
def completion(context: click.Context, shell: str, as_json: bool) -> None:
    """Print what makes the shell complete commands and options.

    \b
    superfine completion bash >> ~/.bashrc
    superfine completion zsh >> ~/.zshrc
    superfine completion fish > ~/.config/fish/completions/superfine.fish
    """
    from click.shell_completion import get_completion_class

    script_for = get_completion_class(shell)
    if script_for is None:  # every shell of the choice has one
        raise click.UsageError(f"no completion for {shell}")
    script = script_for(context.find_root().command, {}, "superfine", "_SUPERFINE_COMPLETE").source()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        to_standard_output(lambda: click.echo(script))
