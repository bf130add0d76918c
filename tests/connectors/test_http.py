"""How connectors speak HTTP: what an answer means, and what is repeated at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from ipaddress import ip_network
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.http import Http
from connectors.kit.responses import refusal, retry_after
from connectors.kit.transport.attempt import KEPT_FAILED
from core.delivery import Exchange
from core.errors import ConnectorRefused, DeliveryError, Intercepted, RecordRefused, RetryLater, TimedOut
from tests.support.destination import Destination
from tests.support.stack import free_port

LOOPBACK = (ip_network("127.0.0.0/8"),)
NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def http() -> Http:
    return Http(timeout=20, allow_networks=LOOPBACK)


@contextmanager
def raised(kind: type[DeliveryError]) -> Iterator[list[DeliveryError]]:
    """The one error, of exactly this class."""
    found: list[DeliveryError] = []
    with pytest.raises(DeliveryError) as caught:
        yield found
    assert type(caught.value) is kind
    found.append(caught.value)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_every_2xx_is_an_answer(http: Http, destination: Destination, status: int) -> None:
    destination.behaviour = lambda handler, _: handler.answer(status, b"" if status == 204 else b'{"id": 1}')
    answer = http.request("POST", destination.url, json={"a": 1})
    assert answer.status_code == status
    assert status == 204 or answer.json() == {"id": 1}


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((400, 406, 409, 411, 412, 413, 414, 415, 418, 422, 426, 428, 431, 451, 499), RecordRefused),
        ((401, 402, 403, 404, 405, 407, 410), ConnectorRefused),
        ((408, 421, 423, 425, 429, 500, 501, 502, 503, 507, 520, 599, 999), RetryLater),
        ((504,), TimedOut),
        ((300, 301, 302, 303, 304, 305, 307, 308, 399), ConnectorRefused),
        ((103,), RetryLater),
    ],
)
def test_a_status_means_one_recovery(
    http: Http, destination: Destination, statuses: tuple[int, ...], kind: type[DeliveryError]
) -> None:
    for status in statuses:
        destination.behaviour = lambda handler, _, status=status: handler.answer(  # type: ignore[misc]
            status, b"" if status in {103, 304} else b'{"why": "not"}', Retry_After="60"
        )
        with raised(kind) as found:
            http.request("POST", destination.url)
        assert found[0].status == status
        assert str(found[0]).startswith(f"HTTP {status}")
        assert status in {103, 304} or str(found[0]).endswith(': {"why": "not"}')


@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 405, 406, 407, 409, 410, 415, 418, 422, 426, 428, 431, 444, 451, 495, 499]
)
@pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>Blocked</title>", b"error code: 1020"])
def test_the_page_of_a_firewall_says_nothing_of_the_credentials(
    http: Http, destination: Destination, status: int, page: bytes
) -> None:
    destination.behaviour = lambda handler, _: handler.answer(status, page)
    with raised(Intercepted) as found:
        http.request("POST", destination.url, judge=refusal)
    assert found[0].status == status
    assert "from a firewall or proxy" in str(found[0])


def test_a_page_may_be_its_own_where_it_does_not_speak_json_and_too_long_stays_too_long(
    http: Http, destination: Destination
) -> None:
    page = b"<!doctype html><title>Bad Request</title>"
    destination.behaviour = lambda handler, _: handler.answer(400 if handler.command == "POST" else 413, page)
    with raised(RecordRefused):
        http.request("POST", destination.url)  # as an application answers a webhook
    with raised(RecordRefused):
        http.request("PUT", destination.url, judge=refusal)


def test_a_connector_may_say_what_a_status_means_to_it(http: Http, destination: Destination) -> None:
    destination.behaviour = lambda handler, _: handler.answer(
        404 if handler.command == "GET" else 422, b'{"is": "gone"}'
    )
    with raised(RecordRefused):
        http.request("GET", destination.url, judge=lambda answer: refusal(answer, {404: RecordRefused}))
    with raised(ConnectorRefused):
        http.request("PUT", destination.url, judge=lambda answer: refusal(answer, {422: ConnectorRefused}))


def test_the_vendors_words_are_quoted_in_short_and_on_one_line(http: Http, destination: Destination) -> None:
    words = "žádný\n\tlead \x1b[31m\x00\x9b\u202e" + "x" * 5000
    destination.behaviour = lambda handler, _: handler.answer(
        422, words.encode(), Content_Type="text/html; charset=no\x01"
    )
    with raised(RecordRefused) as found:
        http.request("POST", destination.url)
    assert str(found[0]).startswith("HTTP 422 Unprocessable Entity: žádný lead [31mxxx")
    assert str(found[0]).isprintable()
    assert len(str(found[0])) < 400
    destination.behaviour = lambda handler, _: handler.answer(422, b"\xff\xfe\x80")
    with raised(RecordRefused):
        http.request("POST", destination.url)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("0", 0.0),
        (format_datetime(NOW.replace(minute=5), usegmt=True), 300.0),
        ("Wed, 01 May 2024 14:00:30 +0200", 30.0),
        (format_datetime(NOW.replace(hour=11), usegmt=True), 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.2.3", None),
        ("Wed, 32 May 2024 99:00:00 GMT", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": header}, lambda: NOW) == seconds
    assert retry_after({}, lambda: NOW) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9:+ -]{0,20}", fullmatch=True))
@settings(max_examples=300, deadline=None)
def test_any_retry_after_is_a_number_from_0_or_none(header: str) -> None:
    found = retry_after({"Retry-After": header}, lambda: NOW)
    assert found is None or found >= 0


def test_what_the_vendor_asks_for_reaches_the_lane(http: Http, destination: Destination) -> None:
    destination.behaviour = lambda handler, _: handler.answer(503, Retry_After="3600")
    with raised(RetryLater) as found:
        http.request("GET", destination.url)
    assert isinstance(found[0], RetryLater)
    assert found[0].retry_after == 3600
    assert len(destination.received) == 1  # too long to wait for here


def attempt(http: Http, method: str, url: str, **options: Any) -> list[int | None]:
    """The statuses that one request met."""
    with http.attempt() as exchanges:
        with suppress(DeliveryError):
            http.request(method, url, **options)
        return [exchange.status for exchange in exchanges]


@pytest.mark.parametrize(
    ("method", "status", "header", "repeatable", "statuses"),
    [
        ("GET", 500, None, None, [500, 200]),
        ("GET", 503, "0", None, [503, 200]),
        ("GET", 429, "0.1", None, [429, 200]),
        ("GET", 429, "3600", None, [429]),
        ("GET", 404, None, None, [404]),
        ("GET", 400, None, None, [400]),
        ("POST", 500, None, None, [500]),
        ("POST", 503, "0", None, [503]),
        ("POST", 408, None, None, [408]),
        ("POST", 429, None, None, [429, 200]),
        ("POST", 429, "0.1", None, [429, 200]),
        ("POST", 429, "6", None, [429]),
        ("POST", 422, None, None, [422]),
        ("POST", 500, None, True, [500, 200]),
        ("PUT", 500, None, None, [500]),
        ("PUT", 500, None, True, [500, 200]),
        ("GET", 500, None, False, [500]),
    ],
)
def test_only_what_does_no_harm_is_repeated_at_once(
    http: Http,
    destination: Destination,
    method: str,
    status: int,
    header: str | None,
    repeatable: bool | None,
    statuses: list[int],
) -> None:
    destination.behaviour = lambda handler, number: handler.answer(200 if number else status, Retry_After=header or "")
    assert attempt(http, method, destination.url, repeatable=repeatable) == statuses
    assert len(destination.received) == len(statuses)


def test_it_is_tried_three_times_and_then_left_to_the_lane(http: Http, destination: Destination) -> None:
    destination.behaviour = lambda handler, _: handler.answer(429, Retry_After="0.1")
    with raised(RetryLater), http.attempt():
        http.request("POST", destination.url)
    assert len(destination.received) == 3


def test_no_time_is_left_for_another_try_that_would_end_too_late(http: Http, destination: Destination) -> None:
    destination.behaviour = lambda handler, _: handler.answer(429, Retry_After="4")
    with raised(RetryLater), http.attempt(3):
        http.request("POST", destination.url)
    assert len(destination.received) == 1


def test_a_write_is_repeated_when_no_connection_was_made(http: Http) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    with raised(RetryLater) as found, http.attempt() as exchanges:
        http.request("POST", url)
    assert [exchange.status for exchange in exchanges] == [None] * 3
    assert isinstance(found[0], RetryLater)
    assert found[0].untaken
    assert "the server refused the connection" in str(found[0])


def test_every_exchange_is_recorded(http: Http, destination: Destination) -> None:
    destination.behaviour = lambda handler, number: handler.answer([500, 200, 422][number], b"oh")
    with http.attempt() as exchanges:
        http.request("GET", destination.url + "?q=1")
        with raised(RecordRefused):
            http.request("POST", destination.url)
    assert exchanges == [
        Exchange("GET", destination.url, 500, exchanges[0].ms, "HTTP 500 Internal Server Error: oh", "", "oh"),
        Exchange("GET", destination.url, 200, exchanges[1].ms, "", "", "oh"),
        Exchange("POST", destination.url, 422, exchanges[2].ms, "HTTP 422 Unprocessable Entity: oh", "", "oh"),
    ]
    assert all(0 <= exchange.ms < 60_000 for exchange in exchanges)
    with http.attempt() as more:
        assert more == []


@pytest.mark.parametrize("before", [295, 1195])
def test_no_half_of_a_secret_is_left_where_an_answer_is_cut(destination: Destination, before: int) -> None:
    http = Http(timeout=5, allow_networks=LOOPBACK, mask=lambda text: text.replace("s3cret-token", "***"))
    # Of 1,200 characters of mostly spaces, 300 are left.
    body = ("x" * 20 + " " * (before - 20) if before > 300 else "x" * before) + "s3cret-token"
    destination.behaviour = lambda handler, number: handler.answer([200, 400, 503][number], body.encode())
    for _ in range(3):
        with pytest.raises(DeliveryError) as raised:
            http.json("POST", destination.url)
        assert "s3c" not in str(raised.value)
        assert "x" * 20 in str(raised.value)


def test_what_was_sent_and_answered_is_kept_without_secrets_and_cut(destination: Destination) -> None:
    http = Http(timeout=5, allow_networks=LOOPBACK, mask=lambda text: text.replace("s3cret", "***"))
    destination.behaviour = lambda handler, number: handler.answer(
        [200, 422, 500][number], b"s3cret " + b"a" * 299 + b"s3cret" * 1000
    )
    with http.attempt() as exchanges:
        http.request("POST", destination.url, json={"key": "s3cret", "text": "č"})
        with raised(RecordRefused):
            http.request("POST", destination.url, data=b"\xff s3cret")
        with raised(RetryLater):
            http.request("POST", destination.url, data="text")
    assert [exchange.sent for exchange in exchanges] == ['{"key": "***", "text": "\\u010d"}', "\ufffd ***", "text"]
    assert exchanges[0].answered == "*** " + "a" * 296
    assert len(exchanges[1].answered) == KEPT_FAILED
    assert not any("s3c" in exchange.answered for exchange in exchanges)


def test_what_was_sent_is_kept_when_no_answer_came(http: Http) -> None:
    with http.attempt() as exchanges, raised(RetryLater):
        http.request("POST", f"http://127.0.0.1:{free_port()}/", json={"a": 1})
    assert exchanges[0].sent == '{"a": 1}'
    assert exchanges[0].answered == ""


def test_an_answer_of_another_library_can_be_judged() -> None:
    answer = requests.Response()
    answer.status_code = 418
    answer._content = b'{"tea": "pot"}'
    assert str(refusal(answer)) == 'HTTP 418: {"tea": "pot"}'
