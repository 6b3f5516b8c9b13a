"""Scripts are those of letters; what is no letter is in no script."""

import pytest

from superfine.data.scripts import han_kind, letter_share, script_of, script_shares


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["abc", "中文字", "かなカナ々"], {"Chinese characters": 4, "Japanese kana": 4, "Latin": 3}),
        (["Привет", "ａｂｃ"], {"Cyrillic": 6, "Latin": 3}),
        (["naïve œuvre ª"], {"Latin": 11}),
        (["한국어"], {"Korean": 3}),
    ],
)
def test_letters_are_counted_by_script_full_width_ones_too(texts, expected):
    shares, total = script_shares(texts), sum(expected.values())
    assert shares == pytest.approx({script: n / total for script, n in expected.items()})


@pytest.mark.parametrize("character", ["\ufe0f", "\u200d", "👍", "🏽", "7", " ", "!", "ʼ", "\u0301", "①"])
def test_what_is_no_letter_is_in_no_script(character):
    assert script_of(character) == ""


def test_emoji_with_their_invisible_parts_are_no_language():
    assert letter_share(["❤️", "👍🏽", "👨‍👩‍👧"]) == 0
    assert script_shares(["I ❤️ this ❤️❤️❤️"]) == {"Latin": 1.0}
    assert letter_share([]) == 0


def test_simplified_and_traditional_chinese_are_told_apart_by_characters_that_only_one_has():
    simplified, traditional = "这个东西质量很好，发货速度也很快，下次还会来买", "這個東西質量很好，發貨速度也很快，下次還會來買"
    assert han_kind([simplified] * 5) == "simplified"
    assert han_kind([traditional] * 5) == "traditional"
    assert han_kind([simplified, traditional] * 5) == "", "both"
    assert han_kind(["中文字"] * 50) == "", "characters that both have"
    assert han_kind([simplified]) == "", "too few to tell"
    assert han_kind(["plain English"] * 50) == ""
