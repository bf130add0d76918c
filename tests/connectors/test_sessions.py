"""What is kept from one request to the next (connections) and what is not: credentials, cookies, secrets in texts."""

from __future__ import annotations

import gzip
import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
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
from connectors.kit.transport import adapter, connection
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError
from tests.support.certificates import Authority
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


def test_secrets_are_masked_however_they_are_spelled() -> None:
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


def test_threads_share_the_connections_of_a_connector_and_never_one_at_the_same_time(
    http: Http, destination: Destination
) -> None:
    together = threading.Barrier(4, timeout=30)
    ports: list[int] = []

    def behaviour(handler: Any, number: int) -> None:
        ports.append(handler.client_address[1])
        together.wait()  # only when all four are on their way at once does anybody get an answer
        handler.answer(200)

    destination.behaviour = behaviour

    def work(name: str) -> list[str]:
        with http.attempt() as exchanges:
            http.request("GET", f"{destination.url}/{name}")
            return [exchange.url for exchange in exchanges]

    # New threads each time, as greenlets are: what is kept must not be theirs.
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, "abcd")) == [[f"{destination.url}/{name}"] for name in "abcd"]
    assert len(ports) == 12
    assert len(set(ports)) == 4


def test_a_connection_that_nobody_needed_for_long_is_closed(
    http: Http, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports: list[int] = []
    together = threading.Barrier(2, timeout=30)

    def behaviour(handler: Any, number: int) -> None:
        ports.append(handler.client_address[1])
        if number < 2:
            together.wait()
        handler.answer(200)

    destination.behaviour = behaviour
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: http.request("GET", destination.url), range(2)))
    (idle,) = http._transport._idle.values()
    kept = [connection for connection, _ in idle]
    assert len(kept) == 2
    monkeypatch.setattr(adapter, "IDLE", -1.0)
    http.request("GET", destination.url)
    assert not idle
    assert [connection.sock for connection in kept] == [None, None]


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_the_next_request_goes_over_the_same_connection_however_the_answer_came(http: Http, encoding: str) -> None:
    body = gzip.compress(b"whole") if encoding else b"whole"
    length = b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    made = 0

    def serve(listener: socket.socket) -> None:
        nonlocal made
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            made += 1
            for how in (length, chunked, length):
                if not connection.recv(65536):
                    break
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n%s" % (encoding.encode(), how))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        for _ in range(3):
            assert http.request("GET", url).text == "whole"
    assert made == 1


def test_text_is_sent_as_utf_8_and_what_is_read_bit_by_bit_in_chunks(http: Http, destination: Destination) -> None:
    http.request("POST", destination.url, data="čaj")
    http.request("POST", destination.url, data=BytesIO(b"of a file"))
    assert [one.body for one in destination.received] == ["čaj".encode(), b"of a file"]


def test_several_headers_of_one_name_are_one_and_cookies_are_read(http: Http) -> None:
    answer = b"HTTP/1.1 200 OK\r\nLink: <a>\r\nLink: <b>\r\nSet-Cookie: k=v\r\nContent-Length: 0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        found = http.request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/")
    assert found.headers["link"] == "<a>, <b>"
    assert dict(found.cookies) == {"k": "v"}


def test_whoever_answers_before_the_whole_body_was_sent_is_heard(http: Http) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):  # or the rest of the body would reset what was answered
                pass

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(DeliveryError, match="HTTP 413"):
            http.request("POST", f"http://127.0.0.1:{listener.getsockname()[1]}/", data=b"x" * 5_000_000)


def test_an_authority_that_was_renewed_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    file.write_bytes(Authority(tmp_path / "a", "first").file.read_bytes())
    os.utime(file, ns=(1, 1))
    first = connection._context(str(file), file.stat().st_mtime_ns)
    file.write_bytes(Authority(tmp_path / "b", "second").file.read_bytes())
    second = connection._context(str(file), file.stat().st_mtime_ns)
    assert [str(one.get_ca_certs()[0]["subject"]) for one in (first, second)] == [
        "((('commonName', 'first'),),)",
        "((('commonName', 'second'),),)",
    ]
