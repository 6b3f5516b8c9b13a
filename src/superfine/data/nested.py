"""Records with values inside values, as JSON and Parquet have them, and what tools for annotating write: made flat.

`{"user": {"name": "ann"}}` becomes a column `user.name`; a list of one value is that value, an empty one is no value. A list of
several values stays as JSON writes it, and is refused where it would be read as a text or a class.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from superfine.data.table import as_text, header_of
from superfine.data.tagged import text_of_words
from superfine.errors import DataError

DEEPEST = 20
MOST_EMPTY_CELLS = 20_000_000
"""A table of keys that hardly any two records share is no table."""
INPUTS = ("data", "fields", "inputs")
"""Under which key tools for annotating put what was annotated: Label Studio, Argilla 2, Argilla 1."""
WORDS, TAGS = ("tokens", "words"), ("ner_tags", "tags", "labels", "label")
"""Under which keys data sets of the hub have the words of a text and their tags."""


def columns_of(
    source: str, records: Sequence[Mapping[str, object]], rows: Sequence[int]
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Columns of text from records, and what stands in columns that hold lists of several values: the first row, described.

    Raises DataError for keys that come twice but for blanks, and for records that share hardly any key.
    """
    flat = [flat_record(record) for record in records]
    counts = Counter(name for record in flat for name in record)
    empty = len(counts) * len(flat) - counts.total()
    if empty > MOST_EMPTY_CELLS and counts.total() < empty / 20:
        raise DataError(
            f"{source}: {len(flat)} records have {len(counts)} different keys, and hardly two records the same.",
            'Each record should look like {"text": "...", "label": "..."}.',
        )
    names = list(counts)
    trimmed = dict(zip(names, header_of(source, names), strict=True))
    columns: dict[str, list[str]] = {}
    nested: dict[str, str] = {}
    for name in names:
        values = [record.get(name) for record in flat]
        columns[trimmed[name]] = [cell(value) for value in values]
        several = next((i for i, value in enumerate(values) if isinstance(value, list | dict) and len(value) > 1), None)
        if several is not None:
            nested[trimmed[name]] = f"row {rows[several]} holds a list: {cell(values[several])[:80]}"
    return columns, nested


def cell(value: object) -> str:
    """A JSON value as text; numbers and nested values as JSON writes them."""
    if isinstance(value, list) and len(value) < 2:
        value = value[0] if value else None
    return as_text(value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def flat_record(record: Mapping[str, object]) -> dict[str, object]:
    """One value for each name, annotations by the name of their question."""
    if not any(isinstance(value, dict | list) for value in record.values()) and "answer" not in record:
        return dict(record)
    record = _tagged_words(record) or _annotated(record)
    flat: dict[str, object] = {}
    for name, value in record.items():
        _spread(name, value, flat, 0)
    return flat


def _spread(name: str, value: object, flat: dict[str, object], depth: int) -> None:
    if isinstance(value, dict) and value and depth < DEEPEST:
        for key, inner in value.items():
            _spread(f"{name}.{key}", inner, flat, depth + 1)
    elif isinstance(value, list) and len(value) == 1 and not isinstance(value[0], dict | list):
        flat[name] = value[0]
    else:
        flat[name] = value


def _annotated(record: Mapping[str, object]) -> Mapping[str, object]:
    """A record of a tool for annotating with its inputs and answers at the top; any other record as it is."""
    if isinstance(record.get("data"), dict) and isinstance(record.get("annotations"), list):
        return _inputs(record) | _label_studio(record["annotations"])  # type: ignore[arg-type]
    if isinstance(record.get("fields"), dict) and isinstance(record.get("responses"), dict):
        return _inputs(record) | _argilla(record["responses"])  # type: ignore[arg-type]
    if isinstance(record.get("inputs"), dict) and "annotation" in record:
        return _inputs(record) | {"annotation": record["annotation"]}
    if record.get("answer") in ("accept", "reject", "ignore"):  # no set: it may be a list
        return _prodigy(record)
    if isinstance(record.get("cats"), dict):
        scores: dict[str, Any] = record["cats"]  # type: ignore[assignment]
        likely = [name for name, score in scores.items() if isinstance(score, int | float) and score > 0.5]
        return {key: value for key, value in record.items() if key != "cats"} | {"label": likely}
    return {_question(key, record): _choices(value) for key, value in record.items()}


def _tagged_words(record: Mapping[str, object]) -> Mapping[str, object] | None:
    """A record with a list of words and one of their tags, as data sets of the hub have them, as a text with its spans."""
    words = next((record[name] for name in WORDS if _is_list_of_texts(record.get(name))), None)
    found = next((name for name in TAGS if _is_list_of_texts(record.get(name))), None)
    if found is None or not isinstance(words, list) or not words:
        return None
    tags = record[found]
    if not isinstance(tags, list) or len(tags) != len(words) or "text" in record:
        return None
    text, spans = text_of_words(words, tags)
    others = {name: value for name, value in record.items() if name not in {*WORDS, found}}
    return {"text": text, "label": spans} | others


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _question(key: str, record: Mapping[str, object]) -> str:
    """The name of a question whose answers Argilla puts beside its suggestions."""
    name = key.removesuffix(".responses")
    return name if name not in record else key


def _inputs(record: Mapping[str, object]) -> dict[str, object]:
    inner = next(record[key] for key in INPUTS if isinstance(record.get(key), dict))
    return dict(inner) if isinstance(inner, dict) else {}


def _choices(value: object) -> object:
    """Label Studio's short form of several choices, `{"choices": [...]}`, as a list."""
    return value["choices"] if isinstance(value, dict) and list(value) == ["choices"] else value


def _label_studio(annotations: list[Any]) -> dict[str, object]:
    """By the name of each control the classes that were chosen, in all annotations that count."""
    chosen: dict[str, list[object]] = {}
    marked: dict[str, list[object]] = {}
    for annotation in annotations:
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        results = annotation.get("result")
        for result in results if isinstance(results, list) else []:
            value = result.get("value") if isinstance(result, dict) else None
            if isinstance(value, dict) and isinstance(value.get("choices"), list):
                chosen.setdefault(str(result.get("from_name", "label")), []).extend(value["choices"])
            elif isinstance(value, dict) and isinstance(value.get("labels"), list) and {"start", "end"} <= value.keys():
                own = {key: value[key] for key in ("start", "end", "labels", "text") if key in value}
                name = str(result.get("from_name", "label"))
                spans = marked.get(name, [])
                # Two annotators may agree.
                marked[name] = spans if own in spans else [*spans, own]
    return {**marked, **{name: list(dict.fromkeys(map(str, values))) for name, values in chosen.items()}}


def _argilla(responses: Mapping[str, Any]) -> dict[str, object]:
    """By the name of each question the values that were answered."""
    answers: dict[str, object] = {}
    for question, given in responses.items():
        values = [one.get("value") if isinstance(one, dict) else one for one in (given if isinstance(given, list) else [given])]
        answers[question] = list(dict.fromkeys(json.dumps(v) if isinstance(v, dict | list) else str(v) for v in values))
    return answers


def _prodigy(record: Mapping[str, object]) -> dict[str, object]:
    """The class that was accepted: the label, or the options that were ticked. A rejected or ignored example has none."""
    given, ticked = record.get("options"), record.get("accept")
    choices = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    names = {str(one.get("id")): one.get("text", one.get("id")) for one in choices}
    kept: dict[str, object] = {k: v for k, v in record.items() if k not in {"options", "accept", "answer", "config", "_view_id"}}
    if record["answer"] != "accept":
        return kept | {"label": None}
    if isinstance(ticked, list):
        return kept | {"label": [names.get(str(one), one) for one in ticked]}
    return kept
