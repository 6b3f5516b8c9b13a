"""Each check finds what it is for, names the rows, and is silent on sound data."""

import tracemalloc
from dataclasses import replace

import numpy as np

from superfine.data.checks.inspection import Inspection, Reading, run_checks
from superfine.data.checks.tokens import truncation
from superfine.data.columns import ColumnChoice
from superfine.data.encoded import Encoded
from superfine.records import Examples


def examples(*rows, start=2):
    return Examples(row=np.arange(start, start + len(rows)), text=[t for t, _ in rows], label=[y for _, y in rows])


def encoded(n, unknown_share=0.0, truncated=()):
    cut = np.zeros(n, dtype=bool)
    cut[list(truncated)] = True
    return Encoded(np.arange(n * 10, dtype=np.int32), np.arange(n + 1) * 10, cut, unknown_share)


USUAL = ColumnChoice(("text",), None, ("label",), None, found=True)
SOUND = examples(*[(f"text number {i}", "ab"[i % 2]) for i in range(40)])


def found(inspection):
    return {finding.name: finding for finding in run_checks(inspection)}


def test_texts_that_are_read_in_windows_are_not_cut():
    cut, owner = np.array([True, False]), np.array([0, 0, 1])
    tokens = Encoded(np.zeros(6, dtype=np.int32), np.arange(4) * 2, cut, 0.0, owner=owner)
    rows = Examples.of_texts(["a", "b"])
    assert truncation(Inspection(train=rows, encoded=tokens, max_length=2)) == []
    assert len(truncation(Inspection(train=rows, encoded=replace(tokens, owner=None), max_length=2))) == 1


def test_sound_data_gives_no_finding():
    assert found(Inspection(SOUND, test=examples(("another", "a")), encoded=encoded(40))) == {}


def test_a_leak_names_the_test_rows():
    test = examples(("new", "a"), ("Text  NUMBER 3", "b"), start=10)
    leak = found(Inspection(SOUND, test=test))["leak"]
    assert (leak.count, leak.rows, leak.severity, leak.share) == (1, (11,), "blocking", 0.5)


def test_a_text_that_the_epoch_is_chosen_by_is_a_leak_too():
    validation = examples(("kept apart", "a"), start=90)
    assert found(Inspection(SOUND, validation, examples(("Kept apart", "a"))))["leak"].count == 1


def test_repeated_and_contradicting_rows_are_named():
    train = examples(*zip(SOUND.text, SOUND.label, strict=True), ("text number 0", "a"), ("text number 1", "a"))
    findings = found(Inspection(train))
    assert findings["duplicate"].rows == (42, 43)
    assert findings["contradiction"].rows == (3, 43)


def test_rare_classes_and_imbalance_are_said():
    train = examples(*[(f"t{i}", "common") for i in range(95)], *[(f"u{i}", "rare") for i in range(4)])
    findings = found(Inspection(train))
    assert '"rare" (4)' in findings["rare_class"].message
    assert '"common" has 95 training rows, "rare" has 4' in findings["imbalance"].message


def test_unknown_tokens_above_a_tenth_are_a_warning_that_names_other_models():
    warning = found(Inspection(SOUND, encoded=encoded(40, unknown_share=0.73), model="m"))["unknown_tokens"]
    assert warning.severity == "warning"
    assert "73%" in warning.message
    assert "hfl/chinese-roberta-wwm-ext" in warning.advice
    assert "unknown_tokens" not in found(Inspection(SOUND, encoded=encoded(40, unknown_share=0.09)))


def test_cut_texts_are_counted():
    cut = found(Inspection(SOUND, encoded=encoded(40, truncated=range(10)), max_length=32))["truncation"]
    assert (cut.count, cut.severity, cut.rows[0]) == (10, "warning", 2)


def test_classes_that_differ_only_in_spelling_are_said():
    train = examples(*[(f"t{i}", label) for i, label in enumerate(["pos", "Pos", "neg", "1", "1.0", "2"] * 20)])
    message = found(Inspection(train))["label_spelling"].message
    assert '"Pos" = "pos"' in message
    assert '"1" = "1.0"' in message
    assert "neg" not in message


def test_a_group_on_both_sides_is_a_leak_and_counted():
    train = replace(SOUND, group=[f"author {i // 4}" for i in range(40)])
    validation = replace(examples(("chosen by", "a"), start=90), group=["author 98"])
    test = replace(
        examples(("one", "a"), ("two", "b"), ("three", "a"), ("four", "b"), ("five", "a"), start=100),
        group=["author 3", "author 99", "author 98", "", " author 3 "],
    )
    leak = found(Inspection(train, validation, test))["group_leak"]
    assert (leak.count, leak.rows, leak.severity) == (3, (100, 102, 104), "blocking")
    assert "leak" not in found(Inspection(train, validation, test)), "no text is repeated"
    assert "group_leak" not in found(Inspection(train, validation, replace(test, group=["x", "y", "z", "", " "])))


def test_contradictions_are_counted_by_what_the_model_reads():
    train = examples(("good <br> book", "a"), ("good book", "b"), ("good book", "b"), ("another", "a"), ("Good book", "a"))
    by_text = found(Inspection(train))["contradiction"]
    assert by_text.rows == (2, 3, 4, 6), "cleaned and without case"
    assert "as they are in the file, 4 of them have one label there" in by_text.message
    ids = np.array([5, 6, 5, 6, 5, 6, 7, 7, 8, 6], dtype=np.int32)  # a model that tells case
    tokens = Encoded(ids, np.arange(6) * 2, np.zeros(5, dtype=bool), 0.0)
    by_tokens = found(Inspection(train, encoded=tokens, max_length=2))["contradiction"]
    assert by_tokens.rows == (2, 3, 4)
    assert "in the file 3 of them differ" in by_tokens.message
    assert "all after 2 tokens" in by_tokens.message
    same = examples(("good", "a"), ("good", "b"))
    assert (
        found(Inspection(same))["contradiction"].message
        == "2 training rows have a text that stands elsewhere with another label."
    )


def test_what_cleaning_takes_out_of_more_than_a_hundredth_is_said_in_a_line():
    dirty = [(f"text <br/>number {i} <B>bold</b>\u200b", "ab"[i % 2]) for i in range(3)]
    train = examples(*zip(SOUND.text, SOUND.label, strict=True), *dirty)
    line = found(Inspection(train))["removed_by_cleaning"]
    assert (line.count, line.rows, line.severity) == (3, (42, 43, 44), "note")
    assert line.message.startswith("Cleaning takes something out of 3 training texts (7%), most often: ")
    assert {"<br> (3)", "<b> (3)", "U+200B (3)"} == set(line.message.partition(": ")[2].rstrip(".").split(", "))
    assert "data.cleaning=false" in line.advice
    assert "removed_by_cleaning" not in found(Inspection(train, cleans=False))
    kept = examples(*[(f"x < y and z > w <3 <target>phone</target> {i}", "ab"[i % 2]) for i in range(40)])
    assert "removed_by_cleaning" not in found(Inspection(kept))
    few = examples(*[(f"plain {i}", "ab"[i % 2]) for i in range(200)], ("<br>one", "a"))
    assert "removed_by_cleaning" not in found(Inspection(few))


def test_a_first_row_that_looks_like_data_is_a_warning():
    columns = ColumnChoice(("this is the very first review here",), None, ("5",), None, found=True)
    finding = found(Inspection(SOUND, reading=Reading(columns)))["header_row"]
    assert finding.severity == "warning"
    assert "looks like a value" in finding.message
    assert "--no-header" in finding.advice
    assert "header_row" not in found(Inspection(SOUND, reading=Reading(columns, has_header=False)))
    assert "header_row" not in found(Inspection(SOUND, reading=Reading(USUAL)))


def test_labels_that_stand_for_a_missing_value_are_a_warning():
    train = examples(*[(f"t{i}", label) for i, label in enumerate(["pos", "neg", "NULL", "N/A"] * 20)])
    finding = found(Inspection(train))["placeholder_label"]
    assert (finding.severity, finding.count) == ("warning", 40)
    assert '"NULL"' in finding.message


def test_a_large_share_of_rows_left_out_is_a_warning():
    finding = found(Inspection(SOUND, reading=Reading(USUAL, n_read=100, n_left_out=60)))["left_out_rows"]
    assert (finding.severity, finding.count, finding.share) == ("warning", 60, 0.6)
    assert "left_out_rows" not in found(Inspection(SOUND, reading=Reading(USUAL, n_read=100, n_left_out=10)))


def test_a_text_column_of_numbers_is_a_warning():
    train = examples(*[(f"{i}.5", "ab"[i % 2]) for i in range(40)])
    assert found(Inspection(train))["numeric_text"].severity == "warning"


def test_one_label_of_twenty_thousand_characters_costs_no_more_than_itself():
    labels = ["pos", "neg"] * 10_000
    labels[7] = "x" * 20_000
    train = examples(*[(f"text {i}", label) for i, label in enumerate(labels)])
    tracemalloc.start()
    run_checks(Inspection(train))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000


def test_a_test_part_in_the_other_kind_of_chinese_characters_is_a_finding():
    simplified, traditional = "这个东西质量很好，发货速度也很快", "這個東西質量很好，發貨速度也很快"
    train = examples(*[(f"{simplified}{i}", "ab"[i % 2]) for i in range(20)])
    other = examples(*[(f"{traditional}{i}", "ab"[i % 2]) for i in range(20)])
    told = found(Inspection(train, test=other))["chinese_script"]
    assert "in simplified Chinese characters, the test texts in traditional ones" in told.message
    assert told.count == 20
    assert "chinese_script" not in found(Inspection(train, test=train))


def test_a_finding_shows_the_beginnings_of_its_first_texts():
    rows = examples(*[("the same long text " * 20, "a")] * 6, ("another", "b"))
    told = found(Inspection(rows))["duplicate"]
    assert len(told.texts) == 3
    assert all(text.startswith("the same long text the") and len(text) == 120 and text.endswith("…") for text in told.texts)
    assert told.to_json()["texts"] == list(told.texts)
