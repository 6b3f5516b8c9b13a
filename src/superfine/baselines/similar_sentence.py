"""The sentence of the context that is most like the question, by TF-IDF: what looking for shared words reaches."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from superfine.atomic import write_text
from superfine.baselines.features import is_unspaced, vectoriser_of
from superfine.errors import DataError
from superfine.predictors.bundle import Bundle, Manifest, write_manifest
from superfine.predictors.texts import OnBatch, TextPredictor
from superfine.records import Answers, Examples, Ragged
from superfine.tasks.answer_search import Candidates

FILE = "sentences.json"
LEVELS = (1e-9, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
"""Candidates for the similarity below which a text has no answer, where that can be."""
SELECTION_ROWS = 1000
SENTENCE = re.compile(r"[^.!?。！？\n]*(?:[.!?](?!\s)[^.!?。！？\n]*)*[.!?。！？]*")
"""A run up to a sign that ends a sentence; a full stop within a word or a number does not."""


class SimilarSentence(TextPredictor):
    """The whole sentence is the answer.

    task: one that extracts answers. terms, idf: of the contexts that it was fitted on. level: a text whose best sentence is less
    like the question has no answer.
    """

    task: Any
    takes_pairs = True

    def __init__(self, task: Any, analyser: str, terms: list[str], idf: Sequence[float], level: float = LEVELS[0]) -> None:
        self.task, self.analyser, self.terms, self.idf, self.level = task, analyser, terms, idf, level
        self._vectoriser = vectoriser_of(analyser, terms, np.asarray(idf, dtype=np.float32))

    @property
    def title(self) -> str:
        return "most similar sentence (TF-IDF)"

    @classmethod
    def fit(cls, examples: Examples, task: Any, *, cleaning: tuple[str, ...] = ()) -> Self:
        """cleaning: what is done to texts; here they are read as they are. Raises DataError for texts with nothing to count."""
        contexts = list(dict.fromkeys(examples.text_pair or []))
        analyser = "characters" if is_unspaced(contexts) else "words"
        try:
            fitted = vectoriser_of(analyser).fit([*contexts, *examples.text])
        except ValueError:
            raise DataError("TF-IDF finds nothing to count in these texts.", "Are they empty, or the wrong column?") from None
        terms, idf = fitted.get_feature_names_out().tolist(), fitted.idf_.tolist()
        some = examples.take(range(0, len(examples), max(1, len(examples) // SELECTION_ROWS)))

        def f1_of(level: float) -> float:
            answers = cls(task, analyser, terms, idf, level).predict_examples(some)
            return float(task.statistics(some, answers).sums["f1"].mean())

        return cls(task, analyser, terms, idf, LEVELS[0] if task.threshold is None else max(LEVELS, key=f1_of))

    def answers(self, examples: Examples, on_batch: OnBatch | None = None) -> Answers:
        contexts = list(dict.fromkeys(examples.text_pair or []))
        spans = {context: _sentences(context) for context in contexts}
        first = np.concatenate([[0], np.cumsum([len(spans[context]) for context in contexts])]).astype(np.int64)
        which = {context: i for i, context in enumerate(contexts)}
        sentences = [context[start:end] for context in contexts for start, end in spans[context]]
        table = self._vectoriser.transform(sentences) if sentences else None
        questions = self._vectoriser.transform(examples.text) if len(examples) else None
        places, scores, lengths = [], [], []
        for i, context in enumerate(examples.text_pair or []):
            low, high = first[which[context]], first[which[context] + 1]
            lengths.append(int(high > low))
            if high > low and table is not None and questions is not None:
                alike = np.asarray((table[low:high] @ questions[i].T).todense()).ravel()
                best = int(alike.argmax())
                places.append(spans[context][best])
                scores.append(float(np.log(max(1e-9, float(alike[best])))))
        if on_batch is not None:
            on_batch(len(examples))
        found = Ragged.of_lengths(np.array(places, dtype=np.int64).reshape(-1, 2), lengths)
        none = np.full(len(examples), np.log(self.level))
        answers: Answers = self.task.extracted(examples, Candidates(found, np.array(scores), none))
        return answers

    def save(self, folder: Path, manifest: Manifest) -> None:
        """Write the bundle."""
        folder.mkdir(parents=True, exist_ok=True)
        content: dict[str, Any] = {
            "analyser": self.analyser,
            "terms": self.terms,
            "idf": [round(float(value), 5) for value in self.idf],
        }
        content["level"] = self.level
        write_text(folder / FILE, json.dumps(content, ensure_ascii=False))
        write_manifest(folder, manifest)

    @classmethod
    def load(cls, bundle: Bundle) -> Self:
        content = json.loads((bundle.folder / FILE).read_text(encoding="utf-8"))
        return cls(bundle.manifest.open_task(), content["analyser"], content["terms"], content["idf"], content["level"])


def _sentences(context: str) -> list[tuple[int, int]]:
    """Start and end of each, without blanks around it."""
    spans = []
    for found in SENTENCE.finditer(context):
        text = found[0]
        start = found.start() + len(text) - len(text.lstrip())
        end = found.start() + len(text.rstrip())
        if start < end:
            spans.append((start, end))
    return spans
