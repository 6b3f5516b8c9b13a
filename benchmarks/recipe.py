"""Where the default recipe comes from: settings compared on validation rows of training parts, never on a test part.

    python -m benchmarks.recipe '{}' '{"training.learning_rate": 5e-5, "training.head_learning_rate_multiplier": 20}'
    python -m benchmarks.recipe --sets en/sst2 --seeds 0 1 2 '{"training.layer_decay": 0.9}'
    python -m benchmarks.recipe --rows 900 '{}'   fewer rows to learn from
    python -m benchmarks.recipe --table           print the table of what there is

Each setting fine-tunes on 3,600 rows of a training part (what the accuracy benchmark leaves after holding out validation rows)
and is scored after every epoch on 2,000 other rows of the same part. A finished run is one line of benchmarks/runs/recipe.jsonl
and is not repeated; run it with SUPERFINE_DATA and the extras `offline` and `bench` as the accuracy benchmark.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks import datasets

if TYPE_CHECKING:
    from superfine.config import RunConfig
    from superfine.model import Model
    from superfine.recipes.encode import EncodedParts
    from superfine.recipes.prepare import Parts
    from superfine.recipes.reporter import Reporter
    from superfine.training.loop import TrainingState, Validate

SETS = ["en/sst2", "en/rotten_tomatoes", "en/emotion", "en/banking77", "en/ag_news"]
TRAIN_ROWS, VALIDATION_ROWS = 3600, 2000
LOG = datasets.REPOSITORY / "benchmarks" / "runs" / "recipe.jsonl"


def parts_of(name: str, n_rows: int) -> tuple[Path, Path]:
    """Two files of the training part of a set: rows to learn from, and others to validate on. No text is in both."""
    if n_rows < TRAIN_ROWS:
        train, validation = parts_of(name, TRAIN_ROWS)
        fewer = train.with_name(f"train-{n_rows}.csv")
        if not fewer.exists():
            datasets.write(datasets.stratified_sample(datasets.read(train), n_rows), fewer)
        return fewer, validation
    from superfine.data.clean import same_text_keys
    from superfine.data.split import split

    folder = LOG.parent / "recipe" / name.replace("/", "_")
    files = folder / "train.csv", folder / "validation.csv"
    if not files[1].exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = datasets.stratified_sample(datasets.read(datasets.train_and_test(name)[0]), TRAIN_ROWS + VALIDATION_ROWS, seed=99)
        ids = np.unique(rows.labels, return_inverse=True)[1].astype(np.int64)
        # A set with too few rows for both keeps two thirds of them to learn from.
        share = max(1 / 3, 1 - TRAIN_ROWS / len(ids))
        for file, indices in zip(files, split(ids, same_text_keys(rows.texts), share, seed=7), strict=True):
            datasets.write(datasets.Rows([rows.texts[i] for i in indices], [rows.labels[i] for i in indices]), file)
    return files


def trial(name: str, settings: dict, seed: int, n_rows: int) -> dict:
    """Fine-tune once, to the last epoch."""
    from superfine.config import build_config
    from superfine.recipes.prepare import prepare
    from superfine.recipes.reporter import Reporter

    train, validation = parts_of(name, n_rows)
    parts = prepare(train, validation, validation, build_config({}, {"training.patience": 0, "seed": seed, **settings}))
    state = fine_tuned(model_and_parts(parts), Reporter())
    history = [[round(r.score, 4), round(r.loss, 4)] for r in state.progress.history]
    rows = [len(state.stage.train), len(parts.validation)]
    return {"set": name, "seed": seed, "settings": settings, "rows": rows, "history": history}


class Built(NamedTuple):
    """A model to be fine-tuned, the encoded parts, what scores it on the validation part, and the configuration."""

    model: "Model"
    encoded: "EncodedParts"
    validate: "Validate"
    config: "RunConfig"


def model_and_parts(parts: "Parts") -> Built:
    """What `superfine train` has before the first step."""
    from superfine.recipes.encode import encode_parts
    from superfine.recipes.fine_tune import open_model
    from superfine.recipes.reporter import Reporter
    from superfine.recipes.validate import validation_of

    model, parts = open_model(parts, Reporter())
    encoded = encode_parts(parts, model.encoder, parts.config, Reporter())
    return Built(model, encoded, validation_of(parts.validation, encoded.validation), parts.config)


def fine_tuned(built: Built, reporter: "Reporter") -> "TrainingState":
    """The state at the end, with the random numbers that `superfine train` would have."""
    from superfine.backbones.process import isolated_seed
    from superfine.training.clock import Clock
    from superfine.training.loop import TrainingState, fit

    model, encoded, validate, config = built
    with isolated_seed(config.seed + 1):
        state = TrainingState(model, encoded.train, validate, config.training, config.seed)
        fit(state, Clock(), reporter)
    return state


def finished() -> list[dict]:
    return [json.loads(line) for line in LOG.read_text(encoding="utf-8").splitlines()] if LOG.exists() else []


def key(name: str, settings: dict, seed: int, n_rows: int) -> str:
    return json.dumps([name, settings, seed, n_rows], sort_keys=True)


def key_of(run: dict) -> str:
    # A set with too few rows has some less than were asked for.
    n_rows = run["rows"][0]
    return key(run["set"], run["settings"], run["seed"], TRAIN_ROWS if n_rows > 0.6 * TRAIN_ROWS else round(n_rows, -2))


def table(runs: list[dict]) -> str:
    """Means over seeds of the best epoch's accuracy, the last one's, and the last one's loss."""
    lines = ["| set | rows | setting | seeds | best epoch | last epoch | loss of the last |", "|---|---|---|---|---|---|---|"]
    cells: dict[tuple[str, int, str], list[list[list[float]]]] = {}
    for run in runs:
        cells.setdefault((run["set"], run["rows"][0], json.dumps(run["settings"], sort_keys=True)), []).append(run["history"])
    for (name, n_rows, settings), histories in sorted(cells.items()):
        best = np.mean([max(accuracy for accuracy, _ in history) for history in histories])
        last, loss = np.mean([history[-1] for history in histories], axis=0)
        lines.append(f"| {name} | {n_rows} | `{settings}` | {len(histories)} | {best:.4f} | {last:.4f} | {loss:.3f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", type=json.loads, help="JSON mappings of configuration keys; {} is the default")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--rows", type=int, default=TRAIN_ROWS, help="to learn from")
    parser.add_argument("--table", action="store_true", help="run nothing")
    a = parser.parse_args()
    if not a.table:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        for seed in a.seeds:
            for name in a.sets:
                for settings in a.settings:
                    if key(name, settings, seed, a.rows) in {key_of(r) for r in finished()}:
                        continue
                    line = json.dumps(trial(name, settings, seed, a.rows))
                    with open(LOG, "a", encoding="utf-8") as file:
                        file.write(line + "\n")
                    print(line, flush=True)
    print(table(finished()))


if __name__ == "__main__":
    main()
