"""What an operator sees of a gateway from outside: counts and times, no names of agents.

Owns that the number of series is bounded: a label is one of ours, or a name that somebody
in the company gave. What a vendor says is never one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from routing.gateway.recording.attempt import Outcome
from routing.gateway.snapshot import Target

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_OVERHEAD_BUCKETS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5,
)  # fmt: skip


Figure = tuple[tuple[str, ...], float]


class _Each(Collector):
    """A figure for each of some things."""

    def __init__(
        self, name: str, text: str, labels: list[str], read: Callable[[], Iterable[Figure]]
    ) -> None:
        self._name, self._text, self._labels, self._read = name, text, labels, read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for labels, value in self._read():
            family.add_metric(labels, value)
        yield family


class Metrics:
    """The figures of one gateway process."""

    def __init__(self) -> None:
        # A second series for each one, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "unsprawl_gateway_requests_total",
            "Requests by operation, status and our own error code",
            ["operation", "status", "error"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "unsprawl_gateway_request_seconds",
            "Time from a request's head to the end of its answer",
            ["operation"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._tokens = Counter(
            "unsprawl_gateway_tokens_total",
            "Tokens by vendor, model and direction, of every attempt and shadow",
            ["vendor", "model", "direction"],
            registry=self.registry,
        )
        self._fallbacks = Counter(
            "unsprawl_gateway_fallbacks_total",
            "Calls whose first target did not serve, by route and the last reason to go on",
            ["route", "reason"],
            registry=self.registry,
        )
        self._attempts = Counter(
            "unsprawl_gateway_attempts_total",
            "Attempts and shadows by vendor, model and how they ended",
            ["vendor", "model", "status"],
            registry=self.registry,
        )
        self._first_bytes = Histogram(
            "unsprawl_gateway_first_byte_seconds",
            "Time until the head of a vendor's answer, by vendor and model",
            ["vendor", "model"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._overhead = Histogram(
            "unsprawl_gateway_overhead_seconds",
            "Time of a call in which no vendor had it: deciding, recording, waiting to try again",
            buckets=_OVERHEAD_BUCKETS,
            registry=self.registry,
        )
        self._cost = Counter(
            "unsprawl_gateway_cost_micros_total",
            "Cost in millionths of a currency, by vendor, model and currency; priced models only",
            ["vendor", "model", "currency"],
            registry=self.registry,
        )
        self._shadows = Counter(
            "unsprawl_gateway_shadows_total",
            "Calls chosen to be sent to another target as well, by route and what became of that",
            ["route", "result"],
            registry=self.registry,
        )
        self._reports = Counter(
            "unsprawl_gateway_reports_total",
            "Steps that agents reported, by how and what became of them",
            ["source", "outcome"],
            registry=self.registry,
        )
        self._request = lru_cache(4096)(self._requests.labels)
        self._second = lru_cache(64)(self._seconds.labels)
        self._token = lru_cache(4096)(self._tokens.labels)
        self._attempt = lru_cache(4096)(self._attempts.labels)
        self._first_byte = lru_cache(4096)(self._first_bytes.labels)
        ProcessCollector(namespace="unsprawl_gateway", registry=self.registry)

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a figure that is read when it is asked for."""
        Gauge(f"unsprawl_gateway_{name}", text, registry=self.registry).set_function(read)

    def watch_each(
        self, name: str, text: str, labels: list[str], read: Callable[[], Iterable[Figure]]
    ) -> None:
        """Add a figure for each of some things, read when it is asked for."""
        self.registry.register(_Each(f"unsprawl_gateway_{name}", text, labels, read))

    def note(self, operation: str, status: int, error: str, seconds: float) -> None:
        self._request(operation, str(status), error).inc()
        self._second(operation).observe(seconds)

    def note_outcome(self, target: Target, outcome: Outcome) -> None:
        """Count what one attempt used, whether or not it was the one that served."""
        vendor, model = target.vendor.name, target.model.name
        self._attempt(vendor, model, outcome.status).inc()
        if outcome.first_byte_ms is not None:
            self._first_byte(vendor, model).observe(outcome.first_byte_ms / 1000)
        if cost := outcome.usage.cost_micros(target.model):
            self._cost.labels(vendor, model, target.model.currency).inc(cost)
        self._token(vendor, model, "input").inc(outcome.usage.input_tokens)
        self._token(vendor, model, "output").inc(outcome.usage.output_tokens)

    def note_overhead(self, seconds: float) -> None:
        self._overhead.observe(max(seconds, 0.0))

    def note_shadow(self, route: str, result: str) -> None:
        self._shadows.labels(route, result).inc()

    def note_report(self, source: str, outcome: str) -> None:
        self._reports.labels(source, outcome).inc()

    def note_fallback(self, route: str, reason: str) -> None:
        self._fallbacks.labels(route, reason).inc()

    def render(self) -> bytes:
        return generate_latest(self.registry)
