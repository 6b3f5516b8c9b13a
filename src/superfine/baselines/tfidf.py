"""TF-IDF over words and pieces of words (characters for scripts without spaces), and linear outputs: what counting words reaches.

The classifier is logistic regression, one for each label where there may be several, and ridge regression for numbers. Where its
weights would take gigabytes, it reads fewer features; where there are so many classes that too few features are left, each class
is the mean of its texts instead, a sparse table.
"""

from __future__ import annotations

import json
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from superfine.baselines.features import Features, n_columns, vectoriser_of
from superfine.data.clean import clean_all, same_text_keys
from superfine.data.split import split
from superfine.errors import ModelError
from superfine.metrics import softmax
from superfine.predictors.bundle import Bundle, Manifest, write_manifest
from superfine.predictors.texts import OnBatch, TextPredictor
from superfine.records import Answers, Examples, FloatArray, IntArray
from superfine.tasks.task import Targets, Task

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

STRENGTHS = (1.0, 5.0, 25.0)
"""Candidates for the inverse regularisation strength C."""
USUAL_STRENGTH = 25.0
"""The best or nearly so from 300 rows to 54,000 (docs/experiments.md): another one has to be better beyond chance."""
SELECTION_ROWS = 5_000
"""The strength is chosen on at most so many training rows, so that choosing costs less than fitting."""
SELECTION_SHARE = 0.2
LEAST_TOLD = 0.3
"""Words that speak for a class by less than this share of what the strongest does are not told."""
MOST_WEIGHTS = 20_000_000
"""A regression with more weights (classes times features) takes gigabytes and hours: it reads the most frequent features."""
FEWEST_FEATURES = 20_000
"""With fewer a regression says less than the means of all features do."""
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Candidates for the penalty of a ridge regression."""
TITLES = {
    "logistic": "TF-IDF + logistic regression",
    "means": "TF-IDF + class means",
    "one-vs-rest": "TF-IDF + logistic regressions",
    "ridge": "TF-IDF + ridge regression",
}
EARLIER_KINDS = {"regression": "logistic"}
"""What saved baselines of earlier versions say."""
SHARPNESS = (5.0, 10.0, 20.0, 40.0)
"""Candidates for the factor between the similarity to a class's mean (-1 to 1) and its logit."""


@dataclass(frozen=True)
class Linear:
    """logits = features · weightsᵀ + bias. weights: (K, features) float32, dense or sparse; bias: (K,)."""

    weights: Any
    bias: FloatArray
    kind: str

    def logits(self, matrix: csr_matrix) -> FloatArray:
        """(n, K) float64."""
        product = matrix @ self.weights.T
        dense = product.toarray() if hasattr(product, "toarray") else product
        return np.asarray(dense, dtype=np.float64) + self.bias


class Tfidf(TextPredictor):
    """The baseline as a predictor. classes: (K',) the ids of the classes that training rows had; the others keep probability
    zero."""

    def __init__(
        self,
        task: Task,
        features: Features,
        linear: Linear,
        classes: IntArray,
        cleaning: Sequence[str],
        *,
        takes_pairs: bool,
    ) -> None:
        self.task = task
        self.features, self.linear, self.classes = features, linear, classes
        self.cleans = bool(cleaning)
        self.takes_pairs = takes_pairs

    @property
    def title(self) -> str:
        return TITLES[self.linear.kind]

    @classmethod
    def fit(cls, examples: Examples, task: Task, *, cleaning: Sequence[str] = ()) -> Self:
        """cleaning: steps that the model's tokenizer takes, so that both read the same."""
        rows, targets = _cleaned(examples) if cleaning else examples, _hard(task.targets(examples), task)
        if task.head.activation != "softmax":
            features, linear, task = _fit_columns(rows, targets, task)
            return cls(task, features, linear, np.arange(len(task.head)), cleaning, takes_pairs=examples.text_pair is not None)
        classes = np.unique(targets)
        features, linear = fit_linear(rows, np.searchsorted(classes, targets))
        return cls(task, features, linear, classes, cleaning, takes_pairs=examples.text_pair is not None)

    def answers(self, examples: Examples, on_batch: OnBatch | None = None) -> Answers:
        """The answer for each example, in the order given."""
        outputs = np.full((len(examples), len(self.task.head)), -np.inf)
        if len(examples):
            rows = _cleaned(examples) if self.cleans else examples
            outputs[:, self.classes] = self.linear.logits(self.features.transform(rows))
        if on_batch is not None:
            on_batch(len(examples))
        return self.task.decode(examples, outputs)

    def words_for(self, examples: Examples, said: IntArray, other: IntArray, most: int = 4) -> list[list[str]]:
        """Of each example the words (characters for scripts without spaces) that speak most for the class `said` (n,) against the
        class `other`: those of which weight times TF-IDF differs most; none where a class had no training row."""
        place = {int(of): at for at, of in enumerate(self.classes)}
        known = [i for i in range(len(examples)) if int(said[i]) in place and int(other[i]) in place]
        rows = _cleaned(examples) if self.cleans else examples
        words: list[list[str]] = [[] for _ in range(len(examples))]
        if not known:
            return words
        matrix, names = self.features.words_of(rows.take(known))
        for i, row in zip(known, matrix, strict=True):
            columns = row.indices
            weights = self.linear.weights[[place[int(said[i])], place[int(other[i])]]][:, columns]
            dense = weights.toarray() if hasattr(weights, "toarray") else weights
            speaks = (dense[0] - dense[1]) * row.data
            least = LEAST_TOLD * max(0.0, float(speaks.max(initial=0.0)))
            best = [k for k in np.argsort(-speaks, kind="stable") if speaks[k] > least]
            words[i] = _apart([names[columns[k]] for k in best], most)
        return words

    def save(self, folder: Path, manifest: Manifest) -> None:
        """Write the bundle: the terms as JSON, everything else as safetensors."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        vectorisers = self.features.vectorisers
        terms = {name: v.get_feature_names_out().tolist() for name, v in vectorisers.items()}
        arrays = {f"idf/{name}": v.idf_.astype(np.float32) for name, v in vectorisers.items()}
        arrays |= {"bias": self.linear.bias, "classes": self.classes}
        weights = self.linear.weights
        if self.linear.kind == "means":
            arrays |= {"weights/data": weights.data, "weights/indices": weights.indices, "weights/starts": weights.indptr}
        else:
            arrays["weights"] = weights
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "tfidf.safetensors")
        content = {"kind": self.linear.kind, "terms": terms}
        (folder / "tfidf.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        write_manifest(folder, manifest)

    @classmethod
    def load(cls, bundle: Bundle) -> Self:
        """The baseline as it was fitted. Raises ModelError for a folder that holds none."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
        from scipy.sparse import csr_matrix

        try:
            content = json.loads((bundle.folder / "tfidf.json").read_text(encoding="utf-8"))
            arrays = load_file(bundle.folder / "tfidf.safetensors")
            vectorisers = {name: vectoriser_of(name, terms, arrays[f"idf/{name}"]) for name, terms in content["terms"].items()}
            weights = arrays.get("weights")
            if weights is None:
                parts = (arrays["weights/data"], arrays["weights/indices"], arrays["weights/starts"])
                n_features = sum(map(len, content["terms"].values()))
                width = n_columns(n_features, pairs=bundle.manifest.text_pair is not None)
                weights = csr_matrix(parts, shape=(len(arrays["classes"]), width))
            linear = Linear(weights, arrays["bias"], EARLIER_KINDS.get(content["kind"], content["kind"]))
            classes = arrays["classes"]
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"The baseline in {bundle.folder} cannot be read: {error}.", "Train again.") from None
        manifest = bundle.manifest
        task = manifest.open_task()
        return cls(task, Features(vectorisers), linear, classes, manifest.cleaning, takes_pairs=manifest.text_pair is not None)


def _apart(words: Sequence[str], most: int) -> list[str]:
    """The first of them that say something by themselves, without those that lie in one that came before, or hold it."""
    chosen: list[str] = []
    for word in words:
        if len(chosen) == most:
            break
        tells = all(any(map(_is_telling, token)) for token in word.split())
        if word.strip() and tells and not any(word in one or one in word for one in chosen):
            chosen.append(word)
    return chosen


def _is_telling(character: str) -> bool:
    """Whether it is a letter, a digit or an emoji."""
    return character.isalnum() or unicodedata.category(character) == "So"


def _cleaned(examples: Examples) -> Examples:
    """As the model's tokenizer reads them."""
    from dataclasses import replace

    pair = None if examples.text_pair is None else clean_all(examples.text_pair)
    return replace(examples, text=clean_all(examples.text), text_pair=pair)


def _hard(targets: Targets, task: Task) -> Targets:
    """Of distributions over classes (n, K) the likeliest class (n,); other targets as they are."""
    return np.asarray(targets.argmax(axis=1)) if task.head.activation == "softmax" and targets.ndim == 2 else targets


def fit_linear(examples: Examples, targets: IntArray) -> tuple[Features, Linear]:
    """Features and a classifier for targets 0 to K - 1, all of which occur."""
    n_classes = int(targets.max()) + 1
    most = MOST_WEIGHTS // n_classes
    if most >= FEWEST_FEATURES:
        features = Features.fit(examples, most)
        strength = _choose_strength(examples, targets, most)
        return features, _regression(features.transform(examples), targets, strength, examples.weight)
    features = Features.fit(examples)
    return features, _class_means(features.transform(examples), targets, _choose_sharpness(examples, targets))


def _regression(matrix: csr_matrix, targets: IntArray, strength: float, weights: Sequence[float] | None = None) -> Linear:
    """Logistic regression; of two classes one is the reference, with logits of zero."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    n_classes = int(targets.max()) + 1
    if n_classes == 1:
        return Linear(np.zeros((1, matrix.shape[1]), dtype=np.float32), np.zeros(1), "logistic")
    model = LogisticRegression(C=strength, solver="liblinear" if n_classes == 2 else "lbfgs", max_iter=200)
    with warnings.catch_warnings():  # 200 iterations are as accurate as more, and the warning is of no use to the user
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(matrix, targets, sample_weight=weights)
    table, bias = model.coef_.astype(np.float32), model.intercept_.astype(np.float64)
    if len(table) == 1:
        table, bias = np.concatenate([0 * table, table]), np.concatenate([[0.0], bias])
    return Linear(table, bias, "logistic")


def _class_means(matrix: csr_matrix, targets: IntArray, sharpness: float) -> Linear:
    """Each class is the mean of its texts (Rocchio 1971), of length one, times the sharpness of its similarity."""
    from scipy.sparse import csr_matrix as table
    from sklearn.preprocessing import normalize

    n = len(targets)
    add = table((np.ones(n, dtype=np.float32), (targets, np.arange(n))), shape=(int(targets.max()) + 1, n))
    means = cast("csr_matrix", normalize(table(add @ normalize(matrix)))) * np.float32(sharpness)
    return Linear(table(means, dtype=np.float32), np.zeros(int(targets.max()) + 1), "means")


def _fit_columns(rows: Examples, targets: Targets, task: Task) -> tuple[Features, Linear, Task]:
    """A regression for each column of targets (n, n_outputs), and the task with what it learns of held-out rows: the strength of
    the regressions is chosen there too, and then all rows are fitted."""
    most = max(FEWEST_FEATURES, MOST_WEIGHTS // targets.shape[1])
    fit_one, candidates, best = (
        (_one_vs_rest, STRENGTHS, USUAL_STRENGTH) if task.head.activation == "sigmoid" else (_ridge, PENALTIES, 1.0)
    )
    selection = _selection(rows, task.strata(rows))
    if selection is not None:
        fitted, held_out = selection.fitted, selection.held_out
        features = Features.fit(fitted, most)
        train, test, truth = features.transform(fitted), features.transform(held_out), task.targets(held_out)
        outputs = {c: fit_one(train, task.targets(fitted), c, fitted.weight).logits(test) for c in candidates}
        best = min(candidates, key=lambda c: _column_loss(outputs[c], truth, task))
        task = task.adjusted(held_out, outputs[best])
    features = Features.fit(rows, most)
    return features, fit_one(features.transform(rows), targets, best, rows.weight), task


def _column_loss(outputs: FloatArray, targets: Targets, task: Task) -> float:
    """Mean binary cross-entropy, or mean squared error."""
    if task.head.activation == "sigmoid":
        return float((np.logaddexp(0, outputs) - targets * outputs).mean())
    return float(np.square(outputs - targets).mean())


def _one_vs_rest(matrix: csr_matrix, targets: Targets, strength: float, weights: Sequence[float] | None) -> Linear:
    """Logistic regression for each column of zeros and ones; a column of one value has a bias alone."""
    from sklearn.linear_model import LogisticRegression

    table = np.zeros((targets.shape[1], matrix.shape[1]), dtype=np.float32)
    shares = targets.mean(axis=0, dtype=np.float64).clip(1e-4, 1 - 1e-4)
    bias = np.log(shares / (1 - shares))
    for k, column in enumerate(targets.T):
        if len(np.unique(column)) == 2:
            model = LogisticRegression(C=strength, solver="liblinear").fit(matrix, column, sample_weight=weights)
            table[k], bias[k] = model.coef_[0], model.intercept_[0]
    return Linear(table, bias, "one-vs-rest")


def _ridge(matrix: csr_matrix, targets: Targets, penalty: float, weights: Sequence[float] | None) -> Linear:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=penalty, solver="sparse_cg").fit(matrix, targets, sample_weight=weights)
    return Linear(np.atleast_2d(model.coef_).astype(np.float32), np.atleast_1d(model.intercept_).astype(np.float64), "ridge")


@dataclass(frozen=True)
class _Selection:
    """Rows to fit candidates on, and rows to choose by."""

    fitted: Examples
    fitted_targets: IntArray
    held_out: Examples
    held_out_targets: IntArray


def _selection(examples: Examples, targets: IntArray) -> _Selection | None:
    """About a fifth of the rows held out, groups and repeated texts on one side; None where that leaves too little on one."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(examples))[:SELECTION_ROWS])
    rows, ids = examples.take(chosen), targets[chosen]
    stay, held_out = split(ids, same_text_keys(rows.text, rows.text_pair), SELECTION_SHARE, seed=0, groups=rows.group)
    if len(held_out) < 20 or len(np.unique(ids[stay])) < 2:
        return None
    return _Selection(rows.take(stay), ids[stay], rows.take(held_out), ids[held_out])


def _choose_strength(examples: Examples, targets: IntArray, most: int) -> float:
    """The usual C, unless another has a better accuracy on held-out training rows by more than one standard error of the
    difference."""
    rows = _selection(examples, targets)
    if rows is None:
        return USUAL_STRENGTH
    classes = np.unique(rows.fitted_targets)
    features = Features.fit(rows.fitted, most)
    train, test = features.transform(rows.fitted), features.transform(rows.held_out)
    ids = np.searchsorted(classes, rows.fitted_targets)
    right = {
        strength: classes[_regression(train, ids, strength).logits(test).argmax(axis=1)] == rows.held_out_targets
        for strength in STRENGTHS
    }
    best = max(STRENGTHS, key=lambda strength: float(right[strength].mean()))
    gain = right[best].astype(float) - right[USUAL_STRENGTH]
    return best if gain.mean() > gain.std() / np.sqrt(len(gain)) else USUAL_STRENGTH


def _choose_sharpness(examples: Examples, targets: IntArray) -> float:
    """The factor with the least log loss on held-out training rows, among classes that both sides have."""
    rows = _selection(examples, targets)
    if rows is None:
        return SHARPNESS[1]
    classes = np.unique(rows.fitted_targets)
    features = Features.fit(rows.fitted)
    linear = _class_means(features.transform(rows.fitted), np.searchsorted(classes, rows.fitted_targets), 1.0)
    both = np.isin(rows.held_out_targets, classes)
    if not both.any():
        return SHARPNESS[1]
    similarity = linear.logits(features.transform(rows.held_out))[both]
    true = np.searchsorted(classes, rows.held_out_targets[both])

    def log_loss(sharpness: float) -> float:
        return float(-np.log(np.maximum(softmax(sharpness * similarity)[np.arange(len(true)), true], 1e-12)).mean())

    return min(SHARPNESS, key=log_loss)
