"""Who is to blame for a refusal: one chat, or the connector's settings. One visitor's text stops nobody else."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.kit.connector import Connector, Finding, Receipt, Step
from core.config.settings import ConnectorSettings
from core.conversation import Conversation
from core.delivery import DeliveryStatus, Exchange, Outcome, Reference
from core.errors import ConnectorRefused, Intercepted
from core.ids import ConversationId, DeliveryId
from core.store import INBOX, Claim, Ledger, Store
from tests.conftest import Clock
from tests.support.made import control
from tests.support.stack import chat
from workers.delivery import BREAKER, BUG_TRIES, deliver

FORBIDDEN = ConnectorRefused("HTTP 403 Forbidden: not you", status=403)
PAGE = Intercepted("HTTP 403 from a firewall or proxy, not from the destination: Blocked", status=403)


class Desk(Connector[ConnectorSettings]):
    """Refuses the chats that it dislikes; a check of its settings finds what it is told to find."""

    label = "Desk"

    def __init__(self) -> None:
        super().__init__("desk", ConnectorSettings(type="desk"), Path())
        self.dislikes: dict[str, Exception] = {}
        self.finding: Finding | Exception | None = None
        self.tried: list[str] = []

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        self.tried.append(conversation.id)
        if conversation.id in self.dislikes:
            raise self.dislikes[conversation.id]
        return Reference(f"T-{conversation.id}")

    def check(self) -> Iterator[Finding]:
        if isinstance(self.finding, Exception):
            raise self.finding
        if self.finding:
            yield self.finding

    @contextmanager
    def attempt(self) -> Iterator[list[Exchange]]:
        yield [Exchange("POST", "https://desk.example.com/tickets", 200, 1)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def backlog(store: Store) -> Store:
    for number in range(8):
        store.accept(chat(number))
        claim = store.claim(INBOX, secrets.token_hex(8))
        assert claim is not None
        store.fan_out(claim, ConversationId(f"1:{number}"), ["desk"])
    return store


def take(store: Store) -> Claim | None:
    return store.claim("desk", secrets.token_hex(8))


def work(store: Store, desk: Desk) -> None:
    """Try all that is due."""
    while claim := take(store):
        deliver(store, claim, desk, "old")


@pytest.mark.parametrize("finding", [None, Finding(True, "API key accepted"), OSError("no answer")])
def test_one_chat_that_the_vendor_refuses_as_it_would_refuse_all_stops_no_other(
    backlog: Store, ledger: Ledger, desk: Desk, finding: Finding | Exception | None
) -> None:
    desk.dislikes, desk.finding = {"0": FORBIDDEN}, finding
    work(backlog, desk)
    assert ledger.lane("desk").gate is None
    assert ledger.lane("desk").counts["delivered"] == 7
    odd = ledger.delivery(DeliveryId("desk:1:0"))
    assert (odd.status, odd.tries, odd.error) == (DeliveryStatus.RETRYING, 1, "HTTP 403 Forbidden: not you")


def test_one_that_is_refused_again_and_again_is_dead_in_the_end(
    backlog: Store, ledger: Ledger, clock: Clock, desk: Desk
) -> None:
    desk.dislikes = {"0": FORBIDDEN}
    for _ in range(30):
        work(backlog, desk)
        clock.pass_by(12 * 3600 + 4400)
    assert ledger.lane("desk").gate is None
    assert ledger.delivery(DeliveryId("desk:1:0")).status == DeliveryStatus.DEAD


@pytest.mark.parametrize("finding", [Finding(False, "the right to read"), ConnectorRefused("HTTP 401", status=401)])
def test_a_check_that_fails_is_a_witness(
    backlog: Store, ledger: Ledger, desk: Desk, finding: Finding | Exception
) -> None:
    desk.dislikes, desk.finding = {"0": FORBIDDEN}, finding
    work(backlog, desk)
    gate = ledger.lane("desk").gate
    assert gate is not None
    assert (gate.by, gate.reason) == ("relay", "chat 1:0: HTTP 403 Forbidden: not you")
    assert desk.tried == ["0"]


def test_two_chats_that_are_refused_pause_the_connector_and_go_last_when_it_is_resumed(
    backlog: Store, ledger: Ledger, clock: Clock, desk: Desk
) -> None:
    desk.dislikes = {"0": FORBIDDEN, "1": FORBIDDEN}
    work(backlog, desk)
    gate = ledger.lane("desk").gate
    assert gate is not None
    assert gate.reason.startswith("chat 1:1: HTTP 403")
    assert {ledger.delivery(DeliveryId(f"desk:1:{number}")).tries for number in (0, 1)} == {1}
    clock.pass_by(60)
    desk.tried.clear()
    assert control(backlog).resume("desk")
    work(backlog, desk)
    assert desk.tried[:6] == ["2", "3", "4", "5", "6", "7"]
    assert ledger.lane("desk").counts["delivered"] == 6


def test_a_delivery_between_two_refusals_clears_the_settings(backlog: Store, ledger: Ledger, desk: Desk) -> None:
    desk.dislikes = {"0": FORBIDDEN, "2": FORBIDDEN}
    work(backlog, desk)
    assert ledger.lane("desk").gate is None
    assert ledger.lane("desk").counts["delivered"] == 6


def test_pages_of_a_firewall_pause_nothing_however_many_chats_it_dislikes(
    backlog: Store, ledger: Ledger, desk: Desk
) -> None:
    desk.dislikes = {str(number): PAGE for number in range(BREAKER - 1)}
    work(backlog, desk)
    assert ledger.lane("desk").gate is None
    assert ledger.lane("desk").counts["delivered"] == 8 - len(desk.dislikes)
    assert ledger.delivery(DeliveryId("desk:1:0")).status == DeliveryStatus.RETRYING


def test_a_firewall_that_lets_nothing_through_opens_the_circuit_and_kills_nothing(
    backlog: Store, ledger: Ledger, desk: Desk
) -> None:
    desk.dislikes = {str(number): PAGE for number in range(8)}
    work(backlog, desk)
    gate = ledger.lane("desk").gate
    assert gate is not None
    assert gate.by == "breaker"
    assert gate.reason.startswith("chat 1:4: HTTP 403 from a firewall")
    assert ledger.lane("desk").counts["dead"] == 0


def test_what_is_no_error_of_a_delivery_is_tried_again_some_times_before_it_is_dead(
    backlog: Store, ledger: Ledger, clock: Clock, desk: Desk
) -> None:
    desk.dislikes = {"0": KeyError("items")}
    for tries in range(1, BUG_TRIES + 1):
        assert ledger.delivery(DeliveryId("desk:1:0")).status != DeliveryStatus.DEAD, tries
        work(backlog, desk)
        clock.pass_by(7 * 3600)
    found = ledger.delivery(DeliveryId("desk:1:0"))
    assert found.status == DeliveryStatus.DEAD
    assert found.attempts[-1].outcome is Outcome.BUG
    assert found.error.startswith("internal error: KeyError: 'items'")
    assert len(found.attempts) == BUG_TRIES
