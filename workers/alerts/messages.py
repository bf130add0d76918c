"""Notices in words: what happened, since when, how many, the last error, what to do, and where to look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.store import INBOX
from core.store.incidents import Event, Kind, Notice


@dataclass(frozen=True)
class Message:
    """A notice as people read it. `id` is the same for every try; the body is `type`, `timestamp`, `data` of Standard
    Webhooks, and `text`, which chat services show."""

    id: str
    title: str
    text: str
    body: str


@dataclass(frozen=True)
class _Words:
    begun: str
    over: str
    what: str
    todo: str
    page: str


_WORDS: Mapping[Kind, _Words] = {
    "paused": _Words(
        "{subject} has paused itself",
        "{subject} is no longer paused",
        "The destination refuses the credentials, the rights or the address. {count} waiting; none is lost, none ages.",
        "relay connectors check {subject} says what is wrong. Correct its settings and it goes on by itself; where the"
        " settings were right, give: relay resume {subject}",
        "/connectors/{subject}",
    ),
    "breaker": _Words(
        "{subject} does not answer",
        "{subject} is no longer held back",
        "Its last tries met an outage, so it is held back. {count} waiting; none is lost, none loses a try.",
        "It is tried again by itself, every ten minutes at the latest. relay try {subject} does so now.",
        "/connectors/{subject}",
    ),
    "dead": _Words(
        "Deliveries to {subject} were given up",
        "No delivery to {subject} is dead any more",
        "{count} dead. They are kept until you decide.",
        "Put right what they need, then: relay dead replay --connector {subject} --all. Or: relay dead discard",
        "/conversations?connector={subject}&status=dead",
    ),
    "quarantined": _Words(
        "Bodies could not be read",
        "No body is in quarantine any more",
        "{count} in quarantine. They are kept until you decide.",
        "Correct them on the page, or deliver them again with relay replay when a newer version reads them.",
        "/quarantine",
    ),
    "undelivered": _Words(
        "Chats were not delivered anywhere",
        "Every chat has been delivered or discarded",
        "{count} went to no connector. They are kept until you decide.",
        "relay config check shows which connectors are off or have no route. Correct relay.yaml, then: relay replay"
        " --status undelivered",
        "/conversations?status=undelivered",
    ),
    "gone": _Words(
        "{subject} is not in relay.yaml any more",
        "Nothing waits for {subject} without a place in relay.yaml",
        "{count} waiting, and nothing delivers them.",
        "Put {subject} back into relay.yaml, or discard what waits: relay discard ID --reason …",
        "/connectors/{subject}",
    ),
    "backlog": _Words(
        "The backlog of {subject} is too old",
        "The backlog of {subject} is gone",
        "{count} due and waiting, the oldest for too long. None is lost.",
        "relay doctor tells whether workers run and what holds them up. More workers help where all are busy.",
        "/connectors/{subject}",
    ),
    "refusing": _Words(
        "Chats are refused",
        "Chats are no longer refused",
        "{count} were answered with 500 or 503 and are not kept. Smartsupp does not send them again.",
        "relay doctor tells what is wrong, the receiver's log why. Take those chats in later with relay import.",
        "/",
    ),
    "filling": _Words(
        "The {subject} of the store is filling up",
        "The {subject} of the store is no longer filling up",
        "{count} % are used. When it is full, new chats are refused, and Smartsupp does not send them again.",
        "Give the store more of it, or shorten retention.settled_days. relay doctor has the figures.",
        "/",
    ),
    "full": _Words(
        "The {subject} of the store is almost full",
        "The {subject} of the store is no longer almost full",
        "{count} % are used. New chats are refused now or soon, and Smartsupp does not send them again.",
        "Give the store more of it now, or shorten retention.settled_days. relay doctor has the figures.",
        "/",
    ),
}
#: A trouble that a newer version found.
_OTHER = _Words(
    "{subject}: {kind}",
    "{subject}: {kind} is over",
    "{count} concerned. A newer version of Relay found this, and has more to say about it.",
    "Open the dashboard, or give: relay status",
    "/",
)
#: What stands for the lane of bodies that no worker has read, which is no connector.
_INBOX = ("new bodies", "/")


def written(notice: Notice, public_url: str) -> Message:
    """The words of a notice; with a link where the address of the dashboard is known."""
    found = _WORDS.get(notice.kind, _OTHER)
    name, page = _INBOX if notice.subject == INBOX else (notice.subject, found.page)
    page = found.page if notice.kind in ("quarantined", "undelivered") else page
    about = {"subject": name, "count": notice.count, "kind": notice.kind}
    begun = notice.event == "begun"
    title = (found.begun if begun else found.over).format(**about)
    lines = [title + ".", ""]
    if begun:
        lines += [found.what.format(**about), f"Since: {_time(notice.since)}"]
        lines += [f"Last error: {notice.error}"] if notice.error else []
        lines += ["", f"What to do: {found.todo.format(**about)}"]
    else:
        lines += [f"It began: {_time(notice.since)}", f"It was over: {_time(notice.at)}"]
    link = public_url + page.format(**about) if public_url else ""
    lines += ["", link] if link else []
    data = {
        "trouble": notice.kind,
        "subject": notice.subject,
        "since": _iso(notice.since),
        "count": notice.count if begun else 0,
        "error": notice.error if begun else "",
        "link": link,
    }
    return _message(notice.id, title, lines, notice.event, notice.at, data)


def test_message(identity: str, now: int, public_url: str) -> Message:
    """What `relay notices test` sends."""
    lines = ["This is a test.", "", "Somebody gave: relay notices test. Nothing is wrong."]
    lines += ["", public_url] if public_url else []
    return _message(identity, "A test: notices arrive", lines, "test", now, {"link": public_url})


def _message(identity: str, title: str, lines: list[str], event: Event, at: int, data: Mapping[str, Any]) -> Message:
    text = "\n".join(lines)
    body = {"type": f"trouble.{event}", "timestamp": _iso(at), "text": text, "data": data}
    return Message(identity, title, text, json.dumps(body, ensure_ascii=False))


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
