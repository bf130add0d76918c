"""`/go`: every place of the dashboard by name, for the palette (Ctrl+K) and for those without scripts; and the keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, url_for

from app.dashboard.frame.context import Site
from app.dashboard.language.words import STATUS_WORDS
from core.delivery import UNDELIVERED, DeliveryStatus
from core.store import Search
from core.wording.sentence import say


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

    yield to(say("Overview"), "overview", "bars")
    yield to(say("Chats"), "conversations", "chat")
    yield to(say("Missed chats"), "conversations", "chat", missed="1")
    yield to(say("Offline messages"), "conversations", "chat", offline="1")
    yield to(say("Chats that were not delivered anywhere"), "conversations", "warning", status=UNDELIVERED)
    for status in (DeliveryStatus.DEAD, DeliveryStatus.RETRYING, DeliveryStatus.WAITING):
        yield to(
            say("Deliveries: %(status)s", status=STATUS_WORDS[status]), "conversations", "send", status=status.spelled
        )
    yield to(say("Bulk jobs"), "conversations_jobs", "again")
    yield to(say("Quarantine"), "quarantine", "shield")
    yield to(say("Connectors"), "connectors", "plug")
    yield to(say("Add a connector"), "connectors_add", "plug")
    yield to(say("Routes: which chats go where"), "connectors_routes", "gear")
    yield to(say("Agents and their emails"), "connectors_agents", "person")
    yield to(say("Changes of relay.yaml"), "connectors_history", "gear")
    yield to(say("Erase a visitor, or download their data"), "erase", "erase")
    for name in names:
        yield to(say("Connector %(name)s", name=name), "connectors_one", "plug", name=name)
        yield to(say("Chats of %(name)s", name=name), "conversations", "chat", connector=name)
        if name in configured:
            yield to(say("Settings of %(name)s", name=name), "connectors_settings", "gear", name=name)
