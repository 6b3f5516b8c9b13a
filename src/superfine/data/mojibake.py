"""Text that was written in one encoding and read in another, and back.

`cafÃ©` is `café` in UTF-8, read as Windows-1252. What is read so has telling pairs of characters, and turned back into bytes it
must be valid UTF-8. A capital before a quotation mark or a dash may be that by chance (`CAFÉ”`, `Spaß…`), so a text is read again
only where one of its runs tells more: a pair that no text has, a character of three bytes, or two in a row.
"""

from __future__ import annotations

import re

LATIN_READ = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2022\u2026\u2030\u2039\u203a\u20ac"
    "\u2122]"
)
"""The first byte of a UTF-8 character and one that may follow it, as Latin-1 and Windows-1252 show them."""
OUTSIDE_ASCII = re.compile("[^\x00-\x7f]+")
SURELY = re.compile(
    "[\u00c2\u00c3](?:[\u0080-\u009f\u00a1-\u00aa\u00ac-\u00b6\u00b8-\u00ba\u00bc-\u00bf]|[\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192])"
)
"""Pairs that stand in no text: no quotation mark, dash or hard blank behind the capital."""
CHINESE_READ = re.compile("[\u4e00-\u9fff]{3,}")
USUAL_LEVEL = (0xB0, 0xD7)
"""First bytes of the 3,755 most usual characters of GB 2312: what Chinese text that was read rightly is made of."""
MOST_ROUNDS = 3


def repaired(text: str) -> str:
    """The text as it was written, as far as it can be told; the same where it was read rightly."""
    for _ in range(MOST_ROUNDS):  # some texts were misread more than once
        better = _from_latin(text) if LATIN_READ.search(text) else _from_chinese(text)
        if better == text:
            return text
        text = better
    return text


def _from_latin(text: str) -> str:
    """Every run of characters outside ASCII that is UTF-8 when turned back into bytes, where one of them is it surely."""
    runs = {run: _decoded(run, _latin_bytes(run)) for run in set(OUTSIDE_ASCII.findall(text))}
    if not any(better != run and (SURELY.search(run) or len(better) > 1 or ord(better) > 0x7FF) for run, better in runs.items()):
        return text
    return OUTSIDE_ASCII.sub(lambda found: runs[found[0]], text)


def _latin_bytes(text: str) -> bytes | None:
    """Of characters of Windows-1252, or of Latin-1 where it has none."""
    found = bytearray()
    for character in text:
        try:
            found += character.encode("cp1252")
        except UnicodeEncodeError:
            if ord(character) > 0xFF:
                return None
            found.append(ord(character))
    return bytes(found)


def _from_chinese(text: str) -> str:
    """UTF-8 that was read as GBK: Chinese characters, most of them unusual ones."""
    if text.isascii() or not CHINESE_READ.search(text):
        return text
    try:
        code = text.encode("gb18030")
    except UnicodeEncodeError:
        return text
    better = _decoded(text, code)
    return better if better == text or _usual_share(better) > _usual_share(text) else text


def _usual_share(text: str) -> float:
    """The share of Chinese characters among the most usual ones."""
    codes = [code for character in text if len(code := character.encode("gb2312", "ignore")) == 2 or character > "\u2e80"]
    usual = sum(len(code) == 2 and (USUAL_LEVEL[0] <= code[0] <= USUAL_LEVEL[1] or code[0] == 0xA3) for code in codes)
    return usual / max(1, len(codes))


def _decoded(text: str, code: bytes | None) -> str:
    if code is None:
        return text
    try:
        return code.decode("utf-8")
    except UnicodeDecodeError:
        return text
