"""Spans of texts: every usual way to mark them is read, the tags of words are right, and they are counted as CoNLL's scorer does."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import superfine
from superfine.backbones.load import open_pretrained
from superfine.data.columns import ColumnChoice, to_examples
from superfine.data.read import read_table
from superfine.data.table import Table
from superfine.errors import DataError
from superfine.evaluation.evaluate import evaluate
from superfine.records import IGNORED, Examples, Ragged, Spans
from superfine.tasks.multilabel import MultiLabel
from superfine.tasks.tokens import Tokens
from tests.conftest import FAST, make_rows


def of(texts, cells, pairs=None):
    return replace(Examples.of_texts(texts, pairs), label=list(cells), source="rows.csv")


def said(examples, task, *rows):
    """Answers that say these spans (start, end, type)."""
    cells = np.array([(a, b, task.labels.index(label)) for row in rows for a, b, label in row], dtype=np.int64).reshape(-1, 3)
    places = Ragged.of_lengths(cells, [len(row) for row in rows])
    return Spans(examples.row, task.labels, examples.text, places, np.full(len(cells), 0.5))


TEXT = "Bob Lee met Ann in New York"


@pytest.mark.parametrize(
    "cell",
    [
        [[0, 7, "person"], [19, 27, "place"]],
        [[0.0, 7.0, "person"], [19.0, 27.0, "place"]],
        [{"start": 19, "end": 27, "label": "place"}, {"start": 0, "end": 7, "label": "person"}],
        [
            {"start_offset": 0, "end_offset": 7, "label": "person", "id": 3},
            {"start_offset": 19, "end_offset": 27, "label": "place"},
        ],
        [{"start": 0, "end": 7, "text": "Bob Lee", "labels": ["person"]}, {"start": 18, "end": 27, "labels": ["place"]}],
    ],
)
def test_every_usual_way_to_write_spans_is_read(cell):
    examples = of([TEXT], [json.dumps(cell)])
    task = Tokens.learn(examples)
    assert task.labels == ("person", "place")
    assert task.gold(examples).values.tolist() == [[0, 7, 0], [19, 27, 1]]
    (spelled,) = task.spelled(examples).label
    assert [one["text"] for one in json.loads(spelled)] == ["Bob Lee", "New York"]
    assert task.in_words(spelled) == "Bob Lee (person), New York (place)"
    assert Tokens.suits([json.dumps(cell), ""], 1)


@pytest.mark.parametrize("cell", ["[(0, 7, 'person'), (19, 27, 'place')]", "[{'start': 0, 'end': 7, 'label': 'person'}]"])
def test_spans_as_python_writes_them_are_read(cell):
    assert Tokens.suits([cell], 1)
    assert Tokens.learn(of([TEXT], [cell])).labels[0] == "person"


def test_a_list_of_one_span_reads_as_that_span():
    for cell in ([0, 3, "person"], {"start": 0, "end": 3, "label": "person"}):
        assert Tokens.learn(of([TEXT], [json.dumps(cell)])).labels == ("person",)
        assert Tokens.suits([json.dumps(cell)], 1)


@pytest.mark.parametrize("cells", [["good", "bad"], ['["a", "b"]'], ["[1, 2]"], ["", "[]"], ['{"a": 1}'], ["3"]])
def test_other_labels_are_not_taken_for_spans(cells):
    assert not Tokens.suits(cells, 1)


def test_spans_are_not_taken_for_sets_of_labels():
    from superfine.tasks.choose import choose_task

    cells = ['[0, 3, "person"]', '[[0, 3, "person"], [4, 7, "place"]]']
    chosen = choose_task("auto", cells * 5, 1)
    assert chosen.task is Tokens
    assert "also possible" not in chosen.line
    assert choose_task("auto", ["a|b", "b|c", "a|c", "a", "b"], 1).task is MultiLabel


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("Bob", 'row 1 has "Bob", which is no list of spans'),
        ("[[0, 3]]", "no list of spans"),
        ('[["a", 3, "x"]]', "no list of spans"),
        ('[[0, 99, "x"]]', "from 0 to 99 \\(x\\) does not fit its text, which has 27 characters"),
        ('[[3, 4, "x"]]', "holds blanks alone"),
        ('[[3, 3, "x"]]', "does not fit"),
        ('[[-1, 3, "x"]]', "does not fit"),
        ('[[0, 7, "x"], [4, 9, "y"]]', "0 to 7 \\(x\\) and 4 to 9 \\(y\\) overlap"),
        ('[[0, 7, ""]]', "has no type"),
        ('[{"start": 0, "end": 3, "label": "x", "text": "Ann"}]', 'should be "Ann", and there stands "Bob"'),
    ],
)
def test_spans_that_cannot_be_are_refused_with_their_row(cell, said):
    with pytest.raises(DataError, match=said):
        Tokens.learn(of([TEXT, TEXT], [cell, '[[0, 3, "x"]]']))


def test_nothing_marked_pairs_and_unknown_types_are_refused():
    with pytest.raises(DataError, match="No row of the training part has a span"):
        Tokens.learn(of([TEXT], [""]))
    with pytest.raises(DataError, match="pairs"):
        Tokens.learn(of([TEXT], ['[[0, 3, "x"]]'], pairs=["b"]))
    task = Tokens(["x"])
    with pytest.raises(DataError, match='never had: "y", for example in row 1'):
        task.gold(of([TEXT], ['[[0, 3, "y"]]']))
    assert task.is_known(of([TEXT, TEXT], ['[[0, 3, "y"]]', ""])).tolist() == [False, True]


def test_places_counted_in_utf_16_code_units_are_understood_where_the_span_is_written_beside_them():
    text = "😀😀 Bob"
    cell = json.dumps([{"start": 5, "end": 8, "label": "person", "text": "Bob"}])
    task = Tokens.learn(of([text], [cell]))
    assert task.gold(of([text], [cell])).values.tolist() == [[3, 6, 0]]


def test_words_that_a_span_holds_a_part_of_are_in_it_and_that_is_said():
    examples = of(["unbelievable things, Bob"], ['[[2, 9, "x"], [21, 24, "y"]]'])
    task = Tokens.learn(examples)
    assert task.word_tags(examples).tolist() == [1, 0, 0, 3]
    assert task.n_inside == 1
    assert "1 marked spans begin or end inside a word" in task.notes()[0]


def test_two_spans_within_one_word_do_not_overwrite_each_other():
    examples = of(["NewYork here"], ['[[0, 3, "x"], [3, 12, "y"]]'])
    task = Tokens.learn(examples)
    assert task.word_tags(examples).tolist() == [1, 3]


def test_the_target_of_a_word_stands_at_its_first_token(tiny_model):
    examples = of(["the kettle was <br/> lovely"], ['[[4, 27, "x"]]'])
    task = Tokens.learn(examples)
    encoded = open_pretrained(str(tiny_model("bert"))).encoder(32, with_offsets=True).encode(examples)
    targets = task.targets(examples, encoded)
    assert len(targets.values) == len(encoded.ids)
    assert targets.starts.tolist() == encoded.starts.tolist()
    assert [tag for tag in targets.values.tolist() if tag != IGNORED] == [0, 1, 2, 2]
    assert targets.values[0] == targets.values[-1] == IGNORED
    perfect = np.where(targets.values[:, None] == np.arange(3), 20.0, 0.0)
    answers = task.decode(examples, perfect, encoded)
    assert answers.label == [[(4, 27, "x")]]
    assert answers.to_objects()[0]["prediction"][0]["text"] == "kettle was <br/> lovely"
    assert answers.scores[0] == pytest.approx(1.0, abs=1e-6)


def test_what_is_cut_off_is_not_said_and_counts_as_missed(tiny_model):
    examples = of(["the kettle was lovely"], ['[[15, 21, "x"]]'])
    task = Tokens.learn(examples)
    encoded = open_pretrained(str(tiny_model("bert"))).encoder(4, with_offsets=True).encode(examples)
    answers = task.decode(examples, np.zeros((len(encoded.ids), 3)), encoded)
    assert answers.label == [[]]
    assert evaluate(task.statistics(examples, answers), task.scores).scores["micro_recall"].value == 0


CASES = [
    # true, said, (right, true, said) as conlleval counts
    ([(0, 7, "a")], [(0, 7, "a")], (1, 1, 1)),
    ([(0, 7, "a")], [(0, 3, "a")], (0, 1, 1)),  # a part is not the span
    ([(0, 7, "a")], [(0, 7, "b")], (0, 1, 1)),  # nor is another type
    ([(0, 7, "a")], [(0, 3, "a"), (4, 7, "a")], (0, 1, 2)),
    ([(0, 3, "a"), (4, 7, "a")], [(0, 3, "a"), (4, 7, "a")], (2, 2, 2)),
    ([], [(0, 3, "a")], (0, 0, 1)),
    ([(12, 15, "b")], [], (0, 1, 0)),
    ([], [], (0, 0, 0)),
]


@pytest.mark.parametrize(("true", "answers", "counts"), CASES)
def test_spans_are_counted_as_the_scorer_of_conll_counts(true, answers, counts):
    examples, task = of([TEXT], [json.dumps(true)]), Tokens(["a", "b"])
    sums = task.statistics(examples, said(examples, task, answers)).sums
    assert tuple(int(sums[name].sum()) for name in ("hits", "support", "predicted")) == counts
    assert bool(sums["exact"][0]) is (sorted(true) == sorted(answers))


def test_scores_pool_the_spans_of_all_texts():
    rows = [case for case in CASES if case[0] or case[1]]
    examples, task = of([TEXT] * len(rows), [json.dumps(true) for true, _, _ in rows]), Tokens(["a", "b"])
    right, true, n_said = (sum(row[2][k] for row in rows) for k in range(3))
    scores = evaluate(task.statistics(examples, said(examples, task, *[row[1] for row in rows])), task.scores).scores
    assert scores["micro_precision"].value == pytest.approx(right / n_said)
    assert scores["micro_recall"].value == pytest.approx(right / true)
    assert scores["micro_f1"].value == pytest.approx(2 * right / (true + n_said))


def test_the_worst_texts_and_those_that_the_report_shows():
    cells = ['[[0, 3, "a"]]', "", '[[0, 7, "a"]]']
    examples, task = of([TEXT] * 3, cells), Tokens(["a"])
    answers = replace(said(examples, task, [(0, 3, "a")], [(4, 7, "a")], []), scores=np.array([0.9, 0.8]))
    assert task.worst(examples, answers).tolist() == [1, 2]
    marked = task.details(examples, answers)["marked"]
    assert [one["row"] for one in marked] == [2, 3, 1]
    assert marked[0]["said"] == [[4, 7, 0]]


def test_answers_are_taken_and_joined_by_rows():
    examples, task = of([TEXT] * 3, [""] * 3), Tokens(["a", "b"])
    answers = said(examples, task, [(0, 3, "a")], [], [(4, 7, "b"), (12, 15, "a")])
    assert answers.take(np.array([2, 0])).label == [[(4, 7, "b"), (12, 15, "a")], [(0, 3, "a")]]
    together = Spans.joined([answers.take(np.array([0])), answers.take(np.array([1, 2]))])
    assert together.label == answers.label
    assert together.scores.tolist() == answers.scores.tolist()
    assert json.loads(answers.to_columns()["prediction"][0]) == [
        {"start": 0, "end": 3, "label": "a", "text": "Bob", "score": 0.5}
    ]


def test_answers_are_taken_by_a_mask_and_from_the_end_too():
    examples, task = of([TEXT] * 2, [""] * 2), Tokens(["a"])
    answers = said(examples, task, [(0, 3, "a")], [])
    assert answers.take(np.array([True, False])).label == answers.take(np.array([-2])).label == [[(0, 3, "a")]]


def test_no_texts_at_all_have_an_empty_answer(tiny_model):
    encoder = open_pretrained(str(tiny_model("bert"))).encoder(32, with_offsets=True)
    nothing = Examples.of_texts([])
    assert Tokens(["a"]).decode(nothing, np.zeros((0, 3)), encoder.encode(nothing)).label == []


def test_a_split_shares_out_the_rarest_type():
    examples, task = of([TEXT] * 4, ['[[0, 3, "a"]]', '[[0, 3, "a"], [4, 7, "b"]]', "", '[[0, 3, "a"]]']), Tokens(["a", "b"])
    assert task.strata(examples).tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize(
    "record",
    [
        {"tokens": ["Bob", "ran"], "ner_tags": ["B-person", "O"]},
        {"words": ["Bob", "ran"], "tags": ["B-person", "O"], "id": "1"},
        {"text": "Bob ran", "entities": [[0, 3, "person"]]},
        {"text": "Bob ran", "label": [{"start": 0, "end": 3, "labels": ["person"], "text": "Bob"}]},
        {"data": {"text": "Bob ran"}, "annotations": [{"result": [
            {"from_name": "label", "type": "labels", "value": {"start": 0, "end": 3, "text": "Bob", "labels": ["person"]}}]}]},
    ],
)  # fmt: skip
def test_records_of_the_hub_spacy_and_label_studio(record, tmp_path):
    from superfine.data.columns import choose_columns, to_examples

    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(record) + "\n" + json.dumps(record) + "\n", encoding="utf-8")
    table = read_table(path)
    examples, _ = to_examples(table, choose_columns(table), lists=True)
    assert examples.text[0] == "Bob ran"
    assert Tokens.learn(examples).gold(examples).values.tolist()[0] == [0, 3, 0]


def test_a_text_that_nobody_annotated_has_no_label_and_one_without_spans_has_one(tmp_path):
    marked = {"result": [{"from_name": "ner", "type": "labels", "value": {"start": 0, "end": 3, "labels": ["x"]}}]}
    tasks = [[marked], [{"result": []}], [], [{"result": [], "was_cancelled": True}]]
    path = tmp_path / "studio.json"
    path.write_text(json.dumps([{"data": {"text": "Bob ran"}, "annotations": one} for one in tasks]), encoding="utf-8")
    cells = read_table(path).columns["ner"]
    assert Tokens(["x"]).is_labelled(of(["Bob ran"] * 4, cells)).tolist() == [True, True, False, False]
    path = tmp_path / "rows.jsonl"
    rows = [{"text": "Bob ran", "label": value} for value in ([[0, 3, "x"]], [], None)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert Tokens(["x"]).is_labelled(of(["Bob ran"] * 3, read_table(path).columns["label"])).tolist() == [True, True, False]


def test_types_that_differ_in_case_are_joined_where_that_is_asked_for_and_the_model_keeps_it():
    examples = of([TEXT] * 3, ['[[0, 3, "PER"]]', '[[0, 3, "per"]]', '[[0, 3, "PER"]]'])
    assert Tokens.learn(examples).labels == ("PER", "per")
    task = Tokens.learn(examples, merges=True)
    again = Tokens.from_facts(json.loads(json.dumps(task.facts())))
    for one in (task, again):
        assert one.labels == ("PER",)
        assert one.gold(examples).values[:, 2].tolist() == [0, 0, 0]


def test_places_that_are_mostly_inside_words_are_told_with_what_may_be_wrong():
    task = Tokens.learn(of(["Bob ran"] * 2, ['[[0, 2, "x"]]', '[[0, 2, "x"]]']))
    assert "most of them" in " ".join(task.notes())


def test_spans_of_joined_columns_must_name_theirs(tiny_model, tmp_path):
    from superfine import train

    rows = {"title": ["Bob"] * 20, "body": [f"Ann {i}" for i in range(20)], "label": ['[[0, 3, "x"]]'] * 20}
    with pytest.raises(DataError, match="does not say in which column it stands, of title, body"):
        train(rows, text=["title", "body"], model=str(tiny_model("bert")), out=tmp_path / "run", progress=False)


def test_the_same_span_twice_is_one():
    examples = of([TEXT], ['[[0, 3, "x"], [0, 3, "x"]]'])
    assert Tokens.learn(examples).gold(examples).values.tolist() == [[0, 3, 0]]


def test_signs_that_one_cannot_see_do_not_come_between_a_span_and_its_text(tmp_path):
    from superfine.data.columns import choose_columns, to_examples

    text = "Zoe\u200b Li\u00a0Po \u260e\ufe0f i\u0301"
    spans = [[0, 4], [5, 10], [11, 13], [14, 16]]
    label = [{"start": a, "end": b, "label": "x", "text": text[a:b]} for a, b in spans]
    path = tmp_path / "rows.jsonl"
    path.write_text((json.dumps({"text": text, "label": label}) + "\n") * 2, encoding="utf-8")
    examples, _ = to_examples(table := read_table(path), choose_columns(table), lists=True)
    assert Tokens.learn(examples).gold(examples).values[:4, :2].tolist() == spans


WORDS_AND_TAGS = {"tokens": [["Bob", "ran"], ["Hi", "Ann"]], "ner_tags": [["B-x", "O"], ["O", "B-x"]]}


def test_lists_of_words_and_tags_are_read_from_frames_and_parquet_too(tmp_path):
    datasets, pandas = pytest.importorskip("datasets"), pytest.importorskip("pandas")
    names = datasets.Sequence(datasets.ClassLabel(names=["O", "B-x"]))
    numbers = {"tokens": WORDS_AND_TAGS["tokens"], "ner_tags": [[1, 0], [0, 1]]}
    features = datasets.Features({"tokens": datasets.Sequence(datasets.Value("string")), "ner_tags": names})
    given = datasets.Dataset.from_dict(numbers, features=features)
    given.to_parquet(tmp_path / "rows.parquet")
    for source in (WORDS_AND_TAGS, pandas.DataFrame(WORDS_AND_TAGS), given, tmp_path / "rows.parquet"):
        table = read_table(source)
        assert table.columns["text"] == ["Bob ran", "Hi Ann"]
        assert [json.loads(cell)["start"] for cell in table.columns["label"]] == [0, 3]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"tokens": ["Bob", "ran"], "ner_tags": ["B-x"]}, "row 2 has 2 words and 1 tags"),
        ({"tokens": ["Bob", "ran"], "ner_tags": ["B-", "O"]}, 'row 2: the tag "B-" has no type'),
    ],
)
def test_words_and_tags_that_do_not_fit_are_refused_with_their_row(record, said, tmp_path):
    path = tmp_path / "rows.jsonl"
    whole = {"tokens": ["Hi", ""], "tags": ["NN", "NN"], "ner_tags": ["O", "O"]}
    path.write_text(f"{json.dumps(whole)}\n{json.dumps(record)}\n", encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_table(path)


def test_tags_that_are_numbers_without_names_are_refused_and_words_alone_are_a_text(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"tokens": ["Bob", "ran"], "ner_tags": [1, 0]}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="row 1 has numbers as ner_tags"):
        read_table(path)
    path.write_text(json.dumps({"tokens": ["Bob", "ran"]}) + "\n", encoding="utf-8")
    assert read_table(path).columns["text"] == ["Bob ran"]


COLUMNS = {"title": ["Ann in Rome", "", "no name"], "body": ["Bob met Ann", "Bob sleeps", ""]}


def of_columns(cells):
    table = Table("rows.csv", COLUMNS | {"spans": cells}, np.arange(2, 5))
    return to_examples(table, ColumnChoice(("title", "body"), None, ("spans",), None, found=False), lists=True)[0]


def test_spans_of_texts_that_are_made_of_columns_say_in_which_one_they_stand():
    cells = [
        [
            {"column": "body", "start": 8, "end": 11, "label": "person"},
            {"column": "title", "start": 7, "end": 11, "label": "place"},
        ],
        [{"column": "body", "start": 0, "end": 3, "label": "person"}],
        [],
    ]
    examples = of_columns([json.dumps(cell) for cell in cells])
    assert examples.text[0] == "Ann in Rome Bob met Ann"
    task = Tokens.learn(examples)
    gold = task.gold(examples)
    assert gold.values.tolist() == [[7, 11, 1], [20, 23, 0], [0, 3, 0]]
    spelled = task.spelled(examples)
    assert task.gold(spelled).values.tolist() == gold.values.tolist(), "what it writes it reads as the same"
    answers = Spans(
        examples.row, task.labels, examples.text, gold, np.full(3, 0.5), examples.text_columns, examples.column_starts
    )
    told = [[(one["column"], one["start"], one["end"], one["text"]) for one in spans] for spans in answers.spans]
    assert told == [[("title", 7, 11, "Rome"), ("body", 8, 11, "Ann")], [("body", 0, 3, "Bob")], []]
    assert answers.take(np.array([1])).spans == answers.spans[1:2]
    assert evaluate(task.statistics(examples, answers), task.scores).scores["micro_f1"].value == 1.0
    across = Ragged.of_lengths(np.array([[7, 15, 1]]), [1, 0, 0])
    (one,) = replace(answers, places=across, scores=np.ones(1)).spans[0]
    assert (one["column"], one["start"], one["end"], one["text"]) == ("title", 7, 11, "Rome"), "it ends with its column"


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ({"start": 0, "end": 3, "label": "person"}, "does not say in which column it stands, of title, body"),
        ({"column": "subject", "start": 0, "end": 3, "label": "person"}, "does not say in which column"),
        ({"column": "title", "start": 0, "end": 12, "label": "person"}, "row 2, column title: a span from 0 to 12"),
        ({"column": "title", "start": 0, "end": 3, "label": "person", "text": "Bob"}, "and there stands"),
    ],
)
def test_a_span_that_does_not_fit_its_column_is_refused_with_its_row(span, message):
    with pytest.raises(DataError, match=message):
        Tokens.learn(of_columns([json.dumps([span]), "[]", "[]"]))


def test_a_model_of_several_columns_marks_spans_in_each(tiny_model, tmp_path):
    rows = [(text.split()[1], text, label) for text, label in make_rows(120)]
    data = {
        "thing": [thing for thing, _, _ in rows],
        "text": [text for _, text, _ in rows],
        "spans": [
            json.dumps([{"column": "text", "start": 0, "end": len(text.split()[0]), "label": "first"}]) for _, text, _ in rows
        ],
    }
    run = superfine.train(
        data, text=["thing", "text"], label="spans", model=str(tiny_model("bert")), out=tmp_path / "run",
        settings=FAST | {"training.epochs": 12, "training.head_learning_rate_multiplier": 3}, progress=False,
    )  # fmt: skip
    assert run.metrics["task"] == "tokens"
    with open(run.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        found = [(row, span) for row in csv.DictReader(file) for span in json.loads(row["prediction"])]
    assert found
    for row, span in found:
        assert row[span["column"]][span["start"] : span["end"]] == span["text"]
