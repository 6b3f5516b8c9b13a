"""`SuperfineClassifier` and `SuperfineRegressor`: fine-tuning as scikit-learn estimators, for pipelines, cross-validation and
searches."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from superfine.data.frames import as_texts
from superfine.data.labels import number_key, visible
from superfine.data.table import is_missing
from superfine.errors import OutputError
from superfine.predictors.bundle import packed, unpack
from superfine.records import FloatArray

if TYPE_CHECKING:
    from superfine.records import Choices, Predictor, Sets

BUNDLE = "_bundle"


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: the settings, training in a folder of its own, and pickling."""

    def __init__(
        self,
        model: str | None = None,
        *,
        epochs: int | None = None,
        learning_rate: float | None = None,
        max_length: int | None = None,
        validation_share: float = 0.1,
        seed: int = 0,
        time_limit: str | float | None = None,
        settings: Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> None:
        self.model = model
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.max_length = max_length
        self.validation_share = validation_share
        self.seed = seed
        self.time_limit = time_limit
        self.settings = settings
        self.progress = progress

    def _train(self, columns: dict[str, list[str]], task: str, weights: Sequence[float] | None) -> None:
        """Fine-tune on the column `text` and all others as labels, and open the model. weights: (n,) of the texts."""
        import time

        from superfine.recipes.fit import fit
        from superfine.recipes.reporter import Reporter
        from superfine.recipes.request import make_request

        reporter = Reporter()
        if self.progress:
            from superfine.cli.console import ConsoleReporter

            reporter = ConsoleReporter()
        named = {
            "model.name": self.model,
            "model.max_length": self.max_length,
            "training.epochs": self.epochs,
            "training.learning_rate": self.learning_rate,
            "training.time_limit": self.time_limit,
            "data.validation_share": self.validation_share,
            "data.text": "text",
            "data.label": [name for name in columns if name != "text"],
            "data.weight": None if weights is None else "weight",
            "task.name": task,
            "seed": self.seed,
        }
        if weights is not None:
            check_consistent_length(columns["text"], weights)
            columns = columns | {"weight": [repr(float(value)) for value in weights]}
        folder = tempfile.TemporaryDirectory(prefix="superfine-")
        request = make_request(
            columns,
            validation=None,
            test=None,
            out=Path(folder.name),
            config=None,
            overrides={**(self.settings or {}), **{key: value for key, value in named.items() if value is not None}},
            force=False,
            resume=None,
            strict=False,
            started=time.monotonic(),
        )
        fit(request, reporter)
        self._open(folder)

    def _open(self, folder: tempfile.TemporaryDirectory[str]) -> None:
        from superfine.predictors.bundle import open_predictor

        # The folder goes when the estimator does.
        self._folder = folder
        self._predictor: Predictor = open_predictor(folder.name)

    def _answers(self, X: Sequence[str]) -> Any:  # noqa: N803
        check_is_fitted(self, "_predictor")
        return self._predictor.predict(as_texts(X))

    def save(self, folder: str | Path) -> None:
        """Write the fitted model as a bundle that `superfine.load` and plain transformers open.

        Raises OutputError where the folder holds a model already.
        """
        import shutil

        check_is_fitted(self, "_predictor")
        if (Path(folder) / "model").exists():
            raise OutputError(f"The folder {folder} already holds a model.", "Choose another one.")
        shutil.copytree(Path(self._folder.name) / "model", Path(folder) / "model")

    def __getstate__(self) -> dict[str, Any]:
        """A pickle holds the files of the bundle, never the network's objects."""
        state: dict[str, Any] = dict(super().__getstate__())
        if state.pop("_predictor", None) is not None:
            state[BUNDLE] = packed(Path(state.pop("_folder").name) / "model")
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        bundle = state.pop(BUNDLE, None)
        super().__setstate__(state)
        if bundle is not None:
            folder = tempfile.TemporaryDirectory(prefix="superfine-")
            unpack(bundle, Path(folder.name))
            self._open(folder)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags


class SuperfineClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """Fine-tunes a pretrained language model on texts: `fit(texts, labels)`, `predict(texts)`, `predict_proba(texts)`.

    model: name or folder of the pretrained model; None: by their language. epochs, learning_rate, max_length: as in the
    configuration; None chooses. validation_share: of the rows, by which the best epoch is chosen. seed: same seed, same
    data, same weights. time_limit: seconds or "10m" for one fit. settings: further configuration, `{"training.batch_size": 16}`.
    progress: print to standard error.

    After `fit`: `classes_` (K,), the labels in the order of the columns of `predict_proba`. Labels may also be a table (n, K) of
    zeros and ones, one column for each of several labels; `predict` then gives such a table, and `classes_` numbers its columns.
    """

    def fit(self, X: Sequence[str], y: Sequence[Any], sample_weight: Sequence[float] | None = None) -> Self:  # noqa: N803
        """Fine-tune on n texts `X` and their labels `y`: (n,) strings, numbers or booleans, or (n, K) zeros and ones.

        sample_weight: (n,) how much each text counts. Raises ValueError for what is no text, and a
        `superfine.errors.SuperfineError` for what cannot be learned from.
        """
        texts = as_texts(X)
        check_consistent_length(texts, y)
        if np.ndim(y) == 2 and np.shape(y)[1] == 1:
            y = column_or_1d(y.toarray() if hasattr(y, "toarray") else y, warn=True)
        self.multilabel_ = np.ndim(y) == 2
        if self.multilabel_:
            return self._fit_table(texts, np.asarray(y.toarray() if hasattr(y, "toarray") else y), sample_weight)
        if getattr(y, "ndim", 1) != 1:
            raise ValueError(f"y is one class for each text, not a table of shape {np.shape(y)}")
        missing = next((i for i, value in enumerate(y) if is_missing(value)), None)
        if missing is not None:
            raise ValueError(f"y[{missing}] is missing: every text needs a class")
        classes, ids = np.unique(np.asarray(list(y)), return_inverse=True)
        names = [visible(str(value)) for value in classes.tolist()]
        if len({number_key(name) for name in names}) < len(names) or "" in names:
            raise ValueError("a class reads as an empty text, or two classes read the same")
        empty = sorted(set(names) - {names[i] for text, i in zip(texts, ids, strict=True) if text.strip()})
        if empty:
            raise ValueError(f'all texts of the class "{empty[0]}" are empty')
        self._train({"text": texts, "label": [names[i] for i in ids]}, "classification", sample_weight)
        self.classes_ = classes
        self._columns = [self._predictor.labels.index(name) for name in names]
        return self

    def _fit_table(self, texts: list[str], table: Any, sample_weight: Sequence[float] | None) -> Self:
        if table.shape[1] < 2 or not np.isin(table, (0, 1)).all():
            raise ValueError(
                f"y is one class for each text, or zeros and ones for each of several labels, not a table of shape {table.shape}"
            )
        width = table.shape[1]
        columns = {"text": texts} | {str(k): [str(int(v)) for v in table[:, k]] for k in range(width)}
        self._train(columns, "multilabel", sample_weight)
        self.classes_ = np.arange(width)
        # A label that no text has is not known to the model: its column stays zero.
        self._columns = [int(name) for name in self._predictor.labels]
        return self

    def predict_proba(self, X: Sequence[str]) -> FloatArray:  # noqa: N803
        """(n, K) probabilities of n texts, columns in the order of `classes_`; of several labels each has its own."""
        return self._probabilities(self._answers(X))

    def _probabilities(self, answers: Choices | Sets) -> FloatArray:
        if not self.multilabel_:
            return np.asarray(answers.probabilities[:, self._columns], dtype=np.float64)
        table = np.zeros((len(answers), len(self.classes_)))
        table[:, self._columns] = answers.probabilities
        return table

    def predict(self, X: Sequence[str]) -> Any:  # noqa: N803
        """(n,) the most probable class of each text, or (n, K) zeros and ones."""
        answers = self._answers(X)
        if not self.multilabel_:
            return self.classes_[self._probabilities(answers).argmax(axis=1)]
        table = np.zeros((len(answers), len(self.classes_)), dtype=np.int64)
        table[:, self._columns] = answers.members
        return table

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class SuperfineRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """Fine-tunes a pretrained language model to give a number for a text: `fit(texts, numbers)`, `predict(texts)`.

    The arguments are those of `SuperfineClassifier`.
    """

    def fit(self, X: Sequence[str], y: Sequence[float], sample_weight: Sequence[float] | None = None) -> Self:  # noqa: N803
        """Fine-tune on n texts `X` and their numbers `y` (n,). Raises ValueError for what is no text or no number.

        sample_weight: (n,) how much each text counts.
        """
        texts = as_texts(X)
        check_consistent_length(texts, y)
        numbers = np.asarray(y, dtype=np.float64)
        if numbers.ndim != 1 or not np.isfinite(numbers).all():
            raise ValueError("y is one finite number for each text")
        self._train({"text": texts, "label": [repr(float(value)) for value in numbers]}, "regression", sample_weight)
        return self

    def predict(self, X: Sequence[str]) -> FloatArray:  # noqa: N803
        """(n,) the number of each text."""
        return np.asarray(self._answers(X).values, dtype=np.float64)

    def predict_interval(self, X: Sequence[str]) -> FloatArray:  # noqa: N803
        """(n, 2) the ends of the 95 % interval of each number."""
        answers = self._answers(X)
        return np.stack([answers.low, answers.high], axis=1)
