"""Which epoch to keep: rules compared by what they cost on rows that no rule has seen, all of training parts.

    python -m benchmarks.kept_epoch --sets en/sst2 en/emotion --seeds 0 1 2 --rows 1000
    python -m benchmarks.kept_epoch --table               print the table of what there is

Each run holds out a tenth of `--rows` rows, as `superfine train` does, fine-tunes by the default recipe to its last epoch, and
is scored after every epoch on the rows held out and on 2,000 others of the same training part (those of `benchmarks.recipe`). The
table shows the accuracy on the others of the epoch that each rule would have kept, given the rows held out. A finished run is one
line of benchmarks/runs/kept_epoch.jsonl and is not repeated. Needs the extras `offline` and `bench`.
"""

import argparse
import json
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks import datasets
from benchmarks.recipe import fine_tuned, model_and_parts, parts_of

SETS = ["en/sst2", "en/rotten_tomatoes", "en/emotion"]
LOG = datasets.REPOSITORY / "benchmarks" / "runs" / "kept_epoch.jsonl"
PATIENCE = 2


def trial(name: str, n_rows: int, seed: int) -> dict:
    from superfine.config import build_config
    from superfine.recipes.prepare import prepare
    from superfine.recipes.reporter import Reporter

    train, others = parts_of(name, n_rows)
    parts = prepare(train, None, others, build_config({}, {"training.patience": 0, "seed": seed}))
    built = model_and_parts(parts)
    encoded, targets = built.model.encoder.encode(parts.test), parts.task.gold(parts.test)
    on_others = []

    class Scoring(Reporter):
        def on_epoch(self, record: object, is_kept: bool) -> None:
            on_others.append(float((built.model.outputs(encoded).argmax(1) == targets).mean()))

    state = fine_tuned(built, Scoring())
    return {
        "set": name,
        "rows": n_rows,
        "seed": seed,
        "held_out": len(parts.validation),
        "errors": [r.standard_error for r in state.progress.history],
        "accuracies": [r.score for r in state.progress.history],
        "losses": [r.loss for r in state.progress.history],
        "others": on_others,
    }


def largest(run: dict) -> int:
    """The largest accuracy, and of equal ones the latest."""
    accuracies = run["accuracies"]
    return max(range(len(accuracies)), key=lambda i: (accuracies[i], i))


def largest_with_patience(run: dict) -> int:
    """The same, where training ends after two epochs without a larger one."""
    kept = 0
    for i, accuracy in enumerate(run["accuracies"]):
        if accuracy >= run["accuracies"][kept]:
            kept = i
        if i - kept >= PATIENCE:
            break
    return kept


def within_chance(run: dict) -> int:
    """What `superfine train` keeps."""
    from superfine.training.loop import EpochRecord, is_kept

    pairs = zip(run["accuracies"], run["losses"], run["errors"], strict=True)
    history = [EpochRecord(i, 0.0, loss, accuracy, error, 0.0) for i, (accuracy, loss, error) in enumerate(pairs)]
    return max(i for i in range(len(history)) if is_kept(history[: i + 1]))


def smallest_loss(run: dict) -> int:
    return int(np.argmin(run["losses"]))


def last(run: dict) -> int:
    return len(run["accuracies"]) - 1


RULES: dict[str, Callable[[dict], int]] = {
    "largest accuracy": largest,
    "with a patience of 2": largest_with_patience,
    "smallest loss": smallest_loss,
    "within one standard error": within_chance,
    "last": last,
}


def finished() -> list[dict]:
    return [json.loads(line) for line in LOG.read_text(encoding="utf-8").splitlines()] if LOG.exists() else []


def table(runs: Sequence[dict]) -> str:
    cells: dict[tuple[str, int], list[dict]] = {}
    for run in runs:
        cells.setdefault((run["set"], run["rows"]), []).append(run)
    lines = ["| set | rows | seeds | " + " | ".join(RULES) + " |", "|---|---|---|" + "---|" * len(RULES)]
    for (name, n_rows), members in sorted(cells.items()):
        means = [np.mean([run["others"][rule(run)] for run in members]) for rule in RULES.values()]
        lines.append(f"| {name} | {n_rows} | {len(members)} | " + " | ".join(f"{mean:.4f}" for mean in means) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=1000, help="to learn from and to hold out")
    parser.add_argument("--table", action="store_true", help="run nothing")
    a = parser.parse_args()
    for seed in [] if a.table else a.seeds:
        for name in a.sets:
            if any((r["set"], r["rows"], r["seed"]) == (name, a.rows, seed) for r in finished()):
                continue
            LOG.parent.mkdir(parents=True, exist_ok=True)
            with open(LOG, "a", encoding="utf-8") as file:
                file.write(json.dumps(trial(name, a.rows, seed)) + "\n")
    print(table(finished()))


if __name__ == "__main__":
    main()
