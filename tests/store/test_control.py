"""What admins do: whatever becomes due by it is told to the workers, and nobody else has to."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config.environment import environment
from core.delivery import Outcome, PayloadStatus
from core.ids import DeliveryId
from core.store import INBOX, Backfill, Client, Control, Filter, Jobs, Store, connect, connected
from core.store.protocol.keys import key
from tests.support import made
from tests.support.server import Server
from tests.support.stack import chat


@pytest.fixture
def client(server: Server, woken: list[str]) -> Client:
    return connect(server.url, wake_up=woken.append)


@pytest.fixture
def control(client: Client) -> Control:
    return Control(client)


@pytest.fixture
def dead(server: Server, store: Store, woken: list[str]) -> str:
    """A delivery that was given up, and no worker that was called for anything yet."""
    made.conversation(store, chat("c1"), crm=Outcome.REFUSED)
    server.client.delete(key("knock", "crm"), key("knock", INBOX))
    woken.clear()
    return "crm:1:c1"


def test_what_is_replayed_wakes_the_workers(control: Control, dead: str, woken: list[str]) -> None:
    assert control.replay(DeliveryId(dead)) == "crm"
    assert woken == ["crm"]


def test_a_body_that_is_read_again_wakes_them_too(
    control: Control, store: Store, server: Server, woken: list[str]
) -> None:
    payload = store.accept(b"no JSON").id
    store.divert(payload, PayloadStatus.QUARANTINED, "why")
    server.client.delete(key("knock", INBOX))
    woken.clear()
    assert control.replay(payload) == INBOX
    assert woken == [INBOX]


def test_one_that_is_sent_ahead_and_all_when_it_is_resumed(control: Control, server: Server, woken: list[str]) -> None:
    control.pause("crm", "stocktaking")
    assert woken == []
    assert control.send_ahead("crm")
    assert woken == ["crm"]
    server.client.delete(key("knock", "crm"))
    assert control.resume("crm")
    assert woken == ["crm", "crm"]
    assert not control.resume("crm")
    assert woken == ["crm", "crm"]


@pytest.mark.usefixtures("dead")
def test_a_bulk_job_wakes_them(client: Client, woken: list[str]) -> None:
    jobs = Jobs(client, made.configured)
    jobs.advance(jobs.start("replay", Filter(connector="crm")).id)
    assert woken == ["crm"]


@pytest.mark.usefixtures("dead")
def test_a_client_for_reading_says_that_it_can_wake_nobody(server: Server, tmp_path: Path) -> None:
    env = environment({"RELAY_REDIS_URL": server.url, "RELAY_DATA_DIR": str(tmp_path)})
    with pytest.raises(RuntimeError, match="lane 'crm' has work, and this client was made without a way to wake"):
        Control(connected(env)).replay(DeliveryId("crm:1:c1"))
    assert Backfill(connected(env), made.configured).knows("crm")
