"""What answers mean and when to come back, said by tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from requests import Response

from connectors.kit.wire.verdicts import PAUSE, REFUSE, WAIT, Hint, Verdicts, When, at, judged
from core.errors import ConnectorRefused, Gone, Intercepted, RecordRefused, RetryLater

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def answer(status: int, body: Any = None, **headers: str) -> Response:
    made = Response()
    made.status_code = status
    made._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("error", ["no"]),
        ("data[].code", ["A", "B"]),
        ("details{}", ["email", "name"]),
        ("details.*[].error", ["Taken", "Short"]),
        ("nothing.at[].all", []),
        ("error.deeper", []),
        ("[].code", []),
    ],
)
def test_a_path_finds_codes_wherever_a_vendor_puts_them(path: str, found: list[str]) -> None:
    body = {
        "error": "no",
        "data": [{"code": "A"}, {"other": 1}, {"code": "B"}, "text"],
        "details": {"email": [{"error": "Taken"}], "name": [{"error": "Short"}]},
    }
    assert list(at(body, path)) == found
    assert list(at([{"code": 1}], "[].code")) == [1]


ZOHO = Verdicts(in_success={"data[].code": {"TOO_MANY": WAIT, "INVALID_DATA": REFUSE, "NO_PERMISSION": PAUSE}})
SLACK = Verdicts(
    in_success={"error": {"ratelimited": WAIT, "invalid_auth": PAUSE}}, fails=("ok", frozenset({False})), else_=REFUSE
)
SALESFORCE = Verdicts(codes={"[].errorCode": {"REQUEST_LIMIT_EXCEEDED": WAIT, "INVALID_FIELD": PAUSE}})


@pytest.mark.parametrize(
    ("table", "status", "body", "error"),
    [
        (ZOHO, 200, {"data": [{"code": "SUCCESS"}]}, None),
        (ZOHO, 200, {"data": [{"code": "SUCCESS"}, {"code": "TOO_MANY"}]}, RetryLater),
        (ZOHO, 202, {"data": [{"code": "INVALID_DATA"}]}, RecordRefused),
        (ZOHO, 200, {"data": [{"code": "NO_PERMISSION"}]}, ConnectorRefused),
        (SLACK, 200, {"ok": True}, None),
        (SLACK, 200, {"ok": False, "error": "ratelimited"}, RetryLater),
        (SLACK, 200, {"ok": False, "error": "invalid_auth"}, ConnectorRefused),
        (SLACK, 200, {"ok": False, "error": "msg_too_long"}, RecordRefused),
        (SALESFORCE, 403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}], RetryLater),
        (SALESFORCE, 400, [{"errorCode": "INVALID_FIELD"}], ConnectorRefused),
        (SALESFORCE, 400, [{"errorCode": "STRING_TOO_LONG", "message": "INVALID_FIELD"}], RecordRefused),
        (SALESFORCE, 403, [{"errorCode": "OTHER"}], ConnectorRefused),
        (SALESFORCE, 500, b"<html>", RetryLater),
        (Verdicts(statuses={409: WAIT}), 409, {}, RetryLater),
        (Verdicts(codes={"error": {"x": WAIT}}, only=frozenset({400})), 422, {"error": "x"}, RecordRefused),
        (Verdicts(fails=("error", frozenset())), 200, {"error": {"code": 1}}, RecordRefused),
        (Verdicts(fails=("error", frozenset())), 200, {"result": 1}, None),
    ],
)
def test_an_answer_means_what_the_tables_say(table: Verdicts, status: int, body: Any, error: Any) -> None:
    found = table.judge(answer(status, body))
    assert (type(found) if found is not None else None) is error


@pytest.mark.parametrize(
    ("hint", "headers", "body", "seconds"),
    [
        (Hint(header="ratelimit-reset"), {"ratelimit_reset": "41"}, None, 41),
        (Hint(header="x", unit="milliseconds"), {"x": "1500"}, None, 1.5),
        (Hint(header="x", unit="epoch"), {"x": str(int(NOW.timestamp()) + 90)}, None, 90),
        (Hint(header="x", unit="epoch-ms"), {"x": str(int(NOW.timestamp() * 1000) + 90_000)}, None, 90),
        (Hint(header="x", unit="epoch"), {"x": "1"}, None, 0),
        (Hint(header="x", unit="date"), {"x": "Sat, 28 Nov 2026 12:02:00 GMT"}, None, 120),
        (Hint(header="x", unit="date"), {"x": "2026-11-28T13:01:00+01:00"}, None, 60),
        (Hint(path="time.operating_reset_at", unit="epoch"), {}, {"time": {"operating_reset_at": 1_795_867_205}}, 5),
        (Hint(path="policyName", waits={"DAILY": 3600.0}), {}, {"policyName": "DAILY"}, 3600),
        (Hint(path="policyName", waits={"DAILY": 3600.0}), {}, {"policyName": "OTHER"}, None),
        (Hint(always=900), {}, None, 900),
        (Hint(always=900, on=(403,)), {}, None, None),
        (Hint(header="x"), {}, None, None),
        (Hint(header="x"), {"x": "soon"}, None, None),
        (Hint(header="x"), {"x": "nan"}, None, None),
        (Hint(header="x", unit="date"), {"x": "soon"}, None, None),
        (Hint(path="a"), {}, {"a": {"b": 1}}, None),
        (Hint(header="x"), {"x": "1e12"}, None, 7 * 86_400),
        (Hint(header="x"), {"x": "9", "Retry_After": "3"}, None, 3),
        (Hint(header="x", first=True), {"x": "9", "Retry_After": "3"}, None, 9),
    ],
)
def test_a_hint_is_read_as_the_vendor_writes_it(
    hint: Hint, headers: dict[str, str], body: Any, seconds: float | None
) -> None:
    error = Verdicts(hints=(hint,)).judge(answer(429, body, **headers), now=lambda: NOW)
    assert isinstance(error, RetryLater)
    assert error.untaken
    assert error.retry_after == (pytest.approx(seconds) if seconds is not None else None)


def test_a_code_may_say_that_an_answer_is_to_be_waited_for_whatever_its_status() -> None:
    busy = Hint(path="retry_in", codes={"error.code": frozenset({"BUSY"})})
    judge = Verdicts(hints=(busy, Hint(always=5, on=(429,)))).judge
    for status in (200, 400, 403):
        error = judge(answer(status, {"error": {"code": "BUSY"}, "retry_in": 30}))
        assert isinstance(error, RetryLater)
        assert (error.status, error.retry_after) == (status, 30)
    assert type(judge(answer(400, {"error": {"code": "WRONG"}, "retry_in": 30}))) is RecordRefused
    assert judge(answer(200, {"error": {"code": "WRONG"}, "retry_in": 30})) is None
    slow = judge(answer(429, {"retry_in": 30}))
    assert isinstance(slow, RetryLater)
    assert slow.retry_after == 5


def test_what_a_case_says_of_an_answer() -> None:
    judge = Verdicts().judge
    taken = When((409,), then=None, every={"errors[].code": {"duplicate"}})
    cases = (taken, When((404,), text="it was deleted"), When((400,), steps=("person",), codes={"field": {"email"}}))
    assert judged(answer(409, {"errors": [{"code": "duplicate"}]}), judge, cases) is None
    both = {"errors": [{"code": "duplicate"}, {"code": "other"}]}
    assert type(judged(answer(409, both), judge, cases)) is RecordRefused
    gone = judged(answer(404, {"message": "not found"}), judge, cases)
    assert type(gone) is RecordRefused
    assert str(gone).startswith("it was deleted: HTTP 404")
    refused = judged(answer(400, {"field": "email"}), judge, cases)
    assert isinstance(refused, Gone)
    assert refused.steps == ("person",)
    assert type(judged(answer(400, {"field": "name"}), judge, cases)) is RecordRefused
    assert judged(answer(200, {}), judge, cases) is None


def test_a_case_that_waits_keeps_what_the_vendor_says_of_when() -> None:
    cases = (When((429,), then=WAIT, text="busy"), When((409,), then=WAIT))
    slow = judged(answer(429, {}, Retry_After="42"), Verdicts().judge, cases)
    assert isinstance(slow, RetryLater)
    assert slow.retry_after == 42
    taken = judged(answer(409, {}), Verdicts().judge, cases)
    assert isinstance(taken, RetryLater)
    assert taken.retry_after is None


def test_a_page_of_a_firewall_says_nothing_of_a_record() -> None:
    found = judged(answer(404, b"<html>no</html>"), Verdicts().judge, (When((404,), text="it was deleted"),))
    assert type(found) is Intercepted


def test_a_case_may_ask_for_words_and_for_a_verdict() -> None:
    case = When((400, 404), steps=("person",), said=(b"person",), unless=(b"unknown method",), refused=True)
    judge = Verdicts().judge
    assert isinstance(judged(answer(400, {"error": "Person not found"}), judge, (case,)), Gone)
    assert not isinstance(judged(answer(400, {"error": "unknown method person"}), judge, (case,)), Gone)
    assert not isinstance(judged(answer(400, {"error": "deal not found"}), judge, (case,)), Gone)
    assert type(judged(answer(404, {"error": "person"}), judge, (case,))) is ConnectorRefused
