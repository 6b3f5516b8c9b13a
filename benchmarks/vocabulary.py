"""What a table of 250,002 rows costs: the multilingual model beside itself with 30,000 rows, and beside the English model.

    python -m benchmarks.vocabulary
    python -m benchmarks.vocabulary --stages 2      where the memory of a run of two epochs goes (Linux)

On 3,000 rows of zh/waimai_10k: seconds to load; a training step, in turns; the size of a checkpoint with weights kept; and whole runs of
`superfine train`, each in a process of its own: peak memory, size of the bundle, seconds. Needs the extras `offline` and `multilingual`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import datasets
from benchmarks.accuracy import prepare

SET, ROWS, FEW_ROWS = "zh/waimai_10k", 3000, 30_000
MODELS = ["multilingual-e5-small-q4", "sentence-transformers/all-MiniLM-L6-v2"]
WHOLE_RUN = """
import json, sys, superfine
run = superfine.train(sys.argv[1], test=sys.argv[2], out=sys.argv[3], model=sys.argv[4], progress=False)
print(json.dumps({key: run.metrics["training"][key] for key in ("peak_memory_mb", "seconds", "load_seconds")}))
"""


STAGES = """
import sys, time
from pathlib import Path
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import make_request
from superfine.recipes.train import train


def mebibytes(field):
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith(field))


class Tracer(Reporter):
    def tell(self, what):
        print(f"until {what}: at most {mebibytes('VmHWM')} MiB, now {mebibytes('VmRSS')} MiB", flush=True)
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here

    def stage(self, name): self.tell(name)
    def training_starts(self, *_): self.tell("the first step")
    def on_epoch(self, record, is_kept): self.tell(f"the end of epoch {record.epoch + 1}")
    def training_ends(self): self.tell("the end of training")
    def result(self, *_): self.tell("the end")


asked = {"training.epochs": int(sys.argv[4]), "model.name": sys.argv[5]}
train(make_request(sys.argv[1], validation=None, test=sys.argv[2], out=Path(sys.argv[3]), config=None, overrides=asked, force=False,
                   resume=None, strict=False, started=time.monotonic()), Tracer())
"""


def size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def loading(model: str, rounds: int) -> list[float]:
    """Seconds from a name to a network with tokenizer; the first round imports transformers' parts as well."""
    from superfine.backbones.load import open_pretrained
    from superfine.records import Head

    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        open_pretrained(model).backbone(Head(("a", "b")))
        seconds.append(time.perf_counter() - started)
    return seconds


def state_of(train: Path, **settings: object):
    from benchmarks.recipe import model_and_parts
    from superfine.config import build_config
    from superfine.recipes.prepare import prepare as read
    from superfine.training.loop import TrainingState

    built = model_and_parts(read(train, None, train, build_config({}, {"model.name": MODELS[0], **settings})))
    return TrainingState(built.model, built.encoded.train, built.validate, built.config.training, 0)


def steps(train: Path, rounds: int, n: int = 10) -> list[tuple[float, float]]:
    """Milliseconds of a step with the whole table and with few rows, in turns, on the same texts."""
    from superfine.training.clock import Clock
    from superfine.training.loop import _train_step

    states = [state_of(train), state_of(train, **{"model.prune_vocabulary": FEW_ROWS})]
    found = []
    for i in range(rounds):
        pair = [0.0, 0.0]
        for which in (0, 1) if i % 2 else (1, 0):
            state = states[which]
            state.model.backbone.network.train()
            batches = state.stage.batches.batches(i)
            started = time.perf_counter()
            for k in range(n):
                _train_step(state, batches[k], Clock())
            pair[which] = 1000 * (time.perf_counter() - started) / n
        found.append((pair[0], pair[1]))
    return found


def checkpoint_mb(train: Path) -> tuple[float, int]:
    """The size of a checkpoint after some steps with weights kept, and how many rows of the table are in it."""
    from superfine.training.checkpoint import write_checkpoint
    from superfine.training.clock import Clock
    from superfine.training.loop import _train_step

    state = state_of(train)
    for k in range(3):
        _train_step(state, np.arange(32 * k, 32 * k + 32), Clock())
    state.kept = state.weights.snapshot()
    with tempfile.TemporaryDirectory() as scratch:
        write_checkpoint(state, Path(scratch) / "checkpoint")
        return size_mb(Path(scratch) / "checkpoint"), len(state.weights.rows)


def whole_run(model: str, train: Path, test: Path) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        command = [sys.executable, "-c", WHOLE_RUN, str(train), str(test), str(out), model]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=datasets.REPOSITORY)
        return {**json.loads(done.stdout.splitlines()[-1]), "bundle_mb": size_mb(out / "model")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stages", type=int, metavar="EPOCHS", help="only the memory of each stage of a run of so many epochs")
    a = parser.parse_args()
    train, test = prepare(SET, 0, ROWS)
    if a.stages:
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-c", STAGES, str(train), str(test), str(Path(scratch) / "run"), str(a.stages), MODELS[0]]
            subprocess.run(command, check=True, cwd=datasets.REPOSITORY)
        return
    for model in MODELS:
        run = whole_run(model, train, test)
        print(
            f"{model}: peak memory {run['peak_memory_mb']} MB, bundle {run['bundle_mb']:.0f} MB, training {run['seconds']:.0f} s, "
            f"loading in the run {run['load_seconds']:.1f} s",
            flush=True,
        )
    print(f"loading again and again, s: {', '.join(f'{s:.2f}' for s in loading(MODELS[0], a.rounds))}", flush=True)
    size, rows = checkpoint_mb(train)
    print(f"checkpoint: {size:.0f} MB, with {rows} rows of the table", flush=True)
    pairs = steps(train, a.rounds)
    for whole, few in pairs:
        print(f"step with the whole table {whole:.0f} ms, with {FEW_ROWS:,} rows {few:.0f} ms: {whole / few:.3f}")
    print(f"median ratio {np.median([whole / few for whole, few in pairs]):.3f}")


if __name__ == "__main__":
    main()
