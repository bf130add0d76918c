"""`GET /metrics` for Prometheus. Everything is counted in the store, so any receiver shows the whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.monitoring.admission import Admission
from app.monitoring.source_metrics import source_metrics
from app.receiver.rejections import CUTS, REASONS
from core.config.reload import Watched
from core.config.settings import Settings
from core.delivery import DeliveryStatus
from core.errors import StoreUnavailable
from core.store import INBOX, Client, Ledger, check_server
from core.store.connection.condition import store_condition
from core.store.ledger.lanes import Lane
from core.store.statistics import DEAD, bound, totals

#: Buckets of the histogram: every fourth of the store's, so each bound is twice the one before; from 16 ms to 3 days.
_BOUNDS = range(15, 112, 4)

_STATES = (DeliveryStatus.WAITING, DeliveryStatus.RETRYING, DeliveryStatus.DEAD)


_REFUSED = (
    "Set RELAY_METRICS_TOKEN for the receiver, and send it: Authorization: Bearer TOKEN (in Prometheus: authorization: "
    "{credentials_file: FILE}).\n"
)


def blueprint(client: Client, ledger: Ledger, watched: Watched, admission: Admission) -> Blueprint:
    """`/metrics`, for whom `admission` admits."""
    pages = Blueprint("metrics", __name__)

    @pages.get("/metrics")
    def metrics() -> Response | tuple[Response, int]:
        if not admission.admits():
            return Response(_REFUSED, mimetype="text/plain"), 403
        registry = CollectorRegistry(auto_describe=False)
        registry.register(RelayCollector(client, ledger, watched.current))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return pages


class RelayCollector(Collector):
    """All metrics, as they are at this moment. A store that is away leaves `relay_store_up` 0 and nothing else."""

    def __init__(self, client: Client, ledger: Ledger, settings: Callable[[], Settings]) -> None:
        self._client, self._ledger, self._settings = client, ledger, settings

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("relay_store_up", "Whether the store responds.")
        try:
            found = list(self._found())
        except StoreUnavailable:
            found = []
        up.add_metric([], float(bool(found)))
        yield up
        yield from found

    def _found(self) -> Iterator[Metric]:
        settings = self._settings()
        names = sorted({*settings.connectors, *self._ledger.connectors()})
        counters = totals(self._client)
        yield from _counted(counters)
        yield from source_metrics(self._client, self._ledger, settings, counters)
        yield from _lanes([self._ledger.lane(name) for name in names], self._ledger.lane(INBOX), settings.enabled)
        yield _gauge("relay_workers", "Workers seen in the last minute.", len(self._ledger.workers()))
        yield _gauge(
            "relay_config_troubles",
            "Workers that rejected a changed configuration.",
            len(self._ledger.troubles()),
        )
        bodies = GaugeMetricFamily("relay_bodies", "Stored payloads, by status.", labels=["status"])
        for status, number in self._ledger.payload_counts().items():
            bodies.add_metric([status], number)
        yield bodies
        yield _gauge(
            "relay_undelivered_conversations",
            "Chats that were not delivered anywhere: no route matched, or every connector was off.",
            self._ledger.undelivered(),
        )
        verdict, state = check_server(self._client), store_condition(self._client)
        yield _gauge(
            "relay_store_safe", "Whether the settings of the store lose nothing (relay doctor).", not verdict.wrong
        )
        yield _gauge(
            "relay_store_aof_ok", "Whether the last rewrite of the append-only file went well.", state.rewritten
        )
        yield _gauge("relay_store_aof_bytes", "Size of the append-only file.", state.file)
        yield _gauge("relay_store_memory_bytes", "Memory that the store uses.", state.used)
        yield _gauge("relay_store_memory_limit_bytes", "Memory that it may use; 0: no limit was set.", state.limit)


def _counted(counters: dict[str, int]) -> Iterator[Metric]:
    received = CounterMetricFamily(
        "relay_received", "Payloads received: accepted or duplicate, and their later status.", labels=["status"]
    )
    attempts = CounterMetricFamily("relay_attempts", "Attempts, by how they ended.", labels=["connector", "outcome"])
    deliveries = CounterMetricFamily("relay_deliveries", "Deliveries that ended.", labels=["connector", "outcome"])
    opened = CounterMetricFamily(
        "relay_breaker_opened", "How often the circuit of a connector opened.", labels=["connector"]
    )
    ended: dict[tuple[str, str], int] = defaultdict(int)
    took: dict[str, dict[int, int]] = defaultdict(dict)
    sums: dict[str, int] = {}
    for field, number in sorted(counters.items()):
        kind, _, rest = field.partition(":")
        name, _, what = rest.partition(":")
        if kind == "in":
            received.add_metric([rest], number)
        elif kind in ("refused", "fetch", "asked"):
            continue
        elif kind == "took" and what == "sum":
            sums[name] = number
        elif kind == "took":
            took[name][int(what)] = number
        elif what == "opened":
            opened.add_metric([name], number)
        else:
            if what not in ("discarded", "killed"):
                attempts.add_metric([name, what], number)
            if what in ("delivered", "skipped", "discarded", *DEAD):
                ended[name, "dead" if what in DEAD else what] += number
    for (name, outcome), number in ended.items():
        deliveries.add_metric([name, outcome], number)
    yield from (received, *_refused(counters), attempts, deliveries, opened, _histogram(took, sums))


def _refused(counters: dict[str, int]) -> Iterator[Metric]:
    """From the beginning: what appears with its first one has not grown, and no alert would see that one."""
    posts = CounterMetricFamily(
        "relay_refused", "Posts that were refused, by HTTP status and reason.", labels=["status", "reason"]
    )
    rest = {status: counters.get(f"refused:{status}", 0) for status, _ in REASONS}
    for status, why in REASONS:
        number = counters.get(f"refused:{status}:{why}", 0)
        rest[status] -= number
        posts.add_metric([str(status), why], number)
    for status, number in rest.items():
        if number > 0:  # of a version that counted no reasons
            posts.add_metric([str(status), "unknown"], number)
    cuts = CounterMetricFamily(
        "relay_connections_cut", "Connections that were closed because they blocked others.", labels=["reason"]
    )
    for why in CUTS:
        cuts.add_metric([why], counters.get(f"refused:connection:{why}", 0))
    yield from (posts, cuts)


def _histogram(took: dict[str, dict[int, int]], sums: dict[str, int]) -> Metric:
    histogram = HistogramMetricFamily(
        "relay_receipt_to_record_seconds", "From the receipt of a payload to its record.", labels=["connector"]
    )
    for name, buckets in took.items():
        steps: list[Any] = [
            (f"{bound(end) / 1000:g}", sum(number for bucket, number in buckets.items() if bucket <= end))
            for end in _BOUNDS
        ]
        steps.append(("+Inf", sum(buckets.values())))
        histogram.add_metric([name], steps, sums.get(name, 0) / 1000)
    return histogram


def _lanes(connectors: list[Lane], inbox: Lane, enabled: Collection[str]) -> Iterator[Metric]:
    """What is switched off waits on purpose: nobody is to be woken, and no worker added, for its age or its pause."""
    state = GaugeMetricFamily("relay_deliveries_now", "Deliveries by status.", labels=["connector", "status"])
    due = GaugeMetricFamily("relay_due", "Items that are due now.", labels=["lane"])
    flight = GaugeMetricFamily("relay_in_flight", "Items in progress.", labels=["lane"])
    oldest = GaugeMetricFamily(
        "relay_oldest_due_seconds",
        "How long the longest due item has waited; 0 for a connector that is off.",
        labels=["lane"],
    )
    paused = GaugeMetricFamily(
        "relay_paused",
        "Whether a connector is paused by an admin, by relay (credentials rejected), or not responding (breaker).",
        labels=["connector", "by"],
    )
    slowed = GaugeMetricFamily(
        "relay_slowed",
        "By what a 429 divides the rate; 1: not throttled.",
        labels=["connector"],
    )
    narrowed = GaugeMetricFamily(
        "relay_narrowed",
        "Limit of deliveries at once after timeouts lowered it; 0: not lowered.",
        labels=["connector"],
    )
    limited = GaugeMetricFamily(
        "relay_limited",
        "Whether due deliveries wait for the connector's own concurrency or rate: more workers would not help.",
        labels=["connector"],
    )
    for lane in (inbox, *connectors):
        due.add_metric([lane.name], lane.due)
        flight.add_metric([lane.name], lane.in_flight)
        oldest.add_metric([lane.name], lane.oldest_due / 1000 if lane is inbox or lane.name in enabled else 0)
    for lane in connectors:
        slowed.add_metric([lane.name], lane.slowed)
        narrowed.add_metric([lane.name], lane.narrowed or 0)
        limited.add_metric([lane.name], float(lane.limited))
        for status in _STATES:
            state.add_metric([lane.name, status], lane.counts[status])
        for by in ("admin", "relay", "breaker"):
            held = lane.gate is not None and lane.gate.by == by and lane.name in enabled
            paused.add_metric([lane.name, by], float(held))
    yield from (state, due, flight, oldest, paused, slowed, narrowed, limited)


def _gauge(name: str, text: str, value: float) -> Metric:
    found = GaugeMetricFamily(name, text)
    found.add_metric([], float(value))
    return found
