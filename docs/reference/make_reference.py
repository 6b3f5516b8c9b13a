"""Writes configuration.md and command-line.md from the code: python docs/reference/make_reference.py"""

from pathlib import Path

import click
from pydantic import BaseModel

from superfine.cli.commands import COMMANDS
from superfine.cli.main import cli
from superfine.config import RunConfig

FOLDER = Path(__file__).parent


def rows(section: type[BaseModel], prefix: str = "") -> list[str]:
    lines = []
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            lines += rows(field.annotation, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        shown = "" if default is None else f"`{default}`"
        lines.append(f"| `{prefix}{name}` | {shown} | {field.description or ''} |")
    return lines


def configuration() -> str:
    table = "\n".join(rows(RunConfig))
    return f"""# Configuration

Set a key with `--set key=value`, in a YAML file given to `--config` (sections nested), or in Python with
`settings={{"key": value}}`.
This page is made by `docs/reference/make_reference.py` from the code.

| key | default | meaning |
|---|---|---|
{table}
"""


def command_line() -> str:
    parts = ["# Command line\n\nThis page is made by `docs/reference/make_reference.py` from `--help`.\n"]
    top = click.Context(cli, info_name="superfine", terminal_width=100, max_content_width=100, **cli.context_settings)
    parts.append(f"```text\n{cli.get_help(top)}\n```\n")
    for name in COMMANDS:
        command = COMMANDS.load(name)
        context = click.Context(command, info_name=name, parent=top, terminal_width=100, max_content_width=100)
        parts.append(f"## superfine {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


PAGES = {"configuration.md": configuration, "command-line.md": command_line}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
