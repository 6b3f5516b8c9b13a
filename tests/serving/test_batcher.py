"""One queue: every request gets its own answers in its own order, whoever else asks, and nobody waits for a long list."""

import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from superfine.records import Examples
from superfine.serving.batcher import Batcher, DeadlineError, QueueFullError


class Echo:
    """Answers with the text itself. seen: the batches. gate: closed while it is not to answer."""

    def __init__(self):
        self.seen, self.gate = [], threading.Event()
        self.gate.set()

    def predict_examples(self, examples):
        assert self.gate.wait(10)
        self.seen.append(list(examples.text))
        if "bad" in examples.text:
            raise ValueError("a text that cannot be computed")
        pairs = examples.text_pair or [""] * len(examples)
        return SimpleNamespace(to_objects=lambda: [{"prediction": a + b} for a, b in zip(examples.text, pairs, strict=True)])


@dataclass(eq=False)
class Loaded:
    predictor: Echo


@pytest.fixture
def echo():
    made = Echo()
    made.version = Loaded(made)
    return made


@pytest.fixture
def batcher(echo):
    made = Batcher(most_waiting=100)
    yield made
    echo.gate.set()
    made.close()


def said(future, seconds=10):
    return [answer["prediction"] for answer in future.result(seconds)[0]]


def busy(batcher, echo):
    """Have the thread compute something until the gate opens."""
    echo.gate.clear()
    future = batcher.ask(Examples.of_texts(["first"]), 10, echo.version)
    while batcher.waiting:
        time.sleep(0.001)
    return future


def test_many_requests_at_once_each_get_their_own_answers_in_order(batcher, echo):
    def ask(i):
        texts = [f"{i}-{k}" for k in range(i % 5)] or ["one"]
        return said(batcher.ask(Examples.of_texts(texts, [f"/{t}" for t in texts]), 10, echo.version)), [
            f"{t}/{t}" for t in texts
        ]

    with ThreadPoolExecutor(16) as pool:
        for found, expected in pool.map(ask, range(300)):
            assert found == expected


def test_what_gathers_while_a_batch_is_computed_is_computed_together(batcher, echo):
    first = busy(batcher, echo)
    others = [batcher.ask(Examples.of_texts([f"text {i}"]), 10, echo.version) for i in range(20)]
    echo.gate.set()
    assert said(first) == ["first"]
    assert [said(other) for other in others] == [[f"text {i}"] for i in range(20)]
    assert [len(batch) for batch in echo.seen] == [1, 20]


def test_a_long_list_does_not_hold_up_a_short_one(batcher, echo, monkeypatch):
    monkeypatch.setattr("superfine.serving.batcher.MOST_TOGETHER", 4)
    first = busy(batcher, echo)
    long = batcher.ask(Examples.of_texts([f"long {i}" for i in range(40)]), 10, echo.version)
    short = batcher.ask(Examples.of_texts(["short"]), 10, echo.version)
    echo.gate.set()
    assert said(short) == ["short"]
    assert said(long) == [f"long {i}" for i in range(40)]
    assert said(first) == ["first"]
    assert "short" in echo.seen[1]


def test_a_full_queue_turns_away_and_says_for_how_long_and_takes_a_large_request_alone(batcher, echo):
    first = busy(batcher, echo)
    large = batcher.ask(Examples.of_texts(["x"] * 250), 10, echo.version)  # more than may wait, and nothing else waits
    with pytest.raises(QueueFullError) as full:
        batcher.ask(Examples.of_texts(["y"]), 10, echo.version)
    assert full.value.seconds > 0
    echo.gate.set()
    assert len(said(large)) == 250
    assert said(first) == ["first"]
    assert said(batcher.ask(Examples.of_texts(["z"]), 10, echo.version)) == ["z"]


def test_a_cancelled_request_leaves_the_queue_and_is_never_computed(batcher, echo):
    first = busy(batcher, echo)
    gone, stays = (batcher.ask(Examples.of_texts([text]), 10, echo.version) for text in ("gone", "stays"))
    assert batcher.waiting == 2
    gone.cancel()
    assert batcher.waiting == 1
    echo.gate.set()
    assert said(stays) == ["stays"]
    assert said(first) == ["first"]
    assert all("gone" not in batch for batch in echo.seen)
    with pytest.raises(CancelledError):
        gone.result(1)


def test_a_request_that_waits_too_long_ends_and_is_never_computed(batcher, echo):
    first = busy(batcher, echo)
    late = batcher.ask(Examples.of_texts(["late"]), 0.01, echo.version)
    time.sleep(0.05)
    echo.gate.set()
    with pytest.raises(DeadlineError):
        late.result(5)
    assert said(first) == ["first"]
    assert all("late" not in batch for batch in echo.seen)


def test_a_text_that_cannot_be_computed_fails_its_own_request_alone(batcher, echo):
    first = busy(batcher, echo)
    good, bad, twice = (
        batcher.ask(Examples.of_texts(texts), 10, echo.version) for texts in (["good"], ["fine", "bad"], ["bad", "bad"])
    )
    echo.gate.set()
    assert said(good) == ["good"]
    for future in (bad, twice):
        with pytest.raises(ValueError, match="cannot be computed"):
            future.result(5)
    assert said(first) == ["first"]
    assert said(batcher.ask(Examples.of_texts(["after"]), 10, echo.version)) == ["after"]


def test_what_waits_is_answered_before_the_end_and_nothing_is_taken_any_more(echo):
    batcher = Batcher(most_waiting=100)
    first = busy(batcher, echo)
    waiting = batcher.ask(Examples.of_texts(["waiting"]), 10, echo.version)
    closing = threading.Thread(target=batcher.close)
    closing.start()
    while batcher._is_open:
        time.sleep(0.001)
    with pytest.raises(QueueFullError):
        batcher.ask(Examples.of_texts(["later"]), 10, echo.version)
    echo.gate.set()
    closing.join(5)
    assert (said(first), said(waiting)) == (["first"], ["waiting"])


def test_requests_of_two_versions_are_never_computed_together(batcher, echo):
    first = busy(batcher, echo)
    other = Loaded(Echo())
    single = batcher.ask(Examples.of_texts(["single"]), 10, echo.version)
    pair = batcher.ask(Examples.of_texts(["a", "c"], ["b", "d"]), 10, other)
    again = batcher.ask(Examples.of_texts(["again"]), 10, echo.version)
    echo.gate.set()
    assert [said(one) for one in (first, single, pair, again)] == [["first"], ["single"], ["ab", "cd"], ["again"]]
    assert pair.result()[1] is other
    assert other.predictor.seen == [["a", "c"]]
    assert batcher.is_alive


def test_one_request_of_long_texts_does_not_hold_up_the_others(batcher, echo):
    first = busy(batcher, echo)
    long = batcher.ask(Examples.of_texts(["x" * 70_000] * 20), 10, echo.version)
    short = batcher.ask(Examples.of_texts(["short"]), 10, echo.version)
    echo.gate.set()
    assert said(short) == ["short"]
    assert len(said(long)) == 20
    assert said(first) == ["first"]
    assert max(i for i, batch in enumerate(echo.seen) if "short" in batch) <= 2


def test_second_texts_count_for_the_size_of_a_batch_and_waiting_characters_are_bounded(echo):
    batcher = Batcher(most_waiting=1000, most_characters=300_000)
    first = busy(batcher, echo)
    asked = [batcher.ask(Examples.of_texts(["q"], ["x" * 70_000]), 10, echo.version) for _ in range(4)]
    with pytest.raises(QueueFullError):
        batcher.ask(Examples.of_texts(["q"], ["x" * 70_000]), 10, echo.version)
    echo.gate.set()
    assert [len(said(one)[0]) for one in asked] == [70_001] * 4
    assert said(first) == ["first"]
    assert [len(batch) for batch in echo.seen] == [1] * 5
    batcher.close()


def test_what_fails_beside_the_predictor_does_not_end_the_thread(echo):
    batcher = Batcher(most_waiting=100)
    short = Loaded(SimpleNamespace(predict_examples=lambda examples: SimpleNamespace(to_objects=lambda: [])))
    with pytest.raises(ValueError, match="zip"):
        batcher.ask(Examples.of_texts(["a"]), 10, short).result(5)
    assert said(batcher.ask(Examples.of_texts(["b"]), 10, echo.version)) == ["b"]
    batcher.close()
    assert not batcher.is_alive
