"""Superfine (超级微调): from a table of labelled text to a tested, explained and servable classifier.

    import superfine
    run = superfine.train("reviews.csv")
    print(run.metrics["test"]["accuracy"])
    model = superfine.load(run.folder)
    print(model.predict(["Arrived broken, twice."]).label)

The map of the house, in the order in which the data travels (left makes, right uses; no import runs back):

    errors names records metrics config    the base
    data → tasks → predictors                     no torch up to here
    backbones → model → training                  torch
    evaluation, report                            predictions and saved records only
    recipes → cli                                 verbs, and the command line
"""

from __future__ import annotations

from superfine.api import Run, evaluate, load, train

__all__ = ["Run", "evaluate", "load", "train"]
__version__ = "0.1.0"
