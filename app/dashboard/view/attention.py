"""The attention list as the overview shows it: each line with one button, which does what the line asks for or leads to
where it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for

from app.admin.attention.lines import AttentionLine
from app.dashboard.view.connector_state import conversations_url
from core.wording.sentence import say

#: So many lines are shown at once; the others unfold.
LINES_SHOWN = 8


@dataclass(frozen=True)
class NextStep:
    """What a button says and where it goes. One that `acts` is a form, and comes back to the overview."""

    label: str
    icon: str
    url: str
    acts: bool = False


@dataclass(frozen=True)
class AttentionRow:
    line: AttentionLine
    step: NextStep | None

    @property
    def tone(self) -> str:
        return "bad" if self.line.needs_somebody else "info" if self.line.kind == "past" else "warn"


def attention_rows(lines: list[AttentionLine], connectors: set[str]) -> list[AttentionRow]:
    """`connectors`: those of the configuration, which have pages and forms."""
    return [AttentionRow(one, _step(one, connectors)) for one in lines if one.kind != "throttled"]


def _step(line: AttentionLine, connectors: set[str]) -> NextStep | None:
    known = "connector" if line.about in connectors else "other"
    found = _STEPS.get(line.kind) or _STEPS.get(f"{line.kind} {known}")
    return found(line.about) if found else None


def _look(place: str) -> Callable[[str], NextStep]:
    return lambda _name: NextStep(say("Look"), "eye", place)


def _to(label: str, icon: str, page: str, **wanted: Any) -> Callable[[str], NextStep]:
    return lambda _name: NextStep(label, icon, url_for(f"dashboard.{page}", **wanted))


def _of_one(label: str, icon: str, page: str, *, acts: bool = False) -> Callable[[str], NextStep]:
    """Of the connector that the line is about."""
    return lambda name: NextStep(label, icon, url_for(f"dashboard.{page}", name=name), acts)


_CHANGE = _of_one(say("Change settings"), "gear", "connectors_settings")
_STEPS: Mapping[str, Callable[[str], NextStep]] = {
    **dict.fromkeys(("unsafe", "full", "filling", "refusing"), _look("#store")),
    **dict.fromkeys(("stopped", "backlog other"), _look("#workers")),
    "rejected": _to(say("See the changes"), "eye", "connectors_history"),
    "paused": _of_one(say("Replace the token"), "gear", "connectors_settings"),
    "held": _of_one(say("Resume"), "play", "connectors_resume", acts=True),
    "breaker": _of_one(say("Test now"), "send", "connectors_try", acts=True),
    "backlog connector": _of_one(say("Look"), "eye", "connectors_one"),
    "gone": lambda name: NextStep(say("See what is queued"), "eye", conversations_url(connector=name)),
    "dead": lambda name: NextStep(say("See them"), "eye", conversations_url(connector=name, status="dead")),
    "undelivered": _to(say("Deliver them"), "send", "conversations_bulk", action="replay", status="undelivered"),
    "quarantined": _to(say("See them"), "eye", "quarantine"),
    "past": _of_one(say("Deliver past chats…"), "send", "connectors_past"),
    "doubt connector": _CHANGE,
    "off connector": _CHANGE,
    "spent connector": _CHANGE,
    **dict.fromkeys(("source", "silent", "stranded", "fetch"), _to(say("Look"), "eye", "overview_source")),
    "unrouted": _to(say("See the routes"), "gear", "connectors_routes"),
    "doubt other": _to(say("See connectors"), "plug", "connectors"),
}
