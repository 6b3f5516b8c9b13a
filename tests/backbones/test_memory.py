"""Memory freed in one step is used again in the next, and goes back at the end."""

import resource
import sys

import pytest
import torch

from superfine.backbones import memory

MEGABYTES = 48
"""More than glibc ever keeps by itself."""
TIMES = 12
"""The first few may find no free place that is large enough, after what ran before."""


def page_faults_of_taking_and_freeing(times: int) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.empty(MEGABYTES << 20, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not sys.platform.startswith("linux") or memory._glibc() is None, reason="needs glibc")
def test_freed_memory_is_used_again_only_inside():
    pages = MEGABYTES * 256
    assert page_faults_of_taking_and_freeing(TIMES) > (TIMES - 1) * pages
    with memory.reuse_freed_memory():
        with memory.reuse_freed_memory():
            pass
        assert page_faults_of_taking_and_freeing(TIMES) < 4 * pages
    assert page_faults_of_taking_and_freeing(TIMES) > (TIMES - 1) * pages


@pytest.mark.skipif(not sys.platform.startswith("linux") or memory._glibc() is None, reason="needs glibc")
def test_smaller_blocks_are_no_slower_afterwards_than_before():
    with memory.reuse_freed_memory():
        pass
    torch.empty(4 << 20, dtype=torch.uint8).fill_(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.empty(4 << 20, dtype=torch.uint8).fill_(1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 5 * 4 * 256, "all twenty would be 20 * 4 * 256 pages"


def test_without_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with memory.reuse_freed_memory():
        assert memory._users.n == 1
    assert memory._users.n == 0
