"""Spans of a text, each of one type: the names of persons and places, for example. Every word gets a tag."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from superfine.data.labels import Spelling, label_order
from superfine.data.words import word_of_tokens, words_of
from superfine.errors import DataError
from superfine.records import IGNORED, Examples, FloatArray, Head, IntArray, Ragged, Score, Spans, Statistics
from superfine.records.answers import place_in_columns
from superfine.tasks.classification import different_names, notes_on
from superfine.tasks.multilabel import SCORES as SCORES_OF_SETS
from superfine.tasks.span_labels import Span, all_spans, span_records
from superfine.tasks.tag_sequences import spans_of, tags_of
from superfine.tasks.task import Shown, Task

if TYPE_CHECKING:
    from torch import Tensor

    from superfine.data.encoded import Encoded

MOST_SHOWN = 12
FEWEST_CELLS = 0.9
"""So many of the cells that are not empty must be lists of spans, for labels to be taken for them."""
SCORES: dict[str, Score] = {name: score for name, score in SCORES_OF_SETS.items() if name not in ("log_loss", "brier_score")}
"""By the names that `metrics.json` uses; the last four are by type. A span is right where start, end and type are, as the
scorer of CoNLL counts (Tjong Kim Sang and De Meulder 2003)."""


class Tokens(Task):
    """A tag for each word: outside, or the beginning or the inside of a span of one of T types.

    labels: the types. spelling: which labels of a file mean which type. shares: (K,) of the tags among the words of the training
    rows, where they are known. n_inside, of n_spans: spans there that begin or end inside a word.
    """

    name = "tokens"
    main = "micro_f1"
    baselines = ("most_frequent_tag",)
    reads_classes = False
    reads_lists = True

    def __init__(
        self, labels: Sequence[str], spelling: Spelling | None = None, shares: FloatArray | None = None, n_inside: int = 0
    ) -> None:
        self._labels = tuple(labels)
        self.spelling = Spelling.of_classes(self._labels) if spelling is None else spelling
        self.shares, self.n_inside, self.n_spans = shares, n_inside, 0
        self._ids = {label: i for i, label in enumerate(self._labels)}

    @classmethod
    def suits(cls, labels: Sequence[str], n_columns: int) -> str:
        """Cells that are lists of spans with start, end and type."""
        cells = [label for label in labels if label and label != "[]"][:1000]
        n_lists = sum(bool(span_records(cell)) for cell in cells)
        return "spans of the texts, with start, end and type" if cells and n_lists >= FEWEST_CELLS * len(cells) else ""

    @classmethod
    def learn(cls, examples: Examples, options: Any = None, *, merges: bool = False) -> Self:
        """The types that occur. Raises DataError where there is none, for pairs, and for cells that cannot be read."""
        if examples.text_pair is not None:
            raise DataError("Spans are marked in one text, and pairs of texts are read here.", "Leave out --text-pair.")
        spans = all_spans(examples)
        every = [span.label for row in spans for span in row]
        if not every:
            raise DataError(
                "No row of the training part has a span that is marked.",
                "Is the label column the right one? Name it with --label.",
            )
        spelling = Spelling.learn(every, merges=merges)
        task = cls(sorted({spelling.of(label) for label in every}, key=label_order), spelling)
        words = words_of(examples.text)
        tags = task.word_tags(examples, words)
        task.shares = np.bincount(tags, minlength=len(task.head)) / max(1, len(tags))
        edges = [{*words.values[a:b].ravel().tolist()} for a, b in zip(words.starts, words.starts[1:], strict=False)]
        task.n_inside = sum(not {span.start, span.end} <= edges[i] for i, row in enumerate(spans) for span in row)
        task.n_spans = len(every)
        return task

    def facts(self) -> dict[str, Any]:
        return {
            "labels": list(self._labels),
            "merge_labels": self.spelling.merges,
            "merged_labels": {name: list(others) for name, others in self.spelling.joined.items()},
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        labels = different_names(facts)
        return cls(labels, Spelling.of_classes(labels, merges=bool(facts.get("merge_labels"))))

    @property
    def head(self) -> Head:
        return Head(tags_of(self._labels), by_token=True)

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    @property
    def bias(self) -> FloatArray | None:
        """The logarithms of the shares of the tags: most words are outside."""
        return None if self.shares is None else np.asarray(np.log(self.shares.clip(1e-4)))

    @property
    def shown(self) -> Shown:
        n = len(self._labels)
        return Shown(
            title="Token classifier",
            noun="label",
            summary=f"spans of {n} types" if n > 1 else "spans of one type",
            purpose=f"Marks spans of {n} type{'s' if n > 1 else ''} in a text, with their places in the raw text.",
            limits=(
                "A span begins and ends with a word: a run of letters and digits, any other sign, or a single character of a "
                "script without blanks between words.",
                "Where the model's vocabulary has pieces of several such characters, they are marked whole.",
                "Of overlapping spans one can be marked.",
            ),
            headline=("micro_f1", "micro_precision", "micro_recall"),
            sections=("classes", "entities"),
            pipeline="token-classification",
            arguments=', aggregation_strategy="simple"',
        )

    @property
    def scores(self) -> Mapping[str, Score]:
        return SCORES

    # Reading labels

    def spelled(self, examples: Examples) -> Examples:
        """With the spans of each row as one JSON list, in the order of the text."""
        if examples.label is None:
            return examples
        cells = [
            json.dumps([self._written(span, examples, i) for span in spans], ensure_ascii=False) if cell else ""
            for i, (spans, cell) in enumerate(zip(all_spans(examples), examples.label, strict=True))
        ]
        return replace(examples, label=cells)

    def _written(self, span: Span, examples: Examples, i: int) -> dict[str, Any]:
        written = span._replace(label=self.spelling.of(span.label))._asdict() | {"text": examples.text[i][span.start : span.end]}
        if examples.column_starts is None:
            return written
        return written | place_in_columns(examples.text_columns, examples.column_starts[i], span.start, span.end)

    def in_words(self, value: Any) -> str:
        return ", ".join(f"{one.get('text')} ({one.get('label')})" for one in span_records(value) or []) or "—"

    def notes(self) -> tuple[str, ...]:
        if not self.n_inside:
            return notes_on(self.spelling)
        inside = f"{self.n_inside} marked spans begin or end inside a word: the model marks whole words."
        if self.n_inside > self.n_spans / 2:
            inside += " That is most of them: does the end count as part of the span, or are bytes or UTF-16 units counted?"
        return (*notes_on(self.spelling), inside)

    def why_not_scored(self, examples: Examples) -> str:
        return "" if any(all_spans(examples)) else "none of its rows has a marked span"

    def is_known(self, examples: Examples) -> NDArray[np.bool_]:
        return np.array(
            [all(self.spelling.of(span.label) in self._ids for span in spans) for spans in all_spans(examples)], dtype=bool
        )

    def gold(self, examples: Examples) -> Any:
        """The (m, 3) int64 spans of each text: start, end and the number of the type. Raises DataError for types that training
        never saw, and for cells that cannot be read."""
        spans = all_spans(examples)
        ids = {span.label: self._ids.get(self.spelling.of(span.label)) for row in spans for span in row}
        unknown = {span.label: int(examples.row[i]) for i, row in enumerate(spans) for span in row if ids[span.label] is None}
        if unknown:
            named = "; ".join(f'"{label}", for example in row {row}' for label, row in list(unknown.items())[:5])
            raise DataError(
                f"{examples.source}: types that the training part never had: {named}.",
                "Correct them, add training rows with these types, or leave such rows out of the score: --ignore-unknown-labels",
            )
        cells = [(start, end, ids[label]) for row in spans for start, end, label in row]
        return Ragged.of_lengths(np.array(cells, dtype=np.int64).reshape(-1, 3), [len(row) for row in spans])

    def strata(self, examples: Examples) -> IntArray:
        """(n,) the rarest type of each row, or T for none: what is rare is shared out."""
        gold = self.gold(examples)
        order = np.argsort(np.bincount(gold.values[:, 2], minlength=len(self._labels)), kind="stable")
        rank = np.empty(len(self._labels) + 1, dtype=np.int64)
        rank[order], rank[-1] = np.arange(len(order)), len(order)
        found = np.full(len(examples), len(order))
        np.minimum.at(found, gold.row_of_value, rank[gold.values[:, 2]])
        return np.asarray(np.append(order, len(order))[found], dtype=np.int64)

    # Training

    def word_tags(self, examples: Examples, words: Ragged | None = None) -> IntArray:
        """(words,) the tag of each word of the texts. A word that a span holds a part of is in it."""
        gold, words = self.gold(examples), words_of(examples.text) if words is None else words
        tags = np.zeros(len(words.values), dtype=np.int64)
        for text, (start, end, label) in zip(gold.row_of_value.tolist(), gold.values.tolist(), strict=True):
            first, stop = int(words.starts[text]), int(words.starts[text + 1])
            places = words.values[first:stop]
            begin = first + int(np.searchsorted(places[:, 1], start, side="right"))
            beyond = first + int(np.searchsorted(places[:, 0], end, side="left"))
            free = begin + int(np.argmin(tags[begin:beyond] > 0)) if begin < beyond else beyond
            if free < beyond and not tags[free]:
                tags[free:beyond] = 2 * label + 2
                tags[free] = 2 * label + 1
        return tags

    def targets(self, examples: Examples, encoded: Encoded | None = None) -> Ragged:
        """The tag of each word, at its first token."""
        readers = _Readers.of(examples.text, encoded)
        values = np.full(len(_offsets(encoded)), IGNORED, dtype=np.int64)
        values[readers.token] = self.word_tags(examples, readers.words)[readers.word]
        return Ragged(values, encoded.starts if encoded is not None else np.zeros(1, dtype=np.int64))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(t,) cross-entropy in nats of (t, K) logits against (t,) tags; nothing where there is none."""
        from torch.nn import functional as F

        return F.cross_entropy(outputs, targets, reduction="none", ignore_index=IGNORED)

    # Answers and scores

    def decode(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Spans:
        """The spans of the most probable consistent tags."""
        if encoded is None:
            nothing = Ragged.of_lengths(np.zeros((0, 3), dtype=np.int64), [0] * len(examples))
            columns = examples.text_columns, examples.column_starts
            return Spans(examples.row, self._labels, examples.text, nothing, np.zeros(0), *columns)
        readers = _Readers.of(examples.text, encoded)
        return self.marked(examples, outputs[readers.token], readers.starts, readers.places)

    def marked(self, examples: Examples, logits: FloatArray, starts: IntArray, places: IntArray) -> Spans:
        """The spans by logits (words, K) of words at these places (words, 2). starts: (n + 1,) the first word of each text."""
        spans = spans_of(logits, starts)
        text = np.searchsorted(starts, spans.first, side="right") - 1
        cells = np.stack([places[spans.first, 0], places[spans.last, 1], spans.label], axis=1)
        found = Ragged.of_lengths(cells.astype(np.int64), np.bincount(text, minlength=len(examples)))
        columns = examples.text_columns, examples.column_starts
        return Spans(examples.row, self._labels, examples.text, found, spans.score, *columns)

    def statistics(self, examples: Examples, answers: Spans) -> Statistics:
        """What each answer adds: spans that are right, that there are, and that are said, and whether all are right."""
        if answers.labels != self._labels:
            raise ValueError("the answers are over other types, or over the same in another order")
        gold, n, k = self.gold(examples), len(examples), len(self._labels)
        sums = {name: np.zeros((n, k)) for name in ("hits", "support", "predicted")}
        np.add.at(sums["support"], (gold.row_of_value, gold.values[:, 2]), 1.0)
        np.add.at(sums["predicted"], (answers.places.row_of_value, answers.places.values[:, 2]), 1.0)
        right = _is_right(gold, answers)
        np.add.at(sums["hits"], (answers.places.row_of_value[right], answers.places.values[right, 2]), 1.0)
        exact = (sums["hits"] == sums["support"]).all(axis=1) & (sums["hits"] == sums["predicted"]).all(axis=1)
        return Statistics({**sums, "exact": exact.astype(np.float64), "rows": np.ones(n)}, {}, self._labels)

    def details(self, examples: Examples, answers: Spans) -> dict[str, Any]:
        """marked: some of the texts, those with errors first, with true and said spans [start, end, type]."""
        gold, worst = self.gold(examples), self.worst(examples, answers)
        others = np.setdiff1d(np.flatnonzero(gold.lengths + answers.places.lengths), worst)
        some = [*worst[: MOST_SHOWN - MOST_SHOWN // 4].tolist(), *others.tolist()][:MOST_SHOWN]
        rows = [(i, gold.take(np.array([i])).values, answers.places.take(np.array([i])).values) for i in some]
        marked = [
            {"row": int(examples.row[i]), "text": examples.text[i], "true": true.tolist(), "said": said.tolist()}
            for i, true, said in rows
        ]
        per_text = {"true": float(gold.lengths.mean()), "said": float(answers.places.lengths.mean())} if len(examples) else {}
        return {"marked": marked, "spans_per_text": per_text}

    def worst(self, examples: Examples, answers: Spans) -> IntArray:
        """The texts with wrong spans, those first of which the model was surest of what is wrong."""
        gold, right = self.gold(examples), _is_right(self.gold(examples), answers)
        row = answers.places.row_of_value
        surest = np.zeros(len(examples))
        np.maximum.at(surest, row[~right], answers.scores[~right])
        n_right = np.bincount(row[right], minlength=len(examples))
        wrong = np.flatnonzero((n_right < gold.lengths) | (n_right < answers.places.lengths))
        return wrong[np.argsort(-surest[wrong], kind="stable")]


class _Readers(NamedTuple):
    """Which token speaks for which word: its first one. A word without one is read with the word before.

    words: of all texts. word: (r,) those that a token speaks for, counted through `words`. token: (r,) that token. starts:
    (n + 1,) the first reader of each text. places: (r, 2) what is read: the word, and those that its tokens reach into.
    """

    words: Ragged
    word: IntArray
    token: IntArray
    starts: IntArray
    places: IntArray

    @classmethod
    def of(cls, texts: Sequence[str], encoded: Encoded | None) -> _Readers:
        words, offsets = words_of(texts), _offsets(encoded)
        owner = np.zeros(0, dtype=np.int64) if encoded is None else np.repeat(encoded.owners, encoded.lengths)
        found = word_of_tokens(words, offsets, owner)
        answers = None if encoded is None else encoded.answers
        inside = np.flatnonzero(found >= 0 if answers is None else (found >= 0) & answers)
        word, first = np.unique(found[inside], return_index=True)
        reach = np.zeros(len(words.values), dtype=np.int64)
        np.maximum.at(reach, found[inside], offsets[inside, 1])
        text = words.row_of_value[word]
        starts = np.concatenate([[0], np.cumsum(np.bincount(text, minlength=len(texts)))])
        ends = np.maximum(words.values[word, 1], reach[word])
        return cls(words, word, inside[first], starts, np.stack([words.values[word, 0], ends], axis=1))


def _offsets(encoded: Encoded | None) -> IntArray:
    if encoded is None or encoded.offsets is None:
        raise ValueError("the tokens do not say where they stand in their texts")
    return encoded.offsets.astype(np.int64)


def _is_right(gold: Ragged, answers: Spans) -> NDArray[np.bool_]:
    """(said spans,) whether each is one of the text's true ones."""
    true = {(i, *span) for i, span in zip(gold.row_of_value.tolist(), map(tuple, gold.values.tolist()), strict=True)}
    said = zip(answers.places.row_of_value.tolist(), map(tuple, answers.places.values.tolist()), strict=True)
    return np.array([(i, *span) in true for i, span in said], dtype=bool)
