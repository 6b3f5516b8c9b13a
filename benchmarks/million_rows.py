"""A million rows: seconds and memory of reading and encoding them, and of `superfine train --dry-run`.

    python -m benchmarks.million_rows                       writes a CSV file of about 300 MB to benchmarks/runs, once
    python -m benchmarks.million_rows --rows 100000

The texts are 40 words each, drawn in their own order from the texts of en/ag_news, with its four labels. Each measurement is a
process of its own; memory is the largest resident set. Aim: read and encoded in under 120 s and 3 GB with two cores.
Needs the extra `offline`.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import datasets

FOLDER = datasets.REPOSITORY / "benchmarks" / "runs" / "million_rows"
WORDS = 40

READ_AND_ENCODE = """
import json, resource, sys, time
from superfine.backbones.load import open_pretrained
from superfine.config import build_config
from superfine.recipes.prepare import prepare
started = time.perf_counter()
parts = prepare(sys.argv[1], None, None, build_config({}, {}))
read = time.perf_counter()
pretrained = open_pretrained("all-MiniLM-L6-v2")
loaded = time.perf_counter()
encoder = pretrained.encoder(256)
tokens = sum(len(encoder.encode(part).ids) for part in (parts.train, parts.validation, parts.test))
print(json.dumps({"read": read - started, "encode": time.perf_counter() - loaded, "tokens": tokens,
                  "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
"""
DRY_RUN = """
import json, resource, sys, time
from superfine.cli.main import cli
started = time.perf_counter()
cli.main(["train", sys.argv[1], "--dry-run", "--out", sys.argv[1] + ".run"], standalone_mode=False)
print(json.dumps({"dry_run": time.perf_counter() - started,
                  "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
"""


def write_rows(path: Path, rows: int) -> None:
    """`rows` texts of 40 words that follow each other somewhere in the texts of en/ag_news."""
    train = datasets.read(datasets.train_and_test("en/ag_news")[0])
    words = [word for text in train.texts for word in text.split()]
    rng = np.random.default_rng(0)
    labels = sorted(set(train.labels))
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for start, label in zip(rng.integers(0, len(words) - WORDS, rows), rng.integers(0, len(labels), rows), strict=True):
            writer.writerow([" ".join(words[start : start + WORDS]), labels[label]])


def measure(code: str, path: Path) -> dict:
    started = time.perf_counter()
    shown = subprocess.run([sys.executable, "-c", code, str(path)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {**json.loads(shown.splitlines()[-1]), "whole_process": time.perf_counter() - started}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    a = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{a.rows}.csv"
    if not path.exists():
        write_rows(path, a.rows)
    print(f"{a.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB")
    found = measure(READ_AND_ENCODE, path)
    print(
        f"read {found['read']:.0f} s, encoded {found['encode']:.0f} s, {found['tokens']:,} tokens, at most {found['memory_mb']:,} MB"
    )
    found = measure(DRY_RUN, path)
    print(f"train --dry-run {found['dry_run']:.0f} s, at most {found['memory_mb']:,} MB")


if __name__ == "__main__":
    main()
