"""`superfine check`: time and memory for many rows, and its estimate of a training beside what the training took.

    python -m benchmarks.checking speed --rows 100000 1000000
    python -m benchmarks.checking estimate --rows 3000

speed: rows of 40 words drawn from a list of 50,000 by Zipf's law, four classes, and a test file of 5,000 rows; check is run as a
process of its own for the English model, and its peak memory is that of the process. estimate: what `check` says
of a sample of each set, and what `train` then takes: seconds of training, and the peak memory of the process.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.datasets import FOLDER, read, stratified_sample, write
from benchmarks.training_speed import machine

WORDS, N_WORDS, LABELS = 40, 50_000, ("alpha", "beta", "gamma", "delta")
SETS = ("en/trec", "en/sst2", "en/ag_news", "zh/waimai_10k", "zh/tnews")


def made_up(path: Path, n: int, seed: int) -> None:
    """n rows in CSV, a few of them twice."""
    rng, letters = np.random.default_rng(seed), "abcdefghijklmnopqrstuvwxyz"
    spell = random.Random(0)
    words = np.array(["".join(spell.choice(letters) for _ in range(2 + i % 9)) for i in range(N_WORDS)])
    shares = 1 / np.arange(1, N_WORDS + 1)
    shares /= shares.sum()
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("text,label\n")
        for start in range(0, n, 10_000):
            rows = words[rng.choice(N_WORDS, size=(min(10_000, n - start), WORDS), p=shares)]
            labels = rng.integers(0, len(LABELS), len(rows))
            stream.writelines(f"{' '.join(row)},{LABELS[label]}\n" for row, label in zip(rows, labels, strict=True))


def run(*arguments: str) -> tuple[dict, float, float]:
    """The JSON of a command, its seconds, and the peak memory of all children so far in GB."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "superfine", *arguments, "--json"], check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout), seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9


def speed(n_rows: list[int]) -> None:
    print("| rows | seconds | peak memory, GB | findings |\n|---|---|---|---|")
    for n in sorted(n_rows):  # the peak is that of the largest child so far
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            made_up(folder / "train.csv", n, 1)
            made_up(folder / "test.csv", 5000, 2)
            found, seconds, memory = run(
                "check",
                str(folder / "train.csv"),
                "--test",
                str(folder / "test.csv"),
                "--out",
                str(folder / "check"),
                "--model",
                "sentence-transformers/all-MiniLM-L6-v2",
            )
        names = ", ".join(one["name"] for one in found["findings"]) or "none"
        print(f"| {n} | {seconds:.0f} | {memory:.2f} | {names} |", flush=True)


def estimate(n_rows: int, sets: list[str]) -> None:
    print("| set | rows | estimated s | took s | ratio | estimated GB | took GB | ratio |\n|---|---|---|---|---|---|---|---|")
    for name in sets:
        with tempfile.TemporaryDirectory() as folder:
            data, test = Path(folder) / "train.csv", Path(folder) / "test.csv"
            write(stratified_sample(read(FOLDER / name / "train.csv"), n_rows), data)
            source = FOLDER / name / "test.csv"
            source = source if source.exists() else FOLDER / name / "validation.csv"
            write(stratified_sample(read(source), 500), test)
            said = run("check", str(data), "--test", str(test), "--out", f"{folder}/check")[0]["facts"]["training"]
            took = run("train", str(data), "--test", str(test), "--out", f"{folder}/run")[0]["training"]
        seconds, memory = took["seconds"], took["peak_memory_mb"] / 1000
        print(
            f"| {name} | {n_rows} | {said['seconds']:.0f} | {seconds:.0f} | {said['seconds'] / seconds:.2f} | "
            f"{said['memory_gb']:.2f} | {memory:.2f} | {said['memory_gb'] / memory:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "estimate"])
    parser.add_argument("--rows", type=int, nargs="+", default=[])
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    args = parser.parse_args()
    print(f"{machine()}\n")
    if args.what == "speed":
        speed(args.rows or [100_000, 1_000_000])
    else:
        estimate((args.rows or [3000])[0], args.sets)


if __name__ == "__main__":
    main()
