"""Tokens kept on disk: the same as without, found only for the same texts and tokenizer, bounded, and never in the way."""

import os
import tempfile

import numpy as np
import pytest

from superfine.data import token_cache
from superfine.data.encode import Encoder
from superfine.data.token_cache import cache_folder, encode_cached, token_folder
from superfine.records import Examples
from tests.conftest import load_for_classification, make_rows

TEXTS = [text for text, _ in make_rows(40)]


@pytest.fixture(autouse=True)
def few_texts_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(token_cache, "FEWEST_TEXTS", 1)
    monkeypatch.setenv(token_cache.VARIABLE, str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return load_for_classification(str(tiny_model("bert")), ["a", "b"]).tokenizer


@pytest.fixture
def encoder(tokenizer):
    return Encoder(tokenizer, 24)


@pytest.mark.parametrize("pairs", [None, TEXTS[::-1]])
def test_what_is_recalled_is_what_was_encoded(encoder, pairs):
    examples = Examples.of_texts(TEXTS, pairs)
    plain = encoder.encode(examples)
    first, recalled = encode_cached(encoder, examples)
    assert not recalled
    calls = []
    second, recalled = encode_cached(encoder, examples, calls.append)
    assert recalled
    assert calls == [40]
    assert isinstance(second.ids, np.memmap), "training reads from disk"
    for found in (first, second):
        assert found.unknown_share == plain.unknown_share
        for name in ("ids", "starts", "type_ids", "truncated"):
            np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))


def test_other_texts_lengths_or_tokenizers_are_not_confused(encoder, tokenizer, tiny_model):
    encode_cached(encoder, Examples.of_texts(["ab", "c"]))
    others = [
        (encoder, Examples.of_texts(["a", "bc"])),
        (encoder, Examples.of_texts(["ab", "c"], ["", ""])),
        (encoder, Examples.of_texts(["ab"], ["c"])),
        (Encoder(tokenizer, 23), Examples.of_texts(["ab", "c"])),
        (
            Encoder(load_for_classification(str(tiny_model("bert")), ["a", "b"], cleaning=False).tokenizer, 24),
            Examples.of_texts(["ab", "c"]),
        ),
    ]
    assert [encode_cached(e, examples)[1] for e, examples in others] == [False] * 5


def test_few_texts_and_those_of_users_who_say_so_are_not_kept(encoder, monkeypatch):
    encode_cached(encoder, Examples.of_texts(TEXTS), keep=False)
    monkeypatch.setattr(token_cache, "FEWEST_TEXTS", 41)
    encode_cached(encoder, Examples.of_texts(TEXTS))
    assert not token_folder().exists()


def test_only_the_owner_reads_what_is_kept(encoder):
    encode_cached(encoder, Examples.of_texts(TEXTS))
    assert token_folder().stat().st_mode & 0o077 == 0


def test_the_longest_unused_goes_when_there_is_no_room(encoder, monkeypatch):
    for i in range(3):
        encode_cached(encoder, Examples.of_texts(TEXTS[i:]))
        for j, folder in enumerate(sorted(token_folder().iterdir(), key=lambda path: path.stat().st_mtime)):
            os.utime(folder, (j, j))
    encode_cached(encoder, Examples.of_texts(TEXTS))  # the first is used once more
    size = sum(file.stat().st_size for folder in token_folder().iterdir() for file in folder.iterdir())
    monkeypatch.setattr(token_cache, "MOST_BYTES", size)
    encode_cached(encoder, Examples.of_texts(TEXTS[3:]))
    assert [encode_cached(encoder, Examples.of_texts(TEXTS[i:]), keep=True)[1] for i in (0, 3)] == [True, True]
    assert len(list(token_folder().iterdir())) == 3


def test_damage_and_a_folder_that_cannot_be_written_cost_nothing_but_time(encoder, monkeypatch, tmp_path):
    plain = encoder.encode(Examples.of_texts(TEXTS)).ids
    encode_cached(encoder, Examples.of_texts(TEXTS))
    (folder,) = token_folder().iterdir()
    (folder / "ids.npy").write_bytes(b"no array")
    found, recalled = encode_cached(encoder, Examples.of_texts(TEXTS))
    assert not recalled
    np.testing.assert_array_equal(found.ids, plain)
    assert encode_cached(encoder, Examples.of_texts(TEXTS))[1], "the damage is repaired"
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(token_cache.VARIABLE, str(tmp_path / "file"))
    np.testing.assert_array_equal(encode_cached(encoder, Examples.of_texts(TEXTS))[0].ids, plain)


def test_a_user_without_a_home_keeps_things_in_the_folder_for_temporary_files(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("SUPERFINE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", homeless)
    assert cache_folder().is_relative_to(tempfile.gettempdir())
