"""A connector gets another name while chats wait for it, and workers hear of it one after the other."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from core.ids import ConversationId, DeliveryId
from core.store import Eraser, Store, connect
from core.store.protocol.keys import key
from tests.e2e.test_one_record import chat, desk, impatient
from tests.e2e.test_pipeline import config, webhook
from tests.fakes.freshdesk import KEY, FreshdeskVendor
from tests.support.destination import Destination, Handler
from tests.support.inline import Inline
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import Stack, kill, until
from tests.support.stack import chat as small

__all__ = ["desk", "impatient"]

ACCOUNT = "type: freshdesk, base_url: {url}, api_key: {key}, allow_networks: [127.0.0.0/8], rate: null"
TWO = "connectors:\n  first: {{{account}}}\n  {name}: {{{account}{more}}}\nroutes: [{{to: [{name}]}}]\n"


def slow(handler: Handler, number: int) -> None:
    time.sleep(0.3)
    handler.answer(200)


def test_chats_that_wait_arrive_once_while_workers_reload_one_after_the_other(
    relay: Stack, destination: Destination
) -> None:
    destination.behaviour = slow
    relay.configure(config(hook=webhook(destination.url, concurrency=4)))
    relay.web()
    first = relay.worker()
    file, other = relay.config, relay.folder / "other.yaml"
    other.write_text(file.read_text())
    relay.environment["RELAY_CONFIG"] = str(other)
    second = relay.worker()
    for number in range(60):
        relay.post(small(f"c{number}"))
    until(lambda: len(destination.received) >= 5, what="deliveries on their way")
    renamed = config(crm=webhook(destination.url, concurrency=4, formerly=["hook"]))
    relay.config = file
    relay.configure(renamed)
    until(lambda: "connector renamed: moving its deliveries" in relay.logs(), what="the first worker to hear of it")
    for number in range(60, 70):  # read by either of them
        relay.post(small(f"c{number}"))
    # The one that moves is killed in the middle, the other one has the old name still; then it hears, too.
    kill(first)
    time.sleep(1)
    other.write_text(renamed)
    relay.worker()
    until(lambda: relay.ledger.lane("crm").counts["delivered"] == 70, 90, "all delivered under the new name")
    until(lambda: relay.ledger.connectors() == ["crm"], what="nothing under the old name")
    assert second.poll() is None
    arrived = Counter(destination.conversations())
    assert set(arrived) == {f"1:c{number}" for number in range(70)}
    # What the killed worker had posted and not noted comes once more, with the id that it had.
    messages = {(one.json()["data"]["conversation"]["id"], one.headers["webhook-id"]) for one in destination.received}
    assert len(messages) == 70
    assert sum(arrived.values()) <= 70 + 4


def test_a_repeat_after_a_renaming_has_the_id_that_the_first_post_had(
    server: Server, tmp_path: Path, destination: Destination
) -> None:
    store = Store(connect(server.url))
    store.beat("worker")
    relay = Inline(store, tmp_path, config(hook=webhook(destination.url)))
    relay.take(small("c1"))
    relay = Inline(store, tmp_path, config(crm=webhook(destination.url, formerly=["hook"])))
    relay.adopt()
    control(store).replay(DeliveryId("crm:1:c1"))
    relay.deliver()
    one, two = destination.received
    assert one.headers["webhook-id"] == two.headers["webhook-id"]


def test_a_record_is_found_under_the_mark_that_the_old_name_gave_it(
    own_server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    """The second connector of an account, whose marks end with its name; and a store that has forgotten."""
    store = Store(connect(own_server.url))
    store.beat("worker")
    account = ACCOUNT.format(url=desk.url, key=KEY)
    began = time.time()
    relay = Inline(store, tmp_path, TWO.format(account=account, name="help", more=""))
    relay.take(chat("Hello", began=began))
    assert Eraser(connect(own_server.url)).conversation(ConversationId("208:501"))
    relay = Inline(store, tmp_path, TWO.format(account=account, name="crm", more=", formerly: [help]"))
    relay.adopt()
    relay.take(chat("Hello", "One thing more", began=began))
    assert len(desk.tickets) == 1
    assert sum("One thing more" in text for text in desk.texts()) == 1


def test_a_ticket_that_was_begun_under_the_old_name_is_finished_under_the_new_one(
    own_server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    store = Store(connect(own_server.url))
    store.beat("worker")
    account = ACCOUNT.format(url=desk.url, key=KEY)
    relay = Inline(store, tmp_path, TWO.format(account=account, name="help", more=""))
    relay.take(chat("Hello"))
    [ticket] = desk.tickets
    relay = Inline(store, tmp_path, TWO.format(account=account, name="crm", more=", formerly: [help]"))
    relay.adopt()
    relay.take(chat("Hello", "One thing more"))
    assert list(desk.tickets) == [ticket]
    assert own_server.client.keys(key("delivery", "*")) == [b"relay:delivery:crm:208:501"]
