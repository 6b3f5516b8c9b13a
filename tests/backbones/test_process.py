"""Forks and threads: a child process answers, runs in threads keep "same seed, same weights", and loading is silent everywhere."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import superfine
from superfine.backbones import process
from superfine.backbones.process import isolated_seed, quiet_transformers
from tests.conftest import make_rows
from tests.training.test_loop import equal, fitted

TEXTS = [text for text, _ in make_rows(100, seed=6)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_process_forked_after_a_prediction_gives_the_same_answers(trained):
    model = trained.load()
    expected = model.predict(TEXTS).probabilities
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # in the child nothing of pytest may run on
        signal.alarm(60)
        status = 1
        try:
            os.write(writing, model.predict(TEXTS).probabilities.tobytes())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answered = np.frombuffer(pipe.read()).reshape(expected.shape)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_allclose(answered, expected, atol=1e-6)


@pytest.mark.slow
def test_runs_in_threads_have_the_weights_that_they_have_alone(tiny_model):
    alone = [fitted(tiny_model("bert"), seed=seed) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda seed: fitted(tiny_model("bert"), seed=seed), (0, 1)))
    assert equal(alone[0], together[0])
    assert equal(alone[1], together[1])


def test_a_run_that_waits_for_another_thread_says_so():
    said, inside, go_on = [], threading.Event(), threading.Event()

    def hold():
        with isolated_seed(0):
            inside.set()
            go_on.wait(10)

    def wait():
        with isolated_seed(1, on_wait=lambda: (said.append("waits"), go_on.set())):
            return float(torch.rand(()))

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    drawn = wait()
    thread.join()
    assert said == ["waits"]
    torch.manual_seed(1)
    assert drawn == float(torch.rand(()))


@pytest.mark.slow
def test_loading_in_threads_is_silent_and_leaves_transformers_as_it_was(trained, capfd):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda _: superfine.load(trained.folder), range(8)))
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    answers = [model.predict(TEXTS[:5]).probabilities for model in models]
    np.testing.assert_allclose(answers, [answers[0]] * 8, atol=1e-6)


def test_a_lock_that_the_parent_held_does_not_hold_up_a_child(monkeypatch):
    threads = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    held = process._random_state
    with ThreadPoolExecutor(1) as pool:
        pool.submit(held.acquire).result()
        process._begin_anew()
        with isolated_seed(0), quiet_transformers():
            pass
        pool.submit(held.release).result()
    assert threads == [1]


def test_the_number_of_threads_stands_in_the_run(trained):
    import yaml

    choices = yaml.safe_load((trained.folder / "run.yaml").read_text(encoding="utf-8"))["choices"]
    assert choices["threads"] == torch.get_num_threads()
