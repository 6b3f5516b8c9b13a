"""`train --dry-run` says what would be done, writes nothing, and answers any bytes at all with status 0 or 2."""

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from superfine.cli.main import main
from tests.conftest import make_rows, write_csv


def dry_run(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["train", *map(str, arguments), "--dry-run"])
    return end.value.code


def test_a_rehearsal_tells_columns_parts_findings_and_model_and_writes_nothing(reviews, tmp_path, capsys, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    copy = shutil.copy(reviews, tmp_path / "copy.csv")
    assert dry_run(reviews, "--test", copy, "--json") == 0
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert document["columns"] == "text = text, label = label (found by content)"
    assert document["data"]["test"] == 240
    assert "leak" in {finding["name"] for finding in document["findings"]}
    assert "Would fine-tune sentence-transformers/all-MiniLM-L6-v2" in output.err
    assert not list((tmp_path / "here").iterdir())


def test_a_rehearsal_refuses_what_training_would_refuse(reviews, trained, tmp_path, capsys):
    assert dry_run(reviews, "--out", trained.folder) == 2
    assert dry_run(reviews, "--test", shutil.copy(reviews, tmp_path / "copy.csv"), "--strict") == 2
    assert "Refused by --strict" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "training.regularisers={fgmm: {}}"], 'Did you mean "fgm"'),
        (["--set", "training.regularisers={fgm: {eps: 1}}"], "epsilon"),
        (["--track", "tensorbord"], 'Did you mean "tensorboard"'),
    ],
)
def test_a_rehearsal_knows_plug_ins_and_their_options(reviews, arguments, message, capsys):
    assert dry_run(reviews, *arguments, "--lang", "en") == 2
    assert message in capsys.readouterr().err


def test_a_record_taken_for_a_header_and_a_second_header_are_pointed_out(tmp_path, capsys):
    rows = make_rows(60)
    headerless = write_csv(tmp_path / "headerless.csv", rows[1:], rows[0])
    assert dry_run(headerless, "--lang", "en") == 0
    assert "does the file lack a header" in capsys.readouterr().err
    twice = write_csv(tmp_path / "twice.csv", [*rows, ("text", "label"), *rows], ("text", "label"))
    assert dry_run(twice, "--lang", "en") == 0
    assert f'"label" is the name of the label column and a label as well (row {len(rows) + 2})' in capsys.readouterr().err


def test_texts_of_emoji_alone_are_texts_where_the_column_says_so(tmp_path):
    faces = ["😀", "😡", "🎉", "😢"]
    rows = [(faces[i % 4] * (1 + i // 4), "good" if i % 2 else "bad") for i in range(80)]
    assert dry_run(write_csv(tmp_path / "emoji.csv", rows)) == 0


def test_few_different_texts_are_given_as_the_reason(tmp_path, capsys):
    rows = [("works well", "good"), ("fell apart", "bad"), ("as described", "good")] * 20
    assert dry_run(write_csv(tmp_path / "same.csv", rows), "--lang", "en") == 2
    assert "equal texts stay together" in capsys.readouterr().err


CELLS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["", "a", "b", "1", "1.0", '"', ",", "\n", "\0", "😀", " "]
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=25)


def as_bytes(table, delimiter):
    return "\n".join(delimiter.join(row) for row in table).encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.builds(as_bytes, TABLES, st.sampled_from(",;\t|")) | st.binary(max_size=400),
    ending=st.sampled_from(["csv", "tsv", "jsonl", "json", "xlsx", "parquet", "csv.gz"]),
    options=st.sampled_from([(), ("--bad-rows", "skip"), ("--merge-labels",), ("--label", "b"), ("--encoding", "gbk")]),
)
def test_any_table_or_bytes_end_with_0_or_2_and_no_traceback(content, ending, options, tmp_path):
    path = tmp_path / f"data.{ending}"
    path.write_bytes(content)
    assert dry_run(path, *options) in {0, 2}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELLS, st.sampled_from(["good", "bad", "Good", " bad ", ""])), max_size=40), merge=st.booleans())
def test_any_labelled_texts_end_with_0_or_2(rows, merge, tmp_path):
    path = write_csv(tmp_path / "data.csv", rows)
    assert dry_run(path, *(["--merge-labels"] if merge else [])) in {0, 2}


@pytest.mark.parametrize(
    "rows",
    [
        [*make_rows(60), ("a class of its own", "rare")],
        [(f"text number {i} of many", f"class {i // 2}") for i in range(10_000)],
        [*make_rows(60), ("long " * 2_000_000, "good")],
        [*make_rows(60), *[("😀😀", "good"), ("🎉", "bad"), ("👍" * 50, "good")], *[("  ", "bad")] * 5],
        [(text, str(label == "good")) for text, label in make_rows(60)],
        [(text, "2" if label == "good" else ("1", "1.0")[i % 2]) for i, (text, label) in enumerate(make_rows(60))],
        make_rows(60) * 100,
    ],
    ids=["a class with one row", "5,000 classes", "a row of 10 MB", "emoji and white space", "booleans", "numbers", "duplicates"],
)
def test_unusual_tables_survive_with_a_note(rows, tmp_path, capsys):
    assert dry_run(write_csv(tmp_path / "data.csv", rows)) == 0
    assert "Rows:" in capsys.readouterr().err


def test_a_rehearsal_shows_the_rows_the_classes_the_lengths_and_what_training_costs(tmp_path, capsys):
    rows = [(text, label, ("red", "blue")[i % 2]) for i, (text, label) in enumerate(make_rows(120))]
    rows[5] = ("lovely " * 400, *rows[5][1:])
    data = write_csv(tmp_path / "data.csv", rows, ("text", "label", "colour"))
    assert dry_run(data, "--lang", "en", "--seed", "3") == 0
    said = capsys.readouterr().err
    assert dry_run(data, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert sum(plan["classes"].values()) == plan["data"]["train"]
    assert plan["candidates"]["label"] == ["colour"]
    assert "Could be the label as well: colour (--label COLUMN)" in said
    assert len(plan["examples"]) == 3
    for example in plan["examples"]:
        text, label, _ = rows[example["row"] - 2]
        assert (example["text"], example["label"]) == (text, label)
    assert said.count(" → ") == 3
    assert plan["lengths"]["longest"] == 256
    assert 0 < plan["lengths"]["median"] <= plan["lengths"]["percentile_95"] <= 256
    assert plan["lengths"]["truncated_share"] > 0
    assert plan["place"] in {"embedded", "cache"}
    assert 0 < plan["seconds"] < 3600
    assert plan["memory_gb"] > 0.5
    assert "Tokens of a text: " in said
    assert "Training takes about 1 min and 0.9 GB here" in said


@pytest.fixture
def steady(monkeypatch):
    """A machine whose speed is known: what is measured while others use it tells little about work."""
    monkeypatch.setattr("superfine.recipes.models.products_per_second", lambda: 5e10)


@pytest.mark.usefixtures("steady")
def test_more_rows_and_longer_texts_take_longer(tmp_path, capsys):
    found = []
    for factor, more in ((1, []), (4, []), (4, ["--epochs", "9"])):
        data = write_csv(
            tmp_path / f"{factor}.csv", [(f"{text} {i}", label) for i, (text, label) in enumerate(make_rows(300) * factor)]
        )
        assert dry_run(data, "--json", *(more or ["--epochs", "3"])) == 0
        found.append(json.loads(capsys.readouterr().out)["seconds"])
    assert 3.5 < found[1] / found[0] < 4.5
    assert 2.5 < found[2] / found[1] < 3.5


@pytest.mark.usefixtures("steady")
def test_several_trainings_take_longer_and_folds_hold_nothing_out(tmp_path, capsys):
    data = write_csv(tmp_path / "d.csv", make_rows(300))
    found = []
    for more in ([], ["--seeds", "3"], ["--folds", "4"], ["--learning-curve"]):
        assert dry_run(data, "--json", "--epochs", "2", *more) == 0
        plan = json.loads(capsys.readouterr().out)
        found.append((plan["seconds"], plan["data"]["test"]))
    usual = found[0][0]
    assert [round(seconds / usual, 2) for seconds, _ in found] == pytest.approx([1, 3, 3.5, 2.25], rel=0.1)
    assert found[2][1] == 0
    assert found[1][1] > 0


@pytest.mark.parametrize(
    "arguments", [["--folds", "3", "--seeds", "2"], ["--seeds", "2", "--time-limit", "1m"], ["--slice", "shop"]]
)
def test_a_rehearsal_refuses_measurements_that_do_not_go_together(tmp_path, capsys, arguments):
    assert dry_run(write_csv(tmp_path / "d.csv", make_rows(100)), *arguments) == 2
    assert capsys.readouterr().err
