"""The decision protocol: what transformers takes for a request is taken, and answers are those of its own formulas."""

import json

import pytest

pytest.importorskip("fastapi", reason="the packages of the extra `serve` are not installed")
pytest.importorskip("transformers.decision.template_utils", reason="this transformers has no decisions")

import superfine
from superfine.serving.systemone import Choice, Noul, Score, answer_of
from tests.serving.test_app import Running

PROBABILITIES = {"calm": 0.5, "angry": 0.3, "sad": 0.2}
QUESTIONS = {
    "all": {"type": "choice", "instructions": "Which?", "criteria": {"calm": None, "angry": "loud", "sad": None}},
    "two": {"type": "choice", "criteria": {"angry": None, "sad": None}},
    "one": {"type": "choice", "criteria": {"sad": None}},
    "level": {"type": "score", "instructions": "How much?", "criteria": ["sad", "calm", "angry"]},
    "one level": {"type": "score", "criteria": ["sad"]},
    "either": {"type": "noul", "criteria": {"true": "angry", "false": "calm"}},
    "alone": {"type": "noul", "instructions": "Is it?", "criteria": {"true": "sad"}},
}
KINDS = {"choice": Choice, "score": Score, "noul": Noul}


@pytest.fixture(scope="module")
def server(trained):
    running = Running(trained.folder)
    yield running
    running.close()


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_are_those_of_transformers_own_formulas(name):
    from transformers.decision.configuration_utils import DecisionConfig
    from transformers.decision.template_utils import Question

    asked = QUESTIONS[name]
    theirs = Question.from_request(name, asked, DecisionConfig())
    options = asked["criteria"] if asked["type"] != "noul" else [asked["criteria"].get(side) for side in theirs.options]
    values = [PROBABILITIES.get(option, 1 - PROBABILITIES["sad"]) for option in options]
    expected = theirs.answer([value / sum(values) for value in values])
    ours = answer_of(name, KINDS[asked["type"]].model_validate(asked), PROBABILITIES)
    assert ours.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, dict) and key == "probabilities":
            assert ours[key] == pytest.approx(value)
        else:
            assert ours[key] == (pytest.approx(value) if isinstance(value, float) else value)


def test_a_client_of_transformers_gets_the_models_own_probabilities(server, trained):
    from transformers.cli.serving.systemone import SystemOneRequest

    body = {
        "model": trained.folder.name, "state": "lovely kettle",
        "questions": {"kind": {"type": "choice", "criteria": {"good": None, "bad": None}}, "is good": {"type": "noul", "criteria": {"true": "good"}}},
    }  # fmt: skip
    SystemOneRequest.model_validate(body, strict=True)
    answered = server.client.post("/v1/systemone", json=body)
    assert answered.status_code == 200
    found, model = answered.json(), superfine.load(trained.folder)
    offline = dict(zip(model.labels, model.predict_proba(["lovely kettle"])[0], strict=True))
    assert found["model"] == trained.folder.name
    assert found["answers"]["kind"]["probabilities"] == pytest.approx(offline)
    assert found["answers"]["is good"]["noul"] == pytest.approx(offline["good"])
    assert found["usage"]["input_tokens"] == len(model.encoder.tokenizer.encode("lovely kettle").ids)
    assert (
        server.client.post("/v1/systemone", json=body | {"state": {"text": "lovely kettle"}}).json()["answers"]
        == found["answers"]
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"questions": {}}, "at least 1"),
        ({"questions": {"a": {"type": "guess"}}}, "'noul', 'choice', 'score'"),
        ({"questions": {"a": {"type": "choice"}}}, "required"),
        ({"questions": {"a": {"type": "choice", "criteria": {}}}}, "at least 1"),
        ({"questions": {"a": {"type": "choice", "criteria": {"odd": None}}}}, "'odd' is no label of this model: bad, good"),
        ({"questions": {"a": {"type": "score", "criteria": [{"x": 1}]}}}, "is no label"),
        ({"questions": {"a": {"type": "noul"}}}, "name the label that means true"),
        ({"questions": {"a": {"type": "noul", "criteria": {"maybe": "good"}}}}, "'true' or 'false'"),
        ({"state": ["a"]}, "the state is a text, or an object with text"),
        ({"state": {"text": "a", "text_pair": "b"}}, "the state is a text, or an object with text"),
        ({"assets": {"img-1": {"url": "x"}}}, "no images"),
        ({"more": 1}, "not permitted"),
        ({"state": {"text": "\ud800"}}, "half of a surrogate pair"),
        ({"questions": {"\ud800": {"type": "noul"}}}, "name the label that means true"),
        ({"questions": {f"q{i}": {"type": "noul", "criteria": {"true": "good"}} for i in range(65)}}, "at most 64"),
    ],
)
def test_what_is_wrong_with_a_question_is_said(server, change, words):
    body = {"state": "a", "questions": {"a": {"type": "noul", "criteria": {"true": "good"}}}}
    headers = {"content-type": "application/json"}  # written in ASCII, as halves of pairs must be
    answered = server.client.post("/v1/systemone", content=json.dumps(body | change), headers=headers)
    assert answered.status_code == 422
    assert words in answered.json()["error"]["message"]
