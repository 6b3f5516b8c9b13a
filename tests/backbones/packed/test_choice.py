"""Flash attention is used from the length on from which it is faster here, and nowhere else."""

import pytest
import torch

from superfine.backbones.packed import choice
from superfine.backbones.packed.choice import CANDIDATES, fastest_calls, fastest_flash_from, recalled_flash_from


def race_won_by_flash_at(lengths, tried):
    """A race whose outcome depends on the length of the lines, which it notes."""

    def race(by_flash, by_products):
        by_flash(), by_products()
        length = by_flash.args[0].shape[2]
        tried.append(length)
        return (0.5, 1.0) if length in lengths else (0.95, 1.0)

    return race


@pytest.mark.parametrize("with_gradients", [False, True])
@pytest.mark.parametrize(
    ("won", "longest", "found"),
    [
        (set(), 512, None),
        ({512}, 512, 512),
        ({256, 512}, 512, 256),
        ({128, 512}, 512, 512),
        ({128, 256}, 512, None),
        ({128, 256, 512}, 300, 128),
        ({128, 256, 512}, 100, None),
    ],
)
def test_the_shortest_length_from_which_on_flash_attention_always_wins(won, longest, found, with_gradients):
    tried = []
    race = race_won_by_flash_at(won, tried)
    assert fastest_flash_from(2, 4, torch.float32, longest, with_gradients=with_gradients, race=race) == found
    assert all(length <= longest for length in tried), "longer lines than the texts have are not tried"


def test_the_kernels_are_timed_in_turns_and_the_fastest_call_counts(monkeypatch):
    calls, now = [], [0.0]

    def kernel(name, seconds):
        def call():
            calls.append(name)
            now[0] += seconds.pop(0)

        return call

    monkeypatch.setattr(choice.time, "perf_counter", lambda: now[0])
    n = choice.REPEATS
    first, second = kernel("a", [5.0] + [1.0] * (n - 1)), kernel("b", [2.0] * n)
    assert fastest_calls(first, second) == (1.0, 2.0)
    assert calls == ["a", "b"] * n


def test_the_choice_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    fastest_flash_from(2, 4, torch.float32, CANDIDATES[0], with_gradients=True)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Notes what is measured, in an empty cache folder."""
    monkeypatch.setenv("SUPERFINE_CACHE", str(tmp_path))
    calls = []

    def measured(*arguments, with_gradients):
        calls.append((*arguments, with_gradients))
        return 256

    monkeypatch.setattr(choice, "fastest_flash_from", measured)
    return calls


def test_what_was_measured_is_recalled_by_the_next_command(asked, tmp_path):
    for longest in (300, 400, 256):
        assert recalled_flash_from(2, 4, torch.float32, longest, with_gradients=False) == 256
    assert len(asked) == 1
    recalled_flash_from(2, 4, torch.float32, 300, with_gradients=True)
    recalled_flash_from(2, 4, torch.bfloat16, 300, with_gradients=False)
    recalled_flash_from(2, 8, torch.float32, 300, with_gradients=False)
    recalled_flash_from(2, 4, torch.float32, 512, with_gradients=False)
    assert len(asked) == 5
    assert [path.name for path in tmp_path.iterdir()] == [choice.ANSWERS]


def test_short_texts_leave_nothing_to_choose(asked):
    assert recalled_flash_from(2, 4, torch.float32, 127, with_gradients=True) is None
    assert not asked


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 3}', "\x00"])
def test_a_file_of_answers_that_cannot_be_used_is_made_again(asked, tmp_path, content):
    (tmp_path / choice.ANSWERS).write_text(content)
    for _ in range(2):
        assert recalled_flash_from(2, 4, torch.float32, 300, with_gradients=False) == 256
    assert len(asked) == 1


def test_answers_that_cannot_be_kept_are_measured_again(asked, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SUPERFINE_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        assert recalled_flash_from(2, 4, torch.float32, 300, with_gradients=False) == 256
    assert len(asked) == 2
