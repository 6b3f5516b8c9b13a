"""Several trainings: from other seeds, without each fold."""

from __future__ import annotations

from typing import Any


def trainings(metrics: dict[str, Any]) -> dict[str, Any]:
    """by: "seeds" or "folds". rows: of each training its name, the validation score where there is one, its scores, texts, and
    whether it is the one that is kept. over: by score the mean, the deviation, and of seeds the interval."""
    names = metrics["shown"]["headline"]
    if "seeds" in metrics:
        found, main = metrics["seeds"], metrics["main"]
        rows = [
            {
                "name": str(run["seed"]),
                "validation": run["validation"].get(main),
                "scores": [run["test"].get(name) for name in names],
                "n": None,
                "is_kept": run["seed"] == found["kept"],
            }
            for run in found["runs"]
        ]
        intervals = found.get("over", {}).items()
        over: list[Any] = [(name, own["value"], own["deviation"], (own["low"], own["high"])) for name, own in intervals]
        return {"by": "seeds", "names": names, "rows": rows, "over": over}
    found = metrics["folds"]
    rows = [
        {
            "name": str(k),
            "validation": None,
            "scores": [run.get(name) for name in names],
            "n": run["n"],
            "is_kept": False,
        }
        for k, run in enumerate(found["runs"], 1)
    ]
    over = [(name, own["mean"], own["deviation"], None) for name, own in found["over"].items()]
    return {"by": "folds", "names": names, "rows": rows, "over": over}
