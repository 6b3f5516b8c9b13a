"""Texts longer than the model reads: every token is read, once where it counts, and plain transformers makes the same windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superfine.backbones.load import open_pretrained
from superfine.config import ModelConfig
from superfine.data import windows
from superfine.data.preparation import Windows, chosen_reading, chosen_windows
from superfine.data.windows import PIECE, answering, pieces_of
from superfine.errors import ConfigError
from superfine.records import Examples, Head
from tests.conftest import make_rows

TEXTS = [text for text, _ in make_rows(20)] + ["lovely kettle, " * 60, "", "?", "<b>awful</b> &amp; broken " * 20]
SHARED = 3
OF_TEXT, OF_TOKENS = Head(("a", "b")), Head(("a", "b"), by_token=True)


@pytest.fixture(scope="module")
def pretrained(tiny_model):
    return open_pretrained(str(tiny_model("bert")))


@pytest.fixture(scope="module")
def encoder(pretrained):
    return pretrained.encoder(12, with_offsets=True, windows=Windows(stride=SHARED))


def sequences(encoded):
    return [encoded.ids[a:b].tolist() for a, b in zip(encoded.starts, encoded.starts[1:], strict=False)]


def test_windows_are_those_of_plain_transformers(pretrained, encoder, tiny_model):
    from transformers import AutoTokenizer

    clean = [text for text in TEXTS if "<b>" not in text]  # the folder's own tokenizer does not clean yet
    plain = AutoTokenizer.from_pretrained(tiny_model("bert"))
    expected = plain(clean, truncation=True, max_length=12, stride=SHARED, return_overflowing_tokens=True)
    encoded = encoder.encode(Examples.of_texts(clean))
    assert sequences(encoded) == expected["input_ids"]
    assert encoded.owner.tolist() == expected["overflow_to_sample_mapping"]
    assert len(encoded) == len(clean)
    assert not encoded.truncated.any()


def test_the_tokens_that_answer_are_the_tokens_of_the_whole_text_once_and_where_they_stand(pretrained, encoder):
    whole = pretrained.encoder(10_000, with_offsets=True).encode(Examples.of_texts(TEXTS))
    encoded = encoder.encode(Examples.of_texts(TEXTS))
    assert len(encoded.owner) > 2 * len(TEXTS)
    for i in range(len(TEXTS)):
        mine = encoded.take(np.array([i]))
        its = whole.take(np.array([i]))
        assert mine.ids[mine.answers].tolist() == its.ids[1:-1].tolist(), TEXTS[i]
        assert mine.offsets[mine.answers].tolist() == its.offsets[1:-1].tolist(), TEXTS[i]


@given(st.integers(1, 60), st.integers(3, 20), st.data())
def test_a_token_is_read_where_it_is_furthest_from_an_edge(n_tokens, size, data):
    stride = data.draw(st.integers(0, (size - 1) // 2))
    starts = [0]
    while starts[-1] + size < n_tokens:
        starts.append(starts[-1] + size - stride)
    places = [np.arange(start, min(start + size, n_tokens)) for start in starts]
    found = answering([np.zeros(len(p), dtype=bool) for p in places], np.zeros(len(places), dtype=int), stride)
    read = np.concatenate(places)[found]
    assert read.tolist() == list(range(n_tokens)), "each once, in the order of the text"
    of_window = np.repeat(np.arange(len(places)), [len(p) for p in places])[found]
    for token, window in zip(read.tolist(), of_window.tolist(), strict=True):
        # The beginning and the end of the text are no edges: nothing is missing beyond them.
        distances = {
            k: min(
                token - p[0] if k else n_tokens,
                p[-1] - token if k + 1 < len(places) else n_tokens,
            )
            for k, p in enumerate(places)
            if token in p
        }
        assert distances[window] == max(distances.values())


def test_texts_of_megabytes_are_read_in_pieces_and_every_token_knows_its_place(pretrained):
    text = "".join(f"kettle{i} lovely &amp; " for i in range(3 * PIECE // 20))
    pieces = list(pieces_of(text))
    assert len(pieces) > 2
    assert "".join(piece for _, piece in pieces) == text
    assert all(text[start:].startswith(piece) for start, piece in pieces)
    encoder = pretrained.encoder(64, with_offsets=True, windows=Windows(stride=8))
    encoded = encoder.encode(Examples.of_texts(["awful", text]))
    offsets = encoded.offsets[encoded.answers]
    read = {text[a:b] for a, b in offsets[1:].tolist()}
    assert {"lovely", "&amp;"} <= read
    assert not any(" " in piece for piece in read)
    assert offsets[-1].tolist() == [len(text) - 6, len(text) - 1]
    assert (np.diff(offsets[1:, 0]) >= 0).all()


def test_a_text_without_blanks_is_cut_anywhere():
    assert [len(piece) for _, piece in pieces_of("好" * (PIECE + 5))] == [PIECE, 5]


def test_progress_counts_every_text_once(pretrained, monkeypatch):
    monkeypatch.setattr("superfine.data.encode.TOGETHER", 500)
    monkeypatch.setattr(windows, "PIECE", 300)
    encoder = pretrained.encoder(12, windows=Windows(stride=2))
    told = []
    encoded = encoder.encode(Examples.of_texts(TEXTS), told.append)
    assert sum(told) == len(TEXTS)
    assert len(told) > 3
    assert np.unique(encoded.owner).tolist() == list(range(len(TEXTS)))


def test_texts_are_taken_with_all_their_windows(encoder):
    encoded = encoder.encode(Examples.of_texts(TEXTS))
    some = encoded.take(np.array([20, 0]))
    alone = encoder.encode(Examples.of_texts([TEXTS[20], TEXTS[0]]))
    assert some.ids.tolist() == alone.ids.tolist()
    assert some.owner.tolist() == alone.owner.tolist()
    assert some.tokens_per_text.tolist() == alone.tokens_per_text.tolist()
    assert encoded.keys()[20] == some.keys()[0]
    assert len(set(encoded.keys())) == len(TEXTS)


def test_at_most_so_many_windows_of_a_text_are_kept_evenly_spread(encoder):
    encoded = encoder.encode(Examples.of_texts(TEXTS))
    fewer = encoded.with_at_most(3)
    counts = np.diff(encoded.first_sequences)
    assert np.diff(fewer.first_sequences).tolist() == np.minimum(counts, 3).tolist()
    assert fewer.truncated.tolist() == (counts > 3).tolist()
    long, kept = sequences(encoded.take(np.array([20]))), sequences(fewer.take(np.array([20])))
    assert kept == [long[0], long[round((len(long) - 1) / 2)], long[-1]]
    assert encoded.with_at_most(10_000) is encoded


def test_no_texts_are_no_sequences(encoder):
    nothing = encoder.encode(Examples.of_texts([]))
    assert len(nothing) == len(nothing.owner) == len(nothing.answers) == 0


def test_pairs_are_cut(encoder):
    encoded = encoder.encode(Examples.of_texts(["lovely " * 40], ["awful " * 40]))
    assert encoded.owner is None
    assert encoded.truncated.tolist() == [True]


def test_how_much_windows_share_follows_what_answers_and_half_of_them_is_refused():
    settings = ModelConfig(long_texts="windows")
    assert chosen_windows(settings, 256, OF_TEXT) == Windows(stride=32, pooling="attention")
    assert chosen_windows(settings, 256, OF_TOKENS) == Windows(stride=64)
    assert chosen_windows(ModelConfig(), 256, OF_TOKENS) is None
    extractive = Head(("start", "end"), by_token=True, extractive=True)
    assert chosen_windows(ModelConfig(), 256, extractive) == Windows(stride=64, of="text_pair"), "contexts are never cut"
    assert chosen_windows(settings.model_copy(update={"window_pooling": "mean"}), 256, OF_TEXT) == Windows(stride=32)
    learned = settings.model_copy(update={"window_pooling": "attention"})
    with pytest.raises(ConfigError, match=r"model\.window_pooling=attention makes one answer of windows, and here each token"):
        chosen_windows(learned, 256, OF_TOKENS)
    with pytest.raises(ConfigError, match="stride 127 is too much"):
        chosen_windows(ModelConfig(long_texts="windows", stride=127), 256, OF_TEXT)
    with pytest.raises(ConfigError, match=r"Raise model\.max_length"):
        chosen_windows(settings, 3, OF_TEXT)


def reading(lengths, bound=512, head=OF_TEXT, **settings):
    pairs = settings.pop("pairs", False)
    return chosen_reading(ModelConfig(**settings), head, bound, lambda: np.array(lengths), pairs=pairs)


@pytest.mark.parametrize(
    ("lengths", "bound", "max_length"),
    [
        ([20] * 100, 512, 256),  # shorter would save nothing
        ([300] * 100, 512, 304),  # what nearly all have, in eights
        ([300] * 100, 288, 288),  # what the model reads
        ([300] * 100, None, 304),  # a model without bound
        ([9000] * 100, 8192, 512),  # windows read the rest
        ([20] * 995 + [4000] * 5, 512, 256),  # one in two hundred is not nearly all
        ([20] * 100, 64, 64),
    ],
)
def test_what_is_read_at_a_time_follows_the_texts_between_256_and_512(lengths, bound, max_length):
    found = reading(lengths, bound)
    assert found.max_length == max_length
    said = f"{max_length} tokens are read at a time"
    assert any(said in note for note in found.notes) == (max_length > 256)


@pytest.mark.parametrize(("n_longer", "in_windows"), [(0, False), (5, False), (6, True), (100, True)])
def test_windows_are_chosen_where_more_than_one_text_in_twenty_is_longer_and_their_price_is_said(n_longer, in_windows):
    found = reading([100] * (100 - n_longer) + [1024] * n_longer, max_length=512)
    assert (found.windows == Windows(stride=64, pooling="attention")) == in_windows
    assert (found.windows is None) == (not in_windows)
    assert len(found.notes) == in_windows
    if n_longer == 100:
        assert "100% of the texts are longer than 512 tokens" in found.notes[0]
        assert "about 2.3 times as long" in found.notes[0], "1024 tokens in steps of 448 beside 512"


def test_a_setting_is_kept_and_texts_are_counted_only_where_they_decide():
    def never():
        raise AssertionError("nobody asked")

    settings = ModelConfig(max_length=100, long_texts="cut")
    assert chosen_reading(settings, OF_TEXT, 512, never) == (100, None, (), None)
    settings = ModelConfig(max_length=100, long_texts="windows")
    assert chosen_reading(settings, OF_TEXT, 64, never) == (64, Windows(stride=8, pooling="attention"), (), None)
    assert reading([1000] * 9, long_texts="cut").windows is None


def test_pairs_are_cut_and_that_is_said_where_windows_were_asked_for():
    assert reading([1000] * 9, pairs=True).windows is None
    found = reading([1000] * 9, pairs=True, long_texts="windows")
    assert found.windows is None
    assert "Pairs of texts are cut, not read in windows." in found.notes


def test_tokens_are_counted_of_texts_of_any_length_and_of_pairs(encoder):
    texts = ["lovely kettle", "lovely kettle, " * 60]
    counts = encoder.count_tokens(Examples.of_texts(texts))
    assert counts[0] == 4
    assert counts[1] == 2 + 60 * 3, "whatever is read at a time"
    both = encoder.count_tokens(Examples.of_texts(texts, texts[::-1]))
    assert both.tolist() == [counts.sum()] * 2
    assert len(encoder.count_tokens(Examples.of_texts(["a"] * 95), most=10)) == 10
