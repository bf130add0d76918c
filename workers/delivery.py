"""Delivery: one attempt, settled. What the connector raised decides what becomes of it (core/errors.py)."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from connectors.kit.connector import Connector, Receipt, Step
from core.config.former_names import first_name
from core.conversation import Conversation
from core.delivery import Attempt, Exchange, Outcome, Reference, Revision
from core.errors import (
    ConnectorRefused,
    DeliveryError,
    Intercepted,
    LostLease,
    Occupied,
    RecordRefused,
    RetryLater,
    Skipped,
    StoreUnavailable,
    TimedOut,
)
from core.ids import DeliveryId
from core.retry import next_try
from core.smartsupp.parser import parse_conversation
from core.store import Claim, Store
from core.store.claims import Ask, Settled, ask_for_nothing
from core.store.protocol.constants import Gate, Trouble
from workers.parse_cache import memory

log = structlog.get_logger(__name__)

#: Characters of an error that are kept.
ERROR_LIMIT = 1_000
#: Exchanges of an attempt that are kept.
EXCHANGES = 30

#: Outages in a row, of different deliveries, that close a connector's gate for a while.
BREAKER = 5

#: A look at the settings, after an attempt that was refused, may take so long: both end before the lease is given up.
WITNESS_SECONDS = 15.0

#: Tries after which a delivery on which our own code fails is a dead letter: some hours. What a destination answers
#: while it is out of order may be what that code fails on.
BUG_TRIES = 6

#: Seconds for which a thread waits for another delivery to find or create the same person, and between two looks.
_WAIT, _LOOK = 1.0, 0.05
#: Seconds until it tries again when that was not enough. It has lost no try.
_LATER = 2.0

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
    ask: Ask = ask_for_nothing,
) -> tuple[Attempt, Sequence[Claim] | None]:
    """Make one attempt at a claimed delivery and settle it. `fingerprint` is that of the connector's settings.

    Returns the attempt, and the next claim, or None where `ask` wanted none. Raises LostLease when somebody else has
    the delivery by now, or it was erased; nothing was written then.
    """
    try:
        return _attempt(store, claim, connector, fingerprint, worker, ask)
    except LostLease:
        if not store.knows(claim.conversation):
            # Erased during the attempt: what this connector has written since goes too.
            connector.erase(claim.conversation)
        raise


def _attempt(
    store: Store, claim: Claim, connector: Connector[Any], fingerprint: str, worker: str, ask: Ask
) -> tuple[Attempt, Sequence[Claim] | None]:
    started, at = time.monotonic(), time.time()
    began_as = first_name(connector.name, connector.settings.formerly)
    reference: Reference | None = None
    error: BaseException | None = None
    step = Step(
        claim.steps,
        lambda name, value: store.remember(claim, name, value),
        forget=lambda name: store.forget(claim, name),
        alone=lambda identity: alone(store, claim, identity),
        first=claim.first,
    )
    with connector.attempt() as exchanges:
        try:
            if claim.trouble:
                raise RetryLater(claim.trouble)
            conversation = memory.conversation(claim)
            reference = connector.bring(conversation, receipt_of(store, claim, conversation, began_as), step)
        # It is given back, and tried again as soon as the store is there, or memory: neither is the delivery's fault.
        except (LostLease, StoreUnavailable, MemoryError):
            raise
        except Exception as raised:  # noqa: BLE001  # whatever it is, it is written down and decides below
            error = raised
    verdict = _judged(error, claim)
    # Where the connector turns out to be held back, which is no time to give up.
    instead = _judged(error, replace(claim, waited=0)) if verdict[0] is Outcome.EXHAUSTED else None
    if error is not None and not isinstance(error, DeliveryError):
        log.error("unhandled error in a connector", delivery=claim.id, connector=connector.name, exc_info=error)
    if error is not None:
        # Its frames hold body and answer, and this one holds it: nothing of that would go before the next search for
        # garbage.
        error.__traceback__ = error.__cause__ = error.__context__ = None
    ms = round((time.monotonic() - started) * 1000)

    def written(outcome: Outcome, text: str, delay: float | None) -> Attempt:
        return Attempt(
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

    attempt, spared = written(*verdict), written(*instead) if instead else None

    def settle(doubted: bool = False) -> Settled:
        with ask() as request:
            return store.settle(
                claim,
                attempt,
                delay_ms=round(((instead or verdict)[2] or 0) * 1000),
                reference=reference,
                fingerprint=fingerprint,
                trouble=_trouble(error, exchanges),
                breaker=BREAKER,
                doubted=doubted,
                blame=f"chat {claim.conversation}: ",
                instead=spared,
                late_ms=max(1, ms) if isinstance(error, TimedOut) else 0,
                request=request,
            )

    # What was refused without an answer was refused by us, for what the settings say.
    settled = _patiently(settle, any(one.status for one in exchanges))
    if settled.gate == "doubted":
        if not _confirmed(connector):
            attempt = replace(attempt, outcome=Outcome.RETRY)
        settled = _patiently(settle)
    if spared and settled.spared:
        attempt = spared
    log.info("attempt", delivery=claim.id, outcome=str(attempt.outcome), status=attempt.status, ms=attempt.ms)
    _tell(settled.gate, connector.name, attempt)
    return attempt, settled.following


def _tell(gate: Gate, connector: str, attempt: Attempt) -> None:
    """Log what became of the connector's gate. What the vendor said may quote a visitor: it is with the attempt."""
    if gate == "held":
        by = "relay" if attempt.outcome is Outcome.PAUSED else "breaker"
        log.warning("connector blocked", connector=connector, by=by, status=attempt.status)
    elif gate == "still":
        log.warning("connector still blocked", connector=connector, status=attempt.status)
    elif gate == "open":
        log.info("connector resumed", connector=connector)


@contextmanager
def alone(store: Store, claim: Claim, identity: str) -> Iterator[None]:
    """Hold an identity meanwhile: one delivery at a time looks for its person (docs/adr/0010). Raises Occupied.

    When what is done here fails, the end of the attempt lets it go.
    """
    ends = time.monotonic() + _WAIT
    while not store.hold(claim, identity):
        if time.monotonic() >= ends:
            raise Occupied(
                "another chat of the same visitor is creating the person; this one follows in a moment",
                retry_after=_LATER,
            )
        time.sleep(_LOOK)
    yield
    store.let_go(claim, identity)


def _confirmed(connector: Connector[Any]) -> bool:
    """Whether the destination refuses more than the one delivery that it has just refused: a look at the settings that
    fails is a witness. One that cannot be had is none."""
    look = connector.wire.attempt(WITNESS_SECONDS) if connector.wire else connector.attempt()
    with look, suppress(Exception):
        try:
            return not all(finding.right for finding in connector.check())
        except ConnectorRefused:
            return True
    return False


def receipt_of(store: Store, claim: Claim, conversation: Conversation, name: str) -> Receipt:
    """`name` is the one under which the connector began."""
    newest = Revision(claim.revision, claim.payload, claim.received, claim.account, claim.body)
    begins, _ = conversation.span()

    def history() -> Sequence[Revision]:
        return [newest] if claim.revision == 1 else store.revisions(claim.conversation)

    number = claim.revision - claim.beneath
    if claim.late:
        number = _grown(history() if claim.revision > 1 else (), claim, conversation)
    # The destination may know it by that.
    delivery = DeliveryId.of(name, claim.conversation)
    return Receipt(
        delivery,
        newest,
        history,
        number,
        began=datetime.fromtimestamp(begins / 1000, UTC) if begins else None,
        queued=datetime.fromtimestamp(claim.created / 1000, UTC) if claim.created else None,
        continues=claim.delivered,
    )


def _grown(history: Sequence[Revision], claim: Claim, newest: Conversation) -> int:
    """The count of revisions begins anew when earlier ones are forgotten, the time of the last message does not. But a
    revision may bring none that is later than those before: a rating, what was corrected."""
    before = [one for one in history if one.number < claim.revision and not one.beneath]
    number = 0
    for chat in (*(parse_conversation(one.body, one.account) for one in before), newest):
        _, ends = chat.span()
        number = max(number + 1, ends // 1000)
    return number


def _judged(error: BaseException | None, claim: Claim) -> tuple[Outcome, str, float | None]:
    """Outcome, text for people, and seconds until the next try."""
    if error is None:
        return Outcome.DELIVERED, "", None
    text = str(error) or type(error).__name__
    for settled, outcome in ((RecordRefused, Outcome.REFUSED), (Skipped, Outcome.SKIPPED)):
        if isinstance(error, settled):
            return outcome, text, None
    asked = error.retry_after if isinstance(error, RetryLater) else None
    delay = next_try(claim.tries + 1, claim.waited / 1000, asked)
    if not isinstance(error, DeliveryError):
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = f"internal error: {type(error).__name__}: {text} ({frame.name}, line {frame.lineno})"
        if claim.tries + 1 >= BUG_TRIES:
            return Outcome.BUG, text, None
    if delay is None:
        return Outcome.EXHAUSTED, f"gave up after {claim.tries + 1} attempts: {text}", None
    return Outcome.PAUSED if isinstance(error, ConnectorRefused) else Outcome.RETRY, text, delay


def _trouble(error: BaseException | None, exchanges: Sequence[Exchange]) -> Trouble:
    """What an attempt says about the destination as a whole. A 429 that was waited for within the attempt counts."""
    if isinstance(error, Occupied):
        return "occupied"
    if isinstance(error, Intercepted):
        return "outage"
    if error is not None and not isinstance(error, DeliveryError):
        return "bug"
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
