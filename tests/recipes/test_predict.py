"""`predict` and `evaluate`: every row in, every row out, in order; and scores with intervals."""

import csv
import json
from io import StringIO

import numpy as np
import pytest
import torch

import superfine
from superfine.errors import DataError
from superfine.model import Model
from tests.conftest import FAST, make_rows, superfine_command, write_csv


def test_a_file_comes_back_row_by_row_with_predictions(trained, tmp_path):
    rows = make_rows(30, seed=2)
    rows.insert(3, ("", "empty"))
    data = write_csv(tmp_path / "new.csv", rows, ("text", "note"))
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "out.csv") == 0
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        out = list(csv.DictReader(file))
    assert [row["text"] for row in out] == [text for text, _ in rows]
    assert [row["note"] for row in out] == [note for _, note in rows]
    said = trained.load().predict([text for text, _ in rows if text]).label
    assert [row["prediction"] for row in out] == [*said[:3], "", *said[3:]]


def test_rows_without_text_get_an_empty_prediction_and_are_counted(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", [(text, "note") for text in ("", "lovely", "  ", "awful", "\u3000")], ("text", "note"))
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "out.csv") == 0
    assert "3 rows have no text: their predictions are empty." in capsys.readouterr().err
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [bool(row["prediction"]) for row in rows] == [False, True, False, True, False]
    assert [bool(row["confidence"]) for row in rows] == [False, True, False, True, False]
    assert superfine_command("predict", trained.folder, data, "--json") == 0
    found = json.loads(capsys.readouterr().out)["predictions"]
    assert [one["prediction"] is None for one in found] == [True, False, True, False, True]
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "out.jsonl", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows_without_text"] == 3
    blank = write_csv(tmp_path / "blank.csv", [("", "a"), (" ", "b")], ("text", "note"))
    assert superfine_command("predict", trained.folder, blank, "--out", tmp_path / "blank_out.csv") == 0
    assert len((tmp_path / "blank_out.csv").read_text(encoding="utf-8").splitlines()) == 3


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("header", [("review", "label"), ("body", "note"), ("Txt", "label")])
def test_another_text_column_is_never_guessed(trained, tmp_path, capsys, command, header):
    data = write_csv(tmp_path / "new.csv", make_rows(10), header)
    assert superfine_command(command, trained.folder, data) == 2
    said = capsys.readouterr()
    assert 'has no column "text", which the model reads.' in said.err
    assert f"Its columns are: {', '.join(header)}. Name the text with --text." in said.err
    assert not said.out
    more = ["--label", header[1]] if command == "evaluate" else []
    assert superfine_command(command, trained.folder, data, "--text", header[0], *more) == 0


def test_every_text_column_of_a_model_of_several_is_asked_for(tiny_model, tmp_path, capsys):
    rows = [(text, "a title", label) for text, label in make_rows(80)]
    data = write_csv(tmp_path / "data.csv", rows, ("body", "title", "label"))
    run = superfine.train(
        data, text=["title", "body"], model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, progress=False
    )
    part = write_csv(tmp_path / "part.csv", [(text, "x") for text, _ in make_rows(5)], ("body", "other"))
    assert superfine_command("predict", run.folder, part) == 2
    assert 'has no column "title", which the model reads.' in capsys.readouterr().err


def test_an_output_file_that_is_there_is_replaced_on_request_alone(trained, reviews, tmp_path, capsys):
    out = tmp_path / "out.csv"
    out.write_text("mine", encoding="utf-8")
    assert superfine_command("predict", trained.folder, reviews, "--out", out) == 2
    assert "exists already.\nReplace it with --force, or name another file with --out." in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == "mine"
    assert superfine_command("predict", trained.folder, reviews, "--out", out, "--force") == 0
    assert "prediction" in out.read_text(encoding="utf-8")


def test_what_is_written_under_another_name_is_said(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", [(text, "mine") for text, _ in make_rows(5)], ("text", "prediction"))
    assert superfine_command("predict", trained.folder, data) == 0
    said = capsys.readouterr()
    assert 'The input has columns of these names already, so of the answers "prediction" is in "prediction_2".' in said.err
    rows = list(csv.DictReader(said.out.splitlines()))
    assert {row["prediction"] for row in rows} == {"mine"}
    assert {row["prediction_2"] for row in rows} <= {"good", "bad"}


def test_a_score_on_texts_that_were_learned_from_is_given_without_them(trained, reviews, tmp_path, capsys):
    fresh = [(text, label) for text, label in make_rows(400, seed=9)]
    with open(reviews, encoding="utf-8", newline="") as file:
        old = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    with open(trained.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        tested = {row["text"] for row in csv.DictReader(file)}
    learned = {text.casefold() for text, _ in old if text not in tested}
    fresh = [(text, label) for text, label in fresh if text.casefold() not in learned][:40]
    known = [(f"  {text.upper()} ", label) for text, label in old if text.casefold() in learned][:20]
    both = write_csv(tmp_path / "both.csv", [*fresh, *known])
    alone = write_csv(tmp_path / "alone.csv", fresh)
    assert superfine_command("evaluate", trained.folder, both) == 0
    said = capsys.readouterr()
    assert "The run has learned from 20 of these 60 texts." in said.err
    assert "Without the 20 leaked test texts: accuracy" in said.err
    assert superfine_command("evaluate", trained.folder, both, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["learned"] == list(range(42, 62))
    assert superfine_command("evaluate", trained.folder, alone, "--json") == 0
    without = json.loads(capsys.readouterr().out)
    assert without["learned"] == []
    assert found["test_without_leaks"]["accuracy"]["value"] == without["test"]["accuracy"]["value"]
    tests = write_csv(tmp_path / "tests.csv", [(text, label) for text, label in old if text in tested])
    assert superfine_command("evaluate", trained.folder, tests, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["learned"]) <= trained.metrics["test"]["n"] / 10, "but for leaks"


@pytest.mark.parametrize(
    "content",
    [
        "this is lovely\nthat is awful\n",
        "text\nthis is lovely\nthat is awful\n",
        '{"text": "this is lovely"}\n{"text": "that is awful"}\n',
        "id;Text\n1;this is lovely\n2;that is awful\n",
        "this is lovely\r\nthat is awful\r\n",
    ],
)
def test_standard_input_may_be_lines_csv_or_jsonl(trained, monkeypatch, capsys, content):
    class Stdin:
        buffer = type("B", (), {"read": staticmethod(lambda: content.encode())})

    monkeypatch.setattr("sys.stdin", Stdin)
    assert superfine_command("predict", trained.folder) == 0
    out = list(csv.DictReader(StringIO(capsys.readouterr().out)))
    assert [row.get("text", row.get("Text")) for row in out] == ["this is lovely", "that is awful"]
    assert all(row["prediction"] in {"good", "bad"} for row in out)


def test_json_is_one_document_on_standard_output(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", make_rows(5, seed=2))
    assert superfine_command("predict", trained.folder, data, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["predictions"]) == 5
    assert set(document["predictions"][0]["probabilities"]) == {"good", "bad"}


def test_a_jsonl_name_gives_jsonl(trained, tmp_path):
    data = write_csv(tmp_path / "new.csv", make_rows(5, seed=2))
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "out.jsonl") == 0
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(records) == 5


def test_large_input_is_predicted_in_chunks_with_the_same_result(trained, monkeypatch):
    texts = [text for text, _ in make_rows(50, seed=3)]
    model = trained.load()
    whole = model.predict(texts).probabilities
    monkeypatch.setattr("superfine.predictors.texts.CHUNK_TEXTS", 7)
    np.testing.assert_allclose(model.predict(texts).probabilities, whole, atol=1e-6)


def test_predicting_nothing_gives_nothing(trained):
    assert len(trained.load().predict([])) == 0
    with pytest.raises(TypeError, match="list of texts"):
        trained.load().predict("one text")


def test_evaluate_repeats_the_scores_of_the_run(trained, reviews, tmp_path):
    evaluation = superfine.evaluate(trained.folder, trained.folder / "predictions.csv")
    assert evaluation.scores["accuracy"].value == trained.metrics["test"]["accuracy"]["value"]
    assert evaluation.scores["log_loss"].value == pytest.approx(trained.metrics["test"]["log_loss"]["value"], abs=1e-5)


def test_evaluate_refuses_labels_that_the_model_does_not_know(trained, tmp_path):
    with pytest.raises(DataError, match='"other" in row 2'):
        superfine.evaluate(trained.folder, write_csv(tmp_path / "t.csv", [("a text", "other"), ("two text", "good")]))


def test_evaluate_prints_json(trained, reviews, capsys):
    assert superfine_command("evaluate", trained.folder, reviews, "--json") == 0
    assert json.loads(capsys.readouterr().out)["test"]["n"] == 240


def test_a_line_separator_inside_a_text_does_not_make_a_row(trained, monkeypatch, capsys):
    class Stdin:
        buffer = type("B", (), {"read": staticmethod(lambda: "this is\u2028lovely\nawful".encode())})

    monkeypatch.setattr("sys.stdin", Stdin)
    assert superfine_command("predict", trained.folder) == 0
    assert len(list(csv.DictReader(StringIO(capsys.readouterr().out)))) == 2


def test_json_records_keep_input_columns_whose_names_clash(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", [("lovely", "mine")], ("text", "prediction"))
    assert superfine_command("predict", trained.folder, data, "--json") == 0
    record = json.loads(capsys.readouterr().out)["predictions"][0]
    assert record["prediction"] == "mine"
    assert record["prediction_2"] in {"good", "bad"}


def test_evaluate_refuses_data_without_a_single_label(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "t.csv", [("a text", ""), ("two text", " ")])
    assert superfine_command("evaluate", trained.folder, data) == 2
    assert "no row with a label" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_said_before_predicting(trained, reviews, tmp_path, capsys):
    assert superfine_command("predict", trained.folder, reviews, "--out", tmp_path / "none" / "out.csv") == 2
    assert "Name a file in an existing folder" in capsys.readouterr().err


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_failure(trained, reviews):
    import subprocess
    import sys

    command = f"{sys.executable} -m superfine predict {trained.folder} {reviews} --json | head -1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


def test_single_texts_are_refused_by_a_model_of_pairs_and_the_other_way_round(trained):
    with pytest.raises(ValueError, match="single texts"):
        trained.load().predict(["a"], ["b"])


def test_bfloat16_is_there_for_those_who_ask_and_float32_is_what_they_get_otherwise(trained, tmp_path, capsys):
    texts = [text for text, _ in make_rows(40, seed=5)]
    exact, rounded = trained.load(), superfine.load(trained.folder, precision="bfloat16")
    dtypes = [{p.dtype for p in model.backbone.network.parameters()} for model in (exact, rounded)]
    assert dtypes == [{torch.float32}, {torch.float32, torch.bfloat16}]
    differences = np.abs(exact.predict(texts).probabilities - rounded.predict(texts).probabilities)
    assert 0 < differences.max() < 0.05
    data = write_csv(tmp_path / "new.csv", [(text, "") for text in texts], ("text", "note"))
    assert superfine_command("predict", trained.folder, data, "--precision", "bfloat16", "--json") == 0
    first = json.loads(capsys.readouterr().out)["predictions"][0]
    assert first["prediction"] == rounded.predict(texts[:1]).label[0]


def test_a_score_in_bfloat16_is_the_score_of_what_bfloat16_predicts(trained, reviews, capsys):
    losses = []
    for options in ([], ["--precision", "bfloat16"]):
        assert superfine_command("evaluate", trained.folder, reviews, "--json", *options) == 0
        losses.append(json.loads(capsys.readouterr().out)["test"]["log_loss"])
    assert losses[0] != losses[1]
    assert superfine.evaluate(trained.folder, reviews, precision="bfloat16").to_json()["log_loss"] == losses[1]


def test_a_large_file_is_read_predicted_and_written_piece_by_piece(trained, tmp_path, monkeypatch):
    rows = make_rows(50, seed=3)
    data = write_csv(tmp_path / "new.csv", rows)
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "whole.csv") == 0
    held = []
    predict_examples = Model.predict_examples

    def watched(model, examples, on_batch=None):
        held.append(len(examples))
        return predict_examples(model, examples, on_batch)

    monkeypatch.setattr(Model, "predict_examples", watched)
    monkeypatch.setattr("superfine.recipes.predict.PIECE", 20)
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "pieces.csv") == 0
    assert held == [20, 20, 10]
    whole, pieces = ((tmp_path / f"{name}.csv").read_text().splitlines() for name in ("whole", "pieces"))
    assert [line.split(",")[:3] for line in whole] == [line.split(",")[:3] for line in pieces]


def test_a_broken_row_far_down_is_told_before_anything_is_predicted(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("superfine.recipes.predict.PIECE", 10)
    monkeypatch.setattr(Model, "predict_examples", lambda *_: pytest.fail("predicted"))
    data = write_csv(tmp_path / "new.csv", make_rows(50, seed=3))
    with open(data, "a", encoding="utf-8") as file:
        file.write("one,two,three\n")
    (tmp_path / "out.csv").write_text("of an earlier run")
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "out.csv") == 2
    assert "row 52 has 3 fields" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text() == "of an earlier run"


def test_predictions_that_break_off_leave_the_earlier_ones_in_place(trained, tmp_path, monkeypatch):
    data = write_csv(tmp_path / "new.csv", make_rows(50, seed=3))
    (tmp_path / "out.csv").write_text("of an earlier run")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Model, "predict_examples", interrupted)
    superfine_command("predict", trained.folder, data, "--out", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "of an earlier run"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == ["out.csv"]


def test_a_column_that_only_later_lines_have_is_empty_before(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("superfine.recipes.predict.PIECE", 2)
    lines = [{"text": text} for text, _ in make_rows(4, seed=3)] + [{"text": "this is lovely", "note": "late"}]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert superfine_command("predict", trained.folder, tmp_path / "new.jsonl", "--out", tmp_path / "out.csv") == 0
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        assert [row["note"] for row in csv.DictReader(file)] == ["", "", "", "", "late"]


def test_several_files_are_predicted_one_after_the_other(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("superfine.recipes.predict.PIECE", 4)
    files = [write_csv(tmp_path / f"{i}.csv", make_rows(6, seed=i)) for i in (1, 2)]
    assert superfine_command("predict", trained.folder, *files, "--json") == 0
    out = capsys.readouterr()
    assert [p["text"] for p in json.loads(out.out)["predictions"]] == [t for i in (1, 2) for t, _ in make_rows(6, seed=i)]
    assert "2.csv: row 9 and on" in out.err


def test_predictions_are_written_in_the_format_that_the_name_says_or_not_at_all(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", make_rows(4), ("text", "note"))
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "out.tsv") == 0
    with open(tmp_path / "out.tsv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file, delimiter="\t"))) == 4
    for ending in (".xlsx", ".json", ".csv.gz", ".parquet"):
        assert superfine_command("predict", trained.folder, data, "--out", tmp_path / f"out{ending}") == 2
        assert "ends in .csv, .tsv or .jsonl" in capsys.readouterr().err
        assert not (tmp_path / f"out{ending}").exists()


def test_json_and_a_file_may_be_asked_for_together(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", make_rows(4), ("text", "note"))
    capsys.readouterr()
    assert superfine_command("predict", trained.folder, data, "--json", "--out", tmp_path / "out.csv") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["rows"] == 4
    assert document["file"] == str(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").exists()


def test_columns_of_several_files_are_matched_whatever_their_case(trained, tmp_path):
    rows = make_rows(3)
    first = write_csv(tmp_path / "a.csv", rows, ("text", "note"))
    second = write_csv(tmp_path / "b.csv", rows, ("Text", "Note"))
    assert superfine_command("predict", trained.folder, first, second, "--out", tmp_path / "out.csv") == 0
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        out = list(csv.DictReader(file))
    assert [row["text"] for row in out] == [text for text, _ in rows] * 2


def test_what_is_no_text_is_named(trained):
    with pytest.raises(TypeError, match=r"texts\[1\] is missing"):
        trained.load().predict(["fine", None])


def test_a_baseline_predicts_in_the_place_of_the_model(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", make_rows(20, seed=2))
    assert superfine_command("predict", trained.folder, data, "--with", "tfidf", "--out", tmp_path / "out.csv") == 0
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        said = [row["prediction"] for row in csv.DictReader(file)]
    assert said == superfine.load(trained.folder, baseline="tfidf").predict([text for text, _ in make_rows(20, seed=2)]).label
    capsys.readouterr()
    assert superfine_command("evaluate", trained.folder, data, "--with", "tfidf", "--json") == 0
    assert json.loads(capsys.readouterr().out)["test"]["n"] == 20


def test_a_baseline_has_no_precision_and_an_unknown_one_is_refused(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", make_rows(5, seed=2))
    assert superfine_command("predict", trained.folder, data, "--with", "tfidf", "--precision", "bfloat16") == 2
    assert "--precision is of the model" in capsys.readouterr().err
    assert superfine_command("evaluate", trained.folder, data, "--with", "bert") == 2
    assert 'holds no baseline "bert"' in capsys.readouterr().err


def stdin_of(monkeypatch, content):
    class Stdin:
        buffer = type("B", (), {"read": staticmethod(lambda: content.encode())})

    monkeypatch.setattr("sys.stdin", Stdin)


def test_a_long_line_on_standard_input_is_a_text(trained, monkeypatch, capsys):
    for content in ("lovely " * 30_000 + "\n", 'text\n"' + "lovely " * 30_000 + '"\n'):
        stdin_of(monkeypatch, content)
        assert superfine_command("predict", trained.folder) == 0
        csv.field_size_limit(2**31 - 1)
        (row,) = csv.DictReader(StringIO(capsys.readouterr().out))
        assert row["text"].strip() == ("lovely " * 30_000).strip()


def test_a_txt_file_is_read_line_by_line_unless_it_is_a_table(trained, tmp_path, capsys):
    (tmp_path / "texts.txt").write_text("this is lovely, really\nthat is awful\n", encoding="utf-8")
    assert superfine_command("predict", trained.folder, tmp_path / "texts.txt", "--lang", "en") == 0
    captured = capsys.readouterr()
    assert [row["text"] for row in csv.DictReader(StringIO(captured.out))] == ["this is lovely, really", "that is awful"]
    assert "one text per line" in captured.err
    (tmp_path / "table.txt").write_text("id;text\n1;this is lovely\n", encoding="utf-8")
    assert superfine_command("predict", trained.folder, tmp_path / "table.txt") == 0
    assert [row["id"] for row in csv.DictReader(StringIO(capsys.readouterr().out))] == ["1"]


def test_a_second_text_is_refused_by_a_model_of_single_texts(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "pairs.csv", [("a", "b", "good")] * 3, ("text", "other", "label"))
    for command in ("predict", "evaluate"):
        assert superfine_command(command, trained.folder, data, "--text-pair", "other", "--lang", "en") == 2
        assert "trained on single texts, and reads no pairs" in capsys.readouterr().err


FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "lovely", "-5", "+3.5"]


def test_cells_that_are_formulas_to_a_spreadsheet_are_said_and_made_safe_on_request(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", [(text, "lovely") for text in FORMULAS], ("note", "text"))
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "a.csv", "--lang", "en") == 0
    assert "5 cells look like formulas to a spreadsheet" in capsys.readouterr().err
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "b.csv", "--excel-safe", "--lang", "en") == 0
    assert "look like formulas" not in capsys.readouterr().err
    notes = {}
    for name in "ab":
        with open(tmp_path / f"{name}.csv", encoding="utf-8", newline="") as file:
            notes[name] = [row["note"] for row in csv.DictReader(file)]
    assert notes["a"] == FORMULAS
    assert notes["b"] == [f"'{text}" for text in FORMULAS[:5]] + FORMULAS[5:]


def test_what_moves_a_cursor_never_reaches_a_terminal_and_is_whole_in_a_file(trained, tmp_path, monkeypatch, capsys):
    evil = "\x1b[31mred \u202ekcab\u2069 \x07 lovely"
    data = write_csv(tmp_path / "new.csv", [(evil, "x")], ("text", "bell\x07\x1b]0;title"))
    assert superfine_command("predict", trained.folder, data) == 0
    captured = capsys.readouterr()
    assert evil in captured.out, "a pipe gets what was read"
    assert not {"\x1b", "\x07", "\u202e"} & set(captured.err)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for form in ([], ["--json"]):
        assert superfine_command("predict", trained.folder, data, *form) == 0
        shown = capsys.readouterr().out
        assert not {"\x1b", "\x07", "\u202e", "\u2069"} & set(shown)
    assert json.loads(shown)["predictions"][0]["text"] == evil
    assert superfine_command("predict", trained.folder, tmp_path / "no\x1b[31m\u202efile.csv") == 2
    assert not {"\x1b", "\u202e"} & set(capsys.readouterr().err)


def test_texts_are_held_against_validation_as_the_model_reads_them(tiny_model, tmp_path, capsys):
    """With placeholders in place of personal data, texts as they come in would all be longer."""
    mail = [(f"{text} mail {'x' * 30}{i}@example.com.org", label) for i, (text, label) in enumerate(make_rows(900))]
    data, new = write_csv(tmp_path / "d.csv", mail[:600]), write_csv(tmp_path / "new.csv", mail[600:])
    other = write_csv(tmp_path / "other.csv", [(f"{text} " * 5, label) for text, label in mail[600:]])
    settings = FAST | {"training.epochs": 1, "data.redact": True, "data.validation_share": 0.3}
    run = superfine.train(data, model=str(tiny_model("bert")), out=tmp_path / "run", settings=settings, progress=False)
    assert superfine_command("predict", run.folder, new, "--out", tmp_path / "a.csv") == 0
    assert "differ from those" not in capsys.readouterr().err
    assert superfine_command("predict", run.folder, other, "--out", tmp_path / "b.csv") == 0
    assert "These texts differ from those that the model was calibrated on" in capsys.readouterr().err
    assert superfine_command("predict", run.folder, other, "--json") == 0
    assert json.loads(capsys.readouterr().out)["drift"]["differs"] is True
