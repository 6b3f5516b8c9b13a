"""Memory of predicting one long text, and of answering questions on one long context, by its length.

    python -m benchmarks.long_memory
    python -m benchmarks.long_memory --words 1000 10000 100000 1000000

A model that has learned from the example reviews (or questions) in windows of 128 tokens reads texts of so many words, made of imdb's
reviews; each length is a process of its own. Memory is what the process holds beyond what it held with the model loaded and one short
text predicted, pages of files left out, read every 20 ms. Needs the extra `offline`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks import datasets
from benchmarks.memory import resident
from benchmarks.training_speed import machine

EXAMPLES = {"text": "reviews_en.csv", "questions": "questions_en.json"}
SETTINGS = {"model.max_length": 128, "model.long_texts": "windows", "training.epochs": 1}
N_QUESTIONS = 10


def long_text(n_words: int) -> str:
    words: list[str] = []
    for text in datasets.read(datasets.train_and_test("en/imdb")[1]).texts:
        words += text.split()
        if len(words) >= n_words:
            break
    return " ".join((words * (n_words // max(1, len(words)) + 1))[:n_words])


def measure(run: str, kind: str, n_words: int) -> None:
    import superfine

    model = superfine.load(run)

    def ask(text: str, n: int) -> None:
        if kind == "questions":
            model.predict([("Who is in it?", text)] * n)
        else:
            model.predict([text])

    ask("A short text about nothing.", 1)
    text, peak, start, done = long_text(n_words), 0, resident(), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, resident() - start)
            time.sleep(0.02)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    ask(text, N_QUESTIONS if kind == "questions" and n_words <= 100_000 else 1)
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    print(json.dumps({"peak": peak, "seconds": seconds, "size": len(text.encode())}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", nargs="+", type=int, default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--kinds", nargs="+", default=list(EXAMPLES), choices=EXAMPLES)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.one:
        measure(a.one[0], a.one[1], int(a.one[2]))
        return
    import superfine

    print(f"{machine()}\n\n| what | words | text, MB | memory, MB | seconds |\n|---|---|---|---|---|")
    for kind in a.kinds:
        with tempfile.TemporaryDirectory() as scratch:
            data = datasets.REPOSITORY / "examples" / "data" / EXAMPLES[kind]
            run = superfine.train(data, out=Path(scratch) / "run", settings=SETTINGS, progress=False)
            for n_words in a.words:
                command = [sys.executable, "-m", "benchmarks.long_memory", "--one", str(run.folder), kind, str(n_words)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                found = json.loads(done.stdout.splitlines()[-1])
                print(
                    f"| {kind} | {n_words:,} | {found['size'] / 1e6:.1f} | {found['peak'] / 1e6:.0f} | {found['seconds']:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
