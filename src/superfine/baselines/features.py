"""Texts to sparse rows of TF-IDF: words and pieces of words, or characters for scripts without spaces between words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from superfine.errors import DataError
from superfine.records import Examples, FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han, extension A
    (0x4E00, 0x9FFF),  # Han
)
"""Ranges of scripts written without spaces between words."""
MOST_CHARACTERS = 20_000
"""Of a longer text the beginning is read, still several times what a model reads: the pieces of 10 MB would take gigabytes."""
ANALYSERS: dict[str, dict[str, Any]] = {
    "characters": {"analyzer": "char", "ngram_range": (1, 3), "min_df": 2},
    # Punctuation counts as a word: a question mark or an emoji often tells the class.
    "words": {"ngram_range": (1, 2), "token_pattern": r"(?u)\w+|[^\w\s]"},
    "pieces": {"analyzer": "char_wb", "ngram_range": (2, 5), "min_df": 2},
}
"""How texts are cut into features, by the name that a saved baseline gives."""


def is_unspaced(texts: Sequence[str], sample: int = 2000) -> bool:
    """Whether more than a fifth of the letters belong to scripts without spaces between words."""
    step = max(1, len(texts) // sample)
    letters = [ord(c) for text in texts[::step] for c in text[:500] if c.isalpha()]
    unspaced = sum(any(low <= c <= high for low, high in UNSPACED) for c in letters)
    return unspaced > 0.2 * len(letters)


class Features:
    """Texts to sparse rows of TF-IDF.

    Of pairs both texts have columns of their own; beside these stand what they share, how they differ, and how similar they are.
    """

    def __init__(self, vectorisers: dict[str, TfidfVectorizer]) -> None:
        """vectorisers: by the name of their analyser; fitted."""
        self.vectorisers = vectorisers

    @classmethod
    def fit(cls, examples: Examples, most: int | None = None) -> Self:
        """most: features in all; the ones that most texts have are taken. None: all."""
        texts = [*_cut(examples.text), *_cut(examples.text_pair or [])]
        names = ["characters"] if is_unspaced(texts) else ["words", "pieces"]
        features = cls({name: fitted for name in names if (fitted := _fitted(name, texts)) is not None})
        if not features.vectorisers:
            raise DataError("TF-IDF finds nothing to count in these texts.", "Are they empty, or the wrong column?")
        return features if most is None or features.n_columns(examples) <= most else features._most_frequent(most, examples)

    def n_columns(self, examples: Examples) -> int:
        """How many columns `transform` gives for examples of that kind."""
        return n_columns(sum(len(v.vocabulary_) for v in self.vectorisers.values()), pairs=examples.text_pair is not None)

    def _most_frequent(self, most: int, examples: Examples) -> Self:
        """The same with fewer features. The rarer a feature, the larger its inverse document frequency."""
        idf = np.concatenate([v.idf_ for v in self.vectorisers.values()])
        n = max(1, most * len(idf) // self.n_columns(examples))
        chosen, start = np.sort(np.argsort(idf, kind="stable")[:n]), 0
        smaller = {}
        for name, vectoriser in self.vectorisers.items():
            size = len(vectoriser.vocabulary_)
            own = chosen[(chosen >= start) & (chosen < start + size)] - start
            if len(own):
                smaller[name] = vectoriser_of(name, vectoriser.get_feature_names_out()[own].tolist(), vectoriser.idf_[own])
            start += size
        return type(self)(smaller)

    def transform(self, examples: Examples) -> csr_matrix:
        """(n, features) float32."""
        from scipy.sparse import csr_matrix, hstack

        first = self._of_texts(examples.text)
        if examples.text_pair is None:
            return first
        second = self._of_texts(examples.text_pair)
        shared = first.multiply(second)
        similarity = csr_matrix(np.asarray(shared.sum(axis=1)).reshape(-1, 1) / len(self.vectorisers))
        return hstack([first, second, shared, abs(first - second), similarity], format="csr", dtype=np.float32)

    def words_of(self, examples: Examples) -> tuple[csr_matrix, list[str]]:
        """`transform` with zeros wherever a column is no word of one of the texts (characters, for scripts without spaces), and
        the names of the columns, "" for those."""
        matrix = self.transform(examples)
        of_a_text: list[str] = []
        for name, vectoriser in self.vectorisers.items():
            words = vectoriser.get_feature_names_out().tolist()
            of_a_text += words if name != "pieces" else [""] * len(words)
        names = of_a_text if examples.text_pair is None else of_a_text * 2
        names = [*names, *[""] * (matrix.shape[1] - len(names))]
        matrix.data[~np.array([bool(name) for name in names])[matrix.indices]] = 0.0
        matrix.eliminate_zeros()
        return matrix, names

    def _of_texts(self, texts: Sequence[str]) -> csr_matrix:
        from scipy.sparse import hstack

        cut = _cut(texts)
        return hstack([v.transform(cut) for v in self.vectorisers.values()], format="csr", dtype=np.float32)


def _fitted(name: str, texts: list[str]) -> TfidfVectorizer | None:
    """A vectoriser of these texts; where no feature stands in two of them, of all features; None where there is none."""
    for rarest in (None, 1):
        try:
            return vectoriser_of(name, rarest=rarest).fit(texts)
        except ValueError:  # scikit-learn's word for an empty vocabulary
            continue
    return None


def n_columns(n_features: int, *, pairs: bool) -> int:
    """How many columns there are for so many features of a text."""
    return 4 * n_features + 1 if pairs else n_features


def _cut(texts: Sequence[str]) -> list[str]:
    return [text[:MOST_CHARACTERS] for text in texts]


def vectoriser_of(
    name: str, terms: list[str] | None = None, idf: FloatArray | None = None, rarest: int | None = None
) -> TfidfVectorizer:
    """One that is to be fitted, or with terms and their inverse document frequencies one that is.

    rarest: how many texts a feature must stand in at least; None: as usual.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    options = ANALYSERS[name]
    if rarest is not None:
        options = options | {"min_df": rarest}
    if terms is None:
        return TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **options)
    options = {key: value for key, value in options.items() if key != "min_df"}
    vectoriser = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, vocabulary=terms, **options)
    vectoriser.idf_ = np.asarray(idf, dtype=np.float32)
    return vectoriser
