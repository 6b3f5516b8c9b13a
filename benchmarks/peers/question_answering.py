"""Extractive question answering by a plain loop of transformers, as its example `run_qa_no_trainer.py` does it: windows of the context by
the tokenizer's overflow, the sum of the start's and the end's logit over all windows, 20 best of each.

python -m benchmarks.peers.question_answering TRAIN.jsonl TEST.jsonl --out RESULT.json --model NAME [--seed 0] [--epochs 2] [--rate 5e-5]

Rows have question, context, answer and answer_start. Batches of 16 windows of similar length, padded to the longest, in bfloat16 for
training and in float32 for scoring.
"""

import argparse
import json
import time
from pathlib import Path

BATCH, GROUPED, SCORED = 16, 50, 32
LONGEST, STRIDE = 384, 96
N_BEST, MOST_TOKENS = 20, 30


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    import numpy as np
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer, get_linear_schedule_with_warmup

    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rate", type=float, default=5e-5)
    a = parser.parse_args()
    torch.manual_seed(a.seed)
    train, test = rows_of(a.train), rows_of(a.test)
    tokenizer = AutoTokenizer.from_pretrained(a.model)
    network = AutoModelForQuestionAnswering.from_pretrained(a.model, dtype=torch.float32)

    def windows_of(rows: list[dict]) -> dict:
        return tokenizer(
            [row["question"] for row in rows],
            [row["context"] for row in rows],
            truncation="only_second",
            max_length=LONGEST,
            stride=STRIDE,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )

    def padded(features: dict, some: list[int]) -> dict:
        names = [name for name in ("input_ids", "token_type_ids", "attention_mask") if name in features]
        return tokenizer.pad({name: [features[name][i] for i in some] for name in names}, return_tensors="pt")

    features = windows_of(train)
    starts, ends = [], []
    for i, owner in enumerate(features["overflow_to_sample_mapping"]):
        row, offsets, sides = train[owner], features["offset_mapping"][i], features.sequence_ids(i)
        first, last = row["answer_start"], row["answer_start"] + len(row["answer"])
        inside = [k for k, side in enumerate(sides) if side == 1]
        if not inside or offsets[inside[0]][0] > first or offsets[inside[-1]][1] < last:
            starts.append(0)
            ends.append(0)
            continue
        starts.append(max(k for k in inside if offsets[k][0] <= first))
        ends.append(min(k for k in inside if offsets[k][1] >= last))

    lengths = np.array([len(ids) for ids in features["input_ids"]])
    steps = a.epochs * -(-len(lengths) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=a.rate, weight_decay=0.01)
    schedule = get_linear_schedule_with_warmup(optimiser, steps // 10, steps)
    rng = np.random.default_rng(a.seed)
    started = time.perf_counter()
    network.train()
    for _ in range(a.epochs):
        order = rng.permutation(len(lengths))
        grouped = [
            part[np.argsort(lengths[part])] for part in np.split(order, range(GROUPED * BATCH, len(order), GROUPED * BATCH))
        ]
        batches = [part[k : k + BATCH] for part in grouped for k in range(0, len(part), BATCH)]
        for b in rng.permutation(len(batches)):
            some = batches[b].tolist()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = network(
                    **padded(features, some),
                    start_positions=torch.tensor([starts[i] for i in some]),
                    end_positions=torch.tensor([ends[i] for i in some]),
                ).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
    seconds = time.perf_counter() - started

    network.eval()
    started = time.perf_counter()
    features = windows_of(test)
    lengths = np.array([len(ids) for ids in features["input_ids"]])
    best: list[tuple[float, str]] = [(-np.inf, "")] * len(test)
    order = np.argsort(-lengths)
    with torch.inference_mode():
        for k in range(0, len(order), SCORED):
            some = order[k : k + SCORED].tolist()
            output = network(**padded(features, some))
            for place, i in enumerate(some):
                owner, offsets, sides = (
                    features["overflow_to_sample_mapping"][i],
                    features["offset_mapping"][i],
                    features.sequence_ids(i),
                )
                start, end = output.start_logits[place].tolist(), output.end_logits[place].tolist()
                inside = [t for t, side in enumerate(sides) if side == 1]
                firsts = sorted(inside, key=lambda t: -start[t])[:N_BEST]
                lasts = sorted(inside, key=lambda t: -end[t])[:N_BEST]
                for first in firsts:
                    for last in lasts:
                        if first <= last < first + MOST_TOKENS and start[first] + end[last] > best[owner][0]:
                            text = test[owner]["context"][offsets[first][0] : offsets[last][1]]
                            best[owner] = (start[first] + end[last], text)
    scoring = time.perf_counter() - started
    result = {"predictions": [text for _, text in best], "seconds": seconds, "scoring_seconds": scoring}
    a.out.write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
