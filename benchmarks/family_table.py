"""The page of the families of models: what each can do here, tried with tiny models of random weights, and how fast one of them is.

    python -m benchmarks.family_table                     writes docs/reference/families.md

"Parity" is the largest difference of a logit between packed computation and transformers' own forward pass, as a share of the standard
deviation from text to text.
"LoRA" is the same for an adapter that has moved, and what it came to when it was merged. Speeds are those that `benchmarks.families`
has kept. Needs the extras `lora`, `h5` and `dev`: the tiny models are those of the tests.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from tests import conftest
from transformers import CONFIG_MAPPING, AutoConfig, AutoModel

from benchmarks.datasets import REPOSITORY
from benchmarks.training_speed import gmean
from superfine.backbones.adapters import make_adapter
from superfine.backbones.batch import collate
from superfine.backbones.families import FAMILIES
from superfine.backbones.load import open_pretrained
from superfine.backbones.sources.tensorflow_names import SIGNS
from superfine.records import Examples, Head

KERAS = (
    "albert",
    "bert",
    "camembert",
    "distilbert",
    "electra",
    "gpt2",
    "mpnet",
    "opt",
    "roberta",
    "xlm-roberta",
    "xlnet",
    "deberta-v2",
)
"""Types that transformers 4 had in TensorFlow, whose `tf_model.h5` is read."""
BY_BYTES = ("camembert", "data2vec-text", "xlm-roberta-xl")
OTHERS = {
    **{name: {**conftest.SMALL, **conftest.WITH_BYTES, "type_vocab_size": 1} for name in BY_BYTES},
    "phi": {**conftest.SMALL, "vocab_size": 400, "max_position_embeddings": 64, "bos_token_id": 0, "eos_token_id": 2},
    "olmo2": {**conftest.SMALL, "vocab_size": 400, "max_position_embeddings": 64, "pad_token_id": 2, "eos_token_id": 2},
    "mistral": {**conftest.SMALL, "num_key_value_heads": 2, "vocab_size": 400, "max_position_embeddings": 64, "eos_token_id": 2},
    "qwen3": {**conftest.SMALL, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 400, "max_position_embeddings": 64, "eos_token_id": 2},
    "smollm3": {
        **conftest.SMALL, "num_key_value_heads": 2, "vocab_size": 400, "max_position_embeddings": 64,
        "pad_token_id": 2, "bos_token_id": 0, "eos_token_id": 2,
    },
}  # fmt: skip
TEXTS = ["a lovely lamp", "the hinge broke after a week and nobody answered", "no", "it works " * 5, "great"]
CLASSES = Head(("a", "b", "c"))


def tiny(name: str, folder: Path) -> Path:
    """A folder with a tiny model of that type."""
    settings = {**conftest.FAMILIES, **OTHERS}[name]
    torch.manual_seed(1)
    network = AutoModel.from_config(AutoConfig.for_model(name, **settings))
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.data.mul_(3)
    network.save_pretrained(folder)
    if settings["vocab_size"] == 160:
        conftest._wordpiece(folder, "left" if name == "xlnet" else "right")
    else:
        conftest._byte_level(folder, decoder=FAMILIES[name].reads == "last")
    return folder


def row(name: str, folder: Path) -> list[str]:
    """What a type can do: packed, parity, LoRA."""
    pretrained = open_pretrained(str(tiny(name, folder)))
    encoded = pretrained.encoder(48).encode(Examples.of_texts(TEXTS))
    batch = collate(encoded, np.arange(len(TEXTS)))
    cells = []
    for adapter in (None, make_adapter({"lora": {"r": 4}})):
        torch.manual_seed(0)
        backbone = pretrained.backbone(CLASSES, dropout=None, attention_dropout=None, adapter=adapter)
        backbone.network.eval()
        for parameter_name, parameter in backbone.network.named_parameters():
            if "lora_B" in parameter_name:
                parameter.data.normal_(std=0.3)
        with torch.no_grad():
            expected = backbone._whole_network(batch, "none")
            packed = backbone.pack_if_sound()
            difference = share(backbone.logits(batch), expected)
            if adapter is None:
                cells = ["yes" if packed else "no", f"{difference:.0e}"]
            else:
                backbone.merge_adapter()
                merged = share(backbone.logits(batch), expected)
                cells.append(f"{'packed, ' if packed else ''}{difference:.0e}; merged {merged:.0e}")
    return cells


def share(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference of a logit, of what it differs by from text to text."""
    return float((found - expected).abs().max() / expected.std(dim=0).max())


def speeds() -> dict[str, str]:
    """By type: the ratios that were kept, and of which shape."""
    found: dict[str, list[str]] = {}
    for path in sorted((REPOSITORY / "benchmarks" / "results").glob("*/families.json")):
        for shape, result in json.loads(path.read_text(encoding="utf-8")).items():
            ratio = ", ".join(f"{gmean(each):.1f} × on {name.split('/')[-1]}" for name, each in result["ratios"].items())
            found.setdefault(result["type"], []).append(f"{shape}: {ratio}")
    return {kind: "; ".join(each) for kind, each in found.items()}


def main() -> None:
    lines = [PAGE]
    lines.append("| type | loads | packed | parity | LoRA | TensorFlow | speed beside the Trainer's best |")
    lines.append("|---|---|---|---|---|---|---|")
    measured = speeds()
    for name in FAMILIES:
        if name not in CONFIG_MAPPING:
            lines.append(f"| `{name}` | not in this version of transformers | | | | | |")
            continue
        sources = [*(["original"] if name in SIGNS else []), *(["`tf_model.h5`"] if name in KERAS else [])]
        with tempfile.TemporaryDirectory() as folder:
            cells = row(name, Path(folder))
        lines.append(f"| `{name}` | yes | {' | '.join(cells)} | {', '.join(sources) or '–'} | {measured.get(name, '–')} |")
        print(lines[-1], flush=True)
    (REPOSITORY / "docs" / "reference" / "families.md").write_text("\n".join([*lines, AFTER]) + "\n", encoding="utf-8")


PAGE = """# Families of models

What each type of model can do here (`model_type` in its config.json). The page is made by `python -m benchmarks.family_table` with tiny
models of random weights. Parity is the largest difference of a logit between packed computation and transformers' own forward pass, as a
share of the standard deviation from text to text; that of LoRA is with an adapter that has moved, and after it was merged. Speeds are ratios within a round on one machine, kept by `python -m benchmarks.families`.
"""
AFTER = """
Every other type that transformers has with a head for the task is computed padded, by its own forward pass, after a check that an answer
does not hang on the texts beside it. Refused are Flax, GGUF, ONNX and OpenVINO files, quantised weights, and models that bring their own
code."""

if __name__ == "__main__":
    main()
