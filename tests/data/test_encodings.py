"""The encodings that exports come in are told, said where they are a guess, and can be named."""

import io

import pytest

from superfine.data.encodings import detect_encoding, named_encoding
from superfine.data.files import File
from superfine.data.read import read_file
from superfine.data.table import ReadOptions
from superfine.errors import DataError
from tests.data.reviews import LEGACY, reviews_csv

CHINESE = "text,label\n物流很快，包装也不错，下次还来,好评\n等了两个小时才送到，饭都凉了,差评\n味道一般，价格偏贵,中评\n"
TRADITIONAL = "text,label\n這家餐廳的服務非常好，食物也很美味,好評\n價格太貴了，而且等了一個多小時才送到,差評\n"
FRENCH = "text,label\nLe café était excellent et très bon accueil,bien\nDéçu par la qualité,mal\n"
RUSSIAN = "text,label\nОчень хороший товар и быстрая доставка,да\nНе работает верните деньги,нет\n"


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (CHINESE, "utf-8", "UTF-8"),
        (CHINESE, "utf-8-sig", "UTF-8"),
        (CHINESE, "utf-16", "UTF-16"),
        (FRENCH, "utf-16-le", "UTF-16"),
        (FRENCH, "utf-16-be", "UTF-16"),
        (CHINESE, "utf-32", "UTF-32"),
        (CHINESE, "gbk", "GB18030 (Chinese)"),
        (CHINESE, "gb18030", "GB18030 (Chinese)"),
        (TRADITIONAL, "big5", "Big5 (Chinese)"),
        (FRENCH, "latin-1", "Windows-1252 (Western European)"),
        ("text,label\nI don’t want it – it’s broken,bad\nIt’s a naïve café,good\n", "cp1252", "Windows-1252 (Western European)"),
        (RUSSIAN, "cp1251", "Windows-1251 (Cyrillic)"),
        ("text,label\n" + "Très bien – déjà vu à l’été – garçon “naïf”,oui\n" * 80, "cp1252", "Windows-1252 (Western European)"),
        ("text,label\n" + "“It works” she said – “really”,good\n" * 40, "cp1252", "Windows-1252 (Western European)"),
        ("text,label\n" + "arrived on time and works,好\nbroken after a day,差\n" * 60, "gbk", "GB18030 (Chinese)"),
    ],
)
def test_encodings_are_told_and_said(text, codec, name):
    content = text.encode(codec)
    assert detect_encoding("it", io.BytesIO(content)).name == name
    table = read_file(File("it", ".csv", content=content), ReadOptions())
    assert "\n".join(",".join(row) for row in [("text", "label"), *zip(*table.columns.values(), strict=True)]) + "\n" == text
    said = [note for note in table.notes if note.startswith(f"it is read as {name}") and "--encoding NAME" in note]
    assert len(said) == (name != "UTF-8")


@pytest.mark.parametrize(("language", "codec"), [(language, codec) for language in LEGACY for codec in LEGACY[language].split()])
def test_eight_rows_in_a_legacy_encoding_are_read_as_they_were_written(language, codec):
    text = reviews_csv(language)
    content = text.encode(codec)
    encoding = detect_encoding("it", io.BytesIO(content))
    assert content.decode(encoding.codec) == text
    table = read_file(File("it", ".csv", content=content), ReadOptions())
    assert table.columns["label"] == [row.rsplit(",", maxsplit=1)[1] for row in text.splitlines()[1:]]


@pytest.mark.parametrize(
    ("texts", "labels", "codec"),
    [
        ("arrived on time|broken after a day", "źle|dobrze", "cp852"),
        ("arrived on time|broken after a day", "좋음|나쁨", "cp949"),
        ("arrived on time|broken after a day", "良い|悪い", "euc_jp"),
        ("arrived on time|broken after a day", "güzel|kötü", "mac_turkish"),
        ("Selle hinna eest korralik telefon|Läks katki ja oli täielik šokk", "hea|halb", "iso8859_15"),
    ],
)
def test_a_guess_that_can_be_wrong_names_the_alternative_and_the_first_word_that_differs(texts, labels, codec):
    rows = [f"{text},{label}" for text, label in zip(texts.split("|"), labels.split("|"), strict=True)] * 4
    content = "\n".join(["text,label", *rows, ""]).encode(codec)
    encoding = detect_encoding("it", io.BytesIO(content))
    here, there = (reading.split(" would read “")[-1].split("”")[0] for reading in reversed(encoding.doubt.split("where this")))
    assert here != there
    (note,) = read_file(File("it", ".csv", content=content), ReadOptions()).notes
    assert "but that is uncertain" in note
    assert encoding.doubt in note
    named = read_file(File("it", ".csv", content=content), ReadOptions(encoding=codec))
    assert named.notes == ()
    assert set(named.columns["label"]) == set(labels.split("|"))


def test_an_encoding_that_a_later_row_contradicts_is_not_taken():
    # 0x81 and 0x98 are no characters in Windows-1252 and Windows-1251.
    rows = "Очень хороший товар и быстрая доставка,да\n" * 4000
    content = ("text,label\n" + rows).encode("cp1251") + b"\x98,x\n"
    codec = detect_encoding("it", io.BytesIO(content)).codec
    content.decode(codec)


def test_a_character_at_the_end_of_a_block_is_not_cut():
    content = ("text,label\n" + "物流很快包装也不错下次还来,好评\n" * 60_000).encode("gb18030")
    assert detect_encoding("it", io.BytesIO(content)).codec == "gb18030"
    one_line = ("text,label\n" + "物流很快包装也不错下次还来" * 60_000).encode("gb18030")
    assert detect_encoding("it", io.BytesIO(one_line)).codec == "gb18030"


def test_one_chinese_row_is_enough_to_tell():
    content = "text,label\n很快，好吃，味道足，量大,好\n".encode("gbk")
    assert detect_encoding("it", io.BytesIO(content)).codec == "gb18030"


def test_chinese_after_a_million_bytes_of_ascii_is_still_told():
    content = ("text,label\n" + "plain words,a\n" * 100_000 + CHINESE.partition("\n")[2]).encode("gbk")
    assert detect_encoding("it", io.BytesIO(content)).codec == "gb18030"


def test_a_few_broken_bytes_do_not_make_utf_8_something_else():
    content = CHINESE.encode() + b"\xff\xfe,x\n"
    found = detect_encoding("it", io.BytesIO(content))
    assert (found.name, found.damaged) == ("UTF-8", True)
    table = read_file(File("it", ".csv", content=content), ReadOptions(skip_bad_rows=True))
    assert len(table) == 3
    assert table.bad_rows[0].reason == "holds bytes that are not UTF-8"


def test_an_encoding_can_be_named_and_a_wrong_one_is_refused():
    content = CHINESE.encode("gb18030")
    assert read_file(File("it", ".csv", content=content), ReadOptions(encoding="GBK")).columns["label"] == [
        "好评",
        "差评",
        "中评",
    ]
    with pytest.raises(DataError, match=r"cannot be read as SHIFT-JIS.*\n.*--encoding"):
        read_file(
            File("it", ".csv", content="text,label\n鷢鷣鷤,甲\n".encode("gb18030") + b"\x80\x81\xff,x\n"),
            ReadOptions(encoding="shift_jis"),
        )
    with pytest.raises(DataError, match='no text encoding "gbx"'):
        named_encoding("gbx")


@pytest.mark.parametrize(("ending", "end"), [(".jsonl", "\n"), (".json", "")])
def test_broken_bytes_in_json_are_refused_and_never_replaced(ending, end):
    text = '{"text": "' + "好" * 60 + '", "label": "a"}' + end
    content = text.encode().replace("好".encode(), b"\xff", 1)
    with pytest.raises(DataError, match="holds bytes that are not UTF-8"):
        read_file(File("it", ending, content=content), ReadOptions())
