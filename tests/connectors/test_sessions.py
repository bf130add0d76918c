"""What a session keeps (a connection a thread) and what it does not: credentials, cookies, secrets in texts."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.kit.connector import HttpConnector, HttpSettings, Receipt, Step
from connectors.kit.http import Http
from connectors.kit.responses import shown
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError
from tests.support.destination import Destination
from tests.support.stack import free_port

LOOPBACK = (ip_network("127.0.0.0/8"),)
PHP = r"p\"a\\ss\/w\u00f6rd +1"


@pytest.fixture
def http() -> Http:
    return Http(timeout=20, allow_networks=LOOPBACK)


def test_neither_netrc_nor_a_proxy_of_the_environment_is_used(
    http: Http, destination: Destination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    http.request("GET", destination.url, headers={"Authorization": "Bearer ours"})
    http.request("GET", destination.url)
    assert [received.headers.get("authorization") for received in destination.received] == ["Bearer ours", None]


def test_cookies_are_not_kept(http: Http, destination: Destination) -> None:
    destination.behaviour = lambda handler, _: handler.answer(200, Set_Cookie="session=1; Path=/")
    http.request("GET", destination.url)
    http.request("GET", destination.url)
    assert [received.headers.get("cookie") for received in destination.received] == [None, None]


@pytest.mark.parametrize("status", [302, 404, 422, 500, None])
def test_no_error_and_no_exchange_shows_credentials_or_a_query(
    http: Http, destination: Destination, status: int | None
) -> None:
    destination.behaviour = lambda handler, _: handler.answer(status, Location="/?hunter2") if status else handler.cut()
    url = destination.url.replace("http://", "http://me:hunter2@") + "/path?token=hunter2#hunter2"
    with pytest.raises(DeliveryError) as caught, http.attempt() as exchanges:
        http.request("POST", url)
    assert {exchange.url for exchange in exchanges} == {destination.url + "/path"}
    assert "hunter2" not in str(caught.value) + str(exchanges)
    assert destination.received[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/?hunter2",
        "h?hunter2",
        "http://?hunter2",
        "http://[?hunter2",
        "http://a b/?hunter2",
        "http://" + "a" * 70,
    ],
)
def test_an_address_that_is_none_is_the_configs_fault(http: Http, url: str) -> None:
    with pytest.raises(ConnectorRefused) as found:
        http.request("GET", url)
    assert "hunter2" not in str(found.value)


@pytest.mark.parametrize("value", ["hunter2\nX: 1", "hunter2 ž", "\thunter2"])
def test_a_header_that_cannot_be_sent_is_the_configs_fault_and_not_shown(
    http: Http, destination: Destination, value: str
) -> None:
    with pytest.raises(ConnectorRefused) as found:
        http.request("GET", destination.url, headers={"Authorization": value})
    assert "header" in str(found.value)
    assert "hunter2" not in str(found.value)


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_address_can_be_shown(text: str) -> None:
    for url in (text, f"http://{text}", f"http://h/{text}"):
        assert isinstance(shown(url), str)


class Keys(HttpSettings):
    key: SecretStr
    more: dict[str, list[SecretStr]]


class Vendor(HttpConnector[Keys]):
    label = "Vendor"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        raise NotImplementedError


def test_secrets_are_masked_however_they_are_spelt() -> None:
    secret = 'p"a\\ss/wörd +1'
    keys = Keys(type="x", key=SecretStr(secret), more={"a": [SecretStr("inner-secret"), SecretStr("")]})
    vendor = Vendor("v", keys, Path("unused"))
    for spelled in (secret, json.dumps(secret), json.dumps(secret, ensure_ascii=False), PHP, "inner-secret"):
        assert vendor.mask(f"a {spelled} b").replace('"', "") == "a ********** b"
    for url in (
        requests.Request("GET", "http://h", params={"k": secret}).prepare().url,
        quote(secret, ""),
    ):
        assert "**********" in vendor.mask(str(url))
        assert "rd" not in vendor.mask(str(url))
    assert vendor.mask("nothing of it") == "nothing of it"


def test_each_thread_has_its_own_session_and_keeps_its_own_connection(http: Http, destination: Destination) -> None:
    together = threading.Barrier(4, timeout=30)
    ports: dict[str, set[int]] = {}

    def behaviour(handler: Any, number: int) -> None:
        ports.setdefault(handler.path, set()).add(handler.client_address[1])
        together.wait()  # only when all four are on their way at once does anybody get an answer
        handler.answer(200)

    destination.behaviour = behaviour

    def work(name: str) -> list[str]:
        with http.attempt() as exchanges:
            for _ in range(3):
                http.request("GET", f"{destination.url}/{name}")
            return [exchange.url for exchange in exchanges]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, "abcd"))
    assert found == [[f"{destination.url}/{name}"] * 3 for name in "abcd"]
    assert [len(ports[f"/hook/{name}"]) for name in "abcd"] == [1, 1, 1, 1]
    assert len(set.union(*ports.values())) == 4
