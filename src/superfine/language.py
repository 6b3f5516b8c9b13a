"""English or Chinese: the code speaks English, and what is shown to a person is translated by its pattern at the last moment.

So messages stay where they arise, logs and `metrics.json` do not depend on a language, and a language is one file:
`messages/zh.yaml` maps English patterns, `"The file {} does not exist."`, to Chinese ones. A test holds that none is missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

LANGUAGES = ("en", "zh")


def default_language(environment: Mapping[str, str] | None = None) -> str:
    """The language of the locale, where it is one of ours: LC_ALL, LC_MESSAGES, LANGUAGE and LANG are asked in this order."""
    environment = os.environ if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "LANG"):
        value = environment.get(name, "")
        if value:
            return value[:2] if value[:2] in LANGUAGES else "en"
    return "en"


UNPRINTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""Characters that move the cursor, colour the screen, turn the writing round or are not seen, and halves of characters."""


def printable(text: str) -> str:
    """`text` as it may stand on a screen, whatever data it repeats: such characters as `\\u001b`. Line ends and tabs stay."""
    return UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def translate(text: str, language: str) -> str:
    """`text` in that language, line by line; a line without a pattern stays as it is, and so does what stands in the gaps."""
    if language == "en" or not text:
        return text
    catalogue = _catalogue(language)
    whole = catalogue.exact.get(text)
    if whole is not None:
        return whole
    return "\n".join(catalogue.line(line) for line in text.split("\n"))


def phrase(pattern: str, *values: object, language: str) -> str:
    """A pattern in that language with its gaps filled; a pattern without values may also be a finished message."""
    if not values:
        return translate(pattern, language)
    text = pattern if language == "en" else _catalogue(language).messages.get(pattern, pattern)
    return text.format(*values)


def duration(seconds: float) -> str:
    """`"8 s"`, `"2 min 5 s"`, `"1 h 12 min"`."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


ERROR = "Error: "


class Catalogue:
    """The patterns of one language. A gap is `{}` in English and `{}` (or `{0}`, `{1}`) in the translation."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        self.messages = dict(messages)
        self.exact = {english: text for english, text in messages.items() if "{}" not in english}
        gapped = [(english, text) for english, text in messages.items() if "{}" in english]
        # The pattern that says most wins.
        gapped.sort(key=lambda pair: -len(pair[0].replace("{}", "")))
        self._patterns = [(_pattern(english), text) for english, text in gapped]

    def line(self, text: str) -> str:
        core = text.strip()
        if not core:
            return text
        start = text[: len(text) - len(text.lstrip())]
        if core in self.exact:
            return start + self.exact[core]
        if core.startswith(ERROR) and (own := self.line(message := core.removeprefix(ERROR))) != message:
            return start + self.messages[f"{ERROR}{{}}"].format(own)  # else a gap at the beginning would hold the word as well
        for pattern, translated in self._patterns:
            matched = pattern.fullmatch(core)
            if matched is not None:
                # Gaps may hold phrases that have a translation of their own. A single word is the user's: a column, a class.
                filled = (self.line(group) if " " in group.strip() else group for group in matched.groups())
                return start + translated.format(*filled)
        return text


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(re.escape(part) for part in english.split("{}")), re.DOTALL)


@lru_cache(maxsize=len(LANGUAGES))
def _catalogue(language: str) -> Catalogue:
    import yaml

    text = (files("superfine") / "messages" / f"{language}.yaml").read_text(encoding="utf-8")
    return Catalogue(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
