"""Which encoding of the time before Unicode some bytes are in: chardet's language models, and whether the letters make words.

chardet is right where there is enough to read. Where there is little (a label in Chinese beside English texts, one curly quote),
its models say next to nothing, and two things decide with them: whether what an encoding gives could be words at all, and how
common the encoding is.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from functools import cache

ENOUGH = 0.2
"""chardet's confidence from which on its own order counts and the other two only break ties."""
WEAK = 0.8
"""An encoding that scores this share of the best one's score could be meant as well."""
JUDGED_BYTES = 20_000
JUDGED_CANDIDATES = 12
COMMONNESS = (
    (re.compile(r"cp(4|7|8(?!74))\d\d|cp1125"), 0.6),  # DOS
    (re.compile(r"mac"), 0.5),
    (re.compile(r"iso8859"), 0.85),
    (re.compile(r"johab"), 0.7),
    (re.compile(r"cp037|cp10(06|26)|cp1140|cp273|cp875|hp_roman8|kz1048|ptcp154|koi8_t"), 0.3),
)
"""How often a file of today is in an encoding, beside those of Windows and Unix, which count as 1."""
EAST_ASIAN = {"gb18030": 1.0, "cp949": 0.85, "cp932": 0.8, "big5hkscs": 0.75, "euc_jp": 0.7}
"""Encodings of two bytes a character that are tried however little chardet thinks of them, by how often they are met."""
FEW_CHARACTERS = 0.15
"""The score of an East Asian encoding in which all characters are among the most usual ones."""
IDEOGRAPHS = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "FULLWIDTH", "IDEOGRAPHIC"}
INSIDE_WORDS = "’‘‐‑–—·"
OPENING = "“‘«„"
APART = re.compile(r"[\s,;|\"]+")


@dataclass(frozen=True)
class Guess:
    """codec: Python's name. other: an encoding that could be meant as well, with the first word that it reads otherwise."""

    codec: str
    other: str | None = None
    word: str = ""
    other_word: str = ""


def rank_encodings(sample: bytes) -> list[tuple[str, float]]:
    """Encodings that `sample` can be in, the likeliest first, each with its score; of those that give the same text, one.

    sample: the lines that hold bytes outside ASCII, or escape sequences.
    """
    import chardet

    found = chardet.detect_all(sample, ignore_threshold=True, compat_names=False)
    confidence = {
        str(r["encoding"]).replace("-", "_"): float(r["confidence"])
        for r in found
        if not str(r["encoding"]).startswith(("utf", "None"))
    }
    surest = max(confidence.values(), default=0.0)
    names = list(dict.fromkeys([*list(confidence)[:JUDGED_CANDIDATES], "cp1252", *(EAST_ASIAN if surest < ENOUGH else ())]))
    names += [codec for codec in confidence if codec not in names and confidence[codec] > surest / 4]
    scores, texts = {}, {}
    for codec in names:
        text = _decoded(sample, codec)
        if text is None:
            continue
        score, commonness = confidence.get(codec, 0.0), _commonness(codec)
        if surest >= ENOUGH:
            commonness **= 0.05
        elif codec in EAST_ASIAN:
            score = max(score, FEW_CHARACTERS * EAST_ASIAN[codec] * _usual_share(codec, text) ** 8)
        scores[codec] = score * commonness * (1 - _odd_share(text[:JUDGED_BYTES])) ** 8
        texts[codec] = text
    ranked: dict[str, tuple[str, float]] = {}
    for codec in sorted(scores, key=lambda name: (-scores[name], name not in EAST_ASIAN, not name.startswith("cp125"))):
        ranked.setdefault(texts[codec], (codec, scores[codec]))
    return [(codec, score) for codec, score in ranked.values() if score > 0]


def guess_encoding(sample: bytes, ranked: list[tuple[str, float]]) -> Guess:
    """The first of `ranked`, and with it the second where it could be meant as well. ranked: not empty."""
    codec, best = ranked[0]
    if len(ranked) == 1 or (best >= ENOUGH and ranked[1][1] < WEAK * best):
        return Guess(codec)
    other = ranked[1][0]
    words, others = (APART.split(_decoded(sample, name) or "") for name in (codec, other))
    differing = next(((mine, theirs) for mine, theirs in zip(words, others, strict=False) if mine != theirs), ("", ""))
    return Guess(codec, other, *differing)


def _decoded(sample: bytes, codec: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(codec)().decode(sample)  # whose last character may be cut
    except (UnicodeDecodeError, LookupError):
        return None


def _commonness(codec: str) -> float:
    return next((value for pattern, value in COMMONNESS if pattern.match(codec)), 1.0)


def _usual_share(codec: str, text: str) -> float:
    """The share of characters outside ASCII that are among those an East Asian standard lists as the most usual ones."""
    outside = [character.encode(codec, "ignore") for character in text if character > "\x7f"]
    return sum(_is_usual(codec, code) for code in outside) / max(1, len(outside))


def _is_usual(codec: str, code: bytes) -> bool:
    """Level 1 of the national standards, with kana, Hangul and punctuation, by the bytes of a character."""
    if len(code) != 2:
        return False
    first, second = code
    if codec == "big5hkscs":
        return 0xA1 <= first <= 0xC6
    if codec == "cp932":
        return first <= 0x83 or 0x88 <= first <= 0x97
    usual = {"gb18030": (0xB0, 0xD7), "cp949": (0xB0, 0xC8), "euc_jp": (0xB0, 0xCF)}[codec]
    return second >= 0xA1 and (usual[0] <= first <= usual[1] or 0xA1 <= first <= 0xA5)


@cache
def _script(character: str) -> str:
    return re.split("[ -]", unicodedata.name(character, "?"), maxsplit=1)[0]


def _odd_share(text: str) -> float:
    """How many of the characters outside ASCII stand where they stand in no word: a control character, a sign of another script
    or a symbol inside a word, a capital after a small letter, three accented letters in a row."""
    padded = f"  {text} "
    outside = [i for i in range(2, len(padded) - 1) if padded[i] > "\x7f"]
    return min(1.0, sum(_is_odd(*padded[i - 2 : i + 2]) for i in outside) / max(1, len(outside)))


def _is_odd(before_last: str, last: str, character: str, following: str) -> bool:
    category = unicodedata.category(character)
    in_word = last.isalpha() or following.isalpha()
    if category in {"Co", "Cn", "Cc"} or "\u2500" <= character <= "\u259f":
        return True
    if category[0] == "L" and character not in "ªº":
        return _is_odd_letter(before_last, last, character, following, category)
    if category[0] == "P":
        between = last.isalpha() and following.isalpha() and character not in INSIDE_WORDS
        ideographs = {_script(last), _script(following)} & IDEOGRAPHS
        return (between or (character in OPENING and last.isalpha())) and not ideographs
    return category[0] != "M" and in_word


def _is_odd_letter(before_last: str, last: str, letter: str, following: str, category: str) -> bool:
    script = _script(letter)
    if script in IDEOGRAPHS:
        return any(neighbour.isascii() and neighbour.isalpha() for neighbour in (last, following))
    if script == "HALFWIDTH":
        return last.isalpha() or following.isalpha()
    if not last.isalpha():
        return False
    if category == "Lu" and last.islower():
        return True
    if last.isascii():
        return script != "LATIN"
    # Two accented letters may meet inside a word (ção, größer), but are seldom a word, and three never meet.
    is_word = not before_last.isalpha() and not following.isalpha()
    in_a_row = before_last.isalpha() and not before_last.isascii()
    return _script(last) != script or (script == "LATIN" and (is_word or in_a_row))
