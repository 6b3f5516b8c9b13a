"""Which labels are the same class, however they are written.

Always the same are labels that look the same (invisible characters, composed and decomposed accents, kinds of blanks), and whole
numbers with and without the `.0` that tables add. On request (`--merge-labels`) so are labels that differ only in case, white
space, width, or in letters of another alphabet that look alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from superfine.records import Examples

BLANK_LETTERS = "\u034f\u115f\u1160\u2800\u3164\uffa0"
"""Without ink, though Unicode calls them letters or marks: fillers of Hangul, the empty Braille pattern, the grapheme joiner."""
JOINERS = "\u200c\u200d"
"""They change how their neighbours look in Persian, Indic scripts and emoji, and nothing between other characters."""
EMOJI = {"So", "Sk", "Mn"}
"""Categories of what emoji are joined from: signs, tones of skin, selectors."""
WHOLE = re.compile(r"([+-]?(?:0|[1-9][0-9]*))\.0")
"""A whole number as a table of decimal numbers writes it."""
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
LOOK_ALIKE = str.maketrans(
    "АВСЕНІЈКМОРЅТХУаеорсухіјѕԁһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρ‐‑‒–—−’‘“”",
    "ABCEHIJKMOPSTXYaeopcyxijsdhqwABEZHIKMNOPTYXovp------''\"\"",
)
"""Cyrillic and Greek letters by the Latin ones that they look like, and typographic signs by the plain ones."""


def visible(label: str) -> str:
    """The label as one sees it: without invisible characters, composed (NFC), its blanks plain, none around it."""
    if label.isascii() and label.isprintable():
        return label.strip()
    kept = (character for i, character in enumerate(label) if not _is_invisible(label, i))
    text = "".join(" " if character.isspace() else character for character in kept)
    return unicodedata.normalize("NFC", text).strip()


def _is_invisible(label: str, i: int) -> bool:
    character = label[i]
    if character in JOINERS:
        neighbours = label[max(0, i - 1) : i] + label[i + 1 : i + 2]
        return len(neighbours) < 2 or not all(map(_is_joined, neighbours))
    if character.isspace():
        return False
    return character in BLANK_LETTERS or "\ufe00" <= character <= "\ufe0f" or unicodedata.category(character) in {"Cc", "Cf"}


def _is_joined(character: str) -> bool:
    """Whether a joiner can change how the character looks: Arabic to Burmese, Khmer, Mongolian, emoji."""
    return "\u0600" <= character <= "\u109f" or "\u1780" <= character <= "\u18af" or unicodedata.category(character) in EMOJI


def merge_key(label: str) -> str:
    """Equal for labels that differ only in case, blanks, width, or letters that look alike."""
    text = unicodedata.normalize("NFKC", number_key(visible(label))).translate(LOOK_ALIKE)
    return " ".join(text.casefold().split())


def number_key(label: str) -> str:
    """Equal for 1 and 1.0, and for nothing else that is written in two ways: 1.1 is not 1.10, 007 not 7, 1_0 not 10."""
    whole = WHOLE.fullmatch(label)
    return whole[1] if whole else label


def repr_label(label: str) -> str:
    """In quotation marks, with the numbers of letters that look like others."""
    others = sorted({character for character in label if character.translate(LOOK_ALIKE) != character and character.isalpha()})
    return f'"{label}"' + (f" ({', '.join(f'U+{ord(character):04X}' for character in others)})" if others else "")


def label_order(label: str) -> tuple[int, float, str]:
    """A key that sorts numbers by their values, before all that is no number."""
    return (0, float(label), label) if NUMBER.fullmatch(label) else (1, 0.0, label)


@dataclass(frozen=True)
class Spelling:
    """The classes by their keys. merges: what differs only in case, blanks and the like is one class. joined: labels that were
    found to mean the same, by their class."""

    classes: Mapping[str, str]
    merges: bool = False
    joined: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of_classes(cls, labels: Iterable[str], *, merges: bool = False) -> Self:
        """The spelling of classes that are known. Of two with one key the first counts."""
        classes: dict[str, str] = {}
        for label in labels:
            classes.setdefault(_key(label, merges), label)
        return cls(classes, merges)

    @classmethod
    def learn(cls, labels: Sequence[str], *, merges: bool = False) -> Self:
        """Of labels with one key the most frequent is the class (the first in order of the alphabet, of equals)."""
        counts = Counter(labels)
        spelling = cls.of_classes(sorted(counts, key=lambda name: (-counts[name], name)), merges=merges)
        joined: dict[str, list[str]] = {}
        for label in sorted(counts):
            if (name := spelling.of(label)) != label:
                joined.setdefault(name, []).append(label)
        return replace(spelling, joined=joined)

    def of(self, label: str) -> str:
        """The class that a label means; a label of no class stays as it is."""
        return self.classes.get(_key(label, self.merges), label)

    def apply(self, examples: Examples) -> Examples:
        """The examples with the classes that their labels mean."""
        if examples.label is None:
            return examples
        meant = {label: self.of(label) for label in set(examples.label)}
        if all(label == name for label, name in meant.items()):
            return examples
        return replace(examples, label=[meant[label] for label in examples.label])


def _key(label: str, merges: bool) -> str:
    return merge_key(label) if merges else number_key(label)
