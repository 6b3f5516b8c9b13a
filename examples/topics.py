"""Chinese news: the language of the texts chooses the model, and the run says which. Another one can be named.

python examples/topics.py [MODEL]          for example hfl/rbt3, from the Hugging Face hub
"""

import os
import sys
from pathlib import Path

import superfine

NEWS = Path(__file__).parent / "data" / "news_zh.csv"
EPOCHS = os.environ.get("SUPERFINE_EXAMPLE_EPOCHS")


def main(model: str | None = None) -> None:
    run = superfine.train(
        NEWS,
        text=["标题", "正文"],
        label="主题",
        model=model,
        out="runs/topics",
        force=True,
        settings={"training.epochs": EPOCHS and int(EPOCHS)},
        language="zh",
    )
    print("model:", run.metrics["model"])
    print(f"unknown tokens: {run.metrics['data']['unknown_token_share']:.1%}")
    # A few characters are often enough to tell topics: the baseline is hard to beat.
    print("against TF-IDF:", run.metrics["comparison"]["tfidf"]["verdict"])


if __name__ == "__main__":
    main(*sys.argv[1:2])
