"""Peak memory of fine-tuning in bytes a parameter, by phase, and what was estimated before the weights were loaded.

    python -m benchmarks.memory                                       BERT-large and a Llama of 290 million, four ways each
    python -m benchmarks.memory --shapes llama-290m --ways lora

The weights are random. Each run is a process of its own: 96 reviews, batches of 8, one epoch. Memory is what the process holds
beyond what it held when torch and transformers were imported, read every 20 ms; pages of files (the checkpoint that is read, the
weights of the best epoch) are left out, because the system can drop them at any time. "Training" is from the first step to the last one,
with validation; "whole run" has loading, scoring and the proof of the bundle as well. Needs the extras `offline`, `lora` and `bench`.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.accuracy import embedded_model
from benchmarks.datasets import REPOSITORY
from benchmarks.training_speed import machine

SHAPES: dict[str, tuple[str, dict[str, object]]] = {
    "bert-large": (
        "bert",
        {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096, "vocab_size": 30522},
    ),
    "llama-290m": (
        "llama",
        {
            "hidden_size": 1024, "num_hidden_layers": 22, "num_attention_heads": 16, "num_key_value_heads": 4,
            "intermediate_size": 2816, "vocab_size": 30522, "max_position_embeddings": 512, "pad_token_id": 0,
        },
    ),
    "bert-tiny": ("bert", {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 30522}),
}  # fmt: skip
WAYS: dict[str, dict[str, object]] = {
    "all weights": {},
    "checkpointing": {"training.gradient_checkpointing": True},
    "lora": {"model.adapter": {"lora": {}}},
    "lora, checkpointing": {"model.adapter": {"lora": {}}, "training.gradient_checkpointing": True},
    "lower half frozen": {"model.freeze": 12},
}
FOLDER = REPOSITORY / "benchmarks" / "runs" / "memory"
ROWS = 96


def checkpoint(shape: str) -> Path:
    """A folder with random weights of that shape, in float32."""
    import shutil

    import torch
    from transformers import AutoConfig, AutoModel

    folder = FOLDER / shape
    if not (folder / "model.safetensors").exists():
        kind, settings = SHAPES[shape]
        torch.manual_seed(0)
        AutoModel.from_config(AutoConfig.for_model(kind, **settings)).save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            shutil.copy(Path(embedded_model()) / name, folder)
    return folder


def resident() -> int:
    """Bytes that this process holds and nobody could give up."""
    with open("/proc/self/status", encoding="ascii") as stream:
        found = {line.split(":")[0]: line.split() for line in stream}
    return 1024 * int(found["RssAnon"][1])


def measure(folder: str, settings: dict[str, object]) -> None:
    """One run; prints a line of JSON. In a process of its own."""
    import csv

    import peft  # noqa: F401
    import transformers  # noqa: F401

    import superfine.model  # noqa: F401
    from superfine.recipes.reporter import Reporter
    from superfine.recipes.request import make_request
    from superfine.recipes.train import train

    class Phases(Reporter):
        name = "before"

        def stage(self, name: str) -> None:
            self.name = name

        def training_starts(self, *_: object) -> None:
            self.name = "training"

        def training_ends(self) -> None:
            self.name = "after"

    phases, peaks, start, done = Phases(), {}, resident(), threading.Event()

    def watch() -> None:
        while not done.is_set():
            peaks[phases.name] = max(peaks.get(phases.name, 0), resident() - start)
            time.sleep(0.02)

    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "reviews.csv"
        with open(REPOSITORY / "examples" / "data" / "reviews_en.csv", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))[:ROWS]
        with open(data, "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        everything = {"model.name": folder, "training.epochs": 1, "training.batch_size": 8, "model.max_length": 64, **settings}
        request = make_request(
            str(data), validation=None, test=None, out=Path(name) / "run", config=None, overrides=everything, force=False,
            resume=None, strict=False, started=time.monotonic(),
        )  # fmt: skip
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        outcome = train(request, phases)
        done.set()
        watcher.join()
        estimate = estimated(request)
    print(json.dumps({"peaks": peaks, "estimate": estimate, "precision": outcome.metrics["training"]["precision"]}))


def estimated(request: object) -> int:
    """What is said before the weights are loaded."""
    from superfine.backbones.load import open_pretrained
    from superfine.recipes.encode import choose_encoder
    from superfine.recipes.fine_tune import memory_plan
    from superfine.recipes.prepare import prepare
    from superfine.recipes.reporter import Reporter
    from superfine.training.footprint import counts_of, needed_bytes

    parts = prepare(request.data, None, None, request.config)
    pretrained = open_pretrained(request.config.model.name)
    plan = memory_plan(parts, choose_encoder(pretrained, parts, Reporter()))
    return needed_bytes(counts_of(pretrained.config), plan, pretrained.config.model_type)


def n_parameters(folder: Path) -> int:
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="np") as saved:
        return sum(math.prod(saved.get_slice(name).get_shape()) for name in saved.keys())  # noqa: SIM118


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["bert-large", "llama-290m"], choices=SHAPES)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure(args.one[0], json.loads(args.one[1]))
        return
    print(f"{machine()}\n")
    print("| shape | parameters, millions | way | precision | training | whole run | estimate | largest phase |")
    print("|---|---|---|---|---|---|---|---|")
    for shape in args.shapes:
        folder = checkpoint(shape)
        n = n_parameters(folder)
        for way in args.ways:
            command = [sys.executable, "-m", "benchmarks.memory", "--one", str(folder), json.dumps(WAYS[way])]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr[-3000:])
            found = json.loads(done.stdout.splitlines()[-1])
            peaks = found["peaks"]
            largest = max(peaks, key=lambda name: peaks[name])
            print(
                f"| {shape} | {n / 1e6:.0f} | {way} | {found['precision']} | {peaks['training'] / n:.1f} | "
                f"{peaks[largest] / n:.1f} | {found['estimate'] / n:.1f} | {largest} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
