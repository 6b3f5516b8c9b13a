"""Cleaning that travels with the model: a normaliser of the tokenizer, so that plain transformers repeats it to the letter.

The same object cleans for the baselines and for finding duplicates: what counts as the same text is one fact.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from tokenizers import AddedToken, Regex, normalizers
from tokenizers import Tokenizer as FastTokenizer

from superfine.data.vocabulary import settings_of, sharing, with_settings

STEPS = ("tags", "entities", "control_characters", "nfc", "white_space")
"""The steps of the default cleaning, in their order; `run.yaml` and the model card list them."""

ENTITIES = {
    "nbsp": " ", "quot": '"', "apos": "'", "lt": "<", "gt": ">", "hellip": "…", "mdash": "—", "ndash": "–",
    "lsquo": "‘", "rsquo": "’", "ldquo": "“", "rdquo": "”", "pound": "£", "euro": "€", "deg": "°", "eacute": "é",
    "copy": "©", "reg": "®", "trade": "™", "middot": "·", "bull": "•",
    "#34": '"', "#39": "'", "#039": "'", "#x27": "'", "#x2F": "/", "#160": " ", "#8211": "–", "#8212": "—",
    "#8216": "‘", "#8217": "’", "#8220": "“", "#8221": "”", "#8230": "…", "#36": "$", "#38": "&",
}  # fmt: skip
"""HTML entities that occur in scraped text. `&amp;` comes last of all, so that `&amp;lt;` becomes the text `&lt;`."""

ELEMENTS = (
    "abbr|acronym|address|applet|area|article|aside|audio|a|basefont|base|bdi|bdo|big|blink|blockquote|body|br|button|b|canvas|caption|"
    "center|cite|code|colgroup|col|command|datalist|data|dd|del|details|dfn|dialog|dir|div|dl|dt|embed|em|fieldset|figcaption|figure|"
    "font|footer|form|frameset|frame|h[1-6]|header|head|hgroup|hr|html|iframe|img|input|ins|i|kbd|keygen|label|legend|link|li|main|map|"
    "mark|marquee|menu|meta|meter|nav|nobr|noframes|noscript|object|ol|optgroup|option|output|param|picture|pre|progress|p|q|rp|rt|ruby|"
    "samp|script|section|select|small|source|span|strike|strong|style|sub|summary|sup|svg|s|table|tbody|td|template|textarea|tfoot|thead|"
    "th|time|title|track|tr|tt|ul|u|var|video|wbr"
)
"""The elements of HTML, obsolete ones too (html.spec.whatwg.org). What stands between < and > by another name is the writer's
own."""
FLAGS = (
    "async|autofocus|autoplay|checked|compact|controls|default|defer|disabled|hidden|ismap|loop|multiple|muted|noshade|novalidate|nowrap|"
    "open|readonly|required|reversed|selected"
)
"""Attributes that stand without a value."""
VALUE = r"""(?:"[^"<>]{0,500}"|'[^'<>]{0,500}'|[^\s"'<>]{1,500})"""
ATTRIBUTE = rf"\s+(?:[A-Za-z_:@][\w:.\-]{{0,40}}\s?=\s?{VALUE}|(?:{FLAGS})(?=[\s/>]))"
TAG = rf"(?i:<!--.{{0,2000}}?-->|<!doctype\s[^<>]{{0,200}}>|</?(?:{ELEMENTS})(?:{ATTRIBUTE}){{0,20}}\s?/?>)"
CONTROL = r"[\x{00}-\x{08}\x{0B}\x{0C}\x{0E}-\x{1F}\x{7F}-\x{9F}\x{AD}\x{200B}\x{2060}\x{FEFF}]"

PLAIN_WHITE_SPACE = re.compile(r"[ \t\n\r]+")
PLAIN_TAG = re.compile(TAG)
"""As the normaliser's, in texts without white space but the plain kind."""
FOUND_CONTROL = re.compile(re.sub(r"\\x\{([0-9A-F]+)\}", lambda found: f"\\u{found[1]:0>4}", CONTROL))
ELEMENT_NAME = re.compile(r"</?(\w+)|<(!--|!\w+)")


def cleaning_normalizer() -> normalizers.Normalizer:
    """Tags become a space, entities their characters, control characters vanish, NFC, runs of white space become one space."""
    entities = [normalizers.Replace(f"&{name};", text) for name, text in ENTITIES.items()]
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(TAG), " "),
            *entities,
            normalizers.Replace("&amp;", "&"),
            normalizers.Replace(Regex(CONTROL), ""),
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )


def with_cleaning(tokenizer: FastTokenizer) -> FastTokenizer:
    """One over the same vocabulary that cleans before whatever it does already.

    tokenizers passes every added token that is stored as `normalized` through the normaliser and looks for the result. Cleaning
    would empty `<s>` or a run of blanks, which then stand everywhere; such tokens are looked for in the raw text instead.
    """
    cleaned = sharing(tokenizer, changed=_looked_for_as_it_is)
    own = cleaned.normalizer
    cleaned.normalizer = normalizers.Sequence([cleaning_normalizer()] if own is None else [cleaning_normalizer(), own])
    return cleaned


def _looked_for_as_it_is(token: AddedToken) -> AddedToken:
    """An added token that cleaning would change is looked for in the raw text."""
    if not token.normalized or _normalizer().normalize_str(token.content) == token.content:
        return token
    flags = {name: getattr(token, name) for name in ("single_word", "lstrip", "rstrip", "special")}
    return AddedToken(token.content, normalized=False, **flags)


def split_cleaning(tokenizer: FastTokenizer) -> tuple[FastTokenizer, bool]:
    """One over the same vocabulary without the cleaning that `with_cleaning` put in, and whether there was any.

    Clean first, then tokenise: the same tokens, and texts that need no cleaning pass at once.
    """
    # A sequence of steps put before a sequence of steps is saved as one.
    normalizer = settings_of(tokenizer)["normalizer"] or {}
    ours = json.loads(cleaning_normalizer().__getstate__())["normalizers"]
    steps = normalizer.get("normalizers", [])
    if steps[: len(ours)] != ours:
        return sharing(tokenizer), False
    own = steps[len(ours) :]
    return with_settings(tokenizer, normalizer={"type": "Sequence", "normalizers": own} if own else None), True


@lru_cache(maxsize=1)
def _normalizer() -> normalizers.Normalizer:
    return cleaning_normalizer()


def clean_all(texts: Sequence[str]) -> list[str]:
    """The texts as the model will see them before tokenising."""
    return [text if is_clean(text) else _cleaned(text) for text in texts]


def _cleaned(text: str) -> str:
    # The normaliser takes a second for a megabyte, and most texts need their tags taken out and their white space normalised
    # alone.
    if "&" not in text and PLAIN_WHITE_SPACE.sub(" ", text).isprintable() and _is_nfc(text):
        return PLAIN_WHITE_SPACE.sub(" ", PLAIN_TAG.sub(" ", text)).strip(" ")
    return str(_normalizer().normalize_str(text))


def removed_parts(text: str) -> list[str]:
    """What cleaning removes from a text without a replacement: elements by their names, characters by their numbers."""
    elements = [f"<{name[1] or name[2]}>".lower() for tag in PLAIN_TAG.findall(text) if (name := ELEMENT_NAME.match(tag))]
    return elements + [f"U+{ord(character):04X}" for character in FOUND_CONTROL.findall(text)]


def is_clean(text: str) -> bool:
    """Whether cleaning certainly changes nothing: told many times faster than by cleaning. May say no to a clean text."""
    # Printable are neither control and format characters nor any white space but the plain blank.
    return (
        text.isprintable()
        and "<" not in text
        and "&" not in text
        and "  " not in text
        and text[:1] != " "
        and text[-1:] != " "
        and _is_nfc(text)
    )


def _is_nfc(text: str) -> bool:
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def same_text_keys(texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> list[str]:
    """Keys that are equal where texts are the same but for cleaning, case and white space."""
    keys = [text.casefold() for text in clean_all(texts)]
    if text_pairs is None:
        return keys
    # The unit separator cannot stand in a cleaned text, so "a b" + "c" differs from "a" + "b c".
    return [f"{a}\x1f{b.casefold()}" for a, b in zip(keys, clean_all(text_pairs), strict=True)]
