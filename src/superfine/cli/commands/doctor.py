"""`superfine doctor`."""

from __future__ import annotations

import click

from superfine.cli.help import TranslatedCommand, speaking
from superfine.cli.options import json_option
from superfine.cli.output import print_json


@click.command(cls=TranslatedCommand)
@json_option
def doctor(as_json: bool) -> None:
    """Say what this installation can do, and what to install for more.

    \b
    superfine doctor
    """
    from superfine.recipes.doctor import examine

    diagnosis = examine()
    if as_json:
        print_json(diagnosis.to_json())
        return
    from superfine.cli.console import print_diagnosis

    print_diagnosis(diagnosis, speaking.get())
