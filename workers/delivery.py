"""Delivery: one attempt, settled. What the connector raised decides what becomes of it (core/errors.py)."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from connectors.base import Connector, Receipt, Step
from core.delivery import Attempt, Exchange, Outcome, Reference, Revision
from core.errors import ConnectorRefused, LostLease, RecordRefused, RetryLater, Skipped, StoreUnavailable
from core.retry import next_try
from core.store import Claim, Store
from core.store.claims import Next
from core.store.store import Gate, Trouble
from workers.memory import memory

log = structlog.get_logger(__name__)

#: Characters of an error that are kept.
ERROR_LIMIT = 1_000
#: Exchanges of an attempt that are kept.
EXCHANGES = 30

#: Outages in a row, of different deliveries, that close a connector's gate for a while.
BREAKER = 5

#: The server was restarted: what the destination took must not be forgotten for that. Seconds.
PATIENCE = 30
_patiently = Retrying(
    retry=retry_if_exception_type(StoreUnavailable),
    stop=stop_after_delay(PATIENCE),
    wait=wait_fixed(0.5),
    reraise=True,
)


def deliver(
    store: Store,
    claim: Claim,
    connector: Connector[Any],
    fingerprint: str,
    worker: str = "",
    following: Next | None = None,
) -> Attempt:
    """Make one attempt at a claimed delivery and settle it. `fingerprint` is that of the connector's settings.

    Raises LostLease when somebody else has the delivery by now, or it was erased; nothing was written then.
    """
    try:
        return _attempt(store, claim, connector, fingerprint, worker, following)
    except LostLease:
        if not store.knows(claim.conversation):
            # Erased during the attempt: what this connector has written since goes too.
            connector.erase(claim.conversation)
        raise


def _attempt(
    store: Store, claim: Claim, connector: Connector[Any], fingerprint: str, worker: str, following: Next | None
) -> Attempt:
    started, at = time.monotonic(), time.time()
    reference: Reference | None = None
    error: BaseException | None = None
    step = Step(claim.steps, lambda name, value: store.remember(claim, name, value))
    with connector.attempt() as exchanges:
        try:
            if claim.trouble:
                raise RetryLater(claim.trouble)
            reference = connector.deliver(memory.conversation(claim), _receipt(store, claim), step)
        except (LostLease, StoreUnavailable):  # it is given back, and goes on as soon as the store does
            raise
        except Exception as raised:  # noqa: BLE001  # whatever it is, it is written down and decides below
            error = raised
    judged = _judged(error, claim)
    if judged[0] is Outcome.BUG:
        log.error("bug in a connector", delivery=claim.id, connector=connector.name, exc_info=error)
    if error is not None:
        # Its frames hold body and answer, and this one holds it: nothing of that would go before the next search for
        # garbage.
        error.__traceback__ = error.__cause__ = error.__context__ = None
    ms = round((time.monotonic() - started) * 1000)

    def settled(outcome: Outcome, text: str, delay: float | None) -> tuple[Attempt, Gate]:
        attempt = Attempt(
            at=round(at * 1000),
            ms=ms,
            outcome=outcome,
            revision=claim.revision,
            status=getattr(error, "status", None) or _last_status(exchanges),
            error=connector.mask(text)[:ERROR_LIMIT],
            next=round((time.time() + delay) * 1000) if delay is not None else None,
            worker=worker,
            requests=tuple(_masked(exchange, connector) for exchange in exchanges[-EXCHANGES:]),
        )
        return attempt, _patiently(
            store.settle,
            claim,
            attempt,
            delay_ms=round((delay or 0) * 1000),
            reference=reference,
            fingerprint=fingerprint,
            trouble=_trouble(error, exchanges),
            breaker=BREAKER,
            following=following,
        )

    attempt, gate = settled(*judged)
    if gate == "spared":
        attempt, gate = settled(*_judged(error, replace(claim, waited=0)))
    log.info("attempt", delivery=claim.id, outcome=str(attempt.outcome), status=attempt.status, ms=attempt.ms)
    _tell(gate, connector.name, attempt)
    return attempt


def _tell(gate: Gate, connector: str, attempt: Attempt) -> None:
    """Log what became of the connector's gate. What the vendor said may quote a visitor: it is with the attempt."""
    if gate == "held":
        by = "relay" if attempt.outcome is Outcome.PAUSED else "breaker"
        log.warning("connector held back", connector=connector, by=by, status=attempt.status)
    elif gate == "still":
        log.warning("connector still held back", connector=connector, status=attempt.status)
    elif gate == "open":
        log.info("connector goes on", connector=connector)


def _receipt(store: Store, claim: Claim) -> Receipt:
    newest = Revision(claim.revision, claim.payload, claim.received, claim.account, claim.body)
    return Receipt(claim.id, newest, lambda: [newest] if claim.revision == 1 else store.revisions(claim.conversation))


def _judged(error: BaseException | None, claim: Claim) -> tuple[Outcome, str, float | None]:
    """Outcome, text for people, and seconds until the next try."""
    if error is None:
        return Outcome.DELIVERED, "", None
    text = str(error) or type(error).__name__
    if isinstance(error, RetryLater):
        delay = next_try(claim.tries + 1, claim.waited / 1000, error.retry_after)
        if delay is None:
            return Outcome.EXHAUSTED, f"given up after {claim.tries + 1} tries: {text}", None
        return Outcome.RETRY, text, delay
    for kind, outcome in (
        (RecordRefused, Outcome.REFUSED),
        (ConnectorRefused, Outcome.PAUSED),
        (Skipped, Outcome.SKIPPED),
    ):
        if isinstance(error, kind):
            return outcome, text, None
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return Outcome.BUG, f"bug: {type(error).__name__}: {text} ({frame.name}, line {frame.lineno})", None


def _trouble(error: BaseException | None, exchanges: Sequence[Exchange]) -> Trouble:
    """What an attempt says about the destination as a whole. A 429 that was waited for within the attempt counts."""
    if not isinstance(error, RetryLater):
        return "throttled" if any(one.status == 429 for one in exchanges) else ""
    if error.status == 429:
        return "throttled"
    return "outage" if error.status is None or error.status >= 500 else ""


def _last_status(exchanges: Sequence[Exchange]) -> int | None:
    return exchanges[-1].status if exchanges else None


def _masked(exchange: Exchange, connector: Connector[Any]) -> Exchange:
    return Exchange(
        method=exchange.method,
        url=connector.mask(exchange.url)[:ERROR_LIMIT],
        status=exchange.status,
        ms=exchange.ms,
        error=connector.mask(exchange.error)[:ERROR_LIMIT],
        sent=exchange.sent,
        answered=exchange.answered,
    )
