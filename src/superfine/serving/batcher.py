"""One queue for all requests to a model, and one thread that computes: texts of many requests together, each in its turn.

While a batch is computed the next one gathers, so nothing waits for a clock: alone a request is answered at once, and under load
batches grow by themselves. Texts are taken from the waiting requests in turn, so a long list does not hold up a short one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from superfine.records import Examples

MOST_CHARACTERS = 1 << 16
"""Of the texts that are computed together: some hundred short ones."""
MOST_TOGETHER = 256
MOST_WAITING_CHARACTERS = 1 << 26
"""So that many long texts do not take all memory."""


class QueueFullError(Exception):
    """The queue is full. seconds: after which it is worth asking again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class DeadlineError(Exception):
    """The time that a request had is over."""


class Loaded(Protocol):
    """What answers: a predictor, and what else an answer is to carry."""

    @property
    def predictor(self) -> Any: ...


Answered = tuple[list[dict[str, Any]], Loaded]


@dataclass(eq=False)
class Job:
    """What one request asks of one version of a model. sizes: the characters of each text. objects: an answer for each text, as
    JSON."""

    examples: Examples
    loaded: Loaded
    deadline: float
    future: Future[Answered] = field(default_factory=Future)
    sizes: list[int] = field(init=False)
    objects: list[dict[str, Any] | None] = field(init=False)
    taken: int = 0
    answered: int = 0

    def __post_init__(self) -> None:
        pairs = self.examples.text_pair or [""] * len(self.examples)
        self.sizes = [len(text) + len(pair) for text, pair in zip(self.examples.text, pairs, strict=True)]
        self.objects = [None] * len(self.examples)

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def is_over(self) -> bool:
        return self.future.done()


class Batcher:
    """The queue and its thread. most_waiting, most_characters: of texts that may wait. on_batch: is told the texts of a batch and
    the seconds that it took."""

    def __init__(
        self,
        most_waiting: int,
        on_batch: Callable[[int, float], None] = lambda n, seconds: None,
        most_characters: int = MOST_WAITING_CHARACTERS,
    ) -> None:
        self._most_waiting, self._most_characters, self._on_batch = most_waiting, most_characters, on_batch
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._is_open = True
        self._rate = 0.0
        self._thread = threading.Thread(target=self._work, name="superfine-batcher", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether what is asked will be answered."""
        return self._is_open and self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Texts of requests that wait and are not being computed."""
        with self._changed:
            return self._waiting()[0]

    def _waiting(self) -> tuple[int, int]:
        """Texts and characters."""
        left = [job for job in self._jobs if not job.is_over]
        return sum(len(job) - job.taken for job in left), sum(sum(job.sizes[job.taken :]) for job in left)

    def ask(self, examples: Examples, seconds: float, loaded: Loaded) -> Future[Answered]:
        """The answers to come by this version of the model, in the order of the texts. Cancelled, it leaves the queue.

        Raises QueueFullError where too much waits. It ends with DeadlineError where the seconds pass before all is computed.
        """
        job = Job(examples, loaded, time.monotonic() + seconds)
        with self._changed:
            texts, characters = self._waiting()
            is_full = texts + len(job) > self._most_waiting or characters + sum(job.sizes) > self._most_characters
            if not self._is_open or (texts and is_full):
                raise QueueFullError(texts / self._rate if self._rate else 1.0)
            self._jobs.append(job)
            self._changed.notify()
        job.future.add_done_callback(lambda _: self._forget(job))
        return job.future

    def _forget(self, job: Job) -> None:
        """What is over does not wait, nor keep its texts."""
        with self._changed, suppress(ValueError):
            self._jobs.remove(job)

    def close(self) -> None:
        """Take nothing more; what waits is answered first."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._is_open and not self._jobs:
                    self._changed.wait()
                if not self._jobs:
                    return
                batch, late = self._next_batch()
            for job in late:
                _end(job, DeadlineError())
            if batch:
                self._compute(batch)

    def _next_batch(self) -> tuple[list[tuple[Job, int]], list[Job]]:
        """Texts of the jobs in turn, each as its job and its place there, all for one version of the model; and the jobs that are
        late. Those that were served go behind the others."""
        now = time.monotonic()
        late = [job for job in self._jobs if not job.is_over and now > job.deadline]
        left = [job for job in self._jobs if not job.is_over and now <= job.deadline]
        batch: list[tuple[Job, int]] = []
        served: dict[Job, None] = {}
        characters = 0
        turn = deque(job for job in left if job.loaded is left[0].loaded)
        while turn and len(batch) < MOST_TOGETHER and (not batch or characters < MOST_CHARACTERS):
            job = turn.popleft()
            batch.append((job, job.taken))
            served.pop(job, None)
            served[job] = None
            characters += job.sizes[job.taken]
            job.taken += 1
            if job.taken < len(job):
                turn.append(job)
        self._jobs = deque(job for job in (*(job for job in left if job not in served), *served) if job.taken < len(job))
        return batch, late

    def _compute(self, batch: Sequence[tuple[Job, int]]) -> None:
        started, loaded = time.monotonic(), batch[0][0].loaded
        try:
            found = loaded.predictor.predict_examples(_joined(batch)).to_objects()
            answers = list(zip(batch, found, strict=True))
        except Exception as error:  # one text must not end the thread that answers all
            if len(batch) == 1:
                _end(batch[0][0], error)
            for one in batch if len(batch) > 1 else ():  # whose text it is that cannot be computed
                if not one[0].is_over:
                    self._compute([one])
            return
        took = time.monotonic() - started
        rate = len(batch) / max(took, 1e-6)
        self._rate = rate if not self._rate else 0.9 * self._rate + 0.1 * rate
        self._on_batch(len(batch), took)
        for (job, i), answer in answers:
            job.objects[i] = answer
            job.answered += 1
            if job.answered == len(job):
                _end(job, None)


def _joined(batch: Sequence[tuple[Job, int]]) -> Examples:
    texts = [job.examples.text[i] for job, i in batch]
    pairs = [None if job.examples.text_pair is None else job.examples.text_pair[i] for job, i in batch]
    if None in pairs:
        assert not any(pairs), "requests of one version read alike"
        return Examples.of_texts(texts)
    return Examples.of_texts(texts, [pair for pair in pairs if pair is not None])


def _end(job: Job, error: Exception | None) -> None:
    """Tell whoever waits, unless it has gone."""
    if job.future.done() or not job.future.set_running_or_notify_cancel():
        return
    if error is not None:
        job.future.set_exception(error)
    else:
        job.future.set_result(([answer for answer in job.objects if answer is not None], job.loaded))
