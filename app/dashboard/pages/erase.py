"""`/erase`: everything about one visitor. Looks, asks, erases, and gives a receipt that is kept nowhere.

Or gives all that was found as a file, for the visitor."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import structlog
from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.admin import erasure
from app.admin.erasure_receipt import receipt_text
from app.admin.transfer import visitor_data
from app.dashboard.frame.context import Site
from app.dashboard.frame.login import signed_in
from app.dashboard.pages.conversation import shown_status, web
from connectors.kit import transcript
from connectors.kit.connector import Connector
from core.delivery import Delivery, Payload, Reference
from core.errors import NotFound, PayloadError, StoreUnsafe, Unreadable
from core.ids import ConversationId, PayloadId
from core.smartsupp.parser import parse_conversation
from core.store import Eraser, Ledger
from core.store.ledger import StoredConversation
from core.store.search.visitors import Traces, conversations_of, payloads_of

log = structlog.get_logger(__name__)

#: Seconds that a page waits for attempts that are going on. What takes longer is listed, to be erased again.
_PATIENCE = 5.0
#: Conversations and bodies that are shown one by one; of the others their number is.
SHOWN = 50
#: Bytes of a download, which a receiver holds as a whole.
LARGEST_DOWNLOAD = 64 << 20
#: Characters of an email address or id.
_LONGEST = 254


@dataclass(frozen=True)
class _Found:
    """A conversation: when it came, if that is known, who is its visitor in any of its revisions, what became of it."""

    id: str
    received: int | None
    visitors: Sequence[str]
    revisions: int
    deliveries: Sequence[tuple[Delivery, str]]

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        return [(one.connector, status) for one, status in self.deliveries]

    @property
    def records(self) -> Sequence[tuple[str, Reference]]:
        return [(one.connector, one.reference) for one, _ in self.deliveries if one.reference]


def routes(pages: Blueprint, site: Site) -> None:
    eraser = Eraser(site.client)

    @pages.get("/erase")
    def erase() -> str:
        return form()

    @pages.post("/erase")
    def erase_look() -> ResponseReturnValue:
        """A POST, so that the address stands in no address bar and in no log."""
        visitor = _visitor()
        if not visitor:
            return form(error="Enter an email address, a phone number, or Smartsupp's id of the visitor."), 422
        try:
            traces = erasure.find_traces(visitor, eraser, keepers())
        except Unreadable as error:
            return form(visitor, error=str(error)), 500
        if not (traces or traces.named):
            return form(visitor, nothing=True, closed=traces.closed)
        return confirm(visitor, traces)

    @pages.post("/erase/now")
    def erase_now() -> ResponseReturnValue:
        visitor = _visitor()
        if not visitor:
            flash("Nothing was erased: no visitor was named.", "error")
            return redirect(url_for("dashboard.erase"), 303)
        traces = ticked(visitor, "Tick what to erase.")
        if not isinstance(traces, Traces):
            return traces
        receipt = erasure.erase(visitor, traces, eraser, site.ledger, keepers(), _PATIENCE)
        user = signed_in()
        # Not whom: the log would be one more place in which they stand.
        log.info(
            "a visitor was erased",
            by=user.name if user else "",
            conversations=len(receipt.conversations),
            payloads=len(receipt.payloads),
            complete=receipt.complete,
        )
        text = receipt_text(visitor, receipt, datetime.now(UTC))
        return render_template(
            "erased.html",
            visitor=visitor,
            receipt=receipt,
            text=text,
            download=f"data:text/plain;charset=utf-8,{quote(text)}",
            web=web,
            shown=SHOWN,
        )

    @pages.post("/erase/download")
    def erase_download() -> ResponseReturnValue:
        """All that is kept of them, as a file for them. It erases nothing."""
        visitor = _visitor()
        if not visitor:
            return form(error="Enter an email address, a phone number, or Smartsupp's id of the visitor."), 422
        traces = ticked(visitor, "Tick what to download.")
        if not isinstance(traces, Traces):
            return traces
        out, now = io.BytesIO(), datetime.now(UTC)
        try:
            data = visitor_data.write_data(out, visitor, traces, site.client, keepers(), now, LARGEST_DOWNLOAD)
        except visitor_data.TooLarge as error:
            return form(visitor, error=f"{error} Use the command line: relay export --visitor WHO -o FILE"), 413
        user = signed_in()
        log.info(
            "a visitor's data was downloaded",
            by=user.name if user else "",
            conversations=len(data.chats),
            payloads=len(data.payloads),
            complete=data.complete,
        )
        # Not whom: a name of a file is seen by others.
        headers = {"Content-Disposition": f'attachment; filename="visitor-{now:%Y-%m-%d}.zip"'}
        return Response(out.getvalue(), content_type="application/zip", headers=headers)

    def ticked(visitor: str, advice: str) -> Traces | ResponseReturnValue:
        """What is about them and was ticked, or the page that says why there is nothing."""
        try:
            traces = erasure.find_traces(visitor, eraser, keepers()).taking(request.form.getlist("also"))
        except Unreadable as error:
            return form(visitor, error=str(error)), 500
        if traces:
            return traces
        if traces.named:
            return confirm(visitor, traces, error=advice), 422
        return form(visitor, nothing=True, closed=traces.closed)

    def keepers() -> dict[str, Connector[Any]]:
        return erasure.keepers(site.watched.current(), site.env.data_dir)

    def form(visitor: str = "", *, error: str = "", nothing: bool = False, closed: int = 0) -> str:
        kept = site.watched.current().retention
        return render_template(
            "erase.html", visitor=visitor, error=error, nothing=nothing, closed=closed, retention=kept
        )

    def confirm(visitor: str, traces: Traces, *, error: str = "") -> str:
        return render_template(
            "erase_confirm.html",
            visitor=visitor,
            traces=traces,
            conversations=_conversations(site.ledger, traces.conversations),
            payloads=_payloads(site.ledger, traces.payloads),
            named=_conversations(site.ledger, conversations_of(traces.named)),
            named_bodies=_payloads(site.ledger, payloads_of(traces.named)),
            keeps_files={name for name, one in keepers().items() if one.keeps_files},
            error=error,
            web=web,
            shown=SHOWN,
        )


def _conversations(ledger: Ledger, identities: Sequence[ConversationId]) -> list[_Found]:
    found = []
    for identity in identities[:SHOWN]:
        try:
            found.append(_found(ledger.conversation(identity)))
        except NotFound:
            found.append(_Found(identity, None, ("(only files are left)",), 0, ()))
        except StoreUnsafe:
            found.append(_Found(identity, None, ("(partly encrypted, and the key is missing)",), 0, ()))
    return found


def _payloads(ledger: Ledger, identities: Sequence[PayloadId]) -> list[Payload]:
    found = []
    for identity in identities[:SHOWN]:
        try:
            found.append(ledger.payload(identity))
        except NotFound:
            continue
    return found


def _visitor() -> str:
    return " ".join(request.form.get("visitor", "").split())[:_LONGEST]


def _found(one: StoredConversation) -> _Found:
    return _Found(
        one.id,
        one.payloads[-1].received,
        list(dict.fromkeys(name for payload in one.payloads if (name := _name(payload)))),
        len(one.payloads),
        [(delivery, shown_status(delivery)) for delivery in one.deliveries],
    )


def _name(payload: Payload) -> str:
    """`Ann <ann@example.com>`, or as much of it as there is."""
    try:
        visitor = parse_conversation(payload.body, payload.account).visitor
    except PayloadError:
        return ""
    name, email = transcript.single_line(visitor.name), transcript.single_line(visitor.email)
    return transcript.shortened(f"{name} <{email}>" if name and email else name or email or visitor.id)
