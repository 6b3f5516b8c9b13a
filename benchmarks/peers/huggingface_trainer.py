"""The peer: the Hugging Face Trainer as its own examples use it, on CSV files with the columns text and label.

    python -m benchmarks.peers.huggingface_trainer TRAIN.csv TEST.csv --model DIR --out RESULT.json [--seed 0] [--bf16] [--group]

Learning rate 5e-5, batch 32, 3 epochs, at most 256 tokens: the defaults of the examples in the transformers repository.
`--bf16` and `--group` (batches of similar lengths) make it faster and cost it no accuracy, so the benchmarks grant it both.
The result holds the predicted label of every test row, so that differences can be paired.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--attention", default="sdpa", choices=["sdpa", "eager"])
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--group", action="store_true")
    parser.add_argument("--compile", action="store_true")
    a = parser.parse_args()

    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments, set_seed

    from benchmarks import datasets as tables
    from datasets import Dataset

    set_seed(a.seed)
    train, test = tables.read(a.train), tables.read(a.test)
    names = sorted(set(train.labels))
    ids = {name: i for i, name in enumerate(names)}
    tokenizer = AutoTokenizer.from_pretrained(a.model)

    def encode(rows: tables.Rows) -> Dataset:
        tokens = tokenizer(rows.texts, truncation=True, max_length=a.max_length)
        return Dataset.from_dict({**tokens, "labels": [ids[label] for label in rows.labels]})

    model = AutoModelForSequenceClassification.from_pretrained(a.model, num_labels=len(names), attn_implementation=a.attention)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            scratch,
            num_train_epochs=a.epochs,
            learning_rate=a.learning_rate,
            per_device_train_batch_size=a.batch_size,
            per_device_eval_batch_size=64,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            seed=a.seed,
            bf16=a.bf16,
            torch_compile=a.compile,
            use_cpu=not torch.cuda.is_available(),
            train_sampling_strategy="group_by_length" if a.group else "random",
        )
        trainer = Trainer(model, arguments, train_dataset=encode(train), processing_class=tokenizer)
        start = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - start
        # The Trainer groups its evaluation batches by length as well, and returns the predictions in that order.
        trainer.args.train_sampling_strategy = "random"
        predicted = trainer.predict(encode(test)).predictions.argmax(-1)
    correct = sum(names[p] == label for p, label in zip(predicted, test.labels, strict=True))
    result = {
        "system": "huggingface_trainer",
        "accuracy": correct / len(test.labels),
        "seconds": seconds,
        "examples_per_second": len(train.labels) * a.epochs / seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "options": {k: v for k, v in vars(a).items() if k not in {"train", "test", "out", "model"}},
        "predictions": [names[p] for p in predicted],
    }
    a.out.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
