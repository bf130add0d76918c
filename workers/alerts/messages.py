"""Alerts in words: what happened, since when, how many, the last error, what to do, and where to look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.config.doubts import gone_remedy
from core.store import INBOX
from core.store.incidents import Event, Incident, IncidentKind, Notice


@dataclass(frozen=True)
class AlertMessage:
    """An alert as people read it. `id` is the same for every attempt; the body is `type`, `timestamp`, `data` of
    Standard Webhooks, and `text`, which chat services show."""

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


_WORDS: Mapping[IncidentKind, _Words] = {
    "paused": _Words(
        "{subject} is paused: credentials rejected",
        "{subject} is no longer paused",
        "The destination rejects the credentials, the permissions or the address. {count} queued; nothing is lost.",
        "Run relay connectors check {subject}. Correct the settings, and it resumes automatically. If they were right,"
        " run: relay resume {subject}",
        "/connectors/{subject}",
    ),
    "breaker": _Words(
        "{subject} is not responding",
        "{subject} responds again",
        "Its last attempts failed, so only test deliveries are made. {count} queued; nothing is lost.",
        "Nothing: it is tested at least every ten minutes, and resumes automatically. To test it now, run: relay try"
        " {subject}",
        "/connectors/{subject}",
    ),
    "dead": _Words(
        "Deliveries to {subject} failed permanently",
        "There are no more dead letters for {subject}",
        "{count} dead letter{s}, kept until you decide.",
        "See them: relay dead list --connector {subject}. Correct the cause, then run: relay dead replay --connector"
        " {subject} --all. Or: relay dead discard",
        "/conversations?connector={subject}&status=dead",
    ),
    "quarantined": _Words(
        "Payloads could not be read",
        "The quarantine is empty again",
        "{count} payload{s} in quarantine, kept as received until you decide.",
        "See them: relay payloads. Correct them on the page, or retry them with relay replay when a newer version can"
        " read them.",
        "/quarantine",
    ),
    "undelivered": _Words(
        "Chats were not delivered anywhere",
        "Every chat has been delivered or discarded",
        "{count} chat{were} not delivered anywhere. Nothing is lost.",
        "See them: relay deliveries --status undelivered. relay config check says which connectors are off or have no"
        " route. Correct relay.yaml, then run: relay replay --status undelivered",
        "/conversations?status=undelivered",
    ),
    "gone": _Words(
        "{subject} is not in relay.yaml any more",
        "Nothing is queued for {subject} any more",
        "{count} queued, and they will not be delivered.",
        f"{gone_remedy('{subject}')}.",
        "/connectors/{subject}",
    ),
    "backlog": _Words(
        "The backlog of {subject} is too old",
        "The backlog of {subject} is gone",
        "{count} are due and waiting, the oldest for too long. Nothing is lost.",
        "Run relay doctor to see whether workers are running and what delays them. If all are busy, add workers.",
        "/connectors/{subject}",
    ),
    "source": _Words(
        "Smartsupp's API gives no chats ({subject})",
        "Smartsupp's API gives chats again ({subject})",
        "{count} chats wait to be fetched; nothing is lost. What the hook sends is delivered, without what only the API"
        " knows.",
        "Run relay source check to see what the API says. If it rejects the token, put another one into relay.yaml.",
        "/",
    ),
    "stranded": _Words(
        "Chats of source {subject} are fetched by nobody",
        "No chats of source {subject} wait any more",
        "{count} wait to be fetched from Smartsupp's API for an account that is not in relay.yaml any more.",
        "Put the account with its api back into relay.yaml, under any name. Or run: relay source move {subject} --to"
        " ANOTHER. Or: relay source drop {subject}",
        "/",
    ),
    "refusing": _Words(
        "Chats are refused",
        "Chats are no longer refused",
        "{count} were answered with 500 or 503 and are not stored. Smartsupp does not send them again.",
        "Run relay doctor; the log of the receiver has the reason. Import those chats later with relay import.",
        "/",
    ),
    "filling": _Words(
        "The {subject} of the store is filling up",
        "The {subject} of the store is no longer filling up",
        "{count} % is used. When it is full, new chats are refused, and Smartsupp does not send them again.",
        "Give the store more {subject}, or shorten retention.settled_days. relay doctor has the figures.",
        "/",
    ),
    "full": _Words(
        "The {subject} of the store is almost full",
        "The {subject} of the store is no longer almost full",
        "{count} % is used. New chats are refused now or soon, and Smartsupp does not send them again.",
        "Give the store more {subject} now, or shorten retention.settled_days. relay doctor has the figures.",
        "/",
    ),
    "silent": _Words(
        "Smartsupp's hook sends nothing for {subject}",
        "Smartsupp's hook sends chats for {subject} again",
        "{count} chats of a day came from Smartsupp's API, and none from its hook. Nothing is lost; chats come late.",
        "Ask Smartsupp's support whether the POST hook is still switched on and which URL it posts to; relay doctor"
        " shows the right one. docs/smartsupp.md has the email. Check that the receiver can be reached from outside.",
        "/",
    ),
}
#: An incident of a kind that a newer version found.
_OTHER = _Words(
    "{subject}: {kind}",
    "{subject}: {kind} is over",
    "{count} affected. A newer version of Relay reports this, and has the details.",
    "Open the dashboard, or run: relay status",
    "/",
)
#: What stands for the lane of payloads that no worker has read, which is not a connector.
_INBOX = "new chats"


def explained(incident: Incident | Notice) -> tuple[str, str, str]:
    """What is wrong in few words, what that means, and what to do: of an incident that has begun."""
    found, about = _WORDS.get(incident.kind, _OTHER), _about(incident)
    return found.begun.format(**about), found.what.format(**about), found.todo.format(**about)


def _about(incident: Incident | Notice) -> Mapping[str, Any]:
    one = incident.count == 1
    return {
        "subject": _INBOX if incident.subject == INBOX else incident.subject,
        "count": incident.count,
        "s": "" if one else "s",
        "were": " was" if one else "s were",
        "kind": incident.kind,
    }


def written(notice: Notice, public_url: str) -> AlertMessage:
    """The words of an alert; with a link where the address of the dashboard is known."""
    found = _WORDS.get(notice.kind, _OTHER)
    page = found.page
    if notice.subject == INBOX and notice.kind not in ("quarantined", "undelivered"):
        page = "/"
    about = _about(notice)
    begun = notice.event == "begun"
    title, what, todo = explained(notice)
    title = title if begun else found.over.format(**about)
    lines = [title + ".", ""]
    if begun:
        lines += [what, f"Since: {_time(notice.since)}"]
        lines += [f"Last error: {notice.error}"] if notice.error else []
        lines += ["", f"What to do: {todo}"]
    else:
        lines += [f"Began: {_time(notice.since)}", f"Ended: {_time(notice.at)}"]
    link = public_url + page.format(**about) if public_url else ""
    lines += ["", link] if link else []
    data = {
        "incident": notice.kind,
        "trouble": notice.kind,  # as version 0.1 called it; goes with 0.3
        "subject": notice.subject,
        "since": _iso(notice.since),
        "count": notice.count if begun else 0,
        "error": notice.error if begun else "",
        "link": link,
    }
    return _message(notice.id, title, lines, notice.event, notice.at, data)


def test_message(identity: str, now: int, public_url: str) -> AlertMessage:
    """What `relay alerts test` sends."""
    lines = ["This is a test.", "", "It was sent with: relay alerts test. Nothing is wrong."]
    lines += ["", public_url] if public_url else []
    return _message(identity, "Test alert", lines, "test", now, {"link": public_url})


def _message(
    identity: str, title: str, lines: list[str], event: Event, at: int, data: Mapping[str, Any]
) -> AlertMessage:
    text = "\n".join(lines)
    # The type is frozen: receivers filter by it.
    body = {"type": f"trouble.{event}", "timestamp": _iso(at), "text": text, "data": data}
    return AlertMessage(identity, title, text, json.dumps(body, ensure_ascii=False))


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
