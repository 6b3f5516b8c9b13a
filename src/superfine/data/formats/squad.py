"""SQuAD's JSON (Rajpurkar et al. 2016, 2018): texts with paragraphs, and questions with answers. CMRC 2018 has it too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from superfine.errors import DataError


def is_squad(document: Any) -> bool:
    """Whether a JSON document is of that kind."""
    data = document.get("data") if isinstance(document, dict) else None
    return isinstance(data, list) and any(isinstance(one, dict) and "paragraphs" in one for one in data)


def squad_records(source: str, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A record for each question: `id`, `title`, `question`, `context`, and `answers`, a list of `text` and `answer_start`, empty
    where the context has none. Where no question has answers at all, as in files to be predicted, there are none.

    Raises DataError with the path of what is missing or is not what it should be.
    """
    questions = [q for text in document["data"] for paragraph in _list(text, "paragraphs") for q in _list(paragraph, "qas")]
    has_answers = any(isinstance(question, dict) and ANSWERED & question.keys() for question in questions)
    return list(_records(source, document["data"], has_answers=has_answers))


ANSWERED = {"answers", "is_impossible"}


def _list(value: Any, key: str) -> list[Any]:
    """What stands under a key, where it is a list; what is none is told when it is read."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _records(source: str, data: list[Any], *, has_answers: bool) -> Iterator[dict[str, Any]]:
    for i, text in enumerate(data):
        path = f"data[{i}]"
        for j, paragraph in enumerate(_get(source, text, path, "paragraphs", list)):
            at = f"{path}.paragraphs[{j}]"
            context = _get(source, paragraph, at, "context", str)
            for k, question in enumerate(_get(source, paragraph, at, "qas", list)):
                asked = f"{at}.qas[{k}]"
                yield {
                    "id": str(question.get("id", "")) if isinstance(question, dict) else "",
                    "title": str(text.get("title", "")),
                    "question": _get(source, question, asked, "question", str),
                    "context": context,
                    **({"answers": _answers(source, question, asked)} if has_answers else {}),
                }


def _answers(source: str, question: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    if question.get("is_impossible"):
        return []
    found = []
    for i, answer in enumerate(_get(source, question, path, "answers", list)):
        at = f"{path}.answers[{i}]"
        found.append({"text": _get(source, answer, at, "text", str), "answer_start": answer.get("answer_start")})
    return found


def _get(source: str, value: Any, path: str, key: str, kind: type) -> Any:
    if isinstance(value, dict) and isinstance(value.get(key), kind):
        return value[key]
    what = "is missing" if not isinstance(value, dict) or key not in value else f"is no {'list' if kind is list else 'text'}"
    raise DataError(
        f"{source}: {path}.{key} {what}.",
        'It should look like {"data": [{"paragraphs": [{"context": "...", "qas": [{"question": "...", "answers": [...]}]}]}]}.',
    )
