"""Of a long text the beginning and the end are read: the tokens of the whole text without its middle."""

import numpy as np
import pytest

from superfine.backbones.load import open_pretrained
from superfine.config import ModelConfig
from superfine.data import head_tail
from superfine.data.preparation import HeadTail, chosen_reading
from superfine.errors import ConfigError
from superfine.records import Examples, Head
from tests.conftest import make_rows

TEXTS = [text for text, _ in make_rows(20)] + ["lovely kettle, " * 60, "", "?", "<b>awful</b> &amp; broken " * 20]
SIZE, START = 12, 3


def sequences(encoded):
    return [encoded.ids[a:b].tolist() for a, b in zip(encoded.starts, encoded.starts[1:], strict=False)]


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2", "xlnet"])
@pytest.mark.parametrize("together", [8_000_000, 100])
def test_the_tokens_are_those_of_the_whole_text_without_the_middle(tiny_model, family, together, monkeypatch):
    monkeypatch.setattr(head_tail, "TOGETHER", together)
    pretrained = open_pretrained(str(tiny_model(family)))
    done = []
    encoded = pretrained.encoder(SIZE, head_tail=HeadTail(head=START)).encode(Examples.of_texts(TEXTS), done.append)
    whole = sequences(pretrained.encoder(10_000).encode(Examples.of_texts(TEXTS)))
    before, behind = head_tail.special_tokens(pretrained.encoder(SIZE))
    room = SIZE - len(before) - len(behind)
    for mine, ids, cut in zip(sequences(encoded), whole, encoded.truncated, strict=True):
        own = ids[len(before) : len(ids) - len(behind)]
        is_empty = not before and not behind and len(ids) == 1
        assert cut == (len(own) > room and not is_empty)
        kept = own[:START] + own[START - room :] if cut else own
        assert mine == [*before, *kept, *behind]
    assert sum(done) == len(TEXTS)


def test_no_texts_are_no_tokens(tiny_model):
    encoded = open_pretrained(str(tiny_model("bert"))).encoder(SIZE, head_tail=HeadTail(head=START)).encode(Examples.of_texts([]))
    assert (len(encoded), len(encoded.ids)) == (0, 0)


def test_the_setting_takes_a_quarter_from_the_beginning_and_is_refused_where_tokens_answer():
    settings = ModelConfig(long_texts="head_tail", max_length=128)
    usual, of_tokens = Head(("a", "b")), Head(("a", "b"), by_token=True)

    def counts():
        return np.array([500])

    assert chosen_reading(settings, usual, 512, counts).head_tail == HeadTail(head=32)
    assert chosen_reading(settings, usual, 512, counts).windows is None
    found = chosen_reading(settings, usual, 512, counts, pairs=True)
    assert found.head_tail is None
    assert "Pairs of texts are cut at the end, not in the middle." in found.notes
    with pytest.raises(ConfigError, match="leaves out the middle"):
        chosen_reading(settings, of_tokens, 512, counts)
