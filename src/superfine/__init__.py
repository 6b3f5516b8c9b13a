"""Superfine (超级微调): from a table of labelled text to a tested, explained and servable model.

    import superfine
    run = superfine.train("reviews.csv")
    print(run.metrics["test"]["accuracy"])
    model = superfine.load(run.folder)
    print(model.predict(["Arrived broken, twice."]).label)

The map of the house, in the order in which the data travels (left makes, right uses; no import runs back):

    errors extras names language records metrics config    the base
    data → tasks → predictors → baselines                  no torch up to here
    backbones → model → training, export                   torch
    evaluation, report                                     statistics and saved records only
    recipes → cli, api, estimator                          verbs, and the three ways to call them
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from superfine.api import Run, evaluate, load, train

if TYPE_CHECKING:
    from superfine.estimator import SuperfineClassifier, SuperfineRegressor

__all__ = ["Run", "SuperfineClassifier", "SuperfineRegressor", "evaluate", "load", "train"]
__version__ = "0.1.0"


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """The estimators are imported when they are asked for: scikit-learn takes a second to load."""
    if name in ("SuperfineClassifier", "SuperfineRegressor"):
        from superfine import estimator

        return getattr(estimator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
