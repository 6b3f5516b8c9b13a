"""Personal data is found by its form and its checksum, and replaced; numbers that merely look like it stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superfine.data.personal import PLACEHOLDERS, find_personal, redacted, redacted_examples
from superfine.records import Examples


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("write to jane.doe+x@mail.example.org, please", "write to [EMAIL], please"),
        ("邮箱是zhang@qq.com谢谢", "邮箱是[EMAIL]谢谢"),
        ("手机13812345678请回电", "手机[PHONE]请回电"),
        ("电话：010-62781234转8", "电话：[PHONE]转8"),
        ("call +1 415-555-2671 or (415) 555-2671", "call [PHONE] or [PHONE]"),
        ("身份证11010519491231002X。", "身份证[ID]。"),
        ("SSN 078-05-1120", "SSN [ID]"),
        ("card 4111 1111 1111 1111 and 5500-0055-5555-5559", "card [CARD] and [CARD]"),
        ("IBAN DE89 3704 0044 0532 0130 00 ok", "IBAN [ACCOUNT] ok"),
        ("from 203.0.113.7 at night", "from [IP] at night"),
        ("host 2001:db8:85a3::8a2e:370:7334 up", "host [IP] up"),
        ("get https://api.example/v1?access_token=abcdef123456&page=2 now", "get [URL] now"),
        ("ftp://user:secret@host/x", "[URL]"),
    ],
)
def test_it_is_replaced(text, without):
    assert redacted(text) == without


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4.5 of 2024-03-01", "score 3:2 at 12:30:45", "11010519491231002Y", "110105194912310021",  # no check character
        "card 4111 1111 1111 1112", "id 12345678901234567890", "$1,234,567.89", "127.0.0.1 is local", "see https://example.org/a?page=2",
        "@name on the net", "000-12-3456", "order 20240301123456", "3.14159265358979", "a 1999-2000 b", "pages 100-200-300",
    ],
)  # fmt: skip
def test_what_merely_looks_like_it_stays(text):
    assert redacted(text) == text


def test_places_are_those_of_the_text_in_its_order():
    found = find_personal("a@b.co 13812345678")
    assert [(one.kind, one.start, one.end) for one in found] == [("e-mail", 0, 6), ("phone", 7, 18)]


def test_second_texts_and_named_columns_are_replaced_too():
    examples = Examples.of_texts(["mail a@b.co"], ["call 13812345678"])
    columns = {"text": ["mail a@b.co"], "other": ["a@b.co"]}
    changed = redacted_examples(Examples(examples.row, examples.text, examples.text_pair, columns=columns), ["text"])
    assert (changed.text, changed.text_pair) == (["mail [EMAIL]"], ["call [PHONE]"])
    assert changed.columns == {"text": ["mail [EMAIL]"], "other": ["a@b.co"]}


@given(st.text(alphabet="ab@.+-()0123456789 :/?=token", max_size=60))
def test_replacing_twice_is_replacing_once(text):
    once = redacted(text)
    assert redacted(once) == once
    assert all(value.startswith("[") for value in PLACEHOLDERS.values())
