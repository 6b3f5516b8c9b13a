"""Is this version as fast as another? Steps and passes of both checkouts in turns, and the ratio of their times.

    python -m benchmarks.versions OTHER_CHECKOUT
    python -m benchmarks.versions OTHER_CHECKOUT --rounds 5 --sets en/sst2 --work training

Each measurement is `benchmarks.step_profile --here` of a checkout in a process of its own, with this environment. A ratio above 1 says
that this version is faster. The median over rounds counts; the rounds show how noisy the machine was. Needs the extra `offline`.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks import datasets
from benchmarks.step_profile import SETS, WORK


def milliseconds(checkout: Path, name: str, work: str, steps: int) -> float:
    command = [sys.executable, "-m", "benchmarks.step_profile", "--here", "--sets", name, "--work", work, "--steps", str(steps)]
    variables = {**os.environ, "PYTHONPATH": str(checkout / "src"), "SUPERFINE_DATA": str(datasets.FOLDER)}
    shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=checkout, env=variables).stdout
    return float(json.loads(shown.splitlines()[-1])["milliseconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="another checkout of this repository")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--work", nargs="+", default=WORK, choices=WORK)
    a = parser.parse_args()
    print("| work | set | other, ms | this, ms | ratio (each round) |\n|---|---|---|---|---|", flush=True)
    for work in a.work:
        for name in a.sets:
            times = []
            for i in range(a.rounds):  # each goes first as often as the other: a machine slows down as it warms up
                turns = [a.other, datasets.REPOSITORY]
                found = {c: milliseconds(c.resolve(), name, work, a.steps) for c in (turns if i % 2 else turns[::-1])}
                times.append([found[c] for c in turns])
            other, this = np.median(times, axis=0)
            ratios = [theirs / ours for theirs, ours in times]
            shown = ", ".join(f"{ratio:.3f}" for ratio in ratios)
            print(f"| {work} | {name} | {other:.1f} | {this:.1f} | **{np.median(ratios):.3f}** ({shown}) |", flush=True)


if __name__ == "__main__":
    main()
