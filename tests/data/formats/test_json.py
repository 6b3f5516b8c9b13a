"""JSON in the shapes that people have it: frames of pandas, pairs, files of several parts, exports of tools for annotating."""

import json

import pandas as pd
import pytest

from superfine.data.columns import choose_columns, to_examples
from superfine.data.files import File
from superfine.data.read import read_file
from superfine.data.table import ReadOptions
from superfine.errors import DataError

FRAME = pd.DataFrame({"text": ["so good", "so bad", "好的"], "label": ["x", "y", "x"]})


def read(document, ending=".json", **options):
    lines = "\n".join(map(json.dumps, document)) if ending == ".jsonl" else json.dumps(document, ensure_ascii=False)
    return read_file(File("it", ending, content=lines.encode()), ReadOptions(**options))


@pytest.mark.parametrize("orient", ["columns", "records", "split", "index", "table"])
def test_whatever_pandas_writes_is_read(orient):
    table = read(json.loads(FRAME.to_json(orient=orient)))
    assert {name: table.columns[name] for name in ("text", "label")} == FRAME.to_dict("list")


def test_lists_of_pairs_have_columns_by_number():
    assert read(json.loads(FRAME.to_json(orient="values"))).columns == {"1": list(FRAME.text), "2": list(FRAME.label)}
    assert read({"data": FRAME.values.tolist()}).columns == {"1": list(FRAME.text), "2": list(FRAME.label)}
    assert read([["text", "label"], *FRAME.values.tolist()]).columns == FRAME.to_dict("list")


PARTS = {"train": [["hello there", "greet"], ["bye now", "leave"]], "val": [["hi", "greet"]], "test": [["see you", "leave"]]}


@pytest.mark.parametrize(("part", "name"), [("train", "train"), ("validation", "val"), ("test", "test"), (None, "train")])
def test_of_a_file_of_several_parts_the_one_that_is_needed_is_read_and_said(part, name):
    table = read(PARTS, part=part)
    assert list(zip(*table.columns.values(), strict=True)) == list(map(tuple, PARTS[name]))
    others = ", ".join(other for other in PARTS if other != name)
    assert table.notes == (f'it: "{name}" is read, not {others}; another part: --sheet NAME',)


def test_a_part_can_be_named_and_a_wrong_one_is_refused():
    assert read(PARTS, sheet="val", part="train").columns == {"1": ["hi"], "2": ["greet"]}
    with pytest.raises(DataError, match=r'no part "vall". Did you mean "val"'):
        read(PARTS, sheet="vall")
    assert read({"data": PARTS}, part="test").columns == {"1": ["see you"], "2": ["leave"]}
    parts = {"train": FRAME.to_dict("records"), "test": FRAME.to_dict("records")[:1]}
    assert read(parts, part="test").columns == {"text": ["so good"], "label": ["x"]}


EXPORTS = {
    "doccano": ([{"id": 1, "text": "a", "label": ["pos"]}, {"id": 2, "text": "b", "label": []}], "label"),
    "label studio": (
        [
            {
                "id": 1,
                "data": {"text": "a"},
                "annotations": [
                    {"result": [], "was_cancelled": True},
                    {"result": [{"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": ["pos"]}}]},
                ],
            },
            {"id": 2, "data": {"text": "b"}, "annotations": []},
        ],
        "sentiment",
    ),
    "label studio, short": ([{"id": 1, "text": "a", "sentiment": "pos"}, {"id": 2, "text": "b", "sentiment": {"choices": []}}], "sentiment"),
    "prodigy": (
        [{"text": "a", "label": "pos", "answer": "accept"}, {"text": "b", "label": "pos", "answer": "reject"}],
        "label",
    ),
    "prodigy, choices": (
        [
            {"text": "a", "options": [{"id": 1, "text": "pos"}, {"id": 2, "text": "neg"}], "accept": [1], "answer": "accept"},
            {"text": "b", "options": [{"id": 1, "text": "pos"}], "accept": [], "answer": "ignore"},
        ],
        "label",
    ),
    "argilla 2": (
        [
            {"id": "1", "fields": {"text": "a"}, "responses": {"mood": [{"value": "pos", "user_id": "u"}, {"value": "pos", "user_id": "v"}]}},
            {"id": "2", "fields": {"text": "b"}, "responses": {}, "suggestions": {"mood": {"value": "neg"}}},
        ],
        "mood",
    ),
    "argilla 2, data set": ([{"text": "a", "mood.responses": ["pos"], "mood.suggestion": "neg"}, {"text": "b", "mood.responses": []}], "mood"),
    "argilla 1": ([{"text": None, "inputs": {"text": "a"}, "annotation": "pos"}, {"text": None, "inputs": {"text": "b"}, "annotation": None}], "annotation"),
    "spacy": ([{"text": "a", "cats": {"pos": 1.0, "neg": 0.0}}, {"text": "b", "cats": {"pos": 0.0, "neg": 0.0}}], "label"),
}  # fmt: skip


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
@pytest.mark.parametrize(("records", "label"), EXPORTS.values(), ids=EXPORTS)
def test_exports_of_tools_for_annotating_give_texts_and_classes(records, label, ending):
    table = read(records, ending)
    assert table.columns["text"] == ["a", "b"]
    assert table.columns[label] == ["pos", ""]
    examples, dropped = to_examples(table, choose_columns(table, ["text"], label=[label]))
    assert (examples.text, examples.label, len(dropped)) == (["a"], ["pos"], 1)


def test_values_inside_values_are_columns_by_their_path():
    table = read([{"user": {"name": "ann", "at": {"city": "x"}}, "post": {"text": "hello"}, "label": "a"}])
    assert table.columns == {"user.name": ["ann"], "user.at.city": ["x"], "post.text": ["hello"], "label": ["a"]}


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_a_list_of_values_is_refused_where_it_would_be_a_class_or_a_text(ending):
    table = read([{"id": 1, "text": "a", "label": ["x"]}, {"id": 2, "text": "b", "label": ["x", "y"]}, {"id": 3, "text": "c", "label": ["y"]}], ending)  # fmt: skip
    with pytest.raises(DataError, match=r'"label" has values that hold several: row 2 holds a list: \["x", "y"\]'):
        to_examples(table, choose_columns(table))
    words = read([{"doc": {"words": ["so", "good"]}, "label": "a"}], ending)
    with pytest.raises(DataError, match=r'"doc.words" has values that hold several: row 1'):
        to_examples(words, choose_columns(words, ["doc.words"], label=["label"]))


@pytest.mark.parametrize(
    "record",
    [
        {"question": "who?", "answer": ["ann"], "label": "a"},
        {"question": "who?", "answer": {"text": ["ann"]}, "label": "a"},
        {"question": "who?", "answer": "accept", "options": 3, "accept": [{"a": 1}], "label": "a"},
        {
            "question": "who?",
            "data": {},
            "annotations": [{"result": 3}, 3, {"result": [{"from_name": ["x"], "value": {"choices": [["y"]]}}]}],
        },
        {"question": "who?", "fields": {}, "responses": {"q": 3}, "label": "a"},
        {"question": "who?", "cats": {"x": "high"}, "label": "a"},
    ],
)
def test_keys_of_such_tools_with_other_contents_are_read_as_they_are(record):
    assert len(read([record, record])) == 2


def test_thousands_of_keys_are_no_table_and_said_at_once():
    with pytest.raises(DataError, match="20000 records have 20000 different keys"):
        read([{f"key{i}": i} for i in range(20_000)])
