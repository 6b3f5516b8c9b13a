"""Texts on which computations come apart first: nothing, very much, and what vocabularies were not made for."""

from __future__ import annotations

from superfine.records import Examples

SHORT = (
    "",
    " ",
    "\n\t",
    ".",
    "a",
    "的",
    "0",
    "😀",
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏽",
    "!!!???...,,,;;;",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "https://example.org/a?b=c&d=%20#e",
    "<b>bold</b> &amp; <br/> <!-- nothing -->",
    "1 234 567,89 € = $1,234,567.89 ≈ ¥12万",
    "ＦＵＬＬ　ＷＩＤＴＨ　ｔｅｘｔ",
    "z̷a̷l̷g̷o̷ tëxt wïth mârks",
    "zero\u200bwidth\u200djoiners\ufeffand\u00admore",
    "这家店的服务真的很好，下次还会再来！",
    "這家店的服務真的很好，下次還會再來！",
    "この映画は本当に素晴らしかった。",
    "이 영화는 정말 재미있었어요.",
    "Это лучший фильм, который я видел.",
    "كان هذا الفيلم رائعًا جدًا.",
    "הסרט הזה היה נפלא.",
    "यह फिल्म बहुत अच्छी थी।",
    "หนังเรื่องนี้ดีมาก",
    "Filamu hii ilikuwa nzuri sana.",
    "Ta phim này hay lắm, Đặng Thị Ngọc Hân!",
    "ΜΕΓΑΛΑ ΓΡΑΜΜΑΤΑ και μικρά",
    "def f(x):\n\treturn {k: v for k, v in x.items()}",
    "NOT GOOD. not good. Not not good?",
    "[CLS] [SEP] [MASK] <s> </s> <pad> [PAD] <|endoftext|>",
)
REPEATED = "A long story, told 一遍又一遍 and again. "
"""Says what is longer than any model reads at a time."""


def hard_texts(max_length: int, *, pairs: bool) -> Examples:
    """These texts, and one longer than `max_length` tokens. pairs: each beside another one of them."""
    texts = [*SHORT, REPEATED * (max_length // 8 + 2)]
    return Examples.of_texts(texts, texts[::-1] if pairs else None)
