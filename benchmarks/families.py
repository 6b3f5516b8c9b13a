"""Families of pretrained models in the shapes that users bring: are they packed, how exact is that, and how fast do they train?

    python -m benchmarks.families                                     all shapes
    python -m benchmarks.families --shapes ettin-32m --rounds 3

The weights are random: speed and exactness do not hang on them. Every shape reads with the tokenizer of the embedded English model.
Beside it the Trainer at its best (bfloat16, batches grouped by length, and whichever of its attention functions is faster), on the same
rows, one epoch in batches of 32, a process each, one after the other; ratios are formed within a round. "Exact" is the largest
difference of a logit between packed and transformers' own padded computation, as a share of what texts differ by. One thread where
OMP_NUM_THREADS says so. The ratios are kept by machine; `benchmarks.family_table` reads them. Needs the extras `offline` and `bench`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks import datasets
from benchmarks.accuracy import embedded_model
from benchmarks.training_speed import BEST, TRAINER, gmean, machine, prepare, result_path, spread

VOCABULARY = {"vocab_size": 30522, "pad_token_id": 0}
SHAPES: dict[str, tuple[str, dict[str, object]]] = {
    "ettin-32m": (
        "modernbert",
        {"hidden_size": 384, "num_hidden_layers": 10, "num_attention_heads": 6, "intermediate_size": 576, "local_attention": 128},
    ),
    "mmbert-small": (
        "modernbert",
        {"hidden_size": 384, "num_hidden_layers": 22, "num_attention_heads": 6, "intermediate_size": 1152, "local_attention": 128},
    ),
    "eurobert-6-layers": (
        "eurobert",
        {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 6, "intermediate_size": 1536, "num_key_value_heads": 6},
    ),
    "smollm-6-layers": (
        "llama",
        {"hidden_size": 576, "num_hidden_layers": 6, "num_attention_heads": 9, "intermediate_size": 1536, "num_key_value_heads": 3},
    ),
    "deberta-v3-small": (
        "deberta-v2",
        {
            "hidden_size": 768, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 3072, "relative_attention": True,
            "position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": ["p2c", "c2p"],
            "max_relative_positions": -1, "position_biased_input": False, "type_vocab_size": 0,
        },
    ),
    "mpnet-6-layers": ("mpnet", {"pad_token_id": 1, "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}),
    "xlnet-6-layers": ("xlnet", {"d_model": 384, "n_layer": 6, "n_head": 6, "d_inner": 1536}),
}  # fmt: skip
SETS = {"en/sst2": 320, "en/ag_news": 160}
FOLDER = datasets.REPOSITORY / "benchmarks" / "runs" / "families"


def checkpoint(shape: str) -> Path:
    """A folder with random weights of that shape."""
    import shutil

    import torch
    from transformers import AutoConfig, AutoModel

    folder = FOLDER / shape
    if not (folder / "model.safetensors").exists():
        kind, settings = SHAPES[shape]
        torch.manual_seed(0)
        bound = {} if kind == "xlnet" else {"max_position_embeddings": 512}
        AutoModel.from_config(AutoConfig.for_model(kind, **{**VOCABULARY, **bound, **settings})).save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            shutil.copy(Path(embedded_model()) / name, folder)
    return folder


def exactness(folder: Path) -> tuple[bool, float]:
    """Whether texts are packed, and the largest difference from padded logits as a share of their standard deviation."""
    import torch

    from superfine.backbones.load import open_pretrained
    from superfine.model import Model
    from superfine.records import Examples, Head
    from superfine.tasks import TASKS

    pretrained = open_pretrained(str(folder))
    torch.manual_seed(0)
    backbone = pretrained.backbone(Head(("a", "b")))
    backbone.network.eval()
    encoder = pretrained.encoder(256)
    task = TASKS.load("classification").from_facts({"labels": ["a", "b"]})
    encoded = encoder.encode(Examples.of_texts(datasets.read(datasets.train_and_test("en/ag_news")[1]).texts[:64]))
    model = Model(backbone, task, encoder)
    expected = model.outputs(encoded)
    packed = backbone.pack_if_sound()
    return packed, float(np.abs(model.outputs(encoded) - expected).max() / expected.std(axis=0).max())


def speed(folder: Path, rows: Path, contestant: str, seed: int) -> float:
    """Texts per second of one training in a process of its own."""
    out = rows / f"{contestant}.json"
    data = [str(rows / "train.csv"), str(rows / "test.csv"), "--out", str(out), "--seed", str(seed)]
    if contestant == "superfine":
        settings = {"training.epochs": 1, "training.batch_size": 32, "model.max_length": 256, "model.name": str(folder)}
        options = ["--set", json.dumps(settings), "--validation", str(rows / "validation.csv")]
    else:
        options = ["--model", str(folder), *TRAINER, *BEST, "--attention", contestant]
    peer = "superfine" if contestant == "superfine" else "huggingface_trainer"
    command = [sys.executable, "-m", f"benchmarks.peers.{peer}", *data, *options]
    run = subprocess.run(command, check=False, cwd=datasets.REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if run.returncode:  # a family without that attention function
        return float("nan")
    return float(json.loads(out.read_text(encoding="utf-8"))["examples_per_second"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--rounds", type=int, default=2)
    a = parser.parse_args()
    kept = result_path("families")
    results = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    print("| shape | type | packed | exact | " + " | ".join(f"{name}: ratio to the Trainer's best" for name in a.sets) + " |")
    print("|" + "---|" * (4 + len(a.sets)), flush=True)
    for shape in a.shapes:
        folder = checkpoint(shape)
        packed, difference = exactness(folder)
        ratios = []
        found = results.setdefault(shape, {"type": SHAPES[shape][0], "ratios": {}})
        for name in a.sets:
            rows = prepare(name, SETS[name], FOLDER / "rows")
            rounds = [
                {contestant: speed(folder, rows, contestant, seed) for contestant in ("sdpa", "eager", "superfine")}
                for seed in range(a.rounds)
            ]
            best = max(("sdpa", "eager"), key=lambda contestant: np.nan_to_num(gmean([r[contestant] for r in rounds])))
            each = np.array([r["superfine"] / r[best] for r in rounds])
            ratio = spread(each)
            found["ratios"][name] = [round(float(one), 3) for one in each]
            ratios.append(
                f"{ratio}; {gmean([r['superfine'] for r in rounds]):.0f} and {gmean([r[best] for r in rounds]):.0f} texts/s ({best})"
            )
        print(
            f"| {shape} | {SHAPES[shape][0]} | {'yes' if packed else 'no'} | {difference:.1e} | {' | '.join(ratios)} |",
            flush=True,
        )
        kept.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"\nMachine: {machine()}.")


if __name__ == "__main__":
    main()
