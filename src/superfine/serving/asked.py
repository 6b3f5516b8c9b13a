"""What a request asks, in both shapes that are understood: ours, and the `inputs` of Hugging Face's servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from superfine.records import Examples

Text = Annotated[str, Field(max_length=1_000_000)]


class Parameters(BaseModel):
    """Of Hugging Face's shape. top_k: how many labels are told, null for all."""

    model_config = ConfigDict(extra="ignore")

    top_k: Annotated[int, Field(ge=1)] | None = None


class PairInput(BaseModel):
    """Two texts, or a question and the text that it is about."""

    model_config = ConfigDict(extra="forbid")

    text: Text | None = None
    text_pair: Text | None = None
    question: Text | None = None
    context: Text | None = None


class PredictRequest(BaseModel):
    """`texts` (with `text_pairs` where the model reads pairs), or `questions` with `contexts`, or `inputs` in Hugging Face's
    shape."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="Which of the served models; absent where there is one.")
    texts: list[Text] | None = None
    text_pairs: list[Text] | None = None
    questions: list[Text] | None = None
    contexts: list[Text] | None = None
    inputs: Text | PairInput | list[Text | PairInput] | None = None
    parameters: Parameters = Parameters()


class Prediction(BaseModel):
    """The answer for one text: what else it holds depends on the task (`probabilities`, `low`, `high`, `answers`, ...)."""

    model_config = ConfigDict(extra="allow")

    prediction: Any


class PredictResponse(BaseModel):
    """version: the first digits of the manifest's digest. receipt: of an export, how far its answers lie from the tested
    model's."""

    model: str
    version: str
    precision: str
    receipt: dict[str, Any] | None
    predictions: list[Prediction]


class RequestError(ValueError):
    """What is wrong with a request. index: of the text, None where it is none."""

    def __init__(self, message: str, index: int | None = None, where: str = "body") -> None:
        super().__init__(message)
        self.index, self.where = index, where


Shape = Literal["own", "one text", "one object", "inputs"]


def examples_of(request: PredictRequest, reads: tuple[str, ...], most_texts: int) -> tuple[Examples, Shape]:
    """The texts to answer, and in which shape they were given. reads: what a text is made of. Raises RequestError."""
    columns, shape = _columns(request, reads)
    first = columns[reads[0]]
    if len(first) > most_texts:
        raise RequestError(f"{len(first)} texts are asked together, and at most {most_texts} may be", most_texts)
    for name, values in columns.items():
        if len(values) != len(first):
            raise RequestError(f"{len(first)} {reads[0]}s and {len(values)} {name}s", min(len(first), len(values)))
        for i, text in enumerate(values):
            refuse_no_text(text, i, name)
    return Examples.of_texts(first, columns[reads[1]] if len(reads) > 1 else None), shape


def refuse_no_text(text: str, index: int | None, where: str) -> None:
    """Raises RequestError for a character that is half of one."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise RequestError("half of a surrogate pair, which is no text", index, where)


def _columns(request: PredictRequest, reads: tuple[str, ...]) -> tuple[Mapping[str, list[str]], Shape]:
    plural = {name: f"{name}s" for name in ("text", "text_pair", "question", "context")}
    given = {name: getattr(request, word) for name, word in plural.items() if getattr(request, word) is not None}
    wanted = " and ".join(plural[name] for name in reads)
    if request.inputs is not None:
        if given:
            raise RequestError("inputs are given beside " + plural[next(iter(given))])
        if isinstance(request.inputs, list):
            return _of_inputs(request.inputs, reads), "inputs"
        return _of_inputs([request.inputs], reads), "one text" if isinstance(request.inputs, str) else "one object"
    if set(given) != set(reads):
        raise RequestError(f"this model reads {wanted}")
    return given, "own"


def _of_inputs(inputs: list[Any], reads: tuple[str, ...]) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {name: [] for name in reads}
    for i, one in enumerate(inputs):
        said = {"text": one} if isinstance(one, str) else one.model_dump(exclude_none=True)
        if set(said) != set(reads):
            raise RequestError(f"this model reads {' and '.join(reads)}", i, "inputs")
        for name in reads:
            columns[name].append(said[name])
    return columns


def in_pipeline_shape(answers: list[dict[str, Any]], parameters: Parameters, *, tells_all: bool) -> list[Any]:
    """Answers as transformers' pipelines give them for a list of texts. tells_all: whether `top_k` was given as null."""
    top_k = None if tells_all else parameters.top_k or 1
    return [_piped(answer, top_k, listed=tells_all or bool(parameters.top_k)) for answer in answers]


def _piped(answer: dict[str, Any], top_k: int | None, *, listed: bool) -> Any:
    said = answer["prediction"]
    if "probabilities" in answer:
        ranked = sorted(answer["probabilities"].items(), key=lambda one: -one[1])[:top_k]
        found = [{"label": label, "score": score} for label, score in ranked]
        return found if listed else found[0]
    if "start" in answer:
        return {"score": answer["confidence"], "start": answer["start"] or 0, "end": answer["end"] or 0, "answer": said}
    if isinstance(said, list):
        names = {"entity_group": "label", "score": "score", "word": "text", "start": "start", "end": "end"}
        return [{name: span[own] for name, own in names.items()} for span in said]
    number = {"label": "LABEL_0", "score": said}
    return [number] if listed else number
