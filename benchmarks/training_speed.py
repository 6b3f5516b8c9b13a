"""Training throughput beside the Hugging Face Trainer: the same rows, batch, epochs and length, interleaved in one run.

    python -m benchmarks.training_speed                run, print the table, write benchmarks/results/MACHINE/training_speed.json
    python -m benchmarks.training_speed --rounds 5     more pairs
    python -m benchmarks.training_speed --table        print the tables of the last runs, one for each machine

Contestants: the Trainer with its defaults; the Trainer at its best (bfloat16, batches grouped by length, and whichever of its
attention functions is faster on that set: both run in every round, `--compile` tries torch.compile as well); Superfine.
Every contestant learns from every token of every row once per epoch and updates every parameter. Batch 32, at most 256 tokens.
Seconds are those of the training loop alone, without loading and tokenising. A round runs all contestants one after the other on
an otherwise idle machine; ratios are formed within a round, and the table shows their geometric mean and range.

The ceiling is the rate of a large bfloat16 matrix product, measured before each round; the shares are of the highest one. Useful work is
6 · (parameters outside the embeddings) · tokens + 12 · layers · width · (sum of squared lengths): each token once, no padding.
Needs the extras `offline` and `bench`.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from benchmarks import datasets
from benchmarks.accuracy import embedded_model

SETS = {"en/sst2": 1600, "en/ag_news": 512, "en/imdb": 192}
TEST_ROWS, VALIDATION_ROWS = 400, 40
FOLDER = datasets.REPOSITORY / "benchmarks" / "runs" / "training_speed"
RESULTS = datasets.REPOSITORY / "benchmarks" / "results"
TRAINER = ["--epochs", "1", "--batch-size", "32", "--max-length", "256"]
BEST = ["--bf16", "--group"]
BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
CONTESTANTS = {
    "trainer": ("huggingface_trainer", TRAINER),
    "trainer_best_sdpa": ("huggingface_trainer", [*TRAINER, *BEST, "--attention", "sdpa"]),
    "trainer_best_eager": ("huggingface_trainer", [*TRAINER, *BEST, "--attention", "eager"]),
    "superfine": ("superfine", ["--set", json.dumps({"training.epochs": 1, "training.batch_size": 32, "model.max_length": 256})]),
}
COMPILED = ("huggingface_trainer", [*TRAINER, *BEST, "--attention", "sdpa", "--compile"])


def prepare(name: str, rows: int, within: Path = FOLDER) -> Path:
    """The folder of a set, `within` another, with train.csv, test.csv and a small validation.csv, seeded and stratified."""
    folder = within / name.replace("/", "_")
    train, test = datasets.train_and_test(name)
    if not (folder / "validation.csv").exists():
        folder.mkdir(parents=True, exist_ok=True)
        everything = datasets.read(train)
        datasets.write(datasets.stratified_sample(everything, rows), folder / "train.csv")
        held = datasets.stratified_sample(datasets.read(test), TEST_ROWS + VALIDATION_ROWS, seed=1)
        datasets.write(datasets.Rows(held.texts[:TEST_ROWS], held.labels[:TEST_ROWS]), folder / "test.csv")
        datasets.write(datasets.Rows(held.texts[TEST_ROWS:], held.labels[TEST_ROWS:]), folder / "validation.csv")
    return folder


def run(contestant: str, folder: Path, seed: int) -> dict:
    """One training in a process of its own."""
    peer, options = COMPILED if contestant == "trainer_best_compiled" else CONTESTANTS[contestant]
    out = folder / f"{contestant}.json"
    command = [sys.executable, "-m", f"benchmarks.peers.{peer}", str(folder / "train.csv"), str(folder / "test.csv")]
    command += ["--out", str(out), "--seed", str(seed), *options]
    command += ["--validation", str(folder / "validation.csv")] if peer == "superfine" else ["--model", embedded_model()]
    subprocess.run(command, check=True, cwd=datasets.REPOSITORY, stderr=subprocess.DEVNULL)
    result = json.loads(out.read_text(encoding="utf-8"))
    result.pop("predictions")
    return result


CEILING = """
import sys, time, torch
dtype = getattr(torch, sys.argv[1])
a, b = torch.randn(2048, 2048).to(dtype), torch.randn(2048, 2048).to(dtype)
best = 1e9
for _ in range(30):
    start = time.perf_counter(); a @ b; best = min(best, time.perf_counter() - start)
print(2 * 2048**3 / best)
"""


def ceiling(dtype: str = "bfloat16") -> float:
    """FLOP/s of a 2048 x 2048 x 2048 product, best of 30, with all threads."""
    return float(subprocess.run([sys.executable, "-c", CEILING, dtype], check=True, capture_output=True, text=True).stdout)


def useful_flops(folder: Path) -> tuple[float, int]:
    """Of one epoch over the training rows, and the tokens in them."""
    from tokenizers import Tokenizer
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(embedded_model())
    tokenizer = Tokenizer.from_file(str(Path(embedded_model()) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    lengths = np.array([len(e) for e in tokenizer.encode_batch(datasets.read(folder / "train.csv").texts)], dtype=float)
    width, layers = config.hidden_size, config.num_hidden_layers
    body = layers * (4 * width * width + 2 * width * config.intermediate_size)
    return float(6 * body * lengths.sum() + 12 * layers * width * (lengths**2).sum()), int(lengths.sum())


def table(result: dict) -> str:
    lines = [
        "| set | Trainer, texts/s | Trainer at its best | Superfine | ratio to defaults | ratio to best | share of the ceiling | peak memory, MB: Trainer, best, Superfine | accuracy: Trainer, Superfine |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    to_defaults, to_best = [], []
    ceilings = [r["ceiling"] for m in result["sets"].values() for r in m["rounds"]]
    for name, measured in result["sets"].items():
        rounds = measured["rounds"]
        variants = [c for c in rounds[0] if c.startswith("trainer_best")]
        rate = {c: np.array([r[c]["examples_per_second"] for r in rounds]) for c in rounds[0] if c != "ceiling"}
        best = max(variants, key=lambda c: gmean(rate[c]))
        first, second = rate["superfine"] / rate["trainer"], rate["superfine"] / rate[best]
        to_defaults.append(gmean(first))
        to_best.append(gmean(second))
        # The highest ceiling of the whole run: a noisy moment while it was measured must not flatter the share.
        share = rate["superfine"] / measured["rows"] * measured["useful_flops"] / max(ceilings)
        memory = ", ".join(str(max(r[c]["peak_memory_mb"] for r in rounds)) for c in ("trainer", best, "superfine"))
        accuracy = ", ".join(f"{np.mean([r[c]['accuracy'] for r in rounds]):.3f}" for c in ("trainer", "superfine"))
        lines.append(
            f"| {name}, {measured['rows']} rows | {gmean(rate['trainer']):.1f} | {gmean(rate[best]):.1f} ({best.removeprefix('trainer_best_')}) "
            f"| {gmean(rate['superfine']):.1f} | {spread(first)} | {spread(second)} | {100 * np.mean(share):.0f} % | {memory} | {accuracy} |"
        )
    lines.append(f"\nGeometric means over the sets: {gmean(to_defaults):.2f} × the defaults, {gmean(to_best):.2f} × the best.")
    lines.append(f"Ceiling: {min(ceilings) / 1e9:.0f} to {max(ceilings) / 1e9:.0f} GFLOP/s. Machine: {result['machine']}.")
    return "\n".join(lines)


def gmean(values: object) -> float:
    return float(np.exp(np.mean(np.log(values))))


def spread(ratios: np.ndarray) -> str:
    return f"{gmean(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def processor() -> tuple[str, str]:
    """Its name, and the instructions by which it multiplies bfloat16."""
    facts = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    flags = facts.get("flags", "").split()
    return facts.get("model name") or platform.processor(), next((f for f in BFLOAT16_FLAGS if f in flags), "no bfloat16")


def machine() -> str:
    name, bfloat16 = processor()
    return f"{name} ({bfloat16}), {os.cpu_count()} cores"


def result_path(benchmark: str) -> Path:
    """Where this machine's result of a benchmark is kept: machines of one maker with the same instructions share a place."""
    name, bfloat16 = processor()
    maker = (name.split("(")[0].split() or ["unknown"])[0]
    folder = RESULTS / f"{maker}_{bfloat16}".lower().replace(" ", "_")
    folder.mkdir(exist_ok=True)
    return folder / f"{benchmark}.json"


def print_tables(benchmark: str, table: Callable[[dict], str]) -> None:
    """The tables of all machines that have run this benchmark."""
    for path in sorted(RESULTS.glob(f"*/{benchmark}.json")):
        print(table(json.loads(path.read_text(encoding="utf-8"))), end="\n\n")


def speed_arguments(description: str | None, sets: Iterable[str]) -> argparse.ArgumentParser:
    """The options of every speed benchmark."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(sets))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="run nothing")
    return parser


def new_result() -> dict:
    return {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "sets": {}}


def main() -> None:
    parser = speed_arguments(__doc__, SETS)
    parser.add_argument("--compile", action="store_true")
    a = parser.parse_args()
    if a.table:
        print_tables("training_speed", table)
        return
    result, path = new_result(), result_path("training_speed")
    contestants = [*CONTESTANTS, *(["trainer_best_compiled"] if a.compile else [])]
    for name in a.sets:
        folder = prepare(name, SETS[name])
        flops, tokens = useful_flops(folder)
        rows = len(datasets.read(folder / "train.csv").labels)
        result["sets"][name] = {"rows": rows, "tokens": tokens, "useful_flops": flops, "rounds": []}
        for seed in range(a.rounds):
            measured: dict = {"ceiling": ceiling()}
            for contestant in contestants:
                measured[contestant] = run(contestant, folder, seed)
                print(f"{name} round {seed} {contestant}: {measured[contestant]['examples_per_second']:.1f} texts/s", flush=True)
            result["sets"][name]["rounds"].append(measured)
            path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    main()
