"""Successes of every shape but the right one, for every request of every connector: each is temporary.

A maintenance page in JSON, a gateway that answers for the vendor, a list where an object was: the chat must neither die
of it nor stop the others, and the error says what was expected.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from requests import Response

from connectors.kit import http
from connectors.kit.connector import HttpConnector
from connectors.testing.chats import SAMPLE, chat
from connectors.testing.contract import Contract
from connectors.testing.fake import Answer
from core.errors import RetryLater
from tests.connectors.test_freshdesk import TestFreshdesk as Freshdesk
from tests.connectors.test_hubspot import TestHubSpot as HubSpot
from tests.connectors.test_hubspot import TestHubSpotWithoutTickets as HubSpotNotes
from tests.connectors.test_odoo import TestOdoo as Odoo
from tests.connectors.test_odoo import TestOdooJsonRpc as OdooJsonRpc
from tests.connectors.test_pipedrive import TestPipedrive as Pipedrive
from tests.connectors.test_pipedrive import TestPipedriveDeal as PipedriveDeal
from tests.connectors.test_pipedrive import TestPipedriveLead as PipedriveLead
from tests.connectors.test_request_tracker import TestRequestTracker as RequestTracker
from tests.connectors.test_zendesk import TestZendesk as Zendesk

ALL: list[type[Contract]] = [Freshdesk, HubSpot, HubSpotNotes, Odoo, OdooJsonRpc]
ALL += [Pipedrive, PipedriveLead, PipedriveDeal, RequestTracker, Zendesk]
SUITES = {one.__name__: one for one in ALL}

#: What may come instead of the answer.
FOREIGN: list[Any] = [
    *(None, True, False, 0, 7, "", "maintenance", [], [None], [[]], [{}], [0], {}),
    {"message": "Service temporarily unavailable"},
    {"success": False, "error": "maintenance"},
    {"success": True, "data": []},
    {"success": True, "data": None},
    {"success": True, "data": {"items": None}},
    {"success": True, "data": {"items": [None]}},
    {"success": True, "data": [{"id": None}]},
    {"results": None},
    {"results": [None]},
    {"results": [{}]},
    {"results": [{"id": None}]},
    {"users": None, "user": None, "ticket": None, "tickets": None, "comments": None, "items": None},
    {"users": [None], "user": [], "ticket": {}, "tickets": [None], "comments": [None], "items": [None]},
    {"users": [{}], "user": {"id": "x"}, "ticket": {"id": None}, "tickets": [{}], "comments": [{}], "items": [{}]},
    {"jsonrpc": "2.0", "id": 1},
    {"jsonrpc": "2.0", "id": 1, "result": None},
    {"jsonrpc": "2.0", "id": 1, "result": {}},
    {"jsonrpc": "2.0", "id": 1, "result": [None]},
    {"jsonrpc": "2.0", "id": 1, "result": "maintenance"},
    {"jsonrpc": "2.0", "id": 1, "error": None},
    {"errors": [None], "error": [], "data": 1},
    {"id": None},
    {"id": True},
    {"id": {}},
]


def mangled(value: Any) -> list[Any]:
    """The right answer with one of its members gone, null or of another kind."""
    found: list[Any] = []
    if isinstance(value, dict):
        for key, inside in value.items():
            odd: tuple[Any, ...] = (None, {}, [], "x", True)
            others = [one for one in odd if type(one) is not type(inside)]
            found += [{**value, key: other} for other in others]
            found.append({name: one for name, one in value.items() if name != key})
            found += [{**value, key: other} for other in mangled(inside)]
    elif isinstance(value, list) and value:
        found += [[None, *value[1:]], [7, *value[1:]], [{}, *value[1:]]]
        found += [[other, *value[1:]] for other in mangled(value[0])]
    return found


class Enough(BaseException):
    """The connector took the answer for a right one and went on."""


def work(suite: Contract, connector: HttpConnector[Any]) -> None:
    """Deliver, look for all that was written as after a lost reply, deliver a revision, and check."""
    memory: dict[str, Any] = {}
    suite.deliver(connector, SAMPLE, memory)
    begun: dict[str, Any] = {name: True for name in memory if name.endswith("?")}
    kept: dict[str, Any] = {name: memory[name] for name in ("place", "agent") if name in memory}
    suite.deliver(connector, SAMPLE, {**kept, **begun})
    suite.deliver(connector, chat("what was said after"), memory, 2)
    list(connector.check())


def said(status: int, body: Any) -> Response:
    answer = Response()
    answer.status_code = status
    answer._content = json.dumps(body).encode() if body is not None else b""
    return answer


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_backoff", lambda state: 0.0)
    monkeypatch.setattr(http, "SHORT_TRIES", 1)


@pytest.mark.parametrize("name", sorted(SUITES))
def test_a_success_of_an_unexpected_shape_is_tried_again(name: str) -> None:
    suite = SUITES[name]()
    with suite.fake() as vendor:
        right: list[Answer] = []
        act = vendor._act

        def noted(request: Any) -> Answer:
            right.append(answer := act(request))
            return answer

        vendor._act = noted  # type: ignore[method-assign]
        connector = suite.connector(vendor)
        work(suite, connector)
    pairs, wrong = 0, []
    for number, answer in enumerate(right):
        for body in [*FOREIGN, *mangled(answer.body)] if answer.status // 100 == 2 else []:
            script = iter([*(said(one.status, one.body) for one in right[:number]), said(200, body)])

            def replayed(*_: Any, script: Iterator[Response] = script) -> Response:
                if (one := next(script, None)) is None:
                    raise Enough
                return one

            connector.http._open = replayed  # type: ignore[method-assign, assignment]
            pairs += 1
            try:
                work(suite, connector)
            except RetryLater as error:
                if "expected" not in str(error):
                    wrong.append(f"{number} {str(body)[:80]}: {error}")
            except Enough:
                pass
            except Exception as error:  # noqa: BLE001  # that is what is looked for
                wrong.append(f"{number} {str(body)[:80]}: {type(error).__name__}: {str(error)[:120]}")
    assert wrong == []
    assert pairs > 150
