"""Memory freed in one step is used again in the next, and goes back at the end."""

import resource
import sys

import pytest
import torch

from superfine.backbones import memory

MEGABYTES = 256
"""More than glibc ever keeps by itself, and than anything else that goes on here."""
needs_glibc = pytest.mark.skipif(not sys.platform.startswith("linux") or memory._glibc() is None, reason="needs glibc")


def resident_megabytes() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / (1 << 20)


def kept_after_freeing(megabytes: int) -> float:
    """How much larger the process is after it has taken and freed so much."""
    before = resident_megabytes()
    torch.empty(megabytes << 20, dtype=torch.uint8).fill_(1)
    return resident_megabytes() - before


@needs_glibc
def test_freed_memory_is_used_again_only_inside():
    memory.give_back()
    assert kept_after_freeing(MEGABYTES) < MEGABYTES / 4
    before = resident_megabytes()
    with memory.reuse_freed_memory():
        with memory.reuse_freed_memory():
            pass
        assert kept_after_freeing(MEGABYTES) > 3 * MEGABYTES / 4
        # A little less, because glibc asks for room to align the block as well, and the place has just its size.
        assert kept_after_freeing(MEGABYTES - 1) < MEGABYTES / 4, "the second takes what the first has left"
    assert resident_megabytes() - before < MEGABYTES / 4
    assert kept_after_freeing(MEGABYTES) < MEGABYTES / 4


@needs_glibc
def test_smaller_blocks_stay_with_the_process_afterwards_as_before():
    with memory.reuse_freed_memory():
        pass
    assert kept_after_freeing(24) > 12


def test_without_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with memory.reuse_freed_memory():
        assert memory._users.n == 1
    assert memory._users.n == 0
