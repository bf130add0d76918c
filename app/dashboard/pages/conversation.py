"""`/conversations/ID`: what was said, who said it, its bodies, and what became of each delivery; deliver again,
discard."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from app.admin.erasing.erasure import keepers
from app.admin.replays import replay_refusal, why_nowhere
from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import NO_REASON, reason_given, whose_hand
from app.dashboard.language.translation import flash
from app.dashboard.view.bounds import MESSAGES, part, pretty
from app.dashboard.view.formatting import web
from app.dashboard.view.marks import shown_status, worst_first
from app.dashboard.view.timeline import split, timeline
from app.dashboard.view.transcript import bubbles
from connectors.kit import transcript
from core.conversation import Conversation
from core.delivery import DeliveryStatus, Payload, PayloadStatus
from core.errors import InUse, NotFound, PayloadError
from core.ids import ConversationId, DeliveryId, PayloadId
from core.smartsupp.parser import parse_conversation
from core.store.ledger.conversations import StoredConversation
from core.wording.sentence import say

log = structlog.get_logger(__name__)

#: Attempts that are shown at once; those before them unfold.
ATTEMPTS = 5
#: Revisions that are listed, the newest first; a link to an older one still shows it.
REVISIONS = 100
_OVER = (DeliveryStatus.DELIVERED, DeliveryStatus.SKIPPED, DeliveryStatus.DISCARDED)


@dataclass(frozen=True)
class Body:
    """A revision's body: what it says, or why it cannot be read. Of its `total` messages, those from `start` on."""

    payload: Payload
    conversation: Conversation | None
    error: str
    text: str
    cut: bool
    start: int
    total: int


def routes(pages: Blueprint, site: Site) -> None:
    @pages.get("/conversations/<conversation:identity>")
    def conversations_one(identity: ConversationId) -> ResponseReturnValue:
        found = site.ledger.conversation(identity)
        wanted = request.args.get("revision", "")
        chosen = _chosen(found, wanted)
        if wanted and str(chosen.revision) != wanted:
            flash(say("This revision does not exist; showing the newest."), "warning")
        body = _body(chosen, _start(request.args.get("from", "")))
        return render_template(
            "conversation.html",
            conversation=found,
            body=body,
            name=_name(body.conversation, found),
            bubbles=bubbles(body.conversation) if body.conversation else [],
            messages=MESSAGES,
            revisions=found.payloads[: -REVISIONS - 1 : -1],
            web=web,
            marks=worst_first((one.connector, shown_status(one)) for one in found.deliveries),
            **_deliveries(found),
        )

    @pages.get("/conversations/<conversation:identity>/deliveries")
    def conversations_deliveries(identity: ConversationId) -> str:
        """What keeps itself up to date."""
        found = site.ledger.conversation(identity)
        return render_template("conversation_deliveries.html", conversation=found, web=web, **_deliveries(found))

    @pages.get("/conversations/<conversation:identity>/body/<payload:payload>")
    def conversations_body(identity: ConversationId, payload: PayloadId) -> Response:
        """As it came, as a file: no browser makes anything of it."""
        found = site.ledger.payload(payload)
        if found.conversation != identity:
            raise NotFound(
                say("There is no payload '%(payload)s' in chat %(identity)s.", payload=payload, identity=identity)
            )
        name = f"{identity}-{payload}.json".replace(":", "-")
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return Response(found.body, content_type="text/plain; charset=utf-8", headers=headers)

    @pages.get("/conversations/<conversation:identity>/files/<mark>")
    def conversations_file(identity: ConversationId, mark: str) -> Response:
        """A file that an archive keeps, to be saved: no browser makes anything of it. Records at destinations lead
        here, also when the store has removed the chat."""
        for one in keepers(site.watched.current(), site.env.data_dir).values():
            with suppress(OSError):  # erased meanwhile, or an id that is no name of a file
                if (kept := one.kept_file(identity, mark)) is not None:
                    return _as_download(kept, identity)
        raise NotFound(
            say(
                "This file of chat %(identity)s is not kept here: it was erased with the visitor, or it did not come."
                " Only an archive with files: true keeps files.",
                identity=identity,
            )
        )

    @pages.post("/conversations/<conversation:identity>/<connector>/replay")
    def conversations_replay(identity: ConversationId, connector: str) -> AnyResponse:
        settings = site.watched.current()
        if refused := replay_refusal(settings, connector):
            flash(refused, "error")
            return back(identity, connector)
        lane = site.control.replay(DeliveryId.of(connector, identity))
        if connector not in settings.enabled:
            flash(
                say(
                    "Queued, but %(connector)s is off in relay.yaml: it is sent when %(connector)s is on again.",
                    connector=connector,
                ),
                "warning",
            )
        elif gate := site.ledger.lane(lane).gate:
            silent = say(
                "Queued, but %(connector)s is not responding: it is sent when it responds again.", connector=connector
            )
            paused = say("Queued, but %(connector)s is paused: it is sent when it is resumed.", connector=connector)
            flash(silent if gate.by == "breaker" else paused, "warning")
        else:
            flash(say("Queued for %(connector)s.", connector=connector), "good")
        return back(identity, connector)

    @pages.post("/conversations/<conversation:identity>/<connector>/discard")
    def conversations_discard(identity: ConversationId, connector: str) -> AnyResponse:
        reason = reason_given()
        if not reason:
            flash(NO_REASON, "error")
            return back(identity, connector)
        try:
            site.control.discard(DeliveryId.of(connector, identity), reason, whose_hand())
        except InUse:
            flash(say("An attempt is running, or somebody has dealt with it. Nothing was discarded."), "warning")
        else:
            flash(say("Discarded for %(connector)s. It can still be replayed.", connector=connector), "good")
        return back(identity, connector)

    def back(identity: ConversationId, connector: str) -> AnyResponse:
        here = url_for("dashboard.conversations_one", identity=identity, _anchor=f"to-{connector}")
        return redirect(here, 303)

    def _deliveries(found: StoredConversation) -> dict[str, object]:
        settings = site.watched.current()
        return {
            "statuses": {one.id: shown_status(one) for one in found.deliveries},
            "settled": {one.id for one in found.deliveries if one.status in _OVER},
            "configured": set(settings.connectors),
            "waiting_for_quiet": {name for name, one in settings.connectors.items() if one.wait},
            "enabled": set(settings.enabled),
            "known": site.ledger.connectors(),
            "timelines": {one.id: split(timeline(one, found.payloads), ATTEMPTS) for one in found.deliveries},
            "nowhere": why_nowhere(found.nowhere) if found.nowhere else "",
            "discarded": bool(found.nowhere and found.nowhere.status is PayloadStatus.DISCARDED),
            "spelled": _spelled,
        }


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_download(kept: Path, identity: ConversationId) -> Response:
    """Raises FileNotFoundError."""
    name = kept.name.partition("-")[2]
    found = send_file(kept, mimetype="application/octet-stream", as_attachment=True, download_name=name, etag=False)
    found.headers.update({"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"})
    log.info("a file of a chat was downloaded", by=whose_hand(), conversation=identity, file=kept.name[:8])
    return found


def _chosen(found: StoredConversation, wanted: str) -> Payload:
    """That revision, or the newest."""
    return next((one for one in found.payloads if str(one.revision) == wanted), found.payloads[-1])


def _name(conversation: Conversation | None, found: StoredConversation) -> str:
    visitor = conversation.visitor if conversation else None
    named = transcript.single_line((visitor.name or visitor.email) if visitor else "")
    return transcript.shortened(named) or say("Chat %(id)s", id=found.id)


def _body(payload: Payload, start: int) -> Body:
    conversation, error = None, ""
    text, cut = pretty(payload.body)
    some, total = part(payload.body, start)
    try:
        conversation = parse_conversation(some, payload.account)
    except PayloadError as problem:
        error = str(problem)
    return Body(payload, conversation, error, text, cut, start if total > MESSAGES else 0, total)


def _start(wanted: str) -> int:
    """The first message that is asked for: a page of them begins there."""
    return int(wanted) // MESSAGES * MESSAGES if wanted.isdecimal() and len(wanted) < 9 else 0
