"""Intake: a body from the inbox becomes a revision of its conversation, and one delivery for each connector."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from core.config.settings import Settings
from core.delivery import PayloadStatus
from core.errors import PayloadError, StoreError
from core.routing import routed
from core.smartsupp.parser import StatisticsReport, parse
from core.store import Claim, Store
from core.store.claims import Ask, Quiet, Reading, ask_for_nothing
from core.summary import line
from workers.parse_cache import memory

log = structlog.get_logger(__name__)


def take_in(
    store: Store, claims: Sequence[Claim], settings: Settings, ask: Ask = ask_for_nothing
) -> Sequence[Claim] | None:
    """Read claimed bodies, route them and fan them out. Returns the next claims, or None when none were asked for."""
    readings = [reading for claim in claims if (reading := _read(store, claim, settings))]
    if not readings:
        return None
    with ask() as request:
        done = store.fan_out_each(readings, request, _waits(settings))
    for reading, held in zip(readings, done.held, strict=True):
        about = {"payload": reading.claim.id, "conversation": reading.conversation}
        if held:
            log.info("routed", connectors=list(reading.connectors), **about)
        else:
            log.warning("lease lost", **about)
    return done.following


def _waits(settings: Settings) -> dict[str, Quiet]:
    """Also of connectors that no route names any more: they get the revisions of what they have."""
    return {
        name: Quiet(wait.quiet_ms, wait.at_most_ms, wait.first)
        for name, one in settings.connectors.items()
        if (wait := one.wait)
    }


def _read(store: Store, claim: Claim, settings: Settings) -> Reading | None:
    """What a body is, or None: it holds no conversation, and was put aside."""
    if claim.trouble:  # replayed when the key is back
        store.divert(claim.payload, PayloadStatus.QUARANTINED, claim.trouble, token=claim.token)
        log.warning("quarantined", payload=claim.id, where="encryption key")
        return None
    try:
        conversation = parse(claim.body, claim.account)
        if isinstance(conversation, StatisticsReport):
            store.divert(claim.payload, PayloadStatus.SET_ASIDE, token=claim.token)
            log.info("set aside", payload=claim.id)
            return None
        memory.add(claim, conversation)
        connectors, troubles, why = routed(settings, conversation)
        summary = line(conversation)
    except (StoreError, MemoryError):  # neither says anything about the body
        raise
    except Exception as error:  # an internal error, unless it is a PayloadError; the body is kept and says so
        text = str(error) if isinstance(error, PayloadError) else f"internal error: {type(error).__name__}: {error}"
        store.divert(claim.payload, PayloadStatus.QUARANTINED, text, token=claim.token)
        # Where it is wrong; what stands there is the visitor's.
        where = error.path if isinstance(error, PayloadError) else type(error).__name__
        log.warning("quarantined", payload=claim.id, where=where, exc_info=not isinstance(error, PayloadError))
        return None
    note, began = "; ".join(troubles), conversation.span()[0]
    return Reading(claim, conversation.key, connectors, note, summary, why or "", began)
