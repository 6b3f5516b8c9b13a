"""Help in the user's language: what click lays out is translated before, and its own headings after."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import click

from superfine.language import LANGUAGES, default_language, translate

speaking: ContextVar[str] = ContextVar("language", default="en")
"""The language of the command that runs."""


def language_of(arguments: Sequence[str]) -> str:
    """What `--lang` says anywhere among the arguments, else the language of the locale."""
    for before, word in zip(["", *arguments], arguments, strict=False):
        value = word if before == "--lang" else word.removeprefix("--lang=") if word.startswith("--lang=") else ""
        if value in LANGUAGES:
            return value
    return default_language()


class TranslatedCommand(click.Command):
    """A command that takes `--lang` and helps in that language."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = click.Option(
            ["--lang"], type=click.Choice(LANGUAGES), expose_value=False, help="Language of messages.  [default: of the locale]"
        )
        self.params.append(language)

    def get_help(self, ctx: click.Context) -> str:
        return _translated_help(self, super().get_help, ctx)


class TranslatedGroup(TranslatedCommand, click.Group):
    """A group that takes `--lang` and helps in that language."""


def commands_of(group: click.Group, ctx: click.Context) -> list[click.Command]:
    """The commands of a group, imported."""
    found = (group.get_command(ctx, name) for name in group.list_commands(ctx))
    return [command for command in found if command is not None]


def _translated_help(command: click.Command, get_help: Callable[[click.Context], str], ctx: click.Context) -> str:
    """The laid-out help, with every text in it translated while it is laid out."""
    language = speaking.get()
    below = commands_of(command, ctx) if isinstance(command, click.Group) else []
    things: list[Any] = [command, *command.get_params(ctx), *below]
    texts = [(thing, thing.help) for thing in things if getattr(thing, "help", None)]
    try:
        for thing, text in texts:
            thing.help = translate_help(text, language)
        return translate(get_help(ctx), language)
    finally:
        for thing, text in texts:
            thing.help = text


def translate_help(text: str, language: str) -> str:
    """Paragraph by paragraph; one that begins with click's mark for fixed lines, line by line."""
    return "\n\n".join(
        translate(part, language) if part.startswith("\b") else translate(" ".join(part.split("\n")), language)
        for part in help_paragraphs(text)
    )


def help_paragraphs(text: str) -> list[str]:
    """The paragraphs of a command's help."""
    return inspect.cleandoc(text).split("\n\n")
