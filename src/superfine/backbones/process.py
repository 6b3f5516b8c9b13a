"""What a whole process shares: torch's random state and its threads, and what transformers prints. One thread at a time."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch

_transformers = threading.RLock()
_random_state = threading.RLock()


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hold back progress bars and load reports: what matters of them is said in our own words.

    Other threads wait: transformers loads under settings of the whole process, such as the default type of numbers.
    """
    from transformers.utils import logging

    with _transformers:
        level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of what one library calls in another
                yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()


@contextmanager
def isolated_seed(seed: int, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Inside, torch's random numbers depend on the seed alone; outside nothing of it is felt.

    One thread at a time, since they share one state; on_wait is called where another one is inside.
    """
    if not _random_state.acquire(blocking=False):
        if on_wait is not None:
            on_wait()
        _random_state.acquire()
    try:
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield
    finally:
        _random_state.release()


@cache
def compute_after_forks() -> None:
    """Let processes that are forked from this one compute, with one thread each.

    OpenMP's threads do not live on in a child; with more than one, its first product would wait for them for ever. Servers that
    load a model and then fork (gunicorn's preload) do so, and multiprocessing on Linux up to Python 3.13.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_begin_anew)


def _begin_anew() -> None:
    global _transformers, _random_state  # a thread of the parent may have held them
    _transformers, _random_state = threading.RLock(), threading.RLock()
    torch.set_num_threads(1)
