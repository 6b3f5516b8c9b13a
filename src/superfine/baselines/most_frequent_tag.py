"""The tag that each word had most often in the training rows: what remembering reaches."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from superfine.atomic import write_text
from superfine.data.words import words_of
from superfine.predictors.bundle import Bundle, Manifest, write_manifest
from superfine.predictors.texts import OnBatch, TextPredictor
from superfine.records import Answers, Examples, FloatArray

FILE = "tags.json"


class MostFrequentTag(TextPredictor):
    """Each word on its own, by how often it had each tag; a new word is outside.

    task: one that marks spans (`marked`). counts: (K,) of each word that was in a span.
    """

    task: Any

    def __init__(self, task: Any, counts: Mapping[str, Sequence[int]]) -> None:
        self.task = task
        self.counts = counts
        self.takes_pairs = False

    @property
    def title(self) -> str:
        return "most frequent tag"

    @classmethod
    def fit(cls, examples: Examples, task: Any, *, cleaning: tuple[str, ...] = ()) -> Self:
        """cleaning: what is done to texts; here they are read as they are."""
        words = words_of(examples.text)
        counts: dict[str, Counter[int]] = defaultdict(Counter)
        for word, tag in zip(_read(examples.text, words.row_of_value, words.values), task.word_tags(examples), strict=True):
            counts[word][int(tag)] += 1
        n_tags = len(task.head)
        return cls(task, {w: [c[k] for k in range(n_tags)] for w, c in counts.items() if c.keys() - {0}})

    def answers(self, examples: Examples, on_batch: OnBatch | None = None) -> Answers:
        if on_batch is not None:
            on_batch(len(examples))
        words = words_of(examples.text)
        answers: Answers = self.task.marked(examples, self._logits(examples.text, words), words.starts, words.values)
        return answers

    def _logits(self, texts: Sequence[str], words: Any) -> FloatArray:
        """(words, K) logarithms of the counts, a hundredth of a word added to each."""
        known = {word: i for i, word in enumerate(self.counts)}
        table = np.zeros((len(known) + 1, len(self.task.head)))
        table[:-1] = np.array(list(self.counts.values())).reshape(len(known), -1)
        table[-1, 0] = 1
        rows = [known.get(word, len(known)) for word in _read(texts, words.row_of_value, words.values)]
        return np.asarray(np.log(table + 0.01)[rows]).reshape(len(rows), -1)

    def save(self, folder: Path, manifest: Manifest) -> None:
        """Write the bundle."""
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / FILE, json.dumps(self.counts, ensure_ascii=False))
        write_manifest(folder, manifest)

    @classmethod
    def load(cls, bundle: Bundle) -> Self:
        counts = json.loads((bundle.folder / FILE).read_text(encoding="utf-8"))
        return cls(bundle.manifest.open_task(), counts)


def _read(texts: Sequence[str], text: Any, places: Any) -> list[str]:
    return [texts[i][start:end] for i, (start, end) in zip(text.tolist(), places.tolist(), strict=True)]
