"""`/go`: every place of the dashboard by name, for the palette (Ctrl+K) and for those without scripts; and the keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, url_for

from app.dashboard.frame.context import Site
from core.delivery import UNDELIVERED, DeliveryStatus
from core.store import Search


@dataclass(frozen=True)
class GoTarget:
    label: str
    url: str
    icon: str


def routes(pages: Blueprint, site: Site) -> None:
    search = Search(site.client)

    @pages.get("/go")
    def go() -> str:
        configured = [*site.watched.current().connectors]
        names = [*configured, *(name for name in search.connectors() if name not in configured)]
        return render_template("go.html", places=list(_places(names, configured)))


def _places(names: list[str], configured: list[str]) -> Iterator[GoTarget]:
    def to(label: str, page: str, icon: str, **wanted: Any) -> GoTarget:
        return GoTarget(label, url_for(f"dashboard.{page}", **wanted), icon)

    yield to("Overview", "overview", "bars")
    yield to("Chats", "conversations", "chat")
    yield to("Missed chats", "conversations", "chat", missed="1")
    yield to("Offline messages", "conversations", "chat", offline="1")
    yield to("Chats that were not delivered anywhere", "conversations", "warning", status=UNDELIVERED)
    for status in (DeliveryStatus.DEAD, DeliveryStatus.RETRYING, DeliveryStatus.WAITING):
        yield to(f"Deliveries: {status.shown}", "conversations", "send", status=status.spelled)
    yield to("Bulk jobs", "conversations_jobs", "again")
    yield to("Quarantine", "quarantine", "shield")
    yield to("Connectors", "connectors", "plug")
    yield to("Add a connector", "connectors_add", "plug")
    yield to("Routes: which chats go where", "connectors_routes", "gear")
    yield to("Agents and their emails", "connectors_agents", "person")
    yield to("Changes of relay.yaml", "connectors_history", "gear")
    yield to("Erase a visitor, or download their data", "erase", "erase")
    for name in names:
        yield to(f"Connector {name}", "connectors_one", "plug", name=name)
        yield to(f"Chats of {name}", "conversations", "chat", connector=name)
        if name in configured:
            yield to(f"Settings of {name}", "connectors_settings", "gear", name=name)
