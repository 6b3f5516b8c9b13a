"""One run of a task through Superfine's public API, or a plain loop of transformers for numbers; predictions of model and baseline.

python -m benchmarks.peers.task TRAIN.csv TEST.csv --out RESULT.json [--seed 0] [--set JSON] [--peer]
"""

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path

EPOCHS, BATCH, RATE = 3, 16, 5e-5
"""Of the plain loop: the middle of the values that BERT's authors recommend."""


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_superfine(a: argparse.Namespace) -> dict:
    import superfine

    pair = {"text_pair": "text_pair"} if "text_pair" in rows_of(a.test)[0] else {}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        run = superfine.train(a.train, test=a.test, text="text", label="label", **pair, out=out, seed=a.seed, settings=a.settings)
        said = [row["prediction"] for row in rows_of(out / "predictions.csv")]
        test = rows_of(a.test)
        pairs = [row["text_pair"] for row in test] if pair else None
        baseline = list(run.metrics["baselines"])[-1]
        remembered = superfine.load(out, baseline=baseline).predict([row["text"] for row in test], pairs)
    return {
        "predictions": {"model": said, baseline: list(map(str, remembered.to_columns()["prediction"]))},
        "seconds": run.metrics["training"]["seconds"],
        "scores": {name: score for name, score in run.metrics["test"].items() if isinstance(score, dict) and "value" in score},
    }


def by_transformers(a: argparse.Namespace) -> dict:
    """Mean squared error of standardised numbers by AdamW with a linear schedule, batches in random order, padded."""
    import numpy as np
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

    from benchmarks.accuracy import embedded_model

    torch.manual_seed(a.seed)
    train, test = rows_of(a.train), rows_of(a.test)
    tokenizer = AutoTokenizer.from_pretrained(embedded_model())
    network = AutoModelForSequenceClassification.from_pretrained(embedded_model(), num_labels=1, problem_type="regression")
    numbers = np.array([float(row["label"]) for row in train], dtype=np.float32)
    mean, deviation = float(numbers.mean()), float(numbers.std())

    def inputs(rows: list[dict[str, str]]) -> dict:
        pairs = [row["text_pair"] for row in rows] if "text_pair" in rows[0] else None
        return tokenizer([row["text"] for row in rows], pairs, padding=True, truncation=True, max_length=256, return_tensors="pt")

    steps = EPOCHS * -(-len(train) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    schedule = get_linear_schedule_with_warmup(optimiser, steps // 10, steps)
    started = time.perf_counter()
    network.train()
    for _ in range(EPOCHS):
        order = torch.randperm(len(train)).tolist()
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            targets = torch.tensor((numbers[some] - mean) / deviation)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = network(**inputs([train[i] for i in some]), labels=targets[:, None]).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
    seconds = time.perf_counter() - started
    network.eval()
    said: list[str] = []
    with torch.inference_mode():
        for start in range(0, len(test), 32):
            outputs = network(**inputs(test[start : start + 32])).logits[:, 0]
            said += [f"{mean + deviation * float(value):.6f}" for value in outputs]
    return {"predictions": {"model": said}, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peer", action="store_true", help="the plain loop of transformers")
    parser.add_argument("--set", dest="settings", type=json.loads, default={}, help="JSON mapping of settings")
    a = parser.parse_args()
    result = by_transformers(a) if a.peer else by_superfine(a)
    a.out.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
