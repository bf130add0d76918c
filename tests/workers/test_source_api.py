"""Smartsupp's API over real HTTP: its pages, its limits, and what it refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

import pytest
import requests

from app.demo.shop import SHOP_ACCOUNT
from app.demo.smartsupp import Spelling
from connectors.testing.fake import Answer
from core.config.sections.source import Account
from core.errors import ConnectorRefused, NotFound, RetryLater
from core.smartsupp.api.body import as_body, lasting
from core.smartsupp.api.client import SmartsuppApi
from core.smartsupp.parser import parse_conversation
from core.store import Client, connect
from tests.fakes.smartsupp import BEGINNING, SmartsuppFake, chats, much_said
from tests.support.server import Server
from workers.source.api import opened_api

CHATS = chats(700)
END = BEGINNING + timedelta(days=365)


@pytest.fixture(params=get_args(Spelling))
def smartsupp(request: pytest.FixtureRequest) -> Iterator[SmartsuppFake]:
    with SmartsuppFake(CHATS, request.param) as there:
        yield there


def account(smartsupp: SmartsuppFake, **more: Any) -> Account:
    about = {"token": smartsupp.token, "base_url": smartsupp.base_url, "allow_networks": ["127.0.0.0/8"], "rate": 100}
    return Account.model_validate({"account": SHOP_ACCOUNT, "api": {**about, **more}})


@pytest.fixture
def client(server: Server) -> Client:
    return connect(server.url)


@pytest.fixture
def api(smartsupp: SmartsuppFake, client: Client) -> SmartsuppApi:
    found = opened_api("main", account(smartsupp), client)
    assert found
    return found


def listed(api: SmartsuppApi) -> list[str]:
    return [row.id for page in api.conversations(BEGINNING, END) for row in page.rows]


def test_every_page_of_the_list_is_read(smartsupp: SmartsuppFake, api: SmartsuppApi) -> None:
    assert sorted(listed(api)) == sorted(chat.id for chat in smartsupp)
    assert api.total(BEGINNING, END) == len(CHATS)


def test_pages_that_change_while_they_are_read_lose_nothing(smartsupp: SmartsuppFake, api: SmartsuppApi) -> None:
    pages = api.conversations(BEGINNING, END)
    found = [row.id for row in next(pages).rows]
    gone, *_ = smartsupp
    smartsupp.remove(gone.id)
    smartsupp.add(next(one for one in chats(701) if one.number == 700))
    found += [row.id for page in pages for row in page.rows]
    assert set(found) >= {chat.id for chat in smartsupp} - {chat.id for chat in smartsupp if chat.number == 700}


def test_chats_of_the_same_moment_on_either_side_of_a_page_are_all_there(client: Client) -> None:
    together = chats(300, BEGINNING, days=1)
    there = [one for one in together if one.number < 249]
    same = [one for one in together if one.number >= 249]
    for one in same[:5]:
        one.conversation["createdAt"] = same[0].conversation["createdAt"]
    with SmartsuppFake(there) as smartsupp:
        for one in same[:5]:
            smartsupp.add(type(one)(**{**vars(one), "began": same[0].began}))
        api = opened_api("main", account(smartsupp), client)
        assert api
        assert len(set(listed(api))) == 254


def test_more_messages_than_come_with_a_conversation_are_all_read(client: Client) -> None:
    chat = much_said(chats(1)[0], 700)
    with SmartsuppFake([chat]) as smartsupp:
        api = opened_api("main", account(smartsupp), client)
        assert api
        found = parse_conversation(as_body(api.conversation(chat.id), SHOP_ACCOUNT))
    wanted = [one for one in chat.messages if one["type"] == "message"]
    assert len(found.messages) == len(wanted)
    assert {one.content for one in found.messages} >= {f"line {number}" for number in range(700)}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "rejects the token"),
        (402, "another plan"),
        (403, "may not read this"),
    ],
)
def test_a_refusal_says_what_to_do(smartsupp: SmartsuppFake, api: SmartsuppApi, status: int, said: str) -> None:
    smartsupp.instead = [Answer(status, {"code": "no", "message": f"not with {smartsupp.token}"})]
    with pytest.raises(ConnectorRefused, match=said) as refused:
        listed(api)
    assert smartsupp.token not in str(refused.value)


def test_a_wrong_token_is_refused(smartsupp: SmartsuppFake, client: Client) -> None:
    api = opened_api("main", account(smartsupp, token="another-token"), client)
    assert api
    with pytest.raises(ConnectorRefused, match="Create another one"):
        listed(api)


def test_what_passes_is_repeated_at_once(smartsupp: SmartsuppFake, api: SmartsuppApi) -> None:
    smartsupp.instead = [Answer(429, {"code": "too_many"}, {"Retry-After": "0"}), Answer(503)]
    assert len(listed(api)) == len(CHATS)


def test_what_lasts_is_for_later_when_smartsupp_says(smartsupp: SmartsuppFake, api: SmartsuppApi) -> None:
    smartsupp.instead = [Answer(429, {"code": "too_many"}, {"Retry-After": "120"})]
    with pytest.raises(RetryLater) as later:
        listed(api)
    assert later.value.retry_after == 120


def test_a_page_of_a_firewall_says_nothing_of_the_token(smartsupp: SmartsuppFake, api: SmartsuppApi) -> None:
    smartsupp.instead = [Answer(403, "<html>blocked</html>", {"Content-Type": "text/html"})] * 3
    with pytest.raises(RetryLater, match="firewall"):
        listed(api)


def test_a_conversation_deleted_meanwhile_is_not_found(smartsupp: SmartsuppFake, api: SmartsuppApi) -> None:
    identity = listed(api)[0]
    smartsupp.remove(identity)
    with pytest.raises(NotFound):
        api.conversation(identity)


def test_it_keeps_to_the_rate_over_all_who_ask(smartsupp: SmartsuppFake, client: Client) -> None:
    waits: list[float] = []

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            return len(waits) > 3

    slow = account(smartsupp, rate=0.5)
    first, second = (opened_api("main", slow, client, Stopping()) for _ in range(2))
    assert first
    assert second
    first.agents()
    with pytest.raises(RetryLater, match="stopped"):
        second.agents()
    assert waits[0] == pytest.approx(2, abs=0.2)


def test_it_reaches_no_private_network_unless_that_is_meant(smartsupp: SmartsuppFake, client: Client) -> None:
    api = opened_api("main", account(smartsupp, allow_networks=[]), client)
    assert api
    with pytest.raises(ConnectorRefused, match="private address"):
        listed(api)


def test_it_only_reads(smartsupp: SmartsuppFake, api: SmartsuppApi) -> None:
    assert api.check(BEGINNING, END).total == len(CHATS)
    api.conversation(CHATS[0].id, visitor=True)
    assert {one.path for one in smartsupp.writes()} == {"/v2/conversations/search"}


def test_an_account_without_an_api_has_none(client: Client) -> None:
    assert opened_api("main", Account(), client) is None


def test_a_file_has_an_address_until_it_runs_out(client: Client) -> None:
    chat = next(one for one in CHATS if "returns" in one.conversation["tags"])
    with SmartsuppFake([chat]) as smartsupp:
        api = opened_api("main", account(smartsupp), client)
        assert api
        first, second = (as_body(api.conversation(chat.id), SHOP_ACCOUNT) for _ in range(2))
        [file] = [one for message in parse_conversation(first).messages for one in message.files]
        assert requests.get(file.url, timeout=20).content.startswith(b"GIF89a")
        assert file.expires_at
        smartsupp.now = lambda: BEGINNING + timedelta(days=3650)
        assert requests.get(file.url, timeout=20).status_code == 403
        assert lasting(first) == lasting(second)
