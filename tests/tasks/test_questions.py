"""Questions with answers in a text: every usual way to write them is read, what does not fit is said, and learned is what stands there."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import superfine
from superfine.data.encoded import Encoded
from superfine.data.read import read_table
from superfine.errors import DataError
from superfine.predictors.bundle import open_predictor
from superfine.records import Examples, Extracted, Ragged
from superfine.tasks.answer_labels import Given, find_answer, given_answers
from superfine.tasks.questions import Questions
from tests.conftest import FAST, make_rows, write_csv

CONTEXT = "The kettle was lovely. The lamp was broken, and the kettle was cheap."


def examples(*rows):
    """(question, context, label) each."""
    questions, contexts, labels = zip(*rows, strict=True)
    return replace(Examples.of_texts(list(questions), list(contexts)), label=list(labels))


@pytest.mark.parametrize(
    ("cell", "answers"),
    [
        ("", []),
        ("[]", []),
        ("the lamp", [("the lamp", None)]),
        ('{"text": "the lamp", "answer_start": 3}', [("the lamp", 3)]),
        ('[{"text": "a", "answer_start": 3}, {"text": "b", "start": 4}]', [("a", 3), ("b", 4)]),
        ('{"text": ["a", "b"], "answer_start": [3, 4]}', [("a", 3), ("b", 4)]),
        ('{"text": [], "answer_start": []}', []),
        ('["a", "b"]', [("a", None), ("b", None)]),
        ('{"answer": "the lamp", "answer_start": "23"}', [("the lamp", 23)]),
        ('{"answer": "the lamp", "answer_start": "23.0"}', [("the lamp", 23)]),
        ('{"answer": " the lamp", "answer_start": "22"}', [("the lamp", 23)]),
        ('{"answer": "", "answer_start": ""}', []),
        ('{"answers.text": "[\\"a\\", \\"b\\"]", "answers.answer_start": "[3, 4]"}', [("a", 3), ("b", 4)]),
        ('{"answers": "{\\"text\\"", "answer_start": "-1"}', [('{"text"', None)]),
        ("[1]", [("[1]", None)]),
        ("{not json", [("{not json", None)]),
    ],
)
def test_answers_are_read_however_they_are_written(cell, answers):
    assert given_answers(cell) == tuple(Given(*answer) for answer in answers)


def test_an_answer_is_found_at_its_start_or_at_the_nearest_place_or_at_the_first():
    assert find_answer(Given("kettle", 4), CONTEXT)[1:] == (4, 2, False)
    assert find_answer(Given("kettle", 50), CONTEXT)[1:] == (CONTEXT.rindex("kettle"), 2, True)
    assert find_answer(Given("kettle", None), CONTEXT)[1:] == (4, 2, False)
    assert find_answer(Given("chair", 4), CONTEXT)[1:] == (None, 0, True)


def test_what_became_of_the_answers_is_said_with_their_rows():
    rows = examples(
        ("q", CONTEXT, "lovely"), ("q", CONTEXT, "chair"), ("q", CONTEXT, "kettle"), ("q", CONTEXT, ""), ("q", "  ", "lamp"),
        ("q", CONTEXT, '{"text": "lamp", "answer_start": 2}'),
    )  # fmt: skip
    task = Questions.learn(rows)
    notes = "\n".join(task.notes())
    assert "2 answers do not stand in their contexts, and are not learned from: rows 2, 5" in notes
    assert "1 answers do not begin where the table says: they are looked for, rows 6" in notes
    assert "1 answers stand several times in their contexts: the first is taken, rows 3" in notes
    assert "1 questions have no context, and are not learned from: rows 5" in notes
    assert "1 questions have no answer" in notes
    assert task.is_learnable(rows).tolist() == [True, False, True, True, False, True]
    assert task.is_labelled(rows).all(), "all of them are scored"


def test_an_answer_that_is_not_in_its_context_is_counted_wrong():
    rows = examples(("q", CONTEXT, "chair"), ("q", CONTEXT, "lamp"))
    places = Ragged.of_lengths(np.array([[0, 3], [27, 31]]), [1, 1])
    said = Extracted(rows.row, rows.text_pair, places, np.array([0.9, 0.8]), np.array([True, True]), np.zeros(2))
    assert said.label == ["The", "lamp"]
    sums = Questions(40).statistics(rows, said).sums
    assert (sums["exact"].tolist(), sums["f1"].tolist()) == ([0.0, 1.0], [0.0, 1.0])


@pytest.mark.parametrize("rows", [[("q", CONTEXT, "chair")], [("q", CONTEXT, "")]])
def test_rows_without_any_answer_in_its_context_are_refused(rows):
    with pytest.raises(DataError, match="no answer stands in its context"):
        Questions.learn(examples(*rows))


def test_a_context_is_needed():
    with pytest.raises(DataError, match="needs a context"):
        Questions.learn(replace(Examples.of_texts(["q"]), label=["a"]))


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (["id", "question", "context", "answers"], {"text": ["question"], "text_pair": "context", "label": ["answers"]}),
        (["Question", "Passage", "Answer", "Answer_Start"], {"text": ["Question"], "text_pair": "Passage", "label": ["Answer", "Answer_Start"]}),
        (["问题", "上下文", "答案"], {"text": ["问题"], "text_pair": "上下文", "label": ["答案"]}),
        (["question", "context", "answers.text", "answers.answer_start"], {"text": ["question"], "text_pair": "context", "label": ["answers.text", "answers.answer_start"]}),
        (["question", "answer", "label"], None),
        (["text", "label"], None),
    ],
)  # fmt: skip
def test_columns_are_found_by_their_names(columns, found):
    assert Questions.columns_of(columns) == found


def test_the_threshold_is_the_one_that_answers_the_validation_rows_best():
    rows = examples(*[("q", CONTEXT, "lamp")] * 3, *[("q", CONTEXT, "")] * 3)
    task = Questions(40, threshold=0.0)

    n = len(rows)  # with one token of context each
    offsets = np.array([(0, 0), (27, 31)] * n, dtype=np.int32)
    encoded = Encoded(np.zeros(2 * n, dtype=np.int32), np.arange(n + 1) * 2, np.zeros(n, dtype=bool), 0.0, offsets=offsets)
    margins = [5.0, 4.0, 3.0, 2.0, 1.0, -1.0]  # with 0 as threshold two of those without an answer would get one
    outputs = np.zeros((2 * n, 2))
    outputs[1::2, 0] = margins
    adjusted = task.adjusted(rows, outputs, encoded)
    assert 2.0 < adjusted.threshold < 3.0
    assert adjusted.decode(rows, outputs, encoded).answered.tolist() == [True] * 3 + [False] * 3
    assert task.decode(rows, outputs, encoded).answered.tolist() == [True] * 5 + [False]
    assert Questions(40).adjusted(rows, outputs, encoded).threshold is None, "where all have an answer nothing is left out"


def test_facts_are_checked():
    for facts in ({"max_answer_length": 0}, {"max_answer_length": 5, "threshold": float("nan")}):
        with pytest.raises(ValueError, match="max_answer_length"):
            Questions.from_facts(facts)


def squad(rows):
    """SQuAD's JSON of (question, context, answers) each; a paragraph for every context."""
    by_context = {}
    for question, context, answers in rows:
        asked = {"id": str(len(by_context)), "question": question, "answers": answers, "is_impossible": not answers}
        by_context.setdefault(context, []).append(asked)
    return {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": c, "qas": q} for c, q in by_context.items()]}]}


def asked_rows():
    """Two questions about each review, one of which some reviews do not answer."""
    rows = []
    for text, _ in make_rows(160):
        thing = text.split()[1]
        rows.append(("which thing", text, [{"text": thing, "answer_start": text.index(thing)}]))
        found = [{"text": "quite", "answer_start": text.index("quite")}] if " quite " in f" {text} " else []
        rows.append(("how much", text, found))
    return rows


@pytest.fixture(scope="module")
def run(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions")
    (folder / "asked.json").write_text(json.dumps(squad(asked_rows())), encoding="utf-8")
    settings = FAST | {"training.epochs": 12, "model.max_length": 16, "model.stride": 4, "training.patience": 0}
    return superfine.train(
        folder / "asked.json", model=str(tiny_model("bert")), out=folder / "run", settings=settings, progress=False
    )


def test_squad_json_is_learned_from_with_nothing_to_choose(run):
    assert run.metrics["task"] == "questions"
    assert run.metrics["main"] == "f1"
    assert run.metrics["test"]["f1"]["value"] > run.metrics["baselines"]["similar_sentence"]["f1"]["value"]
    assert run.metrics["parity"]["problems"] == []
    assert run.metrics["baselines"]["without_question"]["f1"]["value"] < run.metrics["test"]["f1"]["value"]
    assert run.metrics["data"]["windows_per_text"] > 1


def test_questions_about_one_text_stay_on_one_side(run):
    with open(run.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        tested = [row["context"] for row in csv.DictReader(file)]
    learned = {text for text, _ in make_rows(160)} - {*tested}
    assert len(learned) == 160 - len({*tested})
    assert run.metrics["test"]["groups"] == len({*tested})


def test_answers_stand_in_the_raw_context_where_they_are_said_to(run):
    model = open_predictor(run.folder)
    context = "  My <b>kettle</b> was   quite broken &amp; the rug was lovely . " * 5
    for question in ("which thing", "how much"):
        answer = model.answer(question, context)
        for span in answer["answers"]:
            assert context[span["start"] : span["end"]] == span["text"]
        if answer["start"] is not None:
            assert context[answer["start"] : answer["end"]] == answer["prediction"]
        assert 0 <= answer["confidence"] <= 1
        assert [span["score"] for span in answer["answers"]] == sorted((s["score"] for s in answer["answers"]), reverse=True)


def test_a_question_without_a_context_has_no_answer(run):
    said = open_predictor(run.folder).predict(["which thing", ""], ["", "the kettle"])
    assert said[0]["prediction"] == ""
    assert said[0]["start"] is None
    assert said[0]["answers"] == []


def test_the_score_is_shown_by_kind_of_question_with_intervals(run):
    slices = run.metrics["test"]["slices"]
    assert {one["by"] for one in slices} == {"question word", "characters of the answer", "answer in the text"}
    for by in {one["by"] for one in slices}:
        assert sum(one["n"] for one in slices if one["by"] == by) == run.metrics["test"]["n"]
    for one in slices:
        assert one["f1"]["low"] <= one["f1"]["value"] <= one["f1"]["high"]


def test_the_report_marks_the_true_and_the_given_answer(run):
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert '<mark class="both">' in page or '<mark class="said">' in page
    assert 'id="slices"' in page
    assert "AutoModelForQuestionAnswering" in page
    assert 'id="errors"' not in page, "the errors stand with their texts already"


def test_predict_and_evaluate_take_a_file_of_questions(run, tmp_path):
    rows = asked_rows()[:20]
    file = tmp_path / "more.jsonl"
    file.write_text("".join(json.dumps({"question": q, "context": c, "answers": a}) + "\n" for q, c, a in rows), encoding="utf-8")
    found = superfine.evaluate(run.folder, file)
    assert set(found.scores) >= {"f1", "exact_match"}
    said = open_predictor(run.folder).predict([q for q, _, _ in rows], [c for _, c, _ in rows])
    assert said.to_columns().keys() == {"prediction", "confidence", "start", "end", "answers"}
    assert said[3:5].label == said.label[3:5]
    assert Extracted.joined([said[:7], said[7:]]).label == said.label


def test_other_models_answer_no_questions(trained):
    with pytest.raises(TypeError, match="answers no questions"):
        superfine.load(trained.folder).answer("what", "a text")


@pytest.mark.parametrize(
    ("spoil", "path"),
    [
        (lambda d: d["data"][0]["paragraphs"][0].pop("context"), "data[0].paragraphs[0].context is missing"),
        (lambda d: d["data"][0]["paragraphs"][0]["qas"][0].pop("question"), "data[0].paragraphs[0].qas[0].question is missing"),
        (
            lambda d: d["data"][0]["paragraphs"][0]["qas"][0].update(answers="x"),
            "data[0].paragraphs[0].qas[0].answers is no list",
        ),
        (lambda d: d["data"][0]["paragraphs"][0]["qas"][0]["answers"][0].pop("text"), "qas[0].answers[0].text is missing"),
        (lambda d: d["data"].append({"title": "x"}), "data[1].paragraphs is missing"),
        (lambda d: d["data"].append({"paragraphs": 5}), "data[1].paragraphs is no list"),
        (lambda d: d["data"][0]["paragraphs"].append({"context": "c", "qas": 5}), "data[0].paragraphs[1].qas is no list"),
        (lambda d: d["data"][0]["paragraphs"][0]["qas"].append("x"), "data[0].paragraphs[0].qas[1].question is missing"),
    ],
)
def test_squad_json_with_missing_keys_names_the_path(tmp_path, spoil, path):
    document = squad(asked_rows()[:1])
    spoil(document)
    (tmp_path / "x.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_table(tmp_path / "x.json")
    assert path in error.value.message


def test_chinese_questions_are_learned_and_counted_by_characters(tiny_model, tmp_path):
    rows = [("坏了什么", f"我的{thing}坏了，第{i}天就这样。", thing) for i in range(40) for thing in ("水壶", "台灯")]
    file = write_csv(tmp_path / "问题.csv", rows, ("问题", "上下文", "答案"))
    settings = FAST | {"training.epochs": 1}
    run = superfine.train(file, model=str(tiny_model("bert")), out=tmp_path / "run", settings=settings, progress=False)
    assert run.metrics["task"] == "questions"
    assert any(one["name"] == "什么" for one in run.metrics["test"]["slices"])


def test_the_baseline_learns_below_which_similarity_a_text_has_no_answer(tmp_path):
    from superfine.baselines.similar_sentence import SimilarSentence

    context = "The kettle was lovely. The lamp was broken!"
    rows = examples(*[("was the lamp broken", context, "The lamp was broken!")] * 4, *[("who is the queen", context, "")] * 4)
    able = SimilarSentence.fit(rows, Questions.learn(rows))
    assert able.predict_examples(rows).label == ["The lamp was broken!"] * 4 + [""] * 4
    always = SimilarSentence.fit(rows.take(range(4)), Questions(40))
    assert "" not in always.predict_examples(rows).label, "where every question has an answer each gets the best sentence"


@pytest.mark.parametrize(
    ("columns", "named", "task"),
    [
        (("question", "context", "answer", "topic"), {}, "questions"),
        (("question", "context", "answer", "topic"), {"text": "question", "label": "topic"}, "classification"),
        (("question", "context", "answer", "topic"), {"text": "question"}, "questions"),
        (("question", "context", "answer", "label"), {}, "classification"),
        (("question", "context", "answer", "label"), {"task": "questions"}, "questions"),
    ],
)
def test_columns_that_the_user_names_and_one_that_is_called_a_label_speak_against_it(columns, named, task, tiny_model, tmp_path):
    from superfine.recipes.dry_run import dry_run
    from superfine.recipes.reporter import Reporter
    from superfine.recipes.request import make_request

    rows = [("which thing", text, text.split()[1], label) for text, label in make_rows(60)]
    rows = [(f"{q} {i}", *rest) for i, (q, *rest) in enumerate(rows)]
    settings = {"task": "task.name", "text": "data.text", "label": "data.label"}
    request = make_request(
        str(write_csv(tmp_path / "t.csv", rows, columns)), validation=None, test=None, out=tmp_path / "run", config=None, force=False,
        overrides={settings[key]: value if key == "task" else [value] for key, value in named.items()}
        | {"model.name": str(tiny_model("bert"))},
        resume=None, strict=False, started=0.0,
    )  # fmt: skip
    assert dry_run(request, Reporter())["task"] == task


def test_squad_json_without_any_answer_can_be_predicted_and_with_some_missing_is_refused(run, tmp_path):
    document = squad(asked_rows()[:4])
    questions = [q for text in document["data"] for paragraph in text["paragraphs"] for q in paragraph["qas"]]
    for question in questions:
        del question["answers"], question["is_impossible"]
    (tmp_path / "x.json").write_text(json.dumps(document), encoding="utf-8")
    assert list(read_table(tmp_path / "x.json").columns) == ["id", "title", "question", "context"]
    questions[0]["answers"] = []
    (tmp_path / "x.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match=r"qas\[1\].answers is missing"):
        read_table(tmp_path / "x.json")
