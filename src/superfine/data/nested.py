"""Records with values inside values, as JSON and Parquet have them, and what tools for annotating write: made flat.

`{"user": {"name": "ann"}}` becomes a column `user.name`; a list of one value is that value, an empty one is no value. A list of
several values stays as JSON writes it, and is refused where it would be read as a text or a class.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from superfine.data.table import as_text, header_of
from superfine.data.tagged import is_tag, marked_texts, what_is_no_tag
from superfine.errors import DataError

DEEPEST = 20
MOST_EMPTY_CELLS = 20_000_000
"""A table of keys that hardly any two records share is no table."""
INPUTS = ("data", "fields", "inputs")
"""Under which key tools for annotating put what was annotated: Label Studio, Argilla 2, Argilla 1."""
WORDS, TAGS = ("tokens", "words"), ("ner_tags", "ner", "bio_tags", "tags", "labels", "label")
"""Under which keys data sets of the hub have the words of a text and their tags."""


def columns_of(
    source: str, records: Sequence[Mapping[str, object]], rows: Sequence[int]
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Columns of text from records, and what stands in columns that hold lists of several values: the first row, described.

    Raises DataError for keys that come twice but for blanks, and for records that share hardly any key.
    """
    records = _with_objects_whole(records)
    flat = [flat_record(record) for record in _with_empty_annotations(with_marked_texts(source, records, rows))]
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
        # Among lists of lists or objects, as spans are, an empty one says that there is none, and no value says nothing.
        of_records = any(isinstance(value, list) and value and isinstance(value[0], list | dict) for value in values)
        columns[trimmed[name]] = ["[]" if of_records and value == [] else cell(value) for value in values]
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
    record = _annotated(record)
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
    if _is_of_label_studio(record):
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


def _with_objects_whole(records: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
    """An object of numbers stays in its cell where other records have a plain value there: votes beside a class, for example."""
    of_numbers = {name for record in records for name, value in record.items() if _is_of_numbers(value)}
    mixed = {name for record in records for name in of_numbers & record.keys() if isinstance(record[name], str)}
    if not mixed:
        return records
    return [
        {
            name: json.dumps(value, ensure_ascii=False) if name in mixed and isinstance(value, dict) else value
            for name, value in r.items()
        }
        for r in records
    ]


def _is_of_numbers(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(one, int | float) for one in value.values())


def _with_empty_annotations(records: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
    """Label Studio writes nothing of a text in which an annotator marked no span: there is an annotation, and it is empty."""
    marked = {
        name for record in records if _is_of_label_studio(record) for name in _annotated(record) if _is_of_spans(record, name)
    }
    if not marked:
        return records
    return [
        {**_annotated(record), **{name: [] for name in marked if name not in _annotated(record)}}
        if _is_of_label_studio(record) and any(not one.get("was_cancelled") for one in _annotations(record))
        else record
        for record in records
    ]


def _is_of_label_studio(record: Mapping[str, object]) -> bool:
    return isinstance(record.get("data"), dict) and isinstance(record.get("annotations"), list)


def _annotations(record: Mapping[str, object]) -> list[dict[str, Any]]:
    return [one for one in cast("list[object]", record["annotations"]) if isinstance(one, dict)]


def _is_of_spans(record: Mapping[str, object], name: str) -> bool:
    value = _annotated(record)[name]
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "start" in value[0]


def with_marked_texts(
    source: str, records: Sequence[Mapping[str, object]], rows: Sequence[int]
) -> Sequence[Mapping[str, object]]:
    """Records with lists of words and of their tags, as data sets of the hub have them, as texts with their spans.

    A record of words alone becomes a text. Raises DataError for lists of different lengths and for tags that mark no spans, with
    the row.
    """
    which = [i for i, record in enumerate(records) if _words_of(record) is not None]
    if not which:
        return records
    name = _tag_name([records[i] for i in which])
    words = [_words_of(records[i]) or [] for i in which]
    if name is None:
        if any("text" in records[i] for i in which) or any(_is_a_list(records[i].get(tags)) for i in which for tags in TAGS):
            return _refuse_numbers(source, records, which, rows)
        tags = [["O"] * len(row) for row in words]
    else:
        tags = [[str(tag) for tag in cast("list[object]", records[i].get(name) or [])] for i in which]
    for i, row, marks in zip(which, words, tags, strict=True):
        where = f"{source}: row {rows[i]}"
        if len(row) != len(marks):
            raise DataError(f"{where} has {len(row)} words and {len(marks)} tags.", f"Each word needs one, in {name}.")
        if (wrong := what_is_no_tag([*marks, "O"])) is not None:
            raise DataError(f'{where}: the tag "{wrong[0]}" {wrong[1]}.', "Spans are marked as in IOB2: B-person, I-person, O.")
    if (wrong := what_is_no_tag([tag for row in tags for tag in row] + ["O"])) is not None:
        raise DataError(f'{source}: the tag "{wrong[0]}" {wrong[1]}.', "Spans are marked as in IOB2: B-person, I-person, O.")
    found = marked_texts(words, tags)
    changed = list(records)
    for i, text, spans in zip(which, found.texts, found.spans, strict=True):
        others = {key: value for key, value in records[i].items() if key not in {*WORDS, "text", name}}
        changed[i] = {"text": text, **({} if name is None else {"label": spans}), **others}
    return changed


def words_and_tags(names: Collection[str]) -> list[str]:
    """Of the columns that hold lists those of words and their tags, which are read together; none without words."""
    return [name for name in (*WORDS, *TAGS) if name in names] if set(WORDS) & set(names) else []


def _words_of(record: Mapping[str, object]) -> list[str] | None:
    """The list of words of a record, or None."""
    for name in WORDS:
        value = record.get(name)
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            return cast("list[str]", value)
    return None


def _tag_name(records: Sequence[Mapping[str, object]]) -> str | None:
    """The key of the tags: the first of the usual ones under which all values are texts and one marks a span or is O."""
    for name in TAGS:
        values = [record.get(name) for record in records]
        lists = [value for value in values if isinstance(value, list)]
        if not lists or len(lists) < len(values) / 2 or not all(isinstance(one, str) for value in lists for one in value):
            continue
        if any(is_tag(one) for value in lists for one in value):
            return name
    return None


def _is_a_list(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def _refuse_numbers(
    source: str, records: Sequence[Mapping[str, object]], which: Sequence[int], rows: Sequence[int]
) -> Sequence[Mapping[str, object]]:
    """Raises DataError where the tags are numbers whose names stand elsewhere; other records stay as they are."""
    for i in which:
        for name in TAGS[:3]:
            value = records[i].get(name)
            if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
                raise DataError(
                    f"{source}: row {rows[i]} has numbers as {name}, and their names stand elsewhere.",
                    "Write the names: B-person, I-person, O.",
                )
    return records


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
        return kept | ({"spans": None} if "spans" in kept else {"label": None})
    if isinstance(kept.get("spans"), list):
        return kept
    if isinstance(ticked, list):
        return kept | {"label": [names.get(str(one), one) for one in ticked]}
    return kept
