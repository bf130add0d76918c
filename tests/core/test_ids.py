"""Ids: put together and taken apart in one place, whatever stands in their parts."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
from pathlib import Path

import pytest

from connectors.registry import settings_model
from core.config.environment import environment
from core.config.loader import load
from core.conversation import Conversation
from core.errors import ConfigError, NotFound, PayloadError
from core.ids import ConversationId, DeliveryId, PayloadId, can_be_part, identified
from core.smartsupp.parser import parse_conversation
from core.store import INBOX, Control, Filter, Ledger, Search, Store, connect
from core.store.protocol.identity import fresh
from tests.support import made
from tests.support.server import Server
from tests.support.stack import chat

#: What the configuration takes for a name, and the parser for an account or a channel, at their edges.
CONNECTORS = ("0", "a", "crm", "crm-2_b", "inbox-2", "9" * 63, "delivery", "payload", "a-_-")
PARTS = ("1", "0", "-", "_", "_.", "a.b..c", "Z-9_.", "inbox", "x" * 64)


@pytest.mark.parametrize("connector", CONNECTORS)
def test_what_is_put_together_comes_apart_again(connector: str) -> None:
    for account, channel in itertools.product(PARTS, PARTS):
        conversation = Conversation(account=account, id=channel).key
        assert (conversation.account, conversation.channel) == (account, channel)
        delivery = DeliveryId.of(connector, conversation)
        assert (delivery.connector, delivery.conversation) == (connector, conversation)
        assert type(delivery.conversation) is ConversationId
        for one in (conversation, delivery):
            assert identified(str(one)) == one
            assert type(identified(str(one))) is type(one)


def test_a_payloads_id_is_one() -> None:
    assert type(identified(fresh())) is PayloadId


@pytest.mark.parametrize("text", ["", ":", "1:", ":1", "crm::1", "crm:1:", ":1:2", "a:b:c:d", "::"])
def test_what_can_be_no_id_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(NotFound, match="expected a payload's, account:channel, or connector:account:channel"):
        identified(text)


@pytest.mark.parametrize("name", ["a:b", "", "inbox", "A", "-a", "a b", "ü", "9" * 64])
def test_a_name_that_would_break_an_id_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text(json.dumps({"connectors": {name: {"type": "archive"}}}))
    env = environment({"RELAY_CONFIG": str(file), "RELAY_DATA_DIR": str(tmp_path)})
    with pytest.raises(ConfigError):
        load(env, settings_model, {})


@pytest.mark.parametrize("part", ["a:b", ":", ".", "a b", "x" * 65, "é", "a/b", "1\n"])
def test_an_account_or_a_channel_that_would_break_an_id_is_refused(part: str) -> None:
    for body in ({"accountId": part, "channel": {"id": "c1"}}, {"accountId": 1, "channel": {"id": part}}):
        with pytest.raises(PayloadError):
            parse_conversation(json.dumps(body).encode())


@pytest.mark.parametrize("one", [PayloadId("p1"), ConversationId("1:c1"), DeliveryId("crm:1:c1")])
def test_an_id_is_text_and_keeps_its_type_where_python_copies_it(one: PayloadId) -> None:
    assert one == str(one)
    assert {str(one): 1}[one] == 1
    assert json.dumps({one: one}) == json.dumps({str(one): str(one)})
    for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):  # noqa: S301  # made in the line before
        assert (type(again), again) == (type(one), one)
    assert not hasattr(one, "__dict__")


def test_only_a_text_with_a_mark_is_looked_for_in_ids() -> None:
    assert can_be_part("208:5")
    assert can_be_part(":")
    assert not can_be_part("208")


@pytest.mark.parametrize("connector", ["0", "crm-2_b", "9" * 63])
@pytest.mark.parametrize(("account", "channel"), [("_.", "-"), ("x" * 64, "a.b..c"), ("1", "inbox")])
def test_the_store_gives_out_what_it_was_given(
    server: Server, store: Store, ledger: Ledger, connector: str, account: str, channel: str
) -> None:
    conversation = ConversationId(made.conversation(store, chat(channel, accountId=account), **{connector: None}))
    delivery = DeliveryId.of(connector, conversation)
    search = Search(connect(server.url))
    for wanted in (Filter(connector=connector), Filter(connector=connector, text=f"{account}:".lower())):
        (row,) = search.page(wanted).rows
        assert (row.id, row.delivery) == (conversation, delivery)
        assert (type(row.id), type(row.delivery)) == (ConversationId, DeliveryId)
    assert [row.id for row in search.page(Filter(text=conversation.lower())).rows] == [conversation]
    assert search.accounts() == [account]
    kept = ledger.delivery(delivery)
    assert (type(kept.id), type(kept.conversation)) == (DeliveryId, ConversationId)
    [payload] = ledger.conversation(conversation).payloads
    assert (type(payload.id), type(payload.conversation)) == (PayloadId, ConversationId)
    claim = store.claim(connector, "t")
    assert claim
    assert (claim.id, type(claim.id), type(claim.payload)) == (delivery, DeliveryId, PayloadId)
    store.release(claim)
    control = Control(connect(server.url))
    assert control.replay(delivery) == connector
    assert control.replay(payload.id) == INBOX
    control.discard(delivery, "a test")
