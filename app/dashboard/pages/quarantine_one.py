"""`/quarantine/ID`: one body: what is wrong and where; correct it, read it again, discard it."""

from __future__ import annotations

import re
from contextlib import suppress

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import reason_given
from app.dashboard.language.translation import flash
from app.dashboard.view.body_view import excerpt, shown_body
from app.dashboard.view.listing import BODY_TABS
from core.delivery import Payload, PayloadStatus
from core.errors import InUse, NotFound, PayloadError, StoreUnavailable
from core.ids import PayloadId
from core.smartsupp.events import read_event
from core.smartsupp.limits import LARGEST_BODY
from core.smartsupp.parser import parse_conversation
from core.wording.sentence import say

#: The reason of one that was corrected, and its successor.
_CORRECTED = re.compile(r"corrected: ([0-9a-f]{16})")


def routes(pages: Blueprint, site: Site) -> None:
    @pages.get("/quarantine/<payload:identity>")
    def quarantine_one(identity: PayloadId) -> ResponseReturnValue:
        found = site.ledger.payload(identity)
        if found.status in (PayloadStatus.ROUTED, PayloadStatus.UNROUTED) and found.conversation:
            return redirect(url_for("dashboard.conversations_one", identity=found.conversation), 303)
        return _page(found)

    @pages.get("/quarantine/<payload:identity>/body")
    def quarantine_body(identity: PayloadId) -> Response:
        """As it came, as a file: no browser makes anything of it."""
        found = site.ledger.payload(identity)
        name = f"{found.id}.{'json' if shown_body(found.body).kind == 'JSON' else 'txt'}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(found.body, content_type="application/octet-stream", headers=headers)

    @pages.post("/quarantine/<payload:identity>/replay")
    def quarantine_replay(identity: PayloadId) -> AnyResponse:
        found = site.ledger.payload(identity)
        if found.status in BODY_TABS:
            site.control.replay(identity)
            flash(say("It is queued for another reading."), "good")
        else:
            flash(say("It has been read already, or is queued."), "info")
        return _back(identity, found.origin)

    @pages.post("/quarantine/<payload:identity>/discard")
    def quarantine_discard(identity: PayloadId) -> ResponseReturnValue:
        found, reason = site.ledger.payload(identity), reason_given()
        if not reason:
            return _page(found, reason_error=say("Enter a reason; it is kept with the payload.")), 422
        try:
            site.control.discard(identity, reason)
        except InUse:
            flash(say("It is no longer in quarantine. Nothing was discarded."), "warning")
        else:
            flash(say("Discarded. It can still be retried."), "good")
        return _back(identity)

    @pages.post("/quarantine/<payload:identity>/correct")
    def quarantine_correct(identity: PayloadId) -> ResponseReturnValue:
        """The new body is kept first and the old one discarded then: whatever fails in between, none is lost."""
        found = site.ledger.payload(identity)
        # Browsers make every line end of a form a CR LF.
        text = request.form.get("body", "").replace("\r\n", "\n")
        body = text.encode()
        if found.status is not PayloadStatus.QUARANTINED:
            wrong = say("This payload is no longer in quarantine: somebody has retried or discarded it.")
            return _page(found, text=text, wrong=wrong), 409
        if wrong := _unreadable(body, found):
            return _page(found, text=text, wrong=wrong), 422
        try:
            accepted = site.store.accept(body, found.account, "application/json", found.origin)
        except StoreUnavailable as error:
            return _page(found, text=text, wrong=say("It could not be saved; try again: %(error)s", error=error)), 503
        if accepted.id == identity:
            site.control.replay(identity)
            flash(
                say("It is unchanged, and the current version can read it: it is queued for another reading."), "good"
            )
        elif accepted.known:
            _known_already(site, identity, accepted.id)
        else:
            _replaced(site, identity, accepted.id)
            flash(say("The corrected payload was saved, and the wrong one discarded."), "good")
        return _back(accepted.id, found.origin)


def _known_already(site: Site, identity: PayloadId, other: PayloadId) -> None:
    status = site.ledger.payload(other).status
    if status in (PayloadStatus.QUARANTINED, PayloadStatus.DISCARDED):
        flash(say("The same payload is stored already; this is it. It can be retried."), "warning")
        return
    _replaced(site, identity, other)
    flash(say("The same payload was received before: this is a duplicate. The wrong one was discarded."), "info")


def _replaced(site: Site, identity: PayloadId, successor: PayloadId) -> None:
    with suppress(InUse, NotFound):  # somebody was faster; both are kept
        site.control.discard(identity, f"corrected: {successor}")


def _page(found: Payload, *, text: str | None = None, wrong: str = "", reason_error: str = "") -> str:
    """The body as it is, or with what somebody made of it, which is `wrong` still."""
    view = shown_body(found.body)
    text_now = view.text if text is None else text
    successor = _CORRECTED.fullmatch(found.error) if found.status is PayloadStatus.DISCARDED else None
    return render_template(
        "quarantine_one.html",
        payload=found,
        view=view,
        text=text_now,
        rows=min(28, max(8, text_now.count("\n") + 2)),
        tabs=BODY_TABS,
        wrong=wrong,
        excerpt=excerpt(found.body if text is None else text.encode(), wrong or found.error),
        successor=successor[1] if successor else "",
        reason_error=reason_error,
        returns=b"\r" in found.body,
    )


def _back(identity: PayloadId, origin: str = "") -> AnyResponse:
    """To its page. A webhook that was read is an order by then, and has none."""
    if origin:
        return redirect(url_for("dashboard.quarantine"), 303)
    return redirect(url_for("dashboard.quarantine_one", identity=identity), 303)


def _unreadable(body: bytes, found: Payload) -> str:
    """What is wrong with a body that is to replace one, or ""."""
    if not body.strip():
        return say("It is empty.")
    if len(body) > LARGEST_BODY:
        return say("It is larger than 1 MiB.")
    try:
        read_event(body) if found.origin else parse_conversation(body, found.account)
    except PayloadError as problem:
        return str(problem)
    return ""
