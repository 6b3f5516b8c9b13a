"""The decision protocol that `transformers serve` speaks, `POST /v1/systemone`, answered by a trained classifier.

A question names labels of the model, and is answered by their probabilities: `choice` by its options, `score` by its levels in
order, `noul` (yes or no) by what its criteria name. Shapes and formulas are those of transformers 5.23 (`transformers.decision`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from superfine.serving.asked import RequestError, Text, refuse_no_text

MOST_QUESTIONS = 64
Content = str | dict[str, Any] | list[Any]


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid")

    instructions: Content | None = None


class Noul(_Question):
    """Yes or no. criteria: the labels that mean true and false; `true` alone is that label against all others."""

    type: Literal["noul"]
    criteria: dict[Literal["true", "false"], Content | None] | None = None


class Choice(_Question):
    """One of some labels. criteria: they are its keys."""

    type: Literal["choice"]
    criteria: Annotated[dict[str, Content | None], Field(min_length=1)]


class Score(_Question):
    """How much. criteria: labels from the lowest to the highest."""

    type: Literal["score"]
    criteria: Annotated[list[Content], Field(min_length=1)]


Question = Annotated[Noul | Choice | Score, Field(discriminator="type")]


class SystemOneRequest(BaseModel):
    """state: the text, or an object with what the model reads (`text`, `text_pair`)."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    state: Text | dict[str, Any] | list[Any]
    questions: Annotated[dict[str, Question], Field(min_length=1, max_length=MOST_QUESTIONS)]
    assets: Annotated[dict[str, dict[str, Any]], Field(max_length=4)] = {}


class Usage(BaseModel):
    """In tokens."""

    input_tokens: int
    output_tokens: int = 0


class SystemOneResponse(BaseModel):
    """answers: by the names of the questions."""

    model: str
    answers: dict[str, dict[str, Any]]
    usage: Usage


def texts_of(request: SystemOneRequest, reads: tuple[str, ...]) -> tuple[str, ...]:
    """What the model is to read. Raises RequestError."""
    if request.assets:
        raise RequestError("this model reads texts, and no images", where="assets")
    state = {"text": request.state} if isinstance(request.state, str) else request.state
    if not isinstance(state, dict) or set(state) != set(reads) or not all(isinstance(state[name], str) for name in reads):
        text = "a text, or " if reads == ("text",) else ""
        raise RequestError(f"the state is {text}an object with {' and '.join(reads)}", where="state")
    for name in reads:
        refuse_no_text(state[name], None, f"state.{name}")
    return tuple(state[name] for name in reads)


def answer_of(name: str, question: Noul | Choice | Score, probabilities: Mapping[str, float]) -> dict[str, Any]:
    """The answer to one question. probabilities: of all labels. Raises RequestError for what is no label."""

    def of(label: Any, place: str) -> float:
        if not isinstance(label, str) or label not in probabilities:
            raise RequestError(
                f"{label!r} is no label of this model: {', '.join(probabilities)}", where=f"questions.{name}.{place}"
            )
        return float(probabilities[label])

    if isinstance(question, Noul):
        named = {side: label for side, label in (question.criteria or {}).items() if label is not None}
        if "true" not in named:
            raise RequestError(
                f"criteria name the label that means true: {', '.join(probabilities)}", where=f"questions.{name}.criteria"
            )
        true = of(named["true"], "criteria.true")
        against = of(named["false"], "criteria.false") if "false" in named else None
        return {"type": "noul", "noul": true if against is None else _shares([true, against])[0]}
    options = list(question.criteria)
    shares = _shares([of(option, "criteria") for option in options])
    if isinstance(question, Choice):
        by_option = dict(zip(options, shares, strict=True))
        best = max(shares)
        n = len(options)
        sure = 1.0 if n == 1 else max(0.0, (best - 1 / n) / (1 - 1 / n))
        return {"type": "choice", "choice": options[shares.index(best)], "confidence": sure, "probabilities": by_option}
    return _scored(options, shares)


def _scored(levels: list[Any], shares: list[float]) -> dict[str, Any]:
    n, best = len(levels), shares.index(max(shares))
    distance = sum(share * abs(level - best) for level, share in enumerate(shares))
    uniform = sum(abs(level - (n - 1) / 2) for level in range(n)) / n
    return {
        "type": "score",
        "score": sum(level * share for level, share in enumerate(shares)),
        "legend": {str(i): level for i, level in enumerate(levels)},
        "confidence": 1.0 if n == 1 else max(0.0, 1 - distance / uniform),
        "probabilities": {str(i): share for i, share in enumerate(shares)},
    }


def _shares(values: list[float]) -> list[float]:
    """They add up to 1; alike where all are 0."""
    total = sum(values)
    return [value / total for value in values] if total > 0 else [1 / len(values)] * len(values)
