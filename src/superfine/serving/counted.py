"""What the server counts: requests, times and batches, and no text."""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from superfine.serving.models import Served


class Counted:
    """What `/metrics` tells, in Prometheus' format."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "superfine_requests", "Requests by route and status.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "superfine_request_seconds", "Time until the answer.", ["route"], registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )  # fmt: skip
        self.batches = Histogram(
            "superfine_batch_texts", "Texts that were computed together.", ["model"], registry=self.registry,
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
        )  # fmt: skip
        self.texts = Counter("superfine_texts", "Texts that were answered.", ["model"], registry=self.registry)
        self.computing = Counter("superfine_computing_seconds", "Time of computation.", ["model"], registry=self.registry)

    def batch(self, model: str, n_texts: int, seconds: float) -> None:
        self.batches.labels(model).observe(n_texts)
        self.texts.labels(model).inc(n_texts)
        self.computing.labels(model).inc(seconds)

    def watch(self, models: dict[str, Served]) -> None:
        waiting = Gauge("superfine_waiting_texts", "Texts in the queue.", ["model"], registry=self.registry)
        for name, served in models.items():
            waiting.labels(name).set_function(partial(_waiting, served))


def _waiting(served: Served) -> float:
    return served.batcher.waiting
