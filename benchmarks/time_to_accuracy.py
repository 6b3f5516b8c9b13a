"""Seconds of the full recipe beside the Hugging Face Trainer's, and the accuracy that each comes to.

    python -m benchmarks.time_to_accuracy                 run what is missing, then print the table
    python -m benchmarks.time_to_accuracy --table         print the tables of what there is, one for each machine

Contestants: the Trainer with its defaults (3 epochs, learning rate 5e-5, batch 32); the Trainer at its best (the same in bfloat16,
with batches grouped by length, and the attention function that won on that set in `benchmarks.training_speed`); Superfine with its
default recipe, which holds out a tenth of the rows and is free to stop by them. At most 256 tokens for all.
Seconds are those of the training itself, for Superfine with every validation; loading, tokenising and testing are left out for all.
Each seed draws its own training rows, the same for all. Each contestant is scored once, at the end, on the same test rows; differences
are paired by seed and row, with 95 % bootstrap intervals over both. The contestants of a seed run one after the other on an otherwise
idle machine, and ratios are formed within a seed. Needs the extras `offline` and `bench`.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks import datasets
from benchmarks.accuracy import correct, embedded_model, interval, points
from benchmarks.training_speed import gmean, new_result, print_tables, result_path, speed_arguments, spread

SETS = {"en/sst2": 4000, "en/ag_news": 2000, "en/imdb": 1000}
"""Training rows of each: as many as the Trainer's defaults learn from in 5 to 15 minutes."""
TEST_ROWS = 1000
FOLDER = datasets.REPOSITORY / "benchmarks" / "runs" / "time_to_accuracy"
CONTESTANTS = ["trainer", "trainer_best", "superfine"]


def prepare(name: str, seed: int) -> tuple[Path, Path]:
    """The rows to learn from that this seed draws for every contestant, and the test rows, which are the same for all seeds."""
    folder = FOLDER / name.replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    own_train, own_test = folder / f"train-{seed}.csv", folder / "test.csv"
    train, test = datasets.train_and_test(name)
    if not own_test.exists():
        datasets.write(datasets.stratified_sample(datasets.read(test), TEST_ROWS, seed=1), own_test)
    if not own_train.exists():
        datasets.write(datasets.stratified_sample(datasets.read(train), SETS[name], seed), own_train)
    return own_train, own_test


def best_attention(name: str) -> str:
    """The faster of the Trainer's attention functions in this machine's last run of `training_speed`."""
    measured = json.loads(result_path("training_speed").read_text(encoding="utf-8"))["sets"][name]["rounds"]
    rates = {a: gmean([r[f"trainer_best_{a}"]["examples_per_second"] for r in measured]) for a in ("eager", "sdpa")}
    return max(rates, key=rates.__getitem__)


def run(contestant: str, name: str, seed: int) -> dict:
    train, test = prepare(name, seed)
    out = train.with_name(f"{contestant}-{seed}.json")
    peer = "superfine" if contestant == "superfine" else "huggingface_trainer"
    command = [sys.executable, "-m", f"benchmarks.peers.{peer}", str(train), str(test)]
    command += ["--out", str(out), "--seed", str(seed)]
    if peer == "superfine":
        command += ["--set", json.dumps({"model.max_length": 256})]
    else:
        command += ["--model", embedded_model(), "--epochs", "3", "--batch-size", "32", "--max-length", "256"]
    if contestant == "trainer_best":
        command += ["--bf16", "--group", "--attention", best_attention(name)]
    subprocess.run(command, check=True, cwd=datasets.REPOSITORY, stderr=subprocess.DEVNULL)
    result = json.loads(out.read_text(encoding="utf-8"))
    labels = datasets.read(test).labels
    return {
        "seconds": result["seconds"],
        "accuracy": result["accuracy"],
        "options": result["options"],
        "correct": "".join("1" if c else "0" for c in correct(result, labels)),
    }


def table(result: dict) -> str:
    lines = [
        "| set | training rows | seeds | seconds: Trainer, best, Superfine | fewer than the defaults | fewer than the best "
        "| accuracy: Trainer, best, Superfine | Superfine − Trainer, points | Superfine − best, points |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    ratios: dict[str, list[float]] = {"trainer": [], "trainer_best": []}
    for name, seeds in result["sets"].items():
        runs = [seeds[seed] for seed in sorted(seeds) if all(c in seeds[seed] for c in CONTESTANTS)]
        if not runs:
            continue
        seconds = {c: np.array([r[c]["seconds"] for r in runs]) for c in CONTESTANTS}
        right = {c: np.array([[int(x) for x in r[c]["correct"]] for r in runs], dtype=float) for c in CONTESTANTS}
        fewer = {c: seconds[c] / seconds["superfine"] for c in ratios}
        for contestant, found in fewer.items():
            ratios[contestant].append(gmean(found))
        lines.append(
            f"| {name} | {SETS[name]} | {len(runs)} | {', '.join(f'{gmean(seconds[c]):.0f}' for c in CONTESTANTS)} "
            f"| {spread(fewer['trainer'])} | {spread(fewer['trainer_best'])} "
            f"| {', '.join(f'{right[c].mean():.2%}' for c in CONTESTANTS)} "
            f"| {points(interval(right['superfine'] - right['trainer']))} "
            f"| {points(interval(right['superfine'] - right['trainer_best']))} |"
        )
    if ratios["trainer"]:
        lines.append(
            f"\nGeometric means over the sets: {gmean(ratios['trainer']):.2f} × fewer seconds than the defaults, "
            f"{gmean(ratios['trainer_best']):.2f} × fewer than the best. Machine: {result['machine']}."
        )
    return "\n".join(lines)


def main() -> None:
    parser = speed_arguments(__doc__, SETS)
    a = parser.parse_args()
    if a.table:
        print_tables("time_to_accuracy", table)
        return
    path = result_path("time_to_accuracy")
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else new_result()
    for seed in range(a.rounds):
        for name in a.sets:
            done = result["sets"].setdefault(name, {}).setdefault(str(seed), {})
            for contestant in CONTESTANTS:
                if contestant not in done:
                    done[contestant] = run(contestant, name, seed)
                    path.write_text(json.dumps(result, indent=1), encoding="utf-8")
                    print(f"{name} seed {seed} {contestant}: {done[contestant]['seconds']:.0f} s", flush=True)
    print(table(result))


if __name__ == "__main__":
    main()
