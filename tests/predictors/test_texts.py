"""What predictors of texts share: texts in chunks that memory can hold, and windows that become one answer."""

from itertools import pairwise

import numpy as np

from superfine.data.encoded import Encoded
from superfine.predictors import texts
from superfine.predictors.texts import chunks_of, pooled
from superfine.records import Examples


def test_the_outputs_for_a_text_are_the_means_over_its_windows():
    starts, owner = np.arange(5), np.array([0, 0, 0, 1])
    encoded = Encoded(np.zeros(4, dtype=np.int32), starts, np.zeros(2, dtype=bool), 0.0, owner=owner)
    outputs = np.array([[0.0, 3.0], [1.0, 0.0], [2.0, 0.0], [7.0, 8.0]])
    assert pooled(outputs, encoded).tolist() == [[1.0, 1.0], [7.0, 8.0]]
    cut = Encoded(np.zeros(4, dtype=np.int32), starts, np.zeros(4, dtype=bool), 0.0)
    assert pooled(outputs, cut) is outputs


def test_chunks_hold_every_text_once_and_long_texts_make_them_short(monkeypatch):
    monkeypatch.setattr(texts, "CHUNK_CHARACTERS", 100)
    monkeypatch.setattr(texts, "CHUNK_TEXTS", 4)
    examples = Examples.of_texts(["a" * 60, "b" * 60, "c" * 500, *["d"] * 9])
    chunks = chunks_of(examples)
    assert [*chunks[0], *(i for chunk in chunks[1:] for i in chunk)] == list(range(12))
    assert [len(chunk) for chunk in chunks] == [1, 1, 1, 4, 4, 1]
    assert all(a.stop == b.start for a, b in pairwise(chunks))
    assert chunks_of(Examples.of_texts([])) == [range(0)]
