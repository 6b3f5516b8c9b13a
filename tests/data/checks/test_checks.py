"""Each check finds what it is for, names the rows, and is silent on sound data."""

import tracemalloc
from dataclasses import replace

import numpy as np

from superfine.data.checks import BEFORE_TRAINING, CHECKS
from superfine.data.checks.inspection import Inspection, Reading, run_checks
from superfine.data.checks.tokens import truncation
from superfine.data.columns import ColumnChoice
from superfine.data.encoded import Encoded
from superfine.data.table import BadRow
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
    return {finding.name: finding for finding in run_checks(inspection, CHECKS)}


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


LONG = "the quick brown fox jumps over the lazy dog while number {} of the band plays on and on until the morning comes"


def test_training_runs_what_changes_a_score_and_every_check_has_a_name():
    assert set(BEFORE_TRAINING) < set(CHECKS)
    assert {"leak", "near_leak", "contradiction"} <= set(BEFORE_TRAINING)


def test_texts_that_are_nearly_the_same_name_what_they_are_like():
    train = examples((LONG.format(1), "a"), ("something else entirely, to be sure", "b"), (LONG.format(2), "a"))
    test = examples((LONG.format(3), "a"), ("nothing like the others in this table", "b"), start=50)
    findings = found(Inspection(train, test=test))
    assert findings["near_duplicate"].rows == (4,)
    assert "The first is like row 2" in findings["near_duplicate"].message
    assert findings["near_leak"].rows == (50,)
    assert "leak" not in findings


def test_an_exact_leak_is_no_near_leak():
    train, test = examples((LONG.format(1), "a")), examples((LONG.format(1).upper(), "a"), start=9)
    findings = found(Inspection(train, test=test))
    assert findings["leak"].count == 1
    assert "near_leak" not in findings


def test_questions_on_one_context_are_not_nearly_the_same():
    train = replace(examples(("who plays", "a"), ("who jumps", "b")), text_pair=[LONG, LONG])
    assert "near_duplicate" in found(Inspection(train))
    assert "near_duplicate" not in found(Inspection(train, shares_contexts=True))


def test_contradictions_between_parts_count_different_texts():
    train = examples(("one text", "a"), ("two texts", "b"))
    test = examples(("One text", "b"), ("one text", "a"), ("three", "a"), start=30)
    (finding,) = [one for one in run_checks(Inspection(train, test=test)) if one.name == "contradiction"]
    assert (finding.count, finding.rows, finding.n_different) == (2, (30, 31), 1)
    assert finding.to_json()["different_texts"] == 1


def test_leaks_count_rows_and_different_texts():
    train, test = examples(("one text", "a")), examples(("one text", "a"), ("one text", "a"), ("new", "b"))
    leak = found(Inspection(train, test=test))["leak"]
    assert (leak.count, leak.n_different) == (2, 1)
    assert "(1 different texts)" in leak.message


def test_personal_data_is_counted_and_not_repeated():
    train = examples(("write to jane@example.org", "a"), ("call 13812345678", "b"), ("nothing", "a"))
    finding = found(Inspection(train))["personal_data"]
    assert (finding.rows, finding.texts) == ((2, 3), ())
    assert "[EMAIL] 1" in finding.message
    assert "jane" not in str(finding.to_json())


def test_texts_that_were_misread_or_are_empty_are_named():
    train = examples(("the cafÃ© was fine", "a"), ("lost \ufffd characters", "b"), ("!!! ...", "a"), ("fine", "b"))
    findings = found(Inspection(train))
    assert findings["encoding"].rows == (2, 3)
    assert "1 of them have lost characters for good" in findings["encoding"].message
    assert findings["empty_text"].rows == (4,)


def test_words_that_many_texts_begin_or_end_with_are_shown():
    rows = [(f"dear all at the big company: item {i} is {'bad' if i % 2 else 'good'}", "ab"[i % 2]) for i in range(40)]
    rows += [(f"row {i} has words of its own and then sent from my small phone today", "ab"[i % 2]) for i in range(40)]
    messages = [one.message for one in run_checks(Inspection(examples(*rows)), ["boilerplate"])]
    assert any('begin with the same words: "dear all at the big company"' in message for message in messages)
    assert any('end with the same words: "sent from my small phone today"' in message for message in messages)


def test_texts_in_another_script_are_named():
    train = examples(*[(f"some words {i}", "ab"[i % 2]) for i in range(20)], ("中文的文本", "a"), ("俄文 Привет мир", "b"))
    finding = found(Inspection(train))["language_mix"]
    assert finding.rows == (22, 23)
    assert "Latin 20" in finding.message


def test_words_that_give_the_label_away_are_named_with_their_label():
    rows = [(f"words {i % 7} and {i % 11} {'[sad]' if i % 2 and i % 3 else ''}", "ab"[i % 2]) for i in range(120)]
    finding = found(Inspection(examples(*rows)))["shortcut"]
    assert '"[sad]" → b (40)' in finding.message
    assert finding.count == 40


def test_of_many_rows_some_of_all_are_looked_at(monkeypatch):
    from superfine.data.checks import inspection

    monkeypatch.setattr(inspection, "MOST_LOOKED_AT", 100)
    rows = [(f"words {i % 7} and {i % 11} {'[sad]' if i >= 200 else ''}", "ab"[i >= 200]) for i in range(400)]
    finding = found(Inspection(examples(*rows)))["shortcut"]
    assert '"[sad]" → b (50)' in finding.message
    assert min(finding.rows) >= 202, "rows are those of the file"


def test_a_word_of_nearly_all_rows_of_a_large_class_gives_nothing_away():
    rows = [(f"the words {i % 7} and {i}", "b" if i % 20 == 0 else "a") for i in range(200)]
    assert "shortcut" not in found(Inspection(examples(*rows)))


def test_parts_that_differ_are_told_apart_where_the_test_part_was_given():
    train = examples(*[(f"apples and pears {i} in spring", "ab"[i % 2]) for i in range(100)])
    test = examples(*[(f"cars and trains {i} at night", "aaab"[i % 4]) for i in range(100)], start=300)
    drift = run_checks(Inspection(train, test=test, test_is_given=True), ["drift"])
    assert "can be told from training texts: AUC 1.00" in drift[0].message
    assert 'The shares of classes differ: "' in drift[1].message
    assert run_checks(Inspection(train, test=test), ["drift"]) == []


def test_texts_that_stand_in_both_parts_do_not_count_as_unlike():
    train = examples(*[(f"apples and pears {i} in spring", "ab"[i % 2]) for i in range(100)])
    test = examples(*[(f"apples and pears {i} in spring", "ab"[i % 2]) for i in range(60, 160)], start=300)
    told = Inspection(train, test=test, test_is_given=True).told_apart
    assert told.low <= 0.5 <= told.high


def test_rows_sorted_by_label_are_told():
    assert found(Inspection(examples(*[(f"text {i} of this", "ab"[i // 30]) for i in range(60)])))["sorted_by_label"].count == 60
    assert "sorted_by_label" not in found(Inspection(SOUND))


def test_a_column_of_times_is_told_unless_the_test_part_is_later():
    def dated(start, n):
        rows = examples(*[(f"text {start + i} of this", "ab"[i % 2]) for i in range(n)])
        return replace(rows, columns={"when": [f"2024-{start // 28 + 1:02d}-{i % 28 + 1:02d}" for i in range(n)]})

    early, late = dated(0, 40), dated(84, 40)
    assert 'column "when"' in found(Inspection(early))["time_order"].message
    assert "not later" in found(Inspection(early, test=early, test_is_given=True))["time_order"].message
    assert "time_order" not in found(Inspection(early, test=late, test_is_given=True))


def test_labels_that_are_something_else_than_classes_are_told():
    def labelled(*labels):
        return found(Inspection(examples(*[(f"text {i} of this", label) for i, label in enumerate(labels * 4)])))

    assert "ordinal_labels" in labelled("1", "2", "3", "4", "5")
    assert "ordinal_labels" in labelled("low", "medium", "high")
    assert "ordinal_labels" not in labelled("cat", "dog", "bird")
    assert labelled("a|b", "a", "b", "b|a")["several_labels"].count == 8
    assert "several_labels" not in labelled("Food, drinks", "Rooms", "Staff")
    assert "numeric_labels" in labelled(*[f"{i / 7:.2f}" for i in range(15)])


def test_records_that_cannot_be_read_are_told_with_the_first():
    bad = BadRow("a.csv", 7, 9, "has 3 fields instead of 2", "x,y,z")
    finding = found(Inspection(SOUND, bad_rows=(bad,)))["broken_row"]
    assert (finding.count, finding.rows) == (1, (7,))
    assert "row 7: has 3 fields" in finding.message
