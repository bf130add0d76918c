"""`/erase`: everything about one visitor. Looks, asks, erases, and gives a receipt that is kept nowhere.

Destinations are asked for the person when that is wished, and erase whom the admin has ticked. Or gives all that was
found as a file, for the visitor."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import structlog
from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.admin.erasing import erasure
from app.admin.erasing.destinations import PersonThere, erase_there, persons_there
from app.admin.erasing.erasure import ErasureReceipt
from app.admin.erasing.receipt import receipt_text
from app.admin.transfer import visitor_data
from app.dashboard.frame.context import Site
from app.dashboard.frame.login import signed_in
from app.dashboard.language.translation import flash
from app.dashboard.view.formatting import web
from app.dashboard.view.found import found_bodies, found_chats
from connectors.kit.connector import Connector
from core.errors import Unreadable
from core.store import Eraser
from core.store.search.visitors import Traces, conversations_of, payloads_of
from core.wording.sentence import say, say_all

log = structlog.get_logger(__name__)

#: Seconds that a page waits for attempts that are going on. What takes longer is listed, to be erased again.
_PATIENCE = 5.0
#: Seconds that a page waits for what destinations answer: whom they know, and whether they have erased them.
_LOOKING, _ERASING = 15.0, 30.0
#: Conversations and bodies that are shown one by one; of the others their number is.
SHOWN = 50
#: Bytes of a download, which a receiver holds as a whole.
LARGEST_DOWNLOAD = 64 << 20
#: Characters of an email address or id.
_LONGEST = 254
_NOBODY = say("Enter an email address, a phone number, or Smartsupp's id of the visitor.")
_BUSY = say("Destinations are being asked for somebody else, or checked. Nothing was erased; try again in a minute.")


class _Answers:
    """What the routes below answer with."""

    def __init__(self, site: Site) -> None:
        self.site, self.eraser = site, Eraser(site.client)

    def keepers(self) -> dict[str, Connector[Any]]:
        return erasure.keepers(self.site.watched.current(), self.site.env.data_dir, self.site.client)

    def found(self, visitor: str) -> Traces | ResponseReturnValue:
        """What is about them, or the page that says why nobody knows."""
        if not visitor:
            return self.form(error=_NOBODY), 422
        try:
            return erasure.find_traces(visitor, self.eraser, self.keepers())
        except Unreadable as error:
            return self.form(visitor, error=str(error)), 500

    def ticked(self, visitor: str, advice: str, *, or_nothing: bool = False) -> Traces | ResponseReturnValue:
        """What is about them and was ticked, or the page that says why there is nothing, unless that is enough."""
        found = self.found(visitor)
        if not isinstance(found, Traces):
            return found
        traces = found.taking(request.form.getlist("also"))
        if traces or or_nothing:
            return traces
        if traces.named:
            return self.confirm(visitor, traces, error=advice), 422
        return self.form(visitor, nothing=True, closed=traces.closed)

    def form(
        self, visitor: str = "", *, error: str = "", nothing: bool = False, closed: int = 0, asked: bool = False
    ) -> str:
        return render_template(
            "erase.html",
            visitor=visitor,
            error=error,
            nothing=nothing,
            closed=closed,
            retention=self.site.watched.current().retention,
            can_erase=_can_erase(visitor, self.keepers()) if nothing and not asked else [],
            asked=asked,
        )

    def confirm(
        self,
        visitor: str,
        traces: Traces,
        *,
        persons: list[PersonThere] | None = None,
        error: str = "",
        problem: str = "",
    ) -> str:
        ledger, keepers = self.site.ledger, self.keepers()
        return render_template(
            "erase_confirm.html",
            visitor=visitor,
            traces=traces,
            conversations=found_chats(ledger, traces.conversations[:SHOWN]),
            payloads=found_bodies(ledger, traces.payloads[:SHOWN]),
            named=found_chats(ledger, conversations_of(traces.named)[:SHOWN]),
            named_bodies=found_bodies(ledger, payloads_of(traces.named)[:SHOWN]),
            keeps_files={name for name, one in keepers.items() if one.keeps_files},
            can_erase=_can_erase(visitor, keepers),
            persons=persons,
            looking=f"{_LOOKING:g}",
            also=request.form.getlist("also"),
            error=error,
            problem=problem,
            web=web,
            shown=SHOWN,
        )

    def erased(self, visitor: str, receipt: ErasureReceipt) -> str:
        # Not whom: the log would be one more place in which they stand.
        log.info(
            "a visitor was erased",
            by=_who(),
            conversations=len(receipt.conversations),
            payloads=len(receipt.payloads),
            persons=sum(not (one.error or one.kept) for one in receipt.persons),
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


def routes(pages: Blueprint, site: Site) -> None:
    answers = _Answers(site)

    @pages.get("/erase")
    def erase() -> str:
        return answers.form()

    @pages.post("/erase")
    def erase_look() -> ResponseReturnValue:
        """A POST, so that the address stands in no address bar and in no log."""
        visitor = _visitor()
        traces = answers.found(visitor)
        if not isinstance(traces, Traces):
            return traces
        if not (traces or traces.named):
            return answers.form(visitor, nothing=True, closed=traces.closed)
        return answers.confirm(visitor, traces)

    @pages.post("/erase/destinations")
    def erase_ask() -> ResponseReturnValue:
        """Whom the destinations know, beside what is found here."""
        visitor = _visitor()
        if visitor and "@" not in visitor:
            return answers.form(
                visitor, error=say("Destinations know persons by their email address: enter that.")
            ), 422
        traces = answers.found(visitor)
        if not isinstance(traces, Traces):
            return traces
        with site.alone() as free:
            if not free:
                return answers.confirm(visitor, traces, problem=_BUSY), 409
            persons = persons_there(visitor, answers.keepers(), _LOOKING)
        if traces or traces.named or persons:
            return answers.confirm(visitor, traces, persons=persons)
        return answers.form(visitor, nothing=True, closed=traces.closed, asked=True)

    @pages.post("/erase/now")
    def erase_now() -> ResponseReturnValue:
        visitor = _visitor()
        if not visitor:
            flash(say("Nothing was erased: no visitor was named."), "error")
            return redirect(url_for("dashboard.erase"), 303)
        persons, asked = set(request.form.getlist("person")), bool(request.form.get("asked"))
        traces = answers.ticked(visitor, say("Tick what to erase."), or_nothing=bool(persons))
        if not isinstance(traces, Traces):
            return traces
        with site.alone() if asked else nullcontext(True) as free:
            if not free:
                return answers.confirm(visitor, traces, problem=_BUSY), 409
            receipt = erasure.erase(visitor, traces, answers.eraser, site.ledger, answers.keepers(), _PATIENCE)
            # Last, so that nothing that was still queued brings the person back.
            there = _at_destinations(visitor, answers.keepers(), persons) if asked else ()
        return answers.erased(visitor, replace(receipt, persons=there))

    @pages.post("/erase/download")
    def erase_download() -> ResponseReturnValue:
        """All that is kept of them, as a file for them. It erases nothing."""
        visitor = _visitor()
        traces = answers.ticked(visitor, say("Tick what to download."))
        if not isinstance(traces, Traces):
            return traces
        out, now = io.BytesIO(), datetime.now(UTC)
        try:
            keepers = answers.keepers()
            data = visitor_data.write_data(out, visitor, traces, site.client, keepers, now, LARGEST_DOWNLOAD)
        except visitor_data.TooLarge as error:
            advice = say_all(str(error), say("Use the command line: relay export --visitor WHO -o FILE"))
            return answers.form(visitor, error=advice), 413
        log.info(
            "a visitor's data was downloaded",
            by=_who(),
            conversations=len(data.chats),
            payloads=len(data.payloads),
            complete=data.complete,
        )
        # Not whom: a name of a file is seen by others.
        headers = {"Content-Disposition": f'attachment; filename="visitor-{now:%Y-%m-%d}.zip"'}
        return Response(out.getvalue(), content_type="application/zip", headers=headers)


def _who() -> str:
    user = signed_in()
    return user.name if user else ""


def _can_erase(visitor: str, connectors: Mapping[str, Connector[Any]]) -> list[tuple[str, str]]:
    """The destinations that can be asked to erase whoever has this address, and what each of them does."""
    return [(name, one.erases) for name, one in connectors.items() if one.erases] if "@" in visitor else []


def _at_destinations(
    visitor: str, connectors: Mapping[str, Connector[Any]], chosen: Collection[str]
) -> tuple[PersonThere, ...]:
    """Asked once more, so that nobody is erased by what stood in a form: who has the address now, and was ticked."""
    found = persons_there(visitor, connectors, _LOOKING)
    wished = (replace(one, kept=one.person is not None and one.tick not in chosen) for one in found)
    return erase_there(wished, connectors, _ERASING)


def _visitor() -> str:
    return " ".join(request.form.get("visitor", "").split())[:_LONGEST]
