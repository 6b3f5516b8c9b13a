"""Where the time of a training step and of a prediction goes.

    python -m benchmarks.step_profile                           the three sets, training and scoring in both precisions
    python -m benchmarks.step_profile --sets en/sst2 --work training

Training: batch 32 (or `--batch`), at most 256 tokens, in the precision of the machine. Milliseconds are medians over `--steps` steps without the
profiler, page faults and memory are those of the process; then 15 steps under torch's profiler say which share of the processor's
time each kind of operation takes. Scoring: the same for one pass over as many texts, per 1,000 tokens.
Every measurement is a process of its own. Needs the extra `offline`.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import defaultdict

import numpy as np

from benchmarks import datasets

SETS = {"en/sst2": 1600, "en/ag_news": 1120, "en/imdb": 640}
WORK = ["training", "scoring", "scoring_bfloat16"]
MAX_LENGTH, WARM_UP, PROFILED = 256, 5, 15
KINDS = {
    "matrix products": {
        "aten::mm",
        "aten::addmm",
        "aten::addmm_",
        "mkldnn::_linear_pointwise",
        "aten::mkldnn_linear",
        "aten::linear",
    },
    "attention's products and softmax": {"aten::bmm", "aten::baddbmm", "aten::_softmax", "aten::_softmax_backward_data"},
    "copies": {"aten::copy_", "aten::cat", "aten::index_select", "aten::index", "aten::_foreach_copy_", "aten::clone"},
    "activation": {"aten::gelu", "aten::gelu_backward", "aten::tanh"},
    "layer norm": {"aten::native_layer_norm", "aten::native_layer_norm_backward"},
    "residual sums and masks": {
        "aten::add",
        "aten::add_",
        "aten::addcmul",
        "aten::mul",
        "aten::mul_",
        "aten::sum",
        "aten::bitwise_and_",
    },
}
OPTIMISER = "optimiser"


def kind_of(event) -> str:
    """The kind of an event of the profiler. What happens inside the optimiser counts as the optimiser's."""
    above = event
    while above is not None:
        if above.name == OPTIMISER:
            return OPTIMISER
        above = above.cpu_parent
    return next((kind for kind, names in KINDS.items() if event.name in names), "everything else")


def shares(events) -> dict[str, float]:
    spent: dict[str, float] = defaultdict(float)
    for event in events:
        spent[kind_of(event)] += event.self_cpu_time_total
    total = sum(spent.values())
    return {kind: spent[kind] / total for kind in sorted(spent, key=spent.__getitem__, reverse=True)}


def model_and_rows(name: str):
    from superfine.backbones.load import open_pretrained
    from superfine.config import ModelConfig
    from superfine.model import Model
    from superfine.records import Examples
    from superfine.tasks.classification import Classification

    rows = datasets.stratified_sample(datasets.read(datasets.train_and_test(name)[0]), SETS[name])
    task = Classification(sorted(set(rows.labels)))
    pretrained = open_pretrained("all-MiniLM-L6-v2")
    backbone = pretrained.backbone(task.head, attention_dropout=ModelConfig().attention_dropout)
    backbone.pack_if_sound()
    model = Model(backbone, task, pretrained.encoder(MAX_LENGTH))
    return model, model.encoder.encode(Examples.of_texts(rows.texts)), rows.labels


def training(name: str, n_steps: int, batch: int) -> dict:
    import torch
    from torch.profiler import ProfilerActivity, profile, record_function

    from superfine.config import TrainingConfig
    from superfine.training import loop
    from superfine.training.clock import Clock
    from superfine.training.stages import Part

    torch.manual_seed(0)
    model, encoded, labels = model_and_rows(name)
    part = Part(encoded, np.unique(labels, return_inverse=True)[1].astype(np.int64))
    run = loop.TrainingState(model, part, lambda _: loop.Validation(0.0, 0.0, 0.0), TrainingConfig(epochs=4, batch_size=batch), 0)
    model.backbone.network.train()
    batches, clock = run.stage.batches.batches(0), Clock()

    def step(i: int) -> None:
        loop._train_step(run, batches[i % (len(part) // batch)], clock)

    for i in range(WARM_UP):
        step(i)
    seconds, before = [], resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for i in range(n_steps):
        started = time.perf_counter()
        step(WARM_UP + i)
        seconds.append(time.perf_counter() - started)
    faults = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / n_steps
    optimise = run.optimiser.step

    def marked(*arguments: object) -> None:
        with record_function(OPTIMISER):
            optimise(*arguments)

    run.optimiser.step = marked
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for i in range(PROFILED):
            step(i)
    return {
        "milliseconds": 1000 * float(np.median(seconds)),
        "tokens": run.progress.tokens / run.progress.step,
        "page_faults": faults,
        "shares": shares(profiler.events()),
    }


def scoring(name: str, n_passes: int, *, bfloat16: bool) -> dict:
    import torch
    from torch.profiler import ProfilerActivity, profile

    model, encoded, _ = model_and_rows(name)
    model.backbone.network.eval()
    model.backbone.use_precision(torch.bfloat16 if bfloat16 else torch.float32)
    model.outputs(encoded)
    thousands = int(encoded.lengths.sum()) / 1000
    seconds, before = [], resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n_passes):
        started = time.perf_counter()
        model.outputs(encoded)
        seconds.append(time.perf_counter() - started)
    faults = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / n_passes
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        model.outputs(encoded)
    return {
        "milliseconds": 1000 * float(np.median(seconds)) / thousands,
        "tokens": 1000,
        "page_faults": faults / thousands,
        "shares": shares(profiler.events()),
    }


def measure(name: str, work: str, n: int, batch: int) -> dict:
    from superfine.backbones.memory import reuse_freed_memory

    with reuse_freed_memory():
        result = training(name, n, batch) if work == "training" else scoring(name, max(1, n // 10), bfloat16=work != "scoring")
    return {**result, "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def table(results: dict[str, dict]) -> str:
    lines = ["| | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    rows = {
        "tokens": "{tokens:,.0f}",
        "milliseconds": "{milliseconds:.1f}",
        "page faults": "{page_faults:,.0f}",
        "peak memory, MB": "{peak_memory_mb:,}",
    }
    lines += [f"| {what} | " + " | ".join(form.format(**r) for r in results.values()) + " |" for what, form in rows.items()]
    kinds = sorted(
        {k for r in results.values() for k in r["shares"]}, key=lambda k: -max(r["shares"].get(k, 0) for r in results.values())
    )
    lines += [f"| {kind} | " + " | ".join(f"{r['shares'].get(kind, 0):.0%}" for r in results.values()) + " |" for kind in kinds]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--work", nargs="+", default=WORK, choices=WORK)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch", type=int, default=32, help="texts in a training step")
    parser.add_argument("--here", action="store_true", help="one set and one work in this process, as JSON")
    a = parser.parse_args()
    if a.here:
        print(json.dumps(measure(a.sets[0], a.work[0], a.steps, a.batch)))
        return
    for work in a.work:
        results = {}
        for name in a.sets:
            command = [
                sys.executable,
                "-m",
                "benchmarks.step_profile",
                "--here",
                "--sets",
                name,
                "--work",
                work,
                "--steps",
                str(a.steps),
                "--batch",
                str(a.batch),
            ]
            shown = subprocess.run(command, check=True, capture_output=True, text=True, cwd=datasets.REPOSITORY).stdout
            results[name] = json.loads(shown.splitlines()[-1])
        print(f"\n{work}\n\n{table(results)}", flush=True)


if __name__ == "__main__":
    main()
