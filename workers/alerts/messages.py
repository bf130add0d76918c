"""Alerts in words: what happened, since when, how many, the last error, what to do, and where to look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.store import INBOX
from core.store.incidents import Event, Incident, IncidentKind, Notice
from core.wording.sentence import say, say_n, to_be_counted, to_be_said


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
    what: tuple[str, str]
    todo: str
    page: str


_WORDS: Mapping[IncidentKind, _Words] = {
    "paused": _Words(
        to_be_said("%(subject)s is paused: credentials rejected"),
        "%(subject)s is no longer paused",
        to_be_counted(
            "The destination rejects the credentials, the permissions or the address. %(count)s queued;"
            " nothing is lost.",
            "The destination rejects the credentials, the permissions or the address. %(count)s queued;"
            " nothing is lost.",
        ),
        to_be_said(
            "Run relay connectors check %(subject)s. Correct the settings, and it resumes automatically. If"
            " they were right, run: relay resume %(subject)s"
        ),
        "/connectors/%(subject)s",
    ),
    "breaker": _Words(
        to_be_said("%(subject)s is not responding"),
        "%(subject)s responds again",
        to_be_counted(
            "Its last attempts failed, so only test deliveries are made. %(count)s queued; nothing is lost.",
            "Its last attempts failed, so only test deliveries are made. %(count)s queued; nothing is lost.",
        ),
        to_be_said(
            "Nothing: it is tested at least every ten minutes, and resumes automatically. To test it now,"
            " run: relay try %(subject)s"
        ),
        "/connectors/%(subject)s",
    ),
    "dead": _Words(
        to_be_said("Deliveries to %(subject)s failed permanently"),
        "There are no more dead letters for %(subject)s",
        to_be_counted(
            "%(count)s dead letter, kept until you decide.", "%(count)s dead letters, kept until you decide."
        ),
        to_be_said(
            "See them: relay dead list --connector %(subject)s. Correct the cause, then run: relay dead"
            " replay --connector %(subject)s --all. Or: relay dead discard"
        ),
        "/conversations?connector=%(subject)s&status=dead",
    ),
    "quarantined": _Words(
        to_be_said("Payloads could not be read"),
        "The quarantine is empty again",
        to_be_counted(
            "%(count)s payload in quarantine, kept as received until you decide.",
            "%(count)s payloads in quarantine, kept as received until you decide.",
        ),
        to_be_said(
            "See them: relay payloads. Correct them on the page, or retry them with relay replay when a"
            " newer version can read them."
        ),
        "/quarantine",
    ),
    "undelivered": _Words(
        to_be_said("Chats were not delivered anywhere"),
        "Every chat has been delivered or discarded",
        to_be_counted(
            "%(count)s chat was not delivered anywhere. Nothing is lost.",
            "%(count)s chats were not delivered anywhere. Nothing is lost.",
        ),
        to_be_said(
            "See them: relay deliveries --status undelivered. relay config check says which connectors are"
            " off or have no route. Correct relay.yaml, then run: relay replay --status undelivered"
        ),
        "/conversations?status=undelivered",
    ),
    "gone": _Words(
        to_be_said("%(subject)s is not in relay.yaml any more"),
        "Nothing is queued for %(subject)s any more",
        to_be_counted(
            "%(count)s queued, and it will not be delivered.", "%(count)s queued, and they will not be delivered."
        ),
        to_be_said(
            "If %(subject)s has another name now, write formerly: [%(subject)s] below that one; else put it"
            " back into relay.yaml, or discard what is queued: relay discard ID --reason …."
        ),
        "/connectors/%(subject)s",
    ),
    "backlog": _Words(
        to_be_said("The backlog of %(subject)s is too old"),
        "The backlog of %(subject)s is gone",
        to_be_counted(
            "%(count)s is due and waiting, for too long. Nothing is lost.",
            "%(count)s are due and waiting, the oldest for too long. Nothing is lost.",
        ),
        to_be_said(
            "Run relay doctor to see whether workers are running and what delays them. If all are busy, add workers."
        ),
        "/connectors/%(subject)s",
    ),
    "source": _Words(
        to_be_said("Smartsupp's API gives no chats (%(subject)s)"),
        "Smartsupp's API gives chats again (%(subject)s)",
        to_be_counted(
            "%(count)s chat waits to be fetched; nothing is lost. What the hook sends is delivered, without"
            " what only the API knows.",
            "%(count)s chats wait to be fetched; nothing is lost. What the hook sends is delivered, without"
            " what only the API knows.",
        ),
        to_be_said(
            "Run relay source check to see what the API says. If it rejects the token, put another one into relay.yaml."
        ),
        "/",
    ),
    "stranded": _Words(
        to_be_said("Chats of source %(subject)s are fetched by nobody"),
        "No chats of source %(subject)s wait any more",
        to_be_counted(
            "%(count)s waits to be fetched from Smartsupp's API for an account that is not in relay.yaml any more.",
            "%(count)s wait to be fetched from Smartsupp's API for an account that is not in relay.yaml any more.",
        ),
        to_be_said(
            "Put the account with its api back into relay.yaml, under any name. Or run: relay source move %(subject)s"
            " --to ANOTHER. Or: relay source drop %(subject)s"
        ),
        "/",
    ),
    "refusing": _Words(
        to_be_said("Chats are refused"),
        "Chats are no longer refused",
        to_be_counted(
            "%(count)s was answered with 500 or 503 and is not stored. Smartsupp does not send it again.",
            "%(count)s were answered with 500 or 503 and are not stored. Smartsupp does not send them again.",
        ),
        to_be_said(
            "Run relay doctor; the log of the receiver has the reason. Import those chats later with relay import."
        ),
        "/",
    ),
    "filling": _Words(
        to_be_said("The %(subject)s of the store is filling up"),
        "The %(subject)s of the store is no longer filling up",
        to_be_counted(
            "%(count)s %% is used. When it is full, new chats are refused, and Smartsupp does not send them again.",
            "%(count)s %% is used. When it is full, new chats are refused, and Smartsupp does not send them again.",
        ),
        to_be_said("Give the store more %(subject)s, or shorten retention.settled_days. relay doctor has the figures."),
        "/",
    ),
    "full": _Words(
        to_be_said("The %(subject)s of the store is almost full"),
        "The %(subject)s of the store is no longer almost full",
        to_be_counted(
            "%(count)s %% is used. New chats are refused now or soon, and Smartsupp does not send them again.",
            "%(count)s %% is used. New chats are refused now or soon, and Smartsupp does not send them again.",
        ),
        to_be_said(
            "Give the store more %(subject)s now, or shorten retention.settled_days. relay doctor has the figures."
        ),
        "/",
    ),
    "silent": _Words(
        to_be_said("Smartsupp's hook sends nothing for %(subject)s"),
        "Smartsupp's hook sends chats for %(subject)s again",
        to_be_counted(
            "%(count)s chat of a day came from Smartsupp's API, and none from its hook. Nothing is lost;"
            " chats come late.",
            "%(count)s chats of a day came from Smartsupp's API, and none from its hook. Nothing is lost;"
            " chats come late.",
        ),
        to_be_said(
            "Ask Smartsupp's support whether the POST hook is still switched on and which URL it posts to;"
            " relay doctor shows the right one. docs/smartsupp.md has the email. Check that the receiver can"
            " be reached from outside."
        ),
        "/",
    ),
}
#: An incident of a kind that a newer version found.
_OTHER = _Words(
    to_be_said("%(subject)s: %(kind)s"),
    "%(subject)s: %(kind)s is over",
    to_be_counted(
        "%(count)s affected. A newer version of Relay reports this, and has the details.",
        "%(count)s affected. A newer version of Relay reports this, and has the details.",
    ),
    to_be_said("Open the dashboard, or run: relay status"),
    "/",
)
#: What an incident can be about that is not a connector or an account. The inbox is the lane of payloads that no worker
#: has read.
_SUBJECTS = {INBOX: say("new chats"), "memory": say("memory"), "disk": say("disk")}


def explained(incident: Incident | Notice) -> tuple[str, str, str]:
    """What is wrong in few words, what that means, and what to do: of an incident that has begun."""
    found, about = _WORDS.get(incident.kind, _OTHER), _about(incident)
    return say(found.begun, **about), say_n(*found.what, incident.count, **about), say(found.todo, **about)


def _about(incident: Incident | Notice) -> Mapping[str, Any]:
    subject = _SUBJECTS.get(incident.subject, incident.subject)
    return {"subject": subject, "count": incident.count, "kind": incident.kind}


def written(notice: Notice, public_url: str) -> AlertMessage:
    """The words of an alert; with a link where the address of the dashboard is known."""
    found = _WORDS.get(notice.kind, _OTHER)
    page = found.page
    if notice.subject == INBOX and notice.kind not in ("quarantined", "undelivered"):
        page = "/"
    about = _about(notice)
    begun = notice.event == "begun"
    title, what, todo = explained(notice)
    title = title if begun else found.over % about
    lines = [title + ".", ""]
    if begun:
        lines += [what, f"Since: {_time(notice.since)}"]
        lines += [f"Last error: {notice.error}"] if notice.error else []
        lines += ["", f"What to do: {todo}"]
    else:
        lines += [f"Began: {_time(notice.since)}", f"Ended: {_time(notice.at)}"]
    link = public_url + page % about if public_url else ""
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
