"""Questions before windows of their contexts: the sequences of plain transformers, made from tokens that are made once."""

import numpy as np
import pytest

from superfine.backbones.load import open_pretrained
from superfine.data import contexts
from superfine.data.preparation import Windows
from superfine.records import Examples
from tests.conftest import make_rows

TEXTS = [text for text, _ in make_rows(12)]
CONTEXTS = [
    "lovely kettle, " * 40,
    "the lamp was broken",
    "",
    "?",
    " ".join(TEXTS),
    "  a lamp  and a \n\n chair ",
    "café broken 😀 lamp " * 9,
]
QUESTIONS = ["what was broken ?", "", "the kettle", "which lamp", "is it", "?", "on day one"]
SIZE, SHARED = 24, 6


def encoder_of(folder, **options):
    return open_pretrained(str(folder), cleaning=options.pop("cleaning", False)).encoder(
        options.pop("size", SIZE), with_offsets=True, windows=Windows(stride=options.pop("stride", SHARED), of="text_pair")
    )


def sequences(encoded):
    return [encoded.ids[a:b].tolist() for a, b in zip(encoded.starts, encoded.starts[1:], strict=False)]


@pytest.mark.parametrize(("family", "size"), [("bert", SIZE), ("roberta", 48), ("gpt2", 48), ("llama", 48), ("xlnet", SIZE)])
def test_the_sequences_are_those_of_plain_transformers(tiny_model, family, size):
    from transformers import AutoTokenizer

    folder = tiny_model(family)
    plain = AutoTokenizer.from_pretrained(folder)
    expected = plain(
        QUESTIONS, CONTEXTS, truncation="only_second", max_length=size, stride=SHARED, return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )  # fmt: skip
    encoded = encoder_of(folder, size=size).encode(Examples.of_texts(QUESTIONS, CONTEXTS))
    assert sequences(encoded) == expected["input_ids"]
    assert encoded.owner.tolist() == expected["overflow_to_sample_mapping"]
    if "token_type_ids" in expected and encoded.type_ids is not None:
        assert encoded.type_ids.tolist() == [t for row in expected["token_type_ids"] for t in row]
    assert not encoded.truncated.any()
    for i, (start, end) in enumerate(zip(encoded.starts, encoded.starts[1:], strict=False)):
        sides, places = expected.sequence_ids(i), expected["offset_mapping"][i]
        for side, place, mine in zip(sides, places, encoded.offsets[start:end].tolist(), strict=True):
            text = CONTEXTS[encoded.owner[i]]
            assert text[slice(*mine)].strip() == (text[slice(*place)].strip() if side == 1 else "")


def test_every_token_of_a_context_is_read_once_and_the_questions_never(tiny_model):
    examples = Examples.of_texts(QUESTIONS, CONTEXTS)
    encoded, whole = (encoder_of(tiny_model("bert"), size=size).encode(examples) for size in (SIZE, 10_000))
    assert len(encoded.owner) > len(whole.owner) == len(CONTEXTS)
    for i in range(len(CONTEXTS)):
        mine, its = encoded.take(np.array([i])), whole.take(np.array([i]))
        assert mine.ids[mine.answers].tolist() == its.ids[its.answers].tolist()
        assert mine.offsets[mine.answers].tolist() == its.offsets[its.answers].tolist()


def test_a_long_question_is_cut_and_said_to_be(tiny_model):
    examples = Examples.of_texts(["the lovely kettle " * 30, "the kettle"], ["a lamp " * 30] * 2)
    encoded = encoder_of(tiny_model("bert")).encode(examples)
    assert encoded.truncated.tolist() == [True, False]
    assert encoded.lengths.max() <= SIZE
    first = encoded.take(np.array([0]))
    assert int(first.answers.sum()) == 60, "the context is read all the same"


def test_a_context_that_many_questions_share_is_tokenised_once(tiny_model, monkeypatch):
    encoder = encoder_of(tiny_model("bert"))
    asked = []
    usual = encoder.encode_alone
    monkeypatch.setattr(encoder, "encode_alone", lambda texts: asked.extend(texts) or usual(texts))
    encoder.encode(Examples.of_texts([f"question {i}" for i in range(50)], ["a long context " * 20] * 50))
    assert asked.count("a long context " * 20) == 1


def test_a_context_is_tokenised_in_pieces_without_a_trace_in_the_tokens(tiny_model, monkeypatch):
    context = "the kettle was lovely and the lamp was broken . " * 60
    examples = Examples.of_texts(["what"], [context])
    whole = encoder_of(tiny_model("bert")).encode(examples)
    monkeypatch.setattr("superfine.data.windows.PIECE", 500)
    monkeypatch.setattr("superfine.data.windows.SEARCHED", 50)
    monkeypatch.setattr(contexts, "TOGETHER", 900)
    done = []
    pieces = encoder_of(tiny_model("bert")).encode(examples, done.append)
    assert sequences(pieces) == sequences(whole)
    assert pieces.offsets.tolist() == whole.offsets.tolist()
    assert sum(done) == 1


def test_where_cleaning_takes_something_out_offsets_are_those_of_the_raw_context(tiny_model):
    context = "<p>The &lt;lovely&gt; kettle</p> was <b>broken</b>"
    encoded = encoder_of(tiny_model("bert"), size=64, cleaning=True).encode(Examples.of_texts(["what"], [context]))
    read = [context[a:b] for a, b in encoded.offsets[encoded.answers].tolist()]
    assert "broken" in read
    assert "kettle" in read
    assert not any("<b>" in one or "<p>" in one for one in read)


def test_no_examples_are_no_tokens(tiny_model):
    encoded = encoder_of(tiny_model("bert")).encode(Examples.of_texts([], []))
    assert (len(encoded), len(encoded.ids), len(encoded.owner)) == (0, 0, 0)


def test_a_pair_without_any_token_is_one_that_stands_for_nothing(tiny_model):
    encoded = encoder_of(tiny_model("gpt2")).encode(Examples.of_texts(["", "the kettle", ""], ["", "a lamp", ""]))
    assert encoded.lengths.min() == 1
    assert (encoded.offsets[encoded.starts[:-1]][[0, 2]] == 0).all()
    assert not encoded.answers[encoded.starts[:-1]][[0, 2]].any()
