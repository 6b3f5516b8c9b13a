"""Extractive answers: F1 and exact match, and the speed of training and scoring, beside a plain transformers loop.

    python -m benchmarks.questions --sets squad cmrc --rows 3000 800 --scored 1000 300 --seeds 0

Same model, rows, epochs and windows (384 tokens, 96 shared). Rows are drawn by paragraph with the seed; 10 % more of them choose
our epoch. The loop takes each of `--rates` in turn, and the best of them on these validation rows is shown. Answers are counted
as SQuAD's and CMRC's scripts do (`superfine.tasks.answer_scores`), differences are paired by question. Needs the extras `offline`,
`multilingual` and `bench`.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import datasets
from benchmarks.accuracy import embedded_model, interval, points
from benchmarks.peers.question_answering import LONGEST, STRIDE

SETS = {
    "squad": ("en/squad_v1.1/train-v1.1.json", "en/squad_v1.1/dev-v1.1.json"),
    "cmrc": ("zh/cmrc2018/train.json", "zh/cmrc2018/validation.json"),
}


def rows_of(path: Path, n: int, seed: int) -> list[dict]:
    """About n questions, paragraph by paragraph, in the order of the seed; with all their answers."""
    data = json.loads(path.read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for text in data for paragraph in text["paragraphs"]]
    random.Random(seed).shuffle(paragraphs)
    rows: list[dict] = []
    for paragraph in paragraphs:
        if len(rows) >= n:
            break
        for asked in paragraph["qas"]:
            first = asked["answers"][0]
            rows.append(
                {
                    "question": asked["question"],
                    "context": paragraph["context"],
                    "answer": first["text"],
                    "answer_start": first["answer_start"],
                    "answers": asked["answers"],
                }
            )
    return rows


def write(rows: list[dict], path: Path, *, first_alone: bool = False) -> Path:
    """first_alone: of the answers to a question, in columns of their own, as the loop reads them."""
    left_out = {"answers"} if first_alone else {"answer", "answer_start"}
    lines = [json.dumps({k: v for k, v in row.items() if k not in left_out}, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def f1_of(said: list[str], rows: list[dict]) -> np.ndarray:
    """(n, 2) exact match and F1."""
    from superfine.tasks.answer_scores import counts_by_characters, score_answer

    golds = [[answer["text"] for answer in row["answers"]] for row in rows]
    characters = [counts_by_characters(row["context"]) for row in rows]
    found = zip(said, golds, characters, strict=True)
    return np.array([score_answer(text, gold, by_characters=by) for text, gold, by in found])


def ours(model: str, files: dict[str, Path], test: list[dict], seed: int, epochs: int) -> dict:
    import superfine

    with tempfile.TemporaryDirectory() as scratch:
        settings = {"model.max_length": LONGEST, "model.stride": STRIDE, "training.epochs": epochs}
        run = superfine.train(
            files["train"], validation=files["validation"], test=files["test"], model=model, out=Path(scratch) / "run", seed=seed,
            settings=settings,
        )  # fmt: skip
        said, scoring = {}, {}
        for precision in ("float32", "bfloat16"):
            opened = superfine.load(run.folder, precision=precision)
            started = time.perf_counter()
            said[precision] = opened.predict([row["question"] for row in test], [row["context"] for row in test]).label
            scoring[precision] = time.perf_counter() - started
    training = run.metrics["training"]
    return {
        "predictions": said["float32"],
        "rounded": said["bfloat16"],
        "seconds": training["seconds"] - sum(record["seconds"] for record in training["history"]),
        "scoring_seconds": list(scoring.values()),
        "rate": training["learning_rate"],
    }


def loop(model: str, files: dict[str, Path], part: str, seed: int, epochs: int, rate: float, folder: Path) -> dict:
    out = folder / f"loop-{part}-{rate}.json"
    module = "benchmarks.peers.question_answering"
    named = [str(files["plain"]), str(files[part]), "--out", str(out), "--model", model, "--seed", str(seed)]
    command = [sys.executable, "-m", module, *named, "--epochs", str(epochs), "--rate", str(rate)]
    subprocess.run(command, check=True, cwd=datasets.REPOSITORY)
    return json.loads(out.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--rows", nargs="+", type=int, default=[3000, 800])
    parser.add_argument("--scored", nargs="+", type=int, default=[1000, 300])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rates", nargs="+", type=float, default=[1e-4])
    a = parser.parse_args()

    from superfine.backbones.locate import resolve
    from superfine.backbones.sources.embedded import MULTILINGUAL

    print(
        "| set | rows | scored | seeds | F1, loop | F1 | difference, points | exact match | training "
        "| scoring | scoring in bfloat16 | F1 there |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name, n_rows, n_scored in zip(a.sets, a.rows, a.scored, strict=True):
        model = embedded_model() if name == "squad" else str(resolve(MULTILINGUAL.name).path)
        learned, scored = (datasets.FOLDER / path for path in SETS[name])
        pairs, ratios, scoring, rounded = [], [], [], []
        for seed in a.seeds:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                rows = rows_of(learned, n_rows + n_rows // 10, seed)
                test = rows_of(scored, n_scored, seed)[:n_scored]
                files = {
                    "train": write(rows[:n_rows], folder / "train.jsonl"),
                    "plain": write(rows[:n_rows], folder / "plain.jsonl", first_alone=True),
                    "validation": write(rows[n_rows:], folder / "validation.jsonl"),
                    "test": write(test, folder / "test.jsonl"),
                }
                mine = ours(model, files, test, seed, a.epochs)
                tried = {}
                if len(a.rates) > 1:
                    for rate in a.rates:
                        found = loop(model, files, "validation", seed, a.epochs, rate, folder)
                        tried[rate] = f1_of(found["predictions"], rows[n_rows:])[:, 1].mean()
                rate = max(tried, key=tried.__getitem__) if tried else a.rates[0]
                theirs = loop(model, files, "test", seed, a.epochs, rate, folder)
            pairs.append((f1_of(theirs["predictions"], test), f1_of(mine["predictions"], test)))
            ratios.append(theirs["seconds"] / mine["seconds"])
            scoring.append([theirs["scoring_seconds"] / own_seconds for own_seconds in mine["scoring_seconds"]])
            rounded.append(f1_of(mine["rounded"], test)[:, 1].mean())
        loops, own = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
        difference = interval(own[..., 1] - loops[..., 1])
        print(
            f"| {name} | {n_rows} | {len(test)} | {len(a.seeds)} | {100 * loops[..., 1].mean():.2f} | {100 * own[..., 1].mean():.2f} "
            f"| {points(difference)} | {100 * loops[..., 0].mean():.2f}, {100 * own[..., 0].mean():.2f} "
            f"| {np.mean(ratios):.2f} × | {np.mean(scoring, axis=0)[0]:.2f} × | {np.mean(scoring, axis=0)[1]:.2f} × "
            f"| {100 * np.mean(rounded):.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
