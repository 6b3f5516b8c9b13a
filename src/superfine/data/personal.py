"""Addresses, numbers and keys in texts that belong to a person, in English and Chinese, and what stands there instead.

What has a checksum is checked: a number that merely looks like a card is none. Names of persons and places are not looked for.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address
from typing import NamedTuple

from superfine.records import Examples


class Personal(NamedTuple):
    """kind: such as "e-mail". start, end: in the characters of the text."""

    kind: str
    start: int
    end: int


class _Detector(NamedTuple):
    kind: str
    placeholder: str
    pattern: re.Pattern[str]
    is_one: Callable[[str], bool]


def _luhn(number: str) -> bool:
    """ISO/IEC 7812-1, for the numbers of payment cards."""
    digits = [int(character) for character in number if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) if i % 2 else digit for i, digit in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _is_chinese_id(number: str) -> bool:
    """GB 11643-1999: region, date of birth, sequence, and a check character modulo 11 (ISO 7064)."""
    month, day = int(number[10:12]), int(number[12:14])
    remainder = sum(int(digit) * pow(2, 17 - i, 11) for i, digit in enumerate(number[:17])) % 11
    return 1 <= month <= 12 and 1 <= day <= 31 and "10X98765432"[remainder] == number[17].upper()


def _is_iban(number: str) -> bool:
    """ISO 13616: modulo 97."""
    plain = re.sub(r"\s", "", number).upper()
    return 15 <= len(plain) <= 34 and int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def _is_address(text: str) -> bool:
    try:
        found = ip_address(text)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified)


def _is_us_number(number: str) -> bool:
    """Of the Social Security Administration: no group of zeros, no area 666 or from 900 on."""
    area, group, serial = number.split("-")
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def _always(_: str) -> bool:
    return True


DETECTORS = (
    _Detector(
        "key in an address",
        "[URL]",
        re.compile(
            r"\b[a-z][a-z0-9+.-]{1,15}://(?:[^\s/@:]{1,64}:[^\s/@]{1,128}@[^\s]{1,300}|[^\s?#]{1,300}[?#][^\s]{0,300}?"
            r"\b(?:api_?key|access_?token|auth(?:_?token)?|token|secret|password|passwd|pwd|sig(?:nature)?|session(?:_?id)?)="
            r"[^\s&]{6,300}[^\s]{0,300})",
            re.IGNORECASE,
        ),
        _always,
    ),
    _Detector(
        "e-mail",
        "[EMAIL]",
        re.compile(
            r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
        ),
        _always,
    ),
    _Detector(
        "ID number",
        "[ID]",
        re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{5}(?:18|19|20)[0-9]{9}[0-9Xx](?![0-9A-Za-z])"),
        _is_chinese_id,
    ),
    _Detector("ID number", "[ID]", re.compile(r"(?<![\w-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![\w-])"), _is_us_number),
    _Detector(
        "bank account",
        "[ACCOUNT]",
        re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"),
        _is_iban,
    ),
    _Detector("card number", "[CARD]", re.compile(r"(?<![\w.-])[2-6](?:[ -]?[0-9]){12,18}(?![\w-]|\.[0-9])"), _luhn),
    _Detector(
        "phone",
        "[PHONE]",
        re.compile(
            r"(?<![\w.+-])(?:"
            r"(?:\+?86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}"  # Chinese mobile
            r"|0[1-9][0-9]{1,2}-[1-9][0-9]{6,7}"  # Chinese landline
            r"|\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,4}\)?){2,5}[0-9]"  # international
            r"|(?:\+?1[ .-])?\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}"  # North America
            r"|0(?:7[0-9]{3} ?[0-9]{6}|[12][0-9]{2,3} [0-9]{3,4} ?[0-9]{3,4})"  # United Kingdom
            r")(?![A-Za-z0-9_]|-[0-9]|\.[0-9])".replace(r"\w", "A-Za-z0-9_")
        ),
        lambda number: 7 <= sum(map(str.isdigit, number)) <= 15,
    ),
    _Detector("IP address", "[IP]", re.compile(r"(?<![\w.:])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w:]|\.[0-9])"), _is_address),
    _Detector(
        "IP address",
        "[IP]",
        re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4}){1,6}(?![\w:.])"),
        lambda text: text.count(":") > 3 and _is_address(text),
    ),
)
"""In this order: what one has found no other looks at."""
TELLING = re.compile(r"@|[0-9](?:[^\w]?[0-9]){5}|[0-9]{1,3}\.[0-9]{1,3}\.|://|:[0-9A-Fa-f]{0,4}:")
"""Texts without any of this are not looked through."""


def find_personal(text: str) -> list[Personal]:
    """All that is found, in the order of the text, without overlaps."""
    if not TELLING.search(text):
        return []
    found: list[Personal] = []  # in the order of the text, so that neighbours are found by halving
    for detector in DETECTORS:
        for match in detector.pattern.finditer(text):
            start, end = match.span()
            place = bisect(found, start, key=lambda one: one.start)
            before, after = found[place - 1 : place], found[place : place + 1]
            apart = all(one.end <= start for one in before) and all(end <= one.start for one in after)
            if apart and detector.is_one(match[0]):
                found.insert(place, Personal(detector.kind, start, end))
    return found


def redacted(text: str) -> str:
    """The text with a placeholder such as [EMAIL] for each."""
    pieces, last = [], 0
    for one in find_personal(text):
        pieces += [text[last : one.start], PLACEHOLDERS[one.kind]]
        last = one.end
    return "".join([*pieces, text[last:]])


def redacted_examples(examples: Examples, columns: Iterable[str] = ()) -> Examples:
    """The same with placeholders in their texts, and in these columns of the file."""
    return replace(
        examples,
        text=list(map(redacted, examples.text)),
        text_pair=None if examples.text_pair is None else list(map(redacted, examples.text_pair)),
        columns={name: list(map(redacted, cells)) if name in set(columns) else cells for name, cells in examples.columns.items()},
    )


PLACEHOLDERS = {detector.kind: detector.placeholder for detector in DETECTORS}
