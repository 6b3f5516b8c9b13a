"""Pairs of texts that are nearly the same are those that comparing all with all would find."""

import random
from itertools import pairwise

import pytest

from superfine.data.near_duplicates import FEWEST_TERMS, SIMILAR, near_pairs
from superfine.data.terms import TermIndex

WORDS = [f"word{i}" for i in range(3000)]


def shingles(text: str) -> set:
    words = text.split()
    return set(words) | set(pairwise(words))


def similar(a: str, b: str) -> float:
    return len(shingles(a) & shingles(b)) / len(shingles(a) | shingles(b))


def found(texts):
    pairs = near_pairs(TermIndex().number(texts))
    return {(a, b): s for a, b, s in zip(pairs.first.tolist(), pairs.second.tolist(), pairs.similarity.tolist(), strict=True)}


@pytest.fixture(scope="module")
def texts():
    """300 texts, and 60 copies of some in which one to four words of thirty are others."""
    rng = random.Random(0)
    own = [" ".join(rng.choices(WORDS, k=30)) for _ in range(300)]
    changed = []
    for i in range(60):
        words = own[5 * i].split()
        for place in rng.sample(range(30), 1 + i % 4):
            words[place] = rng.choice(WORDS)
        changed.append(" ".join(words))
    return own + changed


def test_it_finds_what_comparing_all_with_all_finds(texts):
    every = {(i, j) for j in range(len(texts)) for i in range(j) if similar(texts[i], texts[j]) >= SIMILAR}
    assert len(every) >= 30
    assert set(found(texts)) <= every
    assert len(found(texts)) > 0.95 * len(every), "a pair of similarity 0.8 is missed in three of a thousand times"


def test_the_similarity_is_counted_not_estimated(texts):
    assert all(abs(s - similar(texts[a], texts[b])) < 1e-9 for (a, b), s in found(texts).items())


def test_of_many_alike_each_is_paired_with_another(texts):
    same = [f"{texts[0]} ending{i}" for i in range(200)]
    pairs = found(same)
    assert {i for pair in pairs for i in pair} == set(range(200))


def test_short_texts_are_only_the_same_or_not():
    assert FEWEST_TERMS == 5
    assert found(["a b c d", "a b c d"]) == {}
    assert found(["a b c d e", "a b c d e"]) == {(0, 1): 1.0}


def test_it_does_not_depend_on_chance(texts):
    assert found(texts) == found(texts)
