"""Scripts are those of letters; what is no letter is in no script."""

import pytest

from superfine.data.scripts import letter_share, script_of, script_shares


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
