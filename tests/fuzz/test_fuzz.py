"""A minute of damaged input each, at most: whatever comes in, what comes out is a table, a setting, a manifest, or one of our errors.

The seed is fixed, so that a failure comes again; `FUZZ_SECONDS`, `FUZZ_ROUNDS` and `FUZZ_SEED` look further.
"""

import contextlib
import gzip
import io
import json
import os
import random
import time
import zipfile

import pandas as pd
import pytest

from superfine.config import build_config, parse_assignments, parse_yaml, read_config_file
from superfine.data.columns import choose_columns, to_examples
from superfine.data.files import File
from superfine.data.read import read_file
from superfine.data.table import ReadOptions
from superfine.errors import ConfigError, DataError, ModelError
from superfine.predictors.bundle import digest_of, open_bundle
from tests.data.reviews import reviews_csv

SECONDS, SEED = float(os.environ.get("FUZZ_SECONDS", "50")), int(os.environ.get("FUZZ_SEED", "0"))
TOKENS = [b'"', b"'", b",", b";", b"\t", b"\n", b"\r", b"\\", b"\0", b"{", b"}", b"[", b"]", b":", b"\xff\xfe", b"\xef\xbb\xbf", b"<", b"\x1b$B", b"~{", b"\xe2\x80\x8b", b"1e999", b"NaN", b"null", b"9" * 400, b"\xed\xa0\x80"]  # fmt: skip
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "40000"))
pytestmark = pytest.mark.slow


def rounds():
    rng, end, n = random.Random(SEED), time.monotonic() + SECONDS, 0
    while time.monotonic() < end and n < ROUNDS:
        n += 1
        yield rng
    assert n > 100, f"only {n} rounds: something hangs"


def damaged(rng, content):
    """Content with a few bytes changed, taken out, doubled or put in."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        i = rng.randrange(len(data) + 1)
        j = min(len(data), i + rng.choice([1, 1, 2, 4, 16, 200]))
        match rng.randrange(5):
            case 0:
                data[i:j] = rng.randbytes(j - i)
            case 1:
                del data[i:j]
            case 2:
                data[i:i] = data[i:j] * rng.choice([1, 2, 50])
            case 3:
                data[i:i] = rng.choice(TOKENS)
            case 4:
                del data[i:]
    return bytes(data)


def zipped(content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("data.csv", content)
    return stream.getvalue()


def seeds():
    frame = pd.DataFrame(
        {"text": ["so good, really", "so bad", "好的", 'a "quote"\nand a line'] * 5, "label": ["x", "y"] * 10, "n": range(20)}
    )
    csv = frame.to_csv(index=False)
    excel, parquet = io.BytesIO(), io.BytesIO()
    frame.to_excel(excel, index=False)
    frame.assign(tags=[["a", "b"], []] * 10).to_parquet(parquet)
    yield ".csv", csv.encode()
    yield ".csv", reviews_csv("Turkish").encode("cp1254")
    yield ".csv", reviews_csv("Japanese").encode("iso2022_jp")
    yield ".csv", csv.encode("utf-16")
    yield ".csv", gzip.compress(csv.encode())
    yield ".csv", zipped(csv)
    yield ".tsv", frame.to_csv(index=False, sep="\t").encode()
    yield ".jsonl", frame.to_json(orient="records", lines=True, force_ascii=False).encode()
    for orient in ("records", "columns", "split", "values"):
        yield ".json", frame.to_json(orient=orient).encode()
    yield ".json", json.dumps({"train": frame[["text", "label"]].values.tolist(), "test": [["a", "b"]]}).encode()
    yield (
        ".json",
        json.dumps(
            [{"data": {"text": "a"}, "annotations": [{"result": [{"from_name": "s", "value": {"choices": ["x"]}}]}]}]
        ).encode(),
    )
    yield ".xlsx", excel.getvalue()
    yield ".parquet", parquet.getvalue()


OPTIONS = [
    {}, {}, {}, {"skip_bad_rows": True}, {"has_header": False}, {"delimiter": ";"}, {"escape": "\\"}, {"quote": "'"}, {"encoding": "utf-8"},
    {"encoding": "gb18030"}, {"sheet": "test"}, {"part": "test"},
]  # fmt: skip


def test_damaged_files_are_tables_or_our_errors():
    files = list(seeds())
    for rng in rounds():
        ending, content = rng.choice(files)
        content = damaged(rng, content)
        options = ReadOptions(**rng.choice(OPTIONS))
        started = time.monotonic()
        try:
            table = read_file(File.in_memory("it", ending, content), options)
            assert len({len(column) for column in table.columns.values()} | {len(table)}) <= 1 or not table.columns
            examples, _ = to_examples(table, choose_columns(table))
            "".join(examples.text).encode()
        except DataError:
            pass
        except Exception as error:
            raise AssertionError(f"{ending} {options}: {content!r}") from error
        assert time.monotonic() - started < 10, content


YAML = ["a", "training", ":", ": ", "\n", "  ", "- ", "[", "]", "{", "}", ",", "&a ", "*a", "!!int ", "!!float ", "!!binary ", "!!set ", "!!timestamp ", "<<: ", "0x_", "0b1", "0o7", "2020-13-45", "1:59:59", ".inf", "~", "null", "'", '"', "|", ">", "%", "@", "`", "? ", "---\n", "...\n", "9" * 5000, "\x00", "\x07", "\u2028", "epochs", "data.text", "好", "#", "\t", "=", "1e999"]  # fmt: skip


def test_damaged_yaml_is_a_setting_or_our_error(tmp_path):
    path = tmp_path / "c.yaml"
    for rng in rounds():
        text = "".join(rng.choice(YAML) for _ in range(rng.choice([3, 10, 40, 400])))
        started = time.monotonic()
        with contextlib.suppress(ValueError):
            parse_yaml(text)
        for use in (lambda text=text: build_config({}, parse_assignments([f"training.epochs={text}", f"model.name={text}"])), lambda: build_config(read_config_file(path))):  # fmt: skip
            path.write_text(text, encoding="utf-8")
            try:
                use()
            except ConfigError:
                pass
            except Exception as error:
                raise AssertionError(repr(text)) from error
        assert time.monotonic() - started < 3, text


VALUES = [
    None,
    0,
    -5,
    1 << 40,
    1.5,
    True,
    "",
    "x",
    "../x",
    "/dev/zero",
    "a\0b",
    [],
    [""],
    ["a", "a"],
    {},
    {"a": 1},
    {"../x": "0"},
    "9" * 300,
    "\ud800",
]


def test_a_damaged_manifest_is_read_or_our_error(trained, tmp_path):
    original = json.loads((trained.folder / "model" / "superfine.json").read_text(encoding="utf-8"))
    folder = tmp_path / "model"
    folder.mkdir()
    for rng in rounds():
        content = json.loads(json.dumps(original))
        for _ in range(rng.choice([1, 2, 4])):
            key = rng.choice([*content, "new"])
            if rng.random() < 0.2:
                content.pop(key, None)
            else:
                content[key] = rng.choice(VALUES)
        if rng.random() < 0.7:
            content["digest"] = digest_of(content)
        raw = json.dumps(content).encode()
        (folder / "superfine.json").write_bytes(raw if rng.random() < 0.7 else damaged(rng, raw))
        try:
            bundle = open_bundle(folder)
            bundle.verify()
            bundle.manifest.open_task()
        except ModelError:
            pass
        except Exception as error:
            raise AssertionError((folder / "superfine.json").read_bytes()) from error
