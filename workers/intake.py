"""Intake: a body from the inbox becomes a revision of its conversation, and one delivery for each connector."""

from __future__ import annotations

import structlog

from core.delivery import PayloadStatus
from core.errors import PayloadError, StoreError
from core.routing import routed
from core.settings import Settings
from core.smartsupp import StatisticsReport, parse
from core.store import Claim, Store
from core.store.store import Next
from core.summary import line

log = structlog.get_logger(__name__)


def take_in(store: Store, claim: Claim, settings: Settings, following: Next | None = None) -> list[str]:
    """Read one claimed body, route it and fan it out. Returns the lanes to knock on. Raises LostLease."""
    if claim.trouble:  # replayed when the key is back
        store.divert(claim.id, PayloadStatus.QUARANTINED, claim.trouble, token=claim.token)
        log.warning("quarantined", payload=claim.id, where="the key that sealed it")
        return []
    try:
        conversation = parse(claim.body, claim.account)
        if isinstance(conversation, StatisticsReport):
            store.divert(claim.id, PayloadStatus.SET_ASIDE, token=claim.token)
            log.info("set aside", payload=claim.id)
            return []
        connectors, troubles = routed(settings, conversation)
        summary = line(conversation)
    except StoreError:
        raise
    except Exception as error:  # a bug of ours, if it is no PayloadError; the body is kept and says so
        text = str(error) if isinstance(error, PayloadError) else f"bug: {type(error).__name__}: {error}"
        store.divert(claim.id, PayloadStatus.QUARANTINED, text, token=claim.token)
        # Where it is wrong; what stands there is the visitor's.
        where = error.path if isinstance(error, PayloadError) else type(error).__name__
        log.warning("quarantined", payload=claim.id, where=where, exc_info=not isinstance(error, PayloadError))
        return []
    note = "; ".join(troubles)
    lanes = store.fan_out(claim, conversation.key, connectors, note=note, summary=summary, following=following)
    log.info("routed", payload=claim.id, conversation=conversation.key, connectors=list(connectors))
    return lanes
