"""Token classification by a plain loop of transformers, as its example `run_ner_no_trainer.py` does it: the first token of each word
is labelled, the likeliest tag of each is said.

python -m benchmarks.peers.token_classification TRAIN.csv TEST.csv --out RESULT.json --model NAME [--seed 0] [--epochs 5] [--rate 5e-5]

Texts have their words apart by blanks, or are words of single characters where there is no blank. Batches of 16 with texts of
similar length, in bfloat16.
"""

import argparse
import json
import time
from pathlib import Path

from benchmarks.peers.task import rows_of

BATCH, GROUPED = 16, 50
LONGEST = 256


def words_of(texts: list[str]) -> list[list[tuple[str, int]]]:
    """The words of each text and where they begin."""
    by_blank = sum(" " in text for text in texts) > len(texts) / 2
    found = []
    for text in texts:
        words, at = [], 0
        for word in text.split() if by_blank else [character for character in text if not character.isspace()]:
            at = text.index(word, at)
            words.append((word, at))
            at += len(word)
        found.append(words)
    return found


def tags_of(words: list[tuple[str, int]], cell: str) -> list[str]:
    tags = ["O"] * len(words)
    for span in json.loads(cell or "[]"):
        inside = [i for i, (word, at) in enumerate(words) if at < span["end"] and at + len(word) > span["start"]]
        for place, i in enumerate(inside):
            tags[i] = f"{'I' if place else 'B'}-{span['label']}"
    return tags


def spans_of(words: list[tuple[str, int]], tags: list[str]) -> list[dict]:
    """As the scorer of CoNLL reads tags: an inside that follows no span of its type begins one."""
    spans: list[dict] = []
    before = "O"
    for (word, at), tag in zip(words, tags, strict=True):
        if tag != "O":
            goes_on = tag[0] == "I" and before[2:] == tag[2:]
            if goes_on:
                spans[-1]["end"] = at + len(word)
            else:
                spans.append({"start": at, "end": at + len(word), "label": tag[2:]})
        before = tag
    return spans


def main() -> None:
    import numpy as np
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer, get_linear_schedule_with_warmup

    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=5e-5)
    a = parser.parse_args()
    torch.manual_seed(a.seed)
    train, test = rows_of(a.train), rows_of(a.test)
    words = words_of([row["text"] for row in train])
    tags = [tags_of(some, row["label"]) for some, row in zip(words, train, strict=True)]
    names = ["O", *sorted({tag for row in tags for tag in row} - {"O"})]
    tokenizer = AutoTokenizer.from_pretrained(a.model)
    network = AutoModelForTokenClassification.from_pretrained(a.model, num_labels=len(names), dtype=torch.float32)

    def inputs(rows: list[list[tuple[str, int]]]) -> dict:
        only = [[word for word, _ in row] or [""] for row in rows]
        return tokenizer(only, is_split_into_words=True, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")

    def targets(batch: dict, rows: list[list[str]]) -> torch.Tensor:
        found = torch.full(batch["input_ids"].shape, -100)
        for i, row in enumerate(rows):
            before = None
            for k, word in enumerate(batch.word_ids(i)):
                if word is not None and word != before and row:
                    found[i, k] = names.index(row[word])
                before = word
        return found

    steps = a.epochs * -(-len(train) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=a.rate, weight_decay=0.01)
    schedule = get_linear_schedule_with_warmup(optimiser, steps // 10, steps)
    lengths = np.array([len(row["text"]) for row in train])
    rng = np.random.default_rng(a.seed)
    started = time.perf_counter()
    network.train()
    for _ in range(a.epochs):
        order = rng.permutation(len(train))
        grouped = [
            part[np.argsort(lengths[part])] for part in np.split(order, range(GROUPED * BATCH, len(order), GROUPED * BATCH))
        ]
        batches = [part[k : k + BATCH] for part in grouped for k in range(0, len(part), BATCH)]
        for b in rng.permutation(len(batches)):
            some = batches[b].tolist()
            batch = inputs([words[i] for i in some])
            labels = targets(batch, [tags[i] for i in some])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = network(**batch, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
    seconds = time.perf_counter() - started
    network.eval()
    said: list[str] = []
    words = words_of([row["text"] for row in test])
    with torch.inference_mode():
        for start in range(0, len(words), 32):
            some_words = words[start : start + 32]
            batch = inputs(some_words)
            best = network(**batch).logits.argmax(-1).tolist()
            for i, row in enumerate(some_words):
                chosen = ["O"] * len(row)
                for k, word in reversed(list(enumerate(batch.word_ids(i)))):
                    if word is not None and row:
                        chosen[word] = names[best[i][k]]
                said.append(json.dumps(spans_of(row, chosen), ensure_ascii=False))
    a.out.write_text(json.dumps({"predictions": {"model": said}, "seconds": seconds}), encoding="utf-8")


if __name__ == "__main__":
    main()
