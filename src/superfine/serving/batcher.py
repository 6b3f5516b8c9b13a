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
from dataclasses import dataclass, field
from typing import Any, Protocol

from superfine.records import Examples

MOST_CHARACTERS = 1 << 16
"""Of the texts that are computed together: some hundred short ones."""
MOST_TOGETHER = 256


class QueueFullError(Exception):
    """The queue is full. seconds: after which it is worth asking again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class DeadlineError(Exception):
    """The time that a request had is over."""


class Loaded(Protocol):
    """What answers at the moment: a predictor, and what else an answer is to carry."""

    @property
    def predictor(self) -> Any: ...


@dataclass
class Job:
    """What one request asks. objects: an answer for each text, as JSON. by: what answered, of the first text."""

    examples: Examples
    deadline: float
    future: Future[tuple[list[dict[str, Any]], Loaded]] = field(default_factory=Future)
    objects: list[dict[str, Any] | None] = field(default_factory=list)
    taken: int = 0
    answered: int = 0
    by: Loaded | None = None

    def __post_init__(self) -> None:
        self.objects = [None] * len(self.examples)

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def is_over(self) -> bool:
        return self.future.done()


class Batcher:
    """The queue and its thread. loaded: what answers at the moment. most_waiting: texts that may wait. on_batch: is told the
    texts of a batch and the seconds that it took."""

    def __init__(
        self, loaded: Callable[[], Loaded], most_waiting: int, on_batch: Callable[[int, float], None] = lambda n, seconds: None
    ) -> None:
        self._loaded, self._most_waiting, self._on_batch = loaded, most_waiting, on_batch
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._is_open = True
        self._rate = 0.0
        self._thread = threading.Thread(target=self._work, name="superfine-batcher", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Texts of requests that are not answered."""
        with self._changed:
            return self._waiting()

    def _waiting(self) -> int:
        return sum(len(job) - job.taken for job in self._jobs if not job.is_over)

    def ask(self, examples: Examples, seconds: float) -> Future[tuple[list[dict[str, Any]], Loaded]]:
        """The answers to come, in the order of the texts, and what gave them. Cancelled, it leaves the queue.

        Raises QueueFullError where too many wait. It ends with DeadlineError where the seconds pass before all is computed.
        """
        job = Job(examples, time.monotonic() + seconds)
        with self._changed:
            waiting = self._waiting()
            if not self._is_open or (waiting and waiting + len(job) > self._most_waiting):
                raise QueueFullError(waiting / self._rate if self._rate else 1.0)
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def close(self, *, wait: bool = True) -> None:
        """Take nothing more; what waits is answered first, or all of it is given up."""
        with self._changed:
            self._is_open = False
            if not wait:
                for job in self._jobs:
                    job.future.cancel()
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._is_open and not self._jobs:
                    self._changed.wait()
                if not self._jobs:
                    return
                batch = self._next_batch()
            if batch:
                self._compute(batch)

    def _next_batch(self) -> list[tuple[Job, int]]:
        """Texts of the jobs in turn, each as its job and its place there. Ends jobs that are late, and drops those that are
        over."""
        now = time.monotonic()
        for job in self._jobs:
            if not job.is_over and now > job.deadline:
                _end(job, DeadlineError())
        left = [job for job in self._jobs if not job.is_over and job.taken < len(job)]
        batch: list[tuple[Job, int]] = []
        characters = 0
        turn = deque(left)
        while turn and len(batch) < MOST_TOGETHER and (not batch or characters < MOST_CHARACTERS):
            job = turn.popleft()
            batch.append((job, job.taken))
            characters += len(job.examples.text[job.taken])
            job.taken += 1
            if job.taken < len(job):
                turn.append(job)
        self._jobs = deque(job for job in left if job.taken < len(job))
        return batch

    def _compute(self, batch: Sequence[tuple[Job, int]]) -> None:
        started, loaded = time.monotonic(), self._loaded()
        pairs = batch[0][0].examples.text_pair is not None
        texts = [job.examples.text[i] for job, i in batch]
        seconds = [(job.examples.text_pair or [])[i] for job, i in batch] if pairs else None
        try:
            objects = loaded.predictor.predict_examples(Examples.of_texts(texts, seconds)).to_objects()
        except Exception as error:  # one text must not end the thread that answers all
            if len(batch) == 1:
                _end(batch[0][0], error)
            else:
                for one in batch:  # whose text it is that cannot be computed
                    if not one[0].is_over:
                        self._compute([one])
            return
        took = time.monotonic() - started
        rate = len(batch) / max(took, 1e-6)
        self._rate = rate if not self._rate else 0.9 * self._rate + 0.1 * rate
        self._on_batch(len(batch), took)
        for (job, i), answer in zip(batch, objects, strict=True):
            job.objects[i] = answer
            job.answered += 1
            job.by = job.by or loaded
            if job.answered == len(job):
                _end(job, None)


def _end(job: Job, error: Exception | None) -> None:
    """Tell whoever waits, unless it has gone."""
    if job.future.done() or not job.future.set_running_or_notify_cancel():
        return
    if error is not None:
        job.future.set_exception(error)
    else:
        assert job.by is not None
        job.future.set_result(([answer for answer in job.objects if answer is not None], job.by))
