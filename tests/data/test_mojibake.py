"""Text that was read in the wrong encoding is read again; text that was read rightly stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superfine.data.mojibake import repaired


@pytest.mark.parametrize("text", ["café au lait", "naïve – “quoted” … €5", "Größe über alles", "señor, mañana", "l’été"])
@pytest.mark.parametrize("codec", ["cp1252", "latin-1"])
def test_utf_8_that_was_read_as_western_european_comes_back(text, codec):
    try:
        misread = text.encode().decode(codec)
    except UnicodeDecodeError:
        pytest.skip("these bytes are none of the encoding")
    assert misread != text
    assert repaired(misread) == text


def test_a_text_that_was_misread_twice_comes_back():
    assert repaired("déjà vu".encode().decode("latin-1").encode().decode("latin-1")) == "déjà vu"


@pytest.mark.parametrize("text", ["浙江大学", "浙江大学很好", "屏幕太小"])
def test_utf_8_that_was_read_as_chinese_comes_back(text):
    misread = text.encode().decode("gb18030")
    assert misread != text
    assert repaired(misread) == text


@pytest.mark.parametrize(
    "text",
    ["", "plain words", "café", "Größe", "浙江大学", "日本語の文", "Привет", "©2020 ® ™", "50 % § 3", "Ãngela", "東京都庁舎", "Viel Spaß…", "„Viel Spaß“",
     "“LE CAFÉ”", "«L'ÉTÉ»", "TÉLÉ\xa0!", "LLEGÓ…", "„MENÜ“", "CAFÉ–", "MANHÃ”", "Spaß¹"],
)  # fmt: skip
def test_text_that_was_read_rightly_stays(text):
    assert repaired(text) == text


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=8))
def test_any_chinese_text_is_repaired_to_itself_or_to_what_gives_it(text):
    better = repaired(text)
    assert better == text or better.encode().decode("gb18030") == text
