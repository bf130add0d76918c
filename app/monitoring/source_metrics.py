"""Metrics of Smartsupp's API as a source of chats: by the account's name in relay.yaml, beside those of connectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from core.config.settings import Settings
from core.store import Client, Ledger
from core.store.protocol.constants import ENDED
from core.store.sources.queues import fetch_queues
from core.store.sources.stranded import StrandedOrders


def source_metrics(client: Client, ledger: Ledger, settings: Settings, counters: Mapping[str, int]) -> Iterator[Metric]:
    """`counters` are the totals of the store. Raises StoreUnavailable."""
    orders = GaugeMetricFamily(
        "relay_source_orders", "Chats that are to be fetched from Smartsupp's API.", labels=["source"]
    )
    oldest = GaugeMetricFamily(
        "relay_source_oldest_due_seconds", "How long the longest due of them has waited.", labels=["source"]
    )
    held = GaugeMetricFamily(
        "relay_source_held",
        "Whether Smartsupp's API gives no chats: by relay (token rejected), or not responding (breaker).",
        labels=["source", "by"],
    )
    failing = GaugeMetricFamily(
        "relay_source_failing", "Chats that could not be fetched, each for an error of its own.", labels=["source"]
    )
    rate = GaugeMetricFamily(
        "relay_source_rate", "Requests a second that the account allows (source.api.rate).", labels=["source"]
    )
    stranded = GaugeMetricFamily(
        "relay_source_stranded_orders",
        "Chats to be fetched for an account that is not in relay.yaml any more.",
        labels=["source"],
    )
    for queue in fetch_queues(ledger, settings):
        orders.add_metric([queue.name], queue.waiting)
        oldest.add_metric([queue.name], queue.oldest_due / 1000)
        failing.add_metric([queue.name], queue.failing)
        held.add_metric([queue.name, "relay"], float(bool(queue.since) and queue.rejected))
        held.add_metric([queue.name, "breaker"], float(bool(queue.since) and not queue.rejected))
        if api := settings.accounts[queue.name].api:
            rate.add_metric([queue.name], api.rate)
    for left in StrandedOrders(client).queues(settings):
        stranded.add_metric([left.name], left.waiting)
    yield from (orders, oldest, held, failing, rate, stranded, *_counted(settings, counters))


def _counted(settings: Settings, counters: Mapping[str, int]) -> Iterator[Metric]:
    """Of configured accounts from the beginning: what appears with its first one has not grown."""
    fetches = CounterMetricFamily(
        "relay_source_fetches",
        "Fetches of a chat that something had happened to, by how they ended.",
        labels=["source", "outcome"],
    )
    asked = CounterMetricFamily("relay_source_requests", "Requests to Smartsupp's API.", labels=["source"])
    kinds = {field: field.split(":") for field in counters if field.startswith(("fetch:", "asked:"))}
    names = {name for name, one in settings.accounts.items() if one.api} | {parts[1] for parts in kinds.values()}
    for name in sorted(names):
        outcomes = [*ENDED, *sorted({parts[2] for parts in kinds.values() if len(parts) > 2} - {*ENDED})]
        for outcome in outcomes:
            fetches.add_metric([name, outcome], counters.get(f"fetch:{name}:{outcome}", 0))
        asked.add_metric([name], counters.get(f"asked:{name}", 0))
    yield from (fetches, asked)
