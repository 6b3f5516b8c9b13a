"""Which scripts texts are written in, counted by letters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache

LATIN, HAN = "Latin", "Chinese characters"
NAMES = {
    "CJK": HAN,
    "HIRAGANA": "Japanese kana",
    "KATAKANA": "Japanese kana",
    "IDEOGRAPHIC": HAN,
    "HANGUL": "Korean",
}
"""Scripts whose name is not the first word of the Unicode names of their letters."""


def script_shares(texts: Sequence[str]) -> dict[str, float]:
    """The share (0 to 1) of each script in the letters of the texts, the largest first; none where there is no letter."""
    counts: Counter[str] = Counter()
    for character, n in _characters(texts).items():
        if script := script_of(character):
            counts[script] += n
    total = counts.total()
    return {script: n / total for script, n in counts.most_common()}


def main_script(text: str) -> str:
    """The script that most letters of a text are in; "" where it has none."""
    if text.isascii():
        return LATIN if any(map(str.isalpha, text)) else ""
    counts = Counter(map(script_of, text))
    del counts[""]
    return counts.most_common(1)[0][0] if counts else ""


def letter_share(texts: Sequence[str]) -> float:
    """The share (0 to 1) of letters in all that is not white space; 0 for texts of nothing else."""
    counts = _characters(texts)
    letters = sum(n for character, n in counts.items() if script_of(character))
    visible = sum(n for character, n in counts.items() if not character.isspace())
    return letters / visible if visible else 0.0


def _characters(texts: Sequence[str]) -> Counter[str]:
    """Compatibility forms count as what they stand for: a full-width letter is a letter."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(unicodedata.normalize("NFKC", text))
    return counts


@cache
def script_of(character: str) -> str:
    """The script of a letter by the first word of its Unicode name; empty for everything else."""
    if not unicodedata.category(character).startswith("L"):  # no marks: an emoji's variation selector is one
        return ""
    word = unicodedata.name(character, "").split(" ")[0].split("-")[0]
    return "" if word == "MODIFIER" else NAMES.get(word, word.title())


def han_kind(texts: Sequence[str]) -> str:
    """`"simplified"` or `"traditional"`, where texts have ten times as many characters of one kind as of the other; else "".

    A character is of one kind where only one of the two national sets has it: GB 2312 the simplified, Big5 the traditional.
    """
    counts: Counter[str] = Counter()
    for character, n in _characters(texts).items():
        counts[_kind_of(character)] += n
    simplified, traditional = counts["simplified"], counts["traditional"]
    if max(simplified, traditional) < FEWEST_TELLING:
        return ""
    return "simplified" if simplified > 10 * traditional else "traditional" if traditional > 10 * simplified else ""


FEWEST_TELLING = 20
"""Characters of one kind that tell of which kind texts are."""


@cache
def _kind_of(character: str) -> str:
    if script_of(character) != HAN:
        return ""
    has = {}
    for codec in ("gb2312", "big5"):
        try:
            character.encode(codec)
            has[codec] = True
        except UnicodeEncodeError:
            has[codec] = False
    return "" if has["gb2312"] == has["big5"] else "simplified" if has["gb2312"] else "traditional"
