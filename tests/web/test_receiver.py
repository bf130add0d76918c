from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
import requests
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from app import create_app
from app.dashboard.frame.login import LARGE_FORM
from app.receiver.hook import canonical
from app.receiver.posted import GUESSES
from app.receiver.rejections import LINES
from app.server import application
from app.server.application import THREADS, Relay
from core.delivery import PayloadStatus
from core.errors import StoreUnavailable
from core.smartsupp.limits import LARGEST_BODY
from core.store import Ledger, RateLimit, Store, connect
from core.store.connection import client as store_client
from tests.conftest import Clock
from tests.support.admin import token_in
from tests.support.forked import forked
from tests.support.inline import Inline
from tests.support.server import Server
from tests.support.stack import SOON_LOGGED, TOKEN, Stack, chat, stack, until

Client = Callable[..., FlaskClient]


@pytest.fixture
def client_of(tmp_path: Path) -> Client:
    """Builds a client of an app on a server; further arguments are environment variables."""

    def build(server: Server, **variables: str) -> FlaskClient:
        environment = {"RELAY_REDIS_URL": server.url, "RELAY_DATA_DIR": str(tmp_path), "SMARTSUPP_TOKEN": TOKEN}
        config = tmp_path / "relay.yaml"
        config.write_text(variables.pop("config", "connectors: {archive: {type: archive}}"))
        return create_app(variables={**environment, "RELAY_CONFIG": str(config), **variables}).test_client()

    return build


@pytest.fixture
def client(server: Server, client_of: Client) -> FlaskClient:
    return client_of(server)


def post(client: FlaskClient, body: bytes, token: str = TOKEN, **options: Any) -> TestResponse:
    return client.post(f"/smartsupp/{token}", data=body, **options)


def test_a_conversation_is_accepted_and_the_same_body_again_is_a_duplicate(client: FlaskClient) -> None:
    first, second = post(client, chat()), post(client, chat())
    assert (first.status_code, first.json and first.json["status"]) == (202, "accepted")
    assert second.json == {"id": first.json and first.json["id"], "status": "duplicate"}


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "ž"],
)
def test_any_content_type_is_kept_unchanged(client: FlaskClient, ledger: Ledger, content_type: str) -> None:
    body = chat(visitor={"name": "a=b&c=%20+d"})
    answer = post(client, body, content_type=content_type.encode().decode("latin-1"))
    assert answer.json
    assert answer.json["status"] == "accepted"
    assert ledger.payload(answer.json["id"]).body == body


NO_ID = "channel.id: expected an id (letters, digits, '_', '-' and '.', at most 64 of them), got text \"\""


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b'{"domains": {"example.com": {"visits": 1}}}', "set-aside", None),
        (b"not json", "quarantined", "not JSON: a value is missing (line 1, column 1)"),
        (b" ", "quarantined", "not JSON: a value is missing (line 1, column 2)"),
        (b"{}", "quarantined", "channel: no conversation: expected an object, got nothing"),
        (chat(channel={"id": ""}), "quarantined", NO_ID),
    ],
)
def test_a_body_without_a_conversation_is_kept_and_says_so(
    client: FlaskClient, ledger: Ledger, body: bytes, status: str, error: str | None
) -> None:
    answer = post(client, body)
    assert answer.status_code == 202
    assert answer.json
    assert (answer.json["status"], answer.json.get("error")) == (status, error)
    assert [one.id for one in ledger.payloads(PayloadStatus(status))] == [answer.json["id"]]
    assert ledger.payload(answer.json["id"]).body == body


def test_what_is_wrong_inside_a_conversation_is_left_to_a_worker(
    client: FlaskClient, server: Server, ledger: Ledger, tmp_path: Path
) -> None:
    answer = post(client, chat(messages=["soon"]))
    assert answer.json
    assert answer.json["status"] == "accepted"
    Inline(Store(connect(server.url)), tmp_path, "connectors: {}").read()
    found = ledger.payload(answer.json["id"])
    assert (found.status, found.error) == ("quarantined", 'messages[0]: expected an object, got text "soon"')


def test_an_empty_body_is_refused(client: FlaskClient, ledger: Ledger) -> None:
    answer = post(client, b"")
    assert (answer.status_code, answer.json) == (400, {"error": "the body is empty"})
    assert not any(ledger.payload_counts().values())


@pytest.mark.parametrize("token", ["wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "%00", "ž" * 30])
def test_a_wrong_token_is_refused_and_nothing_is_kept(client: FlaskClient, ledger: Ledger, token: str) -> None:
    answer = post(client, chat(), token=token)
    assert (answer.status_code, answer.json) == (403, {"error": "unknown token"})
    assert not any(ledger.payload_counts().values())


def test_several_tokens_are_valid_at_once_and_may_name_an_account(
    server: Server, client_of: Client, ledger: Ledger
) -> None:
    client = client_of(
        server,
        SMARTSUPP_TOKEN="first-token-0123456789,208:second-token-0123456789",
        config="tokens: [{token: third-token-0123456789, account: '9'}]",
    )
    for token, account in (("first", ""), ("second", "208"), ("third", "9")):
        body = chat(accountId=int(account or 1))
        answer = post(client, body, token=f"{token}-token-0123456789")
        assert answer.json
        assert answer.json["status"] == "accepted"
        assert ledger.payload(answer.json["id"]).account == account


def test_a_body_of_another_account_than_its_tokens_is_quarantined(server: Server, client_of: Client) -> None:
    client = client_of(server, SMARTSUPP_TOKEN=f"208:{TOKEN}")
    answer = post(client, chat())
    assert answer.json
    assert answer.json["status"] == "quarantined"
    assert answer.json["error"] == "accountId: the token belongs to account 208, this is from account 1"


def test_a_body_of_one_mebibyte_is_accepted_and_one_byte_more_is_not(client: FlaskClient, ledger: Ledger) -> None:
    frame = len(chat(pad=""))
    assert post(client, chat(pad="x" * (LARGEST_BODY - frame))).status_code == 202
    assert post(client, chat(pad="x" * (LARGEST_BODY - frame + 1))).status_code == 413
    assert ledger.payload_counts()["received"] == 1


def test_other_methods_and_pages_say_what_they_are(client: FlaskClient) -> None:
    assert client.get(f"/smartsupp/{TOKEN}").status_code == 405
    assert client.get("/no-such-page").status_code == 404


@pytest.mark.parametrize("trouble", ["away", "full", "read-only", "disk"])
def test_what_cannot_be_kept_is_never_answered_with_a_2xx(own_server: Server, client_of: Client, trouble: str) -> None:
    client = client_of(own_server)
    match trouble:
        case "away":
            own_server.kill()
        case "full":
            own_server.client.config_set("maxmemory", "1")
        case "read-only":
            own_server.client.replicaof("127.0.0.1", "1")
        case "disk":
            own_server.client.config_set("min-replicas-to-write", "1")  # writes are refused, as on a failing disk
    answer = post(client, chat())
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json == {"error": "not stored; try again"}


def test_a_server_that_restarts_while_a_body_arrives_costs_no_chat(own_server: Server, client_of: Client) -> None:
    client = client_of(own_server)
    own_server.kill()
    starting = threading.Timer(0.5, own_server.start)
    starting.start()
    answer = post(client, chat())
    starting.join()
    assert answer.status_code == 202


def test_readyz_tells_a_fit_server_from_an_unfit_one(own_server: Server, client_of: Client) -> None:
    client = client_of(own_server)
    fit = client.get("/readyz")
    assert fit.status_code == 200
    assert fit.json
    assert fit.json["wrong"] == []
    assert fit.json["doubts"] == ["no worker is running"]
    own_server.client.config_set("maxmemory-policy", "allkeys-lru")
    unfit = client.get("/readyz")
    assert unfit.status_code == 503
    assert unfit.json
    assert "noeviction" in unfit.json["wrong"][0]
    own_server.kill()
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_strangers_are_told_neither_where_the_store_is_nor_what_the_configuration_says(
    own_server: Server, client_of: Client, tmp_path: Path
) -> None:
    client = client_of(own_server, config="connectors: {}")
    stranger = {"environ_base": {"REMOTE_ADDR": "8.8.8.8"}}
    (tmp_path / "relay.yaml").write_text("connectors: {crm: {type: hunter2}}")
    until(lambda: "refused" in client.get("/readyz").text, what="the refusal")
    assert "hunter2" in client.get("/readyz").text
    said = client.get("/readyz", **stranger)
    assert said.status_code == 200
    assert said.json == {
        "status": "ready",
        "wrong": [],
        "doubts": ["no worker is running", "a change of the configuration was refused"],
    }
    own_server.kill()
    assert "it refused the connection" in client.get("/readyz").text
    assert client.get("/readyz", **stranger).json == {"status": "unavailable", "wrong": ["the store does not respond"]}


def test_the_real_server_takes_chunked_bodies_and_refuses_what_is_too_long(relay: Stack) -> None:
    relay.web()
    assert relay.post(iter([chat()[:10], chat()[10:]])).json()["status"] == "accepted"  # type: ignore[arg-type]
    assert relay.post(b"x" * (LARGEST_BODY + 1)).status_code == 413
    assert relay.post(iter([b"x" * 100_000] * 11)).status_code == 413  # type: ignore[arg-type]
    assert relay.post(b"").status_code == 400
    assert relay.ledger.payload_counts()["received"] == 1


def test_the_real_server_keeps_nothing_of_a_body_that_was_cut_off(relay: Stack) -> None:
    relay.web()
    with socket.create_connection(("127.0.0.1", relay.port)) as connection:
        path = relay.hook.partition(str(relay.port))[2]
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + chat()[:50])
    assert relay.post(chat()).json()["status"] == "accepted"
    assert sum(relay.ledger.payload_counts().values()) == 1


def test_a_body_that_is_cut_off_or_late_is_logged(relay: Stack) -> None:
    relay.constants |= {**SOON_LOGGED, "app.server.asgi.BODY_SECONDS": 1}
    relay.web()
    path = relay.hook.partition(str(relay.port))[2]
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", relay.port)) as late:
        late.sendall(head)
        with socket.create_connection(("127.0.0.1", relay.port)) as cut_off:
            cut_off.sendall(head + chat()[:50])
        until(lambda: "is incomplete" in relay.logs() and "did not arrive within" in relay.logs(), 40, "both lines")
    assert TOKEN not in relay.logs()


def test_liveness_does_not_wait_for_a_store_that_hangs(relay: Stack) -> None:
    # Whoever waits for the store waits for longer than this test takes.
    relay.constants[f"{store_client.__name__}.TIMEOUTS"] = {**store_client.TIMEOUTS, "socket_timeout": 300}
    relay.web()
    relay.server.freeze()
    # As many as are worked on at once, and some that wait for those.

    def send(number: int) -> None:
        requests.post(relay.hook, data=chat(number), timeout=120)

    senders = [threading.Thread(target=send, args=(number,)) for number in range(3 * THREADS)]
    for sender in senders:
        sender.start()
    time.sleep(0.5)
    assert requests.get(f"http://127.0.0.1:{relay.port}/healthz", timeout=60).ok
    assert all(sender.is_alive() for sender in senders)
    relay.server.thaw()
    for sender in senders:
        sender.join()


def test_an_admin_corrects_a_large_body_and_a_stranger_can_send_none(relay: Stack) -> None:
    relay.web()
    words = "ž" * 250_000  # 500 kB, and a form spells it in 1.5 MB

    def spelled(**changes: Any) -> str:
        return json.dumps(json.loads(chat(pad=words, **changes)), ensure_ascii=False)

    wrong = relay.post(spelled(messages=5).encode()).json()["id"]
    relay.worker()
    until(lambda: relay.ledger.payload(wrong).status == "quarantined", what="the quarantine")
    home = f"http://127.0.0.1:{relay.port}"
    browser = requests.Session()
    form = {"password": relay.cli("admin", "set-password", "--generate").splitlines()[0]}
    form["csrf_token"] = token_in(browser.get(f"{home}/login", timeout=30).text)
    assert "Log out" in browser.post(f"{home}/login", data=form, timeout=30).text
    page = f"{home}/quarantine/{wrong}"
    corrected = {"csrf_token": token_in(browser.get(page, timeout=30).text), "body": spelled()}
    assert len(urlencode(corrected)) > LARGEST_BODY
    stranger = requests.post(f"{page}/correct", data=corrected, timeout=30, allow_redirects=False)
    assert (stranger.status_code, stranger.headers["Location"][:6]) == (303, "/login")
    assert relay.ledger.payload(wrong).status == "quarantined"
    assert "The corrected payload was saved" in browser.post(f"{page}/correct", data=corrected, timeout=30).text
    assert relay.ledger.payload(wrong).status == "discarded"
    too_long = {**corrected, "body": "x" * LARGE_FORM}
    assert browser.post(f"{page}/correct", data=too_long, timeout=30).status_code == 413


def test_an_unfit_server_is_refused_at_start(relay: Stack) -> None:
    relay.server.client.config_set("maxmemory-policy", "allkeys-lru")
    for command in ("web", "worker"):
        assert "noeviction" in relay.cli(command, code=1)


def refused(client: FlaskClient) -> dict[str, int]:
    """Refused posts by status, as /metrics shows them."""
    found: Counter[str] = Counter()
    for (status, _), number in reasons(client).items():
        found[status] += number
    return found


def reasons(client: FlaskClient) -> dict[tuple[str, str], int]:
    """Refused posts by status and reason."""
    return {
        (sample.labels["status"], sample.labels["reason"]): int(sample.value)
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == "relay_refused_total"
    }


def test_a_hook_that_was_typed_a_little_differently_delivers(client: FlaskClient, ledger: Ledger) -> None:
    ways = [f"/smartsupp/{TOKEN}/", f"/smartsupp//{TOKEN}", f"/smartsupp/{TOKEN}//", f"/Smartsupp/{TOKEN}"]
    for number, way in enumerate(ways):
        assert client.post(way, data=chat(number)).status_code == 202, way
    assert ledger.payload_counts()["received"] == len(ways)
    assert canonical("//smartsupp//x/") == "/smartsupp/x"


@pytest.mark.parametrize(
    ("method", "path", "status", "why"),
    [
        ("POST", "/smartsupp/", 404, "path"),
        ("POST", "/smartsupp", 404, "path"),
        ("POST", f"/relay/smartsupp/{TOKEN}", 404, "path"),
        ("POST", f"/smartsupp/{TOKEN}/chats", 404, "path"),
        ("POST", "/", 405, "method"),
        ("POST", "/wp-login.php", 404, "elsewhere"),
        ("POST", "/healthz", 405, "elsewhere"),
        ("POST", "/conversations", 405, "elsewhere"),
        ("POST", "/logout", 403, "elsewhere"),
        ("PUT", f"/smartsupp/{TOKEN}", 405, "method"),
        ("PATCH", f"/smartsupp/{TOKEN}", 405, "method"),
        ("DELETE", f"/smartsupp/{TOKEN}/", 405, "method"),
        ("GET", f"/smartsupp/{TOKEN}", 405, "method"),
        ("POST", f"/smartsupp/{TOKEN[:-1]}", 403, "token"),
    ],
)
def test_whatever_is_posted_and_not_taken_is_answered_in_json_logged_and_counted(
    client: FlaskClient, method: str, path: str, status: int, why: str
) -> None:
    answer = client.open(path, method=method, data=chat(), content_type="application/json")
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert set(answer.get_json()) == {"error"}
    with capture_logs() as logs:
        cast(Relay, client.application).refusals.tell()
    assert [(one["event"], one["status"], one["times"]) for one in logs] == [("refused", status, 1)]
    assert TOKEN[:-1] not in str(logs)
    assert {key for key, number in reasons(client).items() if number} == {(str(status), why)}


def test_a_post_that_meets_a_bug_or_no_store_is_counted_too(own_server: Server, client_of: Client) -> None:
    client = client_of(own_server)
    own_server.client.set("relay:sequence", "no number")  # the store's own script fails on it
    answer = post(client, chat())
    assert (answer.status_code, answer.json) == (500, {"error": "internal error"})
    own_server.kill()
    assert post(client, chat()).status_code == 503
    own_server.start()
    cast(Relay, client.application).refusals.tell()
    assert {key for key, number in reasons(client).items() if number} == {("500", "bug"), ("503", "store")}


def test_what_an_older_version_counted_has_no_reason_and_is_not_lost(server: Server, client: FlaskClient) -> None:
    server.client.hset("relay:totals", mapping={"refused:403": 5, "refused:403:token": 2})
    assert {key: number for key, number in reasons(client).items() if number} == {
        ("403", "token"): 2,
        ("403", "unknown"): 3,
    }


@pytest.mark.parametrize("path", ["//evil.example/x", "/conversations//x", "/static//relay.css", "/login/"])
def test_no_path_is_led_elsewhere_by_the_host_header(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Host": "evil.example"})
    assert "evil" not in answer.headers.get("Location", "")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" not in answer.headers


def test_a_relay_that_is_reached_by_tls_says_that_nothing_else_will_do(server: Server, client_of: Client) -> None:
    client = client_of(server, RELAY_PUBLIC_URL="https://relay.example.com")
    for path in ("/login", "/no-such-page", "/healthz"):
        assert client.get(path).headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_second_receiver_on_its_port_is_refused_and_takes_no_post(relay: Stack, tmp_path: Path) -> None:
    relay.web()
    with stack(tmp_path / "second", forked) as second:
        second.environment["RELAY_PORT"] = str(relay.port)
        second.constants["app.server.beginning.HANDING_OVER"] = 2.0
        started = second.run("web")
        number = 0
        while started.poll() is None:
            number += 1
            relay.ledger.payload(relay.post(chat(number)).json()["id"])
        assert started.returncode == 2
        assert f"RELAY_PORT: cannot listen on 127.0.0.1:{relay.port}: another program uses it" in second.logs()


def test_a_receiver_waits_for_the_one_before_it_to_let_go_of_its_port(relay: Stack) -> None:
    with socket.socket() as before:
        before.bind(("127.0.0.1", relay.port))
        before.listen()
        started = relay.run("web")
        time.sleep(1.5)
        assert started.poll() is None
    until(relay.answers, what="the receiver")


def test_posts_that_are_refused_are_logged_once_and_counted(client: FlaskClient) -> None:
    assert set(refused(client).values()) == {0}
    refusals = cast(Relay, client.application).refusals
    for _ in range(3):
        post(client, chat(), TOKEN[:-1])
    post(client, b"")
    post(client, chat(), headers={"Content-Encoding": "gzip"})
    post(client, b"x" * (LARGEST_BODY + 1), environ_base={"REMOTE_ADDR": "203.0.113.9"})
    post(client, chat())
    with capture_logs() as logs:
        refusals.tell()
        refusals.tell()
    told = [(one["status"], one["reason"], one["address"], one["times"]) for one in logs]
    assert told[:2] == [(403, "unknown token", "127.0.0.1", 3), (400, "the body is empty", "127.0.0.1", 1)]
    assert [(status, address, times) for status, _, address, times in told[2:]] == [
        (415, "127.0.0.1", 1),
        (413, "203.0.113.9", 1),
    ]
    assert TOKEN[:-1] not in str(logs)
    assert {code: number for code, number in refused(client).items() if number} == {
        "400": 1,
        "403": 3,
        "413": 1,
        "415": 1,
    }


def test_a_flood_from_many_addresses_makes_few_lines_and_is_counted_whole(client: FlaskClient) -> None:
    refusals = cast(Relay, client.application).refusals
    for number in range(200):
        post(client, chat(), "wrong-token-00000000", environ_base={"REMOTE_ADDR": f"203.0.113.{number}"})
    with capture_logs() as logs:
        refusals.tell()
    assert len(logs) == LINES + 1
    assert (logs[-1]["address"], logs[-1]["times"]) == ("others", 200 - LINES)
    assert refused(client)["403"] == 200


def test_refusals_that_cannot_be_counted_now_are_counted_later(own_server: Server, client_of: Client) -> None:
    client = client_of(own_server)
    refusals = cast(Relay, client.application).refusals
    own_server.kill()
    post(client, b"")
    with pytest.raises(StoreUnavailable):
        refusals.tell()
    own_server.start()
    post(client, b"")
    refusals.tell()
    assert refused(client)["400"] == 2


def test_the_token_is_in_no_log(relay: Stack) -> None:
    relay.constants |= SOON_LOGGED
    relay.web()
    relay.post(chat())
    relay.post(b"")
    assert requests.post(relay.hook[:-1], data=chat(), timeout=30).status_code == 403
    until(lambda: "unknown token" in relay.logs(), what="the line of what was refused")
    assert TOKEN[:-1] not in relay.logs()
    relay.server.kill()
    assert relay.post(chat(2)).status_code == 503
    assert "not stored" in relay.logs()
    assert TOKEN not in relay.logs()


def test_guesses_are_answered_with_429_and_keep_nobody_out_who_has_the_token(
    server: Server, client_of: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing is refilled meanwhile, however long this takes.
    monkeypatch.setattr(application, "RateLimit", lambda store: RateLimit(store, Clock()))
    client = client_of(server)
    guesses = [post(client, chat(), f"wrong-token-{number:08}") for number in range(GUESSES + 5)]
    assert [answer.status_code for answer in guesses] == [403] * GUESSES + [429] * 5
    assert 1 <= int(guesses[-1].headers["Retry-After"]) <= 5
    assert post(client, chat()).status_code == 202
    elsewhere = {"REMOTE_ADDR": "203.0.113.9"}
    assert post(client, chat(), "wrong-token-00000000", environ_base=elsewhere).status_code == 403


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("203.0.113.9", "", 202),
        ("198.51.100.1", "", 403),
        ("127.0.0.1", "203.0.113.9", 202),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", 403),
        ("198.51.100.1", "203.0.113.9", 403),
        # As a listener for both kinds of addresses, and some proxies, spell it.
        ("::ffff:203.0.113.9", "", 202),
        ("::ffff:198.51.100.1", "", 403),
        ("127.0.0.1", "::ffff:203.0.113.9", 202),
        ("127.0.0.1", "[::ffff:203.0.113.9]", 202),
        ("127.0.0.1", "[2001:db8::9]", 202),
        ("127.0.0.1", "[2001:db9::9]", 403),
        ("127.0.0.1", "", 403),
    ],
)
def test_only_allowed_sources_may_post_as_trusted_proxies_tell(
    server: Server, client_of: Client, peer: str, forwarded: str, status: int
) -> None:
    client = client_of(server, RELAY_ALLOWED_SOURCES="203.0.113.0/24,2001:db8::/32", RELAY_TRUSTED_PROXIES="127.0.0.1")
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = post(client, chat(), headers=headers, environ_base={"REMOTE_ADDR": peer})
    assert answer.status_code == status


def test_a_bug_in_the_receiver_does_not_write_the_token_down(relay: Stack) -> None:
    relay.web()
    relay.server.client.set("relay:sequence", "no number")  # the store's own script fails on it
    assert relay.post(chat()).status_code == 500
    until(lambda: "unhandled error in a page" in relay.logs(), what="the log")
    assert "Traceback" in relay.logs()
    assert TOKEN not in relay.logs()
