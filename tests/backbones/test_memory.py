"""Memory freed in one step is used again in the next, and goes back at the end."""

import json
import subprocess
import sys
import textwrap

import pytest

from superfine.backbones import memory

MEGABYTES = 256
"""More than glibc ever keeps by itself, and than anything else that goes on here."""
needs_glibc = pytest.mark.skipif(not sys.platform.startswith("linux") or memory._glibc() is None, reason="needs glibc")


PREAMBLE = f"""
import json, resource, torch
from superfine.backbones import memory

MEGABYTES = {MEGABYTES}

def resident_megabytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / (1 << 20)

def kept_after_freeing(megabytes):
    # How much larger the process is after it has taken and freed so much.
    before = resident_megabytes()
    torch.empty(megabytes << 20, dtype=torch.uint8).fill_(1)
    return resident_megabytes() - before
"""


def measured(steps: str) -> dict[str, float]:
    """What `steps` put into `figures`, in a new process."""
    script = PREAMBLE + textwrap.dedent(steps) + "\nprint(json.dumps(figures))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@needs_glibc
def test_freed_memory_is_used_again_only_inside():
    # In a process of its own: which hole of the heap a block comes from hangs on what else was ever freed in it.
    figures = measured(
        """
        memory.give_back()
        figures = {"outside": kept_after_freeing(MEGABYTES)}
        before = resident_megabytes()
        with memory.reuse_freed_memory():
            with memory.reuse_freed_memory():
                pass
            figures["first"] = kept_after_freeing(MEGABYTES)
            # A little less, because glibc asks for room to align the block as well, and the place has just its size.
            figures["second"] = kept_after_freeing(MEGABYTES - 1)
        figures["left behind"] = resident_megabytes() - before
        figures["afterwards"] = kept_after_freeing(MEGABYTES)
        """
    )
    assert figures["outside"] < MEGABYTES / 4
    assert figures["first"] > 3 * MEGABYTES / 4
    assert figures["second"] < MEGABYTES / 4, "the second takes what the first has left"
    assert figures["left behind"] < MEGABYTES / 4
    assert figures["afterwards"] < MEGABYTES / 4


@needs_glibc
def test_smaller_blocks_stay_with_the_process_afterwards_as_before():
    figures = measured(
        """
        with memory.reuse_freed_memory():
            pass
        figures = {"kept": kept_after_freeing(24)}
        """
    )
    assert figures["kept"] > 12


def test_without_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with memory.reuse_freed_memory():
        assert memory._users.n == 1
    assert memory._users.n == 0
