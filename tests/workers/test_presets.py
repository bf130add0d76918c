"""Connectors that leave chats out or wait for quiet, from the posted body to the delivery, on a real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.delivery import Delivery, DeliveryStatus, Nowhere
from core.ids import ConversationId, DeliveryId
from core.store import Ledger, Store, statistics
from tests.conftest import Clock
from tests.support.inline import Inline
from tests.support.made import control
from tests.support.stack import chat

VISITOR = {"type": "visitor", "from": "visitor:mx1", "content": "Hello", "sentAt": 1427470439703}
AGENT = {"type": "agent", "from": "agent:3", "name": "Petr", "content": "Hi", "sentAt": 1427470449703}
ID = DeliveryId("files:1:1")


def relay(store: Store, folder: Path, settings: str) -> Inline:
    return Inline(store, folder, f"connectors: {{files: {{type: archive, {settings}}}}}")


def body(*messages: dict[str, Any], **channel: Any) -> bytes:
    return chat(1, messages=messages, channel={"id": 1, "isChat": True, **channel})


def archived(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "var" / "archive").rglob("*.json"))


def test_a_chat_that_is_left_out_is_skipped_with_the_reason_and_is_not_lost(
    store: Store, ledger: Ledger, tmp_path: Path
) -> None:
    relay(store, tmp_path, "only: [missed, rated_bad]").take(body(VISITOR, AGENT))
    found = ledger.delivery(ID)
    assert (found.status, found.error) == (
        DeliveryStatus.SKIPPED,
        "the chat is answered, and only is [missed, rated_bad]",
    )
    assert [(one.outcome, one.error) for one in found.attempts] == [("skipped", found.error)]
    assert archived(tmp_path) == []
    assert ledger.undelivered() == 0
    assert ledger.conversation(ConversationId("1:1")).nowhere is None
    assert statistics(store._redis, "day", store.now()).connectors["files"].skipped == 1


def test_it_arrives_as_soon_as_a_revision_is_wanted(store: Store, ledger: Ledger, tmp_path: Path) -> None:
    here = relay(store, tmp_path, "only: [rated_bad]")
    here.take(body(VISITOR, AGENT))
    here.take(body(VISITOR, AGENT, rating=1))
    assert ledger.delivery(ID).status is DeliveryStatus.DELIVERED
    assert archived(tmp_path) == ["r1.json", "r2.json"]


def test_what_the_destination_has_is_brought_up_to_date_whatever_the_chat_has_become(
    store: Store, ledger: Ledger, tmp_path: Path
) -> None:
    here = relay(store, tmp_path, "only: [missed]")
    here.take(body(VISITOR, isMissed=True))
    here.take(body(VISITOR, AGENT))
    found = ledger.delivery(ID)
    assert (found.status, found.revision) == (DeliveryStatus.DELIVERED, 2)


def test_too_few_messages_of_the_visitor_are_left_out(store: Store, ledger: Ledger, tmp_path: Path) -> None:
    here = relay(store, tmp_path, "min_visitor_messages: 2")
    here.take(body(VISITOR, AGENT))
    assert ledger.delivery(ID).error == "the visitor wrote 1 message, and min_visitor_messages is 2"
    here.take(body(VISITOR, AGENT, VISITOR))
    assert ledger.delivery(ID).status is DeliveryStatus.DELIVERED


def test_with_other_settings_what_was_left_out_is_delivered_by_a_replay(
    store: Store, ledger: Ledger, tmp_path: Path
) -> None:
    relay(store, tmp_path, "only: [missed]").take(body(VISITOR, AGENT))
    control(store).replay(ID)
    relay(store, tmp_path, "only: [missed]").deliver()
    assert ledger.delivery(ID).status is DeliveryStatus.SKIPPED
    control(store).replay(ID)
    relay(store, tmp_path, "only: [missed, answered]").deliver()
    assert ledger.delivery(ID).status is DeliveryStatus.DELIVERED


def waits(ledger: Ledger) -> Delivery:
    found = ledger.delivery(ID)
    assert found.awaits_quiet
    return found


@pytest.mark.parametrize("routes", ["", "\nroutes: [{to: [files], when: conversation.is_missed}]"])
def test_a_chat_that_is_reopened_is_sent_once_when_it_has_been_quiet(
    store: Store, ledger: Ledger, tmp_path: Path, clock: Clock, routes: str
) -> None:
    """Also where no route names the connector any more."""
    here = Inline(store, tmp_path, f"connectors: {{files: {{type: archive, wait: 10m}}}}{routes}")
    here.take(body(VISITOR, isMissed=True))
    assert ledger.delivery(ID).revision == 1
    for number in range(3):
        here.take(body(VISITOR, *[AGENT] * (number + 1)))
        assert waits(ledger).due == clock.now + 600_000
        clock.pass_by(300)
    assert archived(tmp_path) == ["r1.json"]
    clock.pass_by(301)
    here.deliver()
    found = ledger.delivery(ID)
    assert (found.status, found.revision, len(found.attempts)) == (DeliveryStatus.DELIVERED, 4, 2)


def test_the_ceiling_and_the_first_delivery_are_those_of_the_settings(
    store: Store, ledger: Ledger, tmp_path: Path, clock: Clock
) -> None:
    here = relay(store, tmp_path, "wait: {quiet: 10m, at_most: 12m, first: true}")
    began = clock.now
    here.take(body(VISITOR))
    assert waits(ledger).due == began + 600_000
    clock.pass_by(300)
    here.take(body(VISITOR, AGENT))
    assert waits(ledger).due == began + 720_000
    clock.pass_by(421)
    here.deliver()
    assert ledger.delivery(ID).revision == 2


def test_what_no_route_ever_named_is_not_made_to_wait(store: Store, ledger: Ledger, tmp_path: Path) -> None:
    config = "connectors: {files: {type: archive, wait: 10m}}\nroutes: [{to: [], when: 'true'}]"
    [payload] = Inline(store, tmp_path, config).take(body(VISITOR))
    assert ledger.payload(payload).why == Nowhere.MEANT
    assert ledger.deliveries() == []
