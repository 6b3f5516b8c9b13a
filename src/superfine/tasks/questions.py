"""Questions whose answers stand in a text: the model says where the answer begins and where it ends, or that there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from superfine.errors import DataError
from superfine.records import IGNORED, Examples, Extracted, FloatArray, Head, IntArray, Ragged, Ratio, Score, Statistics
from superfine.tasks.answer_labels import Found, find_answer, given_answers
from superfine.tasks.answer_scores import counts_by_characters, score_answer
from superfine.tasks.answer_search import Candidates, best_spans, token_targets
from superfine.tasks.task import Shown, Task, labels_of

if TYPE_CHECKING:
    from torch import Tensor

    from superfine.data.encoded import Encoded

N_BEST = 5
"""Spans that are kept of each question."""
ROOM = 1.25
"""An answer may be by so much longer than nearly all of those that were learned from."""
SHORTEST = 40
"""Characters that an answer may have at least."""
MOST_SHOWN, SHOWN_AROUND = 12, 160
MOST_NAMED = 10
QUESTION_WORDS = re.compile(
    r"\b(how many|how much|how|what|when|where|which|who|whom|whose|why)\b|"
    "(什么时候|为什么|怎么样|多少|什么|哪里|哪个|哪些|哪|谁|何时|何|几|怎么|如何)",
    re.IGNORECASE,
)
LENGTHS = ((0, 10), (10, 30), (30, 80), (80, None))
"""Classes of the length of an answer, in characters."""
SNIPPET = """import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{folder}")
model = AutoModelForQuestionAnswering.from_pretrained("{folder}")
question, context = "...", "..."
read = tokenizer(question, context, truncation="only_second", return_offsets_mapping=True, return_tensors="pt")
places = read.pop("offset_mapping")[0].tolist()
elsewhere = torch.tensor([side != 1 for side in read.sequence_ids(0)])
with torch.inference_mode():
    output = model(**read)
start, end = (int(scores[0].masked_fill(elsewhere, -torch.inf).argmax()) for scores in (output.start_logits, output.end_logits))
print(context[places[start][0] : places[end][1]])"""
"""How plain transformers, which has no pipeline for it any more, answers one question."""
SCORES: dict[str, Score] = {
    "f1": Ratio({"f1": 1.0}, {"rows": 1.0}, pooled=True),
    "exact_match": Ratio({"exact": 1.0}, {"rows": 1.0}, pooled=True),
}
"""Counted as SQuAD's script does, or CMRC's for scripts without blanks: see `superfine.tasks.answer_scores`."""


class Questions(Task):
    """A span of the context (the second text) that answers the question (the first one).

    longest: characters of an answer. threshold: by how much the logarithm of its probability must exceed that of there being no
    answer, or None where every question has one.
    """

    name = "questions"
    main = "f1"
    baselines = ("similar_sentence",)
    reads_classes = False
    reads_lists = True
    reads_empty = True
    column_names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "text": ("question", "query", "问题"),
        "text_pair": ("context", "passage", "paragraph", "article", "上下文", "篇章", "段落", "文章"),
        "label": ("answers", "answer", "answer_text", "答案"),
        "start": ("answer_start", "start", "start_char"),
    }

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        max_answer_length: int | None = Field(
            None, ge=1, le=10_000, description="characters of an answer; none: a quarter more than nearly all training answers"
        )

    def __init__(self, longest: int, threshold: float | None = None, notes: tuple[str, ...] = ()) -> None:
        self.longest, self.threshold, self._notes = longest, threshold, notes

    @classmethod
    def columns_of(cls, names: Sequence[str]) -> Mapping[str, Any] | None:
        folded = {name.casefold(): name for name in names}
        found = {role: next((folded[one] for one in usual if one in folded), None) for role, usual in cls.column_names.items()}
        parts = {name: [folded[f"{name}.{key}"] for key in ("text", "answer_start")] for name in ("answers", "answer")
                 if {f"{name}.text", f"{name}.answer_start"} <= folded.keys()}  # fmt: skip
        if found["label"] is None and parts:
            label = next(iter(parts.values()))
        elif found["label"] is None:
            return None
        else:
            label = [found["label"], *([found["start"]] if found["start"] else [])]
        if found["text"] is None or found["text_pair"] is None:
            return None
        return {"text": [found["text"]], "text_pair": found["text_pair"], "label": label}

    @classmethod
    def learn(cls, examples: Examples, options: Any = None, *, merges: bool = False) -> Self:
        """Raises DataError without contexts, and where no answer stands in its context."""
        options = options or cls.Options()
        if examples.text_pair is None:
            raise DataError(
                "A question needs a context in which its answer stands.",
                "Name its column with --text-pair, and that of the question with --text.",
            )
        found = _all_found(examples)
        lengths = [len(answer.text) for row in found for answer in row if answer.start is not None]
        if not lengths:
            raise DataError(
                f"{examples.source}: no answer stands in its context.",
                "Is the label column the right one? Name it with --label. An answer is a part of the context, letter by letter.",
            )
        longest = options.max_answer_length or max(SHORTEST, int(ROOM * np.quantile(lengths, 0.995)))
        has_none = any(not row for row in found)
        return cls(longest, 0.0 if has_none else None, _notes_on(examples, found))

    def facts(self) -> dict[str, Any]:
        return {"max_answer_length": self.longest, "threshold": self.threshold}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        longest, threshold = int(facts["max_answer_length"]), facts.get("threshold")
        if longest < 1 or (threshold is not None and not np.isfinite(float(threshold))):
            raise ValueError("max_answer_length: a positive number is needed, and threshold: a finite one or none")
        return cls(longest, None if threshold is None else float(threshold))

    @property
    def head(self) -> Head:
        return Head(("start", "end"), by_token=True, extractive=True)

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    @property
    def shown(self) -> Shown:
        can_decline = self.threshold is not None
        summary = "questions, some without an answer" if can_decline else "questions with an answer in their context"
        return Shown(
            title="Question answering model",
            noun="label",
            summary=summary,
            purpose="Finds the answer to a question in a text, with its place there"
            + (", or says that the text has none." if can_decline else "."),
            limits=(
                f"An answer is one part of the text, of at most {self.longest} characters.",
                "It says that the text has no answer where the validation questions were answered best so."
                if can_decline
                else "Every question gets an answer, even where the text has none.",
            ),
            headline=("f1", "exact_match"),
            sections=("extracts",),
            pipeline="question-answering",
            snippet=SNIPPET,
            call='answer("...", "...")',
        )

    @property
    def scores(self) -> Mapping[str, Score]:
        return SCORES

    # Reading labels

    def spelled(self, examples: Examples) -> Examples:
        """With the answers of each row as one JSON list, found in their contexts, and rows of one context as a group: what is
        learned of a text says something of the other questions on it."""
        group = examples.group if examples.group is not None else examples.text_pair
        if examples.label is None:
            return replace(examples, group=group)
        cells = [
            json.dumps([{"text": answer.text, "answer_start": answer.start} for answer in row], ensure_ascii=False)
            for row in _all_found(examples)
        ]
        return replace(examples, label=cells, group=group)

    def in_words(self, value: Any) -> str:
        if not isinstance(value, str):
            return str(value)
        return " / ".join(dict.fromkeys(answer.text for answer in given_answers(value))) or "—"

    def notes(self) -> tuple[str, ...]:
        return self._notes

    def is_labelled(self, examples: Examples) -> NDArray[np.bool_]:
        return np.full(len(examples), examples.label is not None)

    def is_learnable(self, examples: Examples) -> NDArray[np.bool_]:
        """Rows without an answer are learned from, those whose answer does not stand in its context are not."""
        contexts = examples.text_pair or []
        return np.array(
            [
                bool(context.strip()) and (not row or any(answer.start is not None for answer in row))
                for row, context in zip(_all_found(examples), contexts, strict=True)
            ],
            dtype=bool,
        )

    def gold(self, examples: Examples) -> list[list[str]]:
        """The true answers of each question."""
        return [[answer.text for answer in given_answers(cell)] for cell in labels_of(examples)]

    def strata(self, examples: Examples) -> IntArray:
        """(n,) whether a question has an answer."""
        return np.array([bool(answers) for answers in self.gold(examples)], dtype=np.int64)

    def why_not_held_out(self, examples: Examples) -> str:
        n_contexts = len({*(examples.text_pair or [])})
        if n_contexts >= len(examples) / 2:
            return ""
        return f"its {len(examples)} questions are about {n_contexts} texts, and the questions about a text stay together"

    # Training

    def targets(self, examples: Examples, encoded: Encoded | None = None) -> Ragged:
        """Where the first answer of each question begins and ends, in each window that holds it; see `token_targets`."""
        if encoded is None:
            raise ValueError("answers need the tokens of their contexts")
        first = [next((answer for answer in row if answer.start is not None), None) for row in _all_found(examples)]
        places = np.array([[-1, -1] if one is None else [one.start, one.end] for one in first], dtype=np.int64).reshape(-1, 2)
        return Ragged(token_targets(places, encoded, IGNORED), encoded.starts)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(t,) minus the log-probability, in nats, that an answer starts or ends at a token, where it does."""
        counts = targets.clamp_min(0)
        return -(outputs[:, 0] * (counts & 1) + outputs[:, 1] * (counts >> 1))

    def adjusted(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Self:
        """With the threshold that gives these rows the best F1, where some questions have no answer."""
        if self.threshold is None or encoded is None or not len(examples):
            return self
        found = best_spans(outputs, encoded, 1, self.longest)
        gold = self.gold(examples)
        has_one = found.places.lengths > 0
        said = Extracted(examples.row, examples.text_pair or [], found.places, found.scores, has_one, found.no_answer)
        f1 = _scored(said.label, gold, examples.text_pair or [])[:, 1]
        none = np.array([float(not answers) for answers in gold])
        margin = np.where(said.answered, _margin(found), -np.inf)
        order = np.argsort(-margin, kind="stable")
        # After the k-th all that follow are said to have none.
        reached = np.concatenate([[0.0], np.cumsum(f1[order])]) + none.sum() - np.concatenate([[0.0], np.cumsum(none[order])])
        k = int(reached.argmax())
        finite = np.concatenate([[margin[order[0]] + 1.0], margin[order], [margin[order[-1]] - 1.0]])
        between = (finite[k] + finite[k + 1]) / 2
        task = copy(self)
        task.threshold = float(between) if np.isfinite(between) else 0.0
        return task

    def choices(self) -> dict[str, Any]:
        return {"max_answer_length": self.longest, "threshold": self.threshold}

    # Answers and scores

    def decode(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Extracted:
        """The best spans of each context, over all of its windows."""
        texts = examples.text_pair or [""] * len(examples)
        if encoded is None:
            nothing = Ragged.of_lengths(np.zeros((0, 2), dtype=np.int64), [0] * len(examples))
            n = len(examples)
            return Extracted(examples.row, texts, nothing, np.zeros(0), np.zeros(n, dtype=bool), np.ones(n))
        return self.extracted(examples, best_spans(outputs, encoded, N_BEST, self.longest))

    def extracted(self, examples: Examples, found: Candidates) -> Extracted:
        """The answers of the best spans."""
        answered = found.places.lengths > 0
        if self.threshold is not None:
            answered &= _margin(found) > self.threshold
        return Extracted(
            examples.row, examples.text_pair or [], found.places, np.exp(found.scores), answered, np.exp(found.no_answer)
        )  # fmt: skip

    def statistics(self, examples: Examples, answers: Extracted) -> Statistics:
        """What each answer adds: exact match and F1, with the best of the true answers."""
        scored = _scored(answers.label, self.gold(examples), examples.text_pair or [])
        return Statistics({"exact": scored[:, 0], "f1": scored[:, 1], "rows": np.ones(len(examples))})

    def details(self, examples: Examples, answers: Extracted) -> dict[str, Any]:
        """extracts: some questions, wrong ones first, with the context around their answers."""
        scored = _scored(answers.label, self.gold(examples), examples.text_pair or [])
        worst = self.worst(examples, answers)
        others = np.setdiff1d(np.arange(len(examples)), worst)
        some = [*worst[: MOST_SHOWN - MOST_SHOWN // 3].tolist(), *others.tolist()][:MOST_SHOWN]
        found, best = _all_found(examples), answers.best
        return {
            "extracts": [_shown(examples, i, found[i], best[i].tolist(), float(scored[i, 1])) for i in some],
        }

    def slices(self, examples: Examples) -> Mapping[str, list[str]]:
        """By question word, by the length of the true answer, and by whether there is one where that differs."""
        gold = self.gold(examples)
        found = {
            "question word": [_question_word(text) for text in examples.text],
            "characters of the answer": [_length_of(answers) for answers in gold],
        }
        if any(not answers for answers in gold):
            found["answer in the text"] = ["yes" if answers else "no" for answers in gold]
        return found

    def worst(self, examples: Examples, answers: Extracted) -> IntArray:
        """The wrong answers that the model was surest of."""
        exact, f1 = _scored(answers.label, self.gold(examples), examples.text_pair or []).T
        wrong = np.flatnonzero(exact < 1)
        return np.asarray(wrong[np.argsort(-(answers.confidence * (1 - f1))[wrong], kind="stable")], dtype=np.int64)

    def blinded(self, examples: Examples) -> Examples:
        """Without the questions: what the texts alone give away."""
        return replace(examples, text=[""] * len(examples))


def _margin(found: Candidates) -> FloatArray:
    """(n,) by how much the best span is likelier than no answer, as logarithms; minus infinity where there is none."""
    margin = np.full(len(found.places), -np.inf)
    has = found.places.lengths > 0
    margin[has] = found.scores[found.places.starts[:-1][has]] - found.no_answer[has]
    return margin


def _all_found(examples: Examples) -> list[list[Found]]:
    contexts = examples.text_pair or [""] * len(examples)
    return [
        [find_answer(answer, context) for answer in given_answers(cell)]
        for cell, context in zip(labels_of(examples), contexts, strict=True)
    ]


def _scored(said: Sequence[str], gold: Sequence[Sequence[str]], contexts: Sequence[str]) -> FloatArray:
    """(n, 2) exact match and F1."""
    rows = [
        score_answer(one, answers, by_characters=counts_by_characters(context))
        for one, answers, context in zip(said, gold, contexts, strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _notes_on(examples: Examples, found: Sequence[Sequence[Found]]) -> tuple[str, ...]:
    """What became of the answers of the training file."""
    rows = examples.row.tolist()
    gone = [row for row, answers in zip(rows, found, strict=True) if answers and all(one.start is None for one in answers)]
    moved = [row for row, answers in zip(rows, found, strict=True) if any(one.moved and one.start is not None for one in answers)]
    several = [
        row
        for row, answers, cell in zip(rows, found, labels_of(examples), strict=True)
        if any(one.n_places > 1 and given.start is None for one, given in zip(answers, given_answers(cell), strict=True))
    ]
    without = sum(not answers for answers in found)
    blank = [row for row, context in zip(rows, examples.text_pair or [], strict=True) if not context.strip()]
    notes = {
        f"{len(gone)} answers do not stand in their contexts, and are not learned from: rows {_named(gone)}": gone,
        f"{len(moved)} answers do not begin where the table says: they are looked for, rows {_named(moved)}": moved,
        f"{len(several)} answers stand several times in their contexts: the first is taken, rows {_named(several)}": several,
        f"{len(blank)} questions have no context, and are not learned from: rows {_named(blank)}": blank,
        f"{without} questions have no answer in their context: the model learns to say so": without,
    }
    return tuple(note for note, occurs in notes.items() if occurs)


def _named(rows: Sequence[int]) -> str:
    return ", ".join(map(str, rows[:MOST_NAMED])) + (", ..." if len(rows) > MOST_NAMED else "")


def _shown(examples: Examples, i: int, gold: Sequence[Found], said: list[int], f1: float) -> dict[str, Any]:
    context = (examples.text_pair or [])[i]
    true = sorted({(one.start, one.end) for one in gold if one.start is not None})
    edges = [place for span in (*true, *([tuple(said)] if said[0] >= 0 else [])) for place in span]
    low = max(0, min(edges, default=0) - SHOWN_AROUND)
    high = min(len(context), max(edges, default=2 * SHOWN_AROUND) + SHOWN_AROUND, low + 8 * SHOWN_AROUND)
    return {
        "row": int(examples.row[i]),
        "question": examples.text[i],
        "context": context[low:high],
        "cut": [low > 0, high < len(context)],
        "true": [[a - low, min(b, high) - low] for a, b in true if a is not None and a < high],
        "said": [said[0] - low, min(said[1], high) - low] if 0 <= said[0] < high else None,
        "answers": list(dict.fromkeys(one.text for one in gold)),
        "f1": f1,
    }


def _question_word(question: str) -> str:
    found = QUESTION_WORDS.search(question)
    return found[0].casefold() if found else "other"


def _length_of(answers: Sequence[str]) -> str:
    """The class of lengths that the first answer is of."""
    n = len(answers[0]) if answers else 0
    if not n:
        return "none"
    low, high = next((low, high) for low, high in LENGTHS if high is None or n < high)
    return f"{low}+" if high is None else f"{low}–{high - 1}"
