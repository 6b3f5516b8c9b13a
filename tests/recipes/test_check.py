"""`superfine check` finds what is wrong before time is spent, repairs what can be repaired by rule, and says every change."""

import csv
import json

import pytest

import superfine
from superfine.cli.main import main
from superfine.predictors.bundle import open_predictor
from tests.conftest import FAST, make_rows, needs_embedded_model, write_csv

WORDS = ["lamp", "kettle", "phone", "chair", "book", "cable", "mouse", "desk"]


def check(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["check", *map(str, arguments), "--lang", "en"])
    return end.value.code


def read(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def messy(tmp_path):
    """Rows with one fault each: row 2 to 61 are sound."""
    rows = [
        (f"Number {i} of the {WORDS[i % 8]} in room {i * 7 % 13} is {('bad', 'good')[i % 2]}", ("neg", "pos")[i % 2])
        for i in range(60)
    ]
    rows += [("The cafÃ© was lovely", "pos"), ("Mail bob@example.org or 13812345678", "neg"), ("Nice thing", "POS")]
    rows += [("same words here", "pos"), ("Same  words here", "pos"), ("same words here", "neg"), ("", "neg"), ("no label", "")]
    path = tmp_path / "messy.csv"
    with open(path, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    return path


def test_findings_facts_and_page_are_written_and_the_status_says_whether_something_blocks(messy, tmp_path, capsys):
    assert check(messy, "--out", tmp_path / "check", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    names = {finding["name"] for finding in document["findings"]}
    assert {"encoding", "personal_data", "label_spelling", "duplicate", "contradiction", "rare_class"} <= names
    assert document["facts"]["rows"] == {"train": 66, "validation": 0, "test": 0}
    assert document["facts"]["classes"] == {"neg": 32, "pos": 33, "POS": 1}
    assert json.loads((tmp_path / "check" / "check.json").read_text())["findings"] == document["findings"]
    page = (tmp_path / "check" / "check.html").read_text()
    assert "bob@example.org" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    test = write_csv(tmp_path / "test.csv", [("same words here", "pos"), ("new words", "neg")])
    assert check(messy, "--test", test, "--out", tmp_path / "second") == 1


def test_a_repaired_table_has_what_can_be_repaired_by_rule_and_a_record_of_all_changes(messy, tmp_path):
    better = tmp_path / "better.csv"
    test = write_csv(tmp_path / "test.csv", [("Number 3 of the chair in room 8 is good", "pos"), ("new words", "neg")])
    check(messy, "--test", test, "--out", tmp_path / "check", "--fix", better, "--redact")
    rows, changes = read(better), read(tmp_path / "better.changes.csv")
    assert {(row["row"], row["change"]) for row in changes} == {
        ("5", "leak"), ("62", "encoding"), ("63", "personal_data"), ("64", "label_spelling"), ("66", "duplicate"),
        ("67", "contradiction"), ("68", "without_text"), ("69", "without_label"),
    }  # fmt: skip
    assert {"text": "The café was lovely", "label": "pos"} in rows
    assert {"text": "Mail [EMAIL] or [PHONE]", "label": "neg"} in rows
    assert {"text": "Nice thing", "label": "pos"} in rows
    assert sum(row["text"].casefold().split() == ["same", "words", "here"] for row in rows) == 1
    assert "bob" not in (tmp_path / "better.changes.csv").read_text()
    assert len(rows) == 66 - 3
    assert check(better, "--test", test, "--out", tmp_path / "again") == 0


def test_a_repaired_table_is_json_lines_where_its_name_says_so(messy, tmp_path):
    check(messy, "--out", tmp_path / "check", "--fix", tmp_path / "better.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "better.jsonl").read_text().splitlines()]
    assert rows[0].keys() == {"text", "label"}
    assert "bob@example.org" in json.dumps(rows), "nothing is replaced unless it is asked for"


def test_with_placeholders_nothing_that_is_written_holds_personal_data(tmp_path, capsys):
    rows = [(f"{text} ask jane@example.org", label) for text, label in make_rows(60)]
    rows += [rows[0], (rows[1][0].upper(), "bad" if rows[1][1] == "good" else "good")]
    data = tmp_path / "data.csv"
    with open(data, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label", "author"), *((*row, "bob@example.org") for row in rows)])
    test = write_csv(tmp_path / "test.csv", [rows[2], (rows[3][0] + " again", rows[3][1])])
    check(data, "--test", test, "--out", tmp_path / "check", "--fix", tmp_path / "better.csv", "--redact")
    said = capsys.readouterr()
    assert "it stays in the columns author" in said.err
    assert "jane" not in said.err + said.out
    for path in [*(tmp_path / "check").iterdir(), tmp_path / "better.changes.csv", tmp_path / "better.csv"]:
        assert "jane" not in path.read_text(), path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
def test_a_repaired_table_reads_back_as_it_was_written(tmp_path, ending):
    rows = [(f'{text}\r more, "quoted"\n and\tnumber {i}', label) for i, (text, label) in enumerate(make_rows(40))]
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(json.dumps({"text": text, "label": label}) for text, label in rows))
    better = tmp_path / f"better{ending}"
    check(data, "--out", tmp_path / "first", "--fix", better)
    assert check(better, "--out", tmp_path / "second") == 0
    facts = [json.loads((tmp_path / name / "check.json").read_text())["facts"] for name in ("first", "second")]
    assert facts[0]["rows"] == facts[1]["rows"]


def test_no_file_that_is_read_or_was_there_is_replaced(messy, tmp_path, capsys):
    assert check(messy, "--fix", messy, "--force", "--out", tmp_path / "check") == 2
    assert "would replace a file that is read" in capsys.readouterr().err
    (tmp_path / "better.changes.csv").write_text("mine")
    assert check(messy, "--fix", tmp_path / "better.csv", "--out", tmp_path / "check") == 2
    assert (tmp_path / "better.changes.csv").read_text() == "mine"
    assert check(messy, "--fix", tmp_path / "better.csv", "--out", tmp_path / "check", "--force") == 0
    (tmp_path / "file").write_text("")
    assert check(messy, "--out", tmp_path / "file" / "below") == 2
    assert "cannot be a folder" in capsys.readouterr().err


def test_it_says_where_to_look_and_when_nothing_was_found(reviews, tmp_path, capsys):
    assert check(reviews, "--out", tmp_path / "check") == 0
    said = capsys.readouterr().err
    assert f"open {tmp_path / 'check' / 'check.html'}" in said
    written = json.loads((tmp_path / "check" / "check.json").read_text())["written"]
    assert written["page"] == str(tmp_path / "check" / "check.html")


def test_no_model_is_needed(messy, tmp_path, capsys, monkeypatch):
    from superfine.errors import ModelError
    from superfine.recipes import prepare

    def none(*_):
        raise ModelError("none is at hand.")

    monkeypatch.setattr(prepare, "choose", none)
    assert check(messy, "--out", tmp_path / "check", "--json") == 0
    output = capsys.readouterr()
    assert "No model is chosen: none is at hand." in output.err
    document = json.loads(output.out)
    assert "personal_data" in {finding["name"] for finding in document["findings"]}
    assert "training" not in document["facts"]


def test_texts_with_named_places_are_not_changed(tmp_path, capsys):
    data = tmp_path / "data.jsonl"
    rows = [{"text": f"Bob {i} of bob@example.org", "spans": [{"start": 0, "end": 3, "label": "PER"}]} for i in range(30)]
    data.write_text("\n".join(map(json.dumps, rows)))
    assert check(data, "--out", tmp_path / "check", "--fix", tmp_path / "better.jsonl", "--redact") == 2
    assert "say where in them they stand" in capsys.readouterr().err
    check(data, "--out", tmp_path / "check")
    assert "before texts are labelled" in capsys.readouterr().err


@pytest.mark.slow
def test_one_very_long_text_takes_no_more_than_training_does(tmp_path):
    rows = [*make_rows(40), ("word " * 60_000, "good")]
    data = write_csv(tmp_path / "data.csv", rows)
    assert check(data, "--out", tmp_path / "check", "--set", "model.long_texts=windows") == 0


def test_contradictions_are_listed_as_suspects(messy, tmp_path):
    check(messy, "--out", tmp_path / "check")
    suspects = read(tmp_path / "check" / "suspects.csv")
    assert [one["row"] for one in suspects] == ["65", "66", "67"]
    assert suspects[2]["suggested_label"] == "pos"
    assert 'has the same text and the label "pos"' in suspects[2]["reason"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--redact"], "Name one with --fix"),
        (["--deep"], "--label-noise does not ask for them"),
        (["--fix", "better.xlsx"], "Tables are not written as .xlsx"),
        (["--fix", "nowhere/better.csv"], "its folder does not exist"),
        (["--label-noise", "--task", "multilabel"], "not for the task multilabel"),
        (["--text", "nothing"], 'no column "nothing"'),
    ],
)
def test_what_cannot_be_done_is_told_at_once(messy, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert check(messy, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "checks").exists()


def test_nothing_is_replaced_without_force(messy, tmp_path, capsys):
    assert check(messy, "--out", tmp_path / "check") == 0
    assert check(messy, "--out", tmp_path / "check") == 2
    assert "exists already" in capsys.readouterr().err
    assert check(messy, "--out", tmp_path / "check", "--force") == 0
    (tmp_path / "better.csv").write_text("mine")
    assert check(messy, "--out", tmp_path / "third", "--fix", tmp_path / "better.csv") == 2
    assert (tmp_path / "better.csv").read_text() == "mine"


@needs_embedded_model
def test_the_estimate_is_of_a_step_where_the_weights_are_here(messy, tmp_path, capsys):
    check(messy, "--out", tmp_path / "check", "--json")
    training = json.loads(capsys.readouterr().out)["facts"]["training"]
    assert training["is_measured"] is True
    assert 0 < training["seconds"] < 600
    assert 0.3 < training["memory_gb"] < 5


@pytest.fixture
def wrong(tmp_path):
    """240 easy rows, of which every twelfth has the other label; and their row numbers."""
    rows = [list(row) for row in make_rows(240)]
    labels = sorted({label for _, label in rows})
    for row in rows[::12]:
        row[1] = labels[1 - labels.index(row[1])]
    return write_csv(tmp_path / "wrong.csv", [tuple(row) for row in rows]), {str(i + 2) for i in range(0, 240, 12)}


def test_wrong_labels_are_the_first_suspects_with_the_rows_that_say_so(wrong, tiny_model, tmp_path):
    data, rows = wrong
    assert check(data, "--label-noise", "--model", tiny_model("bert"), "--out", tmp_path / "check") == 0
    suspects = read(tmp_path / "check" / "suspects.csv")
    noise = [one for one in suspects if "nearest rows" in one["reason"]]
    found = [one["row"] for one in noise[: len(rows) // 2]]
    assert len(set(found) & rows) > 0.8 * len(found)
    assert all(one["suggested_label"] != one["label"] for one in noise)
    names = {one["name"] for one in json.loads((tmp_path / "check" / "check.json").read_text())["findings"]}
    assert "label_noise" in names


def test_rows_with_a_doubtful_label_count_less_in_training(wrong, tiny_model, tmp_path, monkeypatch):
    from superfine.recipes import train as recipe

    seen = {}
    original = recipe.downweighted

    def watched(parts, model, reporter):
        seen["parts"] = original(parts, model, reporter)
        return seen["parts"]

    monkeypatch.setattr(recipe, "downweighted", watched)
    data, rows = wrong
    settings = FAST | {"training.label_noise": "downweight", "training.epochs": 1}
    superfine.train(data, model=str(tiny_model("bert")), settings=settings, out=tmp_path / "run", progress=False)
    train = seen["parts"].train
    weights = dict(zip(map(str, train.row.tolist()), train.weight, strict=True))
    doubtful = [weight for row, weight in weights.items() if row in rows]
    others = [weight for row, weight in weights.items() if row not in rows]
    assert sum(doubtful) / len(doubtful) < 0.75 < 0.9 < sum(others) / len(others)


def test_personal_data_never_reaches_a_run_that_replaces_it(tiny_model, tmp_path):
    rows = [(f"{text} write to jane{i}@example.org", label) for i, (text, label) in enumerate(make_rows(120))]
    data = write_csv(tmp_path / "data.csv", rows)
    run = superfine.train(
        data, model=str(tiny_model("bert")), settings=FAST | {"data.redact": True}, out=tmp_path / "run", progress=False
    )
    for path in run.folder.rglob("*"):
        if path.is_file():
            assert b"example.org" not in path.read_bytes(), path
    assert {"step": "redact"} in json.loads((run.folder / "model" / "superfine.json").read_text())["preparation"]
    model = superfine.load(run.folder)
    first, second = model.predict(["a lovely lamp a@b.co", "a lovely lamp [EMAIL]"]).probabilities
    assert first.tolist() == second.tolist()
    tfidf = open_predictor(run.folder, baseline="tfidf")
    first, second = tfidf.predict(["a lovely lamp a@b.co", "a lovely lamp [EMAIL]"]).probabilities
    assert first.tolist() == second.tolist()


def test_a_task_whose_labels_name_places_in_the_text_replaces_nothing(tmp_path, capsys):
    data = tmp_path / "data.jsonl"
    rows = [{"text": f"Bob {i} lives in Rome", "spans": [{"start": 0, "end": 3, "label": "PER"}]} for i in range(40)]
    data.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(SystemExit) as end:
        main(["train", str(data), "--redact", "--out", str(tmp_path / "run"), "--lang", "en"])
    assert end.value.code == 2
    assert "say where in them they stand" in capsys.readouterr().err


def test_suspects_that_somebody_went_through_get_the_label_that_was_left_there(messy, tmp_path, capsys):
    better = tmp_path / "better.csv"
    suspects = write_csv(
        tmp_path / "suspects.csv",
        [("2", "Number 0 of the lamp in room 0 is bad", "pos", "messy.csv"), ("3", "Number 1 of the kettle in room 7 is good", "", ""),
         ("4", "of another file", "pos", "other.csv")],
        ("row", "text", "suggested_label", "file"),
    )  # fmt: skip
    assert check(messy, "--out", tmp_path / "check", "--fix", better, "--suspects", suspects) == 0
    labels = {row["text"]: row["label"] for row in read(better)}
    assert labels["Number 0 of the lamp in room 0 is bad"] == "pos"
    assert labels["Number 1 of the kettle in room 7 is good"] == "pos", "an empty suggestion changes nothing"
    changes = [change for change in read(tmp_path / "better.changes.csv") if change["change"] == "relabelled"]
    assert [(change["row"], change["before"], change["after"]) for change in changes] == [("2", "neg", "pos")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("2", "Number 0 of the lamp in room 0 is bad", "poss"), 'is to have the label "poss"'),
        (("2", "Number 1 of the kettle in room 7 is good", "pos"), "has another text than the suspect"),
        (("900", "Number 0 of the lamp in room 0 is bad", "pos"), "has another text than the suspect"),
        (("two", "Number 0 of the lamp in room 0 is bad", "pos"), '"two" is no number of a row'),
    ],
)
def test_suspects_that_were_edited_into_nonsense_are_refused_with_their_row(messy, tmp_path, capsys, row, message):
    suspects = write_csv(tmp_path / "suspects.csv", [row], ("row", "text", "suggested_label"))
    assert check(messy, "--out", tmp_path / "check", "--fix", tmp_path / "b.csv", "--suspects", suspects) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "b.csv").exists()
    lacking = write_csv(tmp_path / "lacking.csv", [row], ("row", "text", "label"))
    assert check(messy, "--out", tmp_path / "check", "--fix", tmp_path / "b.csv", "--suspects", lacking) == 2
    assert "has no column suggested_label" in capsys.readouterr().err
    assert check(messy, "--suspects", suspects) == 2
    assert "Name one with --fix" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_lists_contradictions_and_errors_that_it_is_sure_of(tiny_model, tmp_path):
    rows = make_rows(240)
    wrong = set(range(0, 240, 12))
    labels = [("bad" if label == "good" else "good") if i in wrong else label for i, (_, label) in enumerate(rows)]
    data = write_csv(tmp_path / "d.csv", [(text, label) for (text, _), label in zip(rows, labels, strict=True)])
    settings = FAST | {"training.epochs": 12, "training.learning_rate": 3e-3, "training.patience": 0, "evaluation.folds": 3}
    run = superfine.train(data, model=str(tiny_model("bert")), out=tmp_path / "run", settings=settings, progress=False)
    found = read(run.folder / "suspects.csv")
    hits = [int(one["row"]) - 2 in wrong for one in found]
    assert sum(hits) >= 15, "most of the twenty labels that were made wrong are there"
    assert sum(hits) / len(hits) > 4 * len(wrong) / len(rows)
    assert all(one["suggested_label"] != one["label"] and one["file"] == "d.csv" for one in found)
    kept = [(one["row"], one["text"], one["suggested_label"]) for one, hit in zip(found, hits, strict=True) if hit]
    suspects, better = write_csv(tmp_path / "kept.csv", kept, ("row", "text", "suggested_label")), tmp_path / "better.csv"
    assert check(data, "--fix", better, "--suspects", suspects, "--out", tmp_path / "check") == 0
    right = dict(rows)
    before = sum(right[text] == label for (text, _), label in zip(rows, labels, strict=True))
    assert sum(right[row["text"]] == row["label"] for row in read(better)) > before
