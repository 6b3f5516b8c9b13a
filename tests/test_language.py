"""Every message that a person may read has a Chinese form, and gaps keep what stands in them."""

import re
import string

import pytest
import yaml

from superfine.language import Catalogue, default_language, phrase, translate
from tests.messages import SOURCE, messages

CHINESE = yaml.safe_load((SOURCE / "messages" / "zh.yaml").read_text(encoding="utf-8"))


def test_no_message_of_the_source_is_missing():
    missing = {text: file for text, file in messages().items() if text not in CHINESE}
    assert missing == {}


def gaps(pattern):
    return [name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None]


@pytest.mark.parametrize("english", [text for text in CHINESE if "{}" in text])
def test_every_gap_is_filled_once(english):
    found = gaps(CHINESE[english])
    wanted = english.count("{}")
    assert found == [""] * wanted or sorted(found) == [str(i) for i in range(wanted)]


def test_what_fills_a_gap_is_kept_and_phrases_in_gaps_are_translated():
    catalogue = Catalogue({
        "The file {} does not exist.{}": "文件 {} 不存在。{}",
        'Did you mean "{}"?': "是否指“{}”？",
        "{} of {}": "{1} 中的 {0}",
    })  # fmt: skip
    assert catalogue.line('The file a.csv does not exist. Did you mean "b.csv"?') == "文件 a.csv 不存在。 是否指“b.csv”？"
    assert catalogue.line("  3 of 7") == "  7 中的 3"
    assert catalogue.line("something else") == "something else"


def test_english_is_left_alone_and_lines_are_translated_one_by_one():
    text = "The file x.csv is empty.\nCheck the name and the folder."
    assert translate(text, "en") == text
    chinese = translate(text, "zh")
    assert chinese.count("\n") == 1
    assert "x.csv" in chinese
    assert "empty" not in chinese


def test_a_phrase_is_filled_in_either_language():
    assert phrase("rows {}", "1, 2", language="en") == "rows 1, 2"
    assert "1, 2" in phrase("rows {}", "1, 2", language="zh")
    assert phrase("rows {}", "1, 2", language="zh") != "rows 1, 2"


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANGUAGE": "zh_TW:en", "LANG": ""}, "zh"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
    ],
)
def test_the_locale_chooses_the_language(environment, language):
    assert default_language(environment) == language


@pytest.mark.parametrize("summary", ["3 classes", "28 labels", "5 grades", "47 paths", "one number each"])
def test_the_line_on_rows_is_translated_whatever_the_task(summary):
    said = translate(f"Rows: 90 to train, 10 to validate, 20 to test; {summary}", "zh")
    assert not re.search("[a-z]", said), said


def test_the_line_of_a_step_is_told_in_the_order_of_the_language():
    said = "  step 2/8  loss 0.692  5 texts/s  1 min 41 s left"
    assert translate(said, "zh") == "  第 2/8 步  损失 0.692  5 条/秒  还需 1 分 41 秒"
