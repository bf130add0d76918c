"""Lists that go on, in each of the ways that vendors have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from connectors.kit.http import Http
from connectors.kit.wire import pager
from connectors.kit.wire.pager import Pager, by_address, by_cursor, by_link, by_offset, by_page
from connectors.testing.fake import Answer, Fake, Request
from core.errors import ConnectorRefused, RetryLater

ALL = [{"id": number} for number in range(7)]


class Lists(Fake):
    """Seven entries, in pages."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("page", "offset", "cursor", "link", "address", "odata", "never"):
            self.route("GET", f"/{name}", getattr(self, f"_{name}"))
        self.route("GET", "/none", lambda request: Answer(204))
        self.route("GET", "/null", lambda request: {"data": None})
        self.route("GET", "/wrong", lambda request: {"data": "text"})
        self.route("GET", "/missing", lambda request: {"error": "maintenance"})
        self.route("GET", "/html", lambda request: Answer(200, "<html>"))
        self.route(
            "GET", "/elsewhere", lambda request: Answer(200, {"items": ALL, "next": "https://evil.example.com/"})
        )

    def _page(self, request: Request) -> Any:
        size = int(request.query["per_page"])
        start = (int(request.query["page"]) - 1) * size
        return ALL[start : start + size]

    def _offset(self, request: Request) -> Any:
        start, size = int(request.query["offset"]), int(request.query["limit"])
        return {"data": {"items": ALL[start : start + size]}}

    def _cursor(self, request: Request) -> Any:
        start, size = int(request.query.get("cursor", 0)), int(request.query["limit"])
        more = str(start + size) if start + size < len(ALL) else None
        return {"items": ALL[start : start + size], "paging": {"next": {"after": more}}}

    def _link(self, request: Request) -> Any:
        start, size = int(request.query.get("from", 0)), int(request.query.get("per_page", 3))
        links = '<https://x.example.com/>; rel="prev"'
        if start + size < len(ALL):
            links += f', <{self.url}/link?from={start + size}>; rel="next"'
        return Answer(200, ALL[start : start + size], {"Link": links})

    def _address(self, request: Request, name: str = "next") -> Any:
        start = int(request.query.get("from", 0))
        more = f"{request.path}?from={start + 3}" if start + 3 < len(ALL) else None
        return {"items": ALL[start : start + 3], name: more}

    def _odata(self, request: Request) -> Any:
        return self._address(request, "@odata.nextLink")

    def _never(self, request: Request) -> Any:
        return {"items": ALL, "next": "/never"}


@pytest.fixture
def lists() -> Iterator[Lists]:
    with Lists() as there:
        yield there


def read(lists: Lists, paged: Pager, path: str, **params: Any) -> list[Any]:
    http = Http(timeout=5, allow_networks=[ip_network("127.0.0.0/8")])
    return [one.raw for one in paged.entries(http, lists.url + path, params)]


@pytest.mark.parametrize(
    ("paged", "path", "pages"),
    [
        (by_page(per_page=3), "/page", 3),
        (by_page(per_page=7), "/page", 2),
        (by_offset("data.items", per_page=3), "/offset", 3),
        (by_cursor("paging.next.after", items="items", per_page=3), "/cursor", 3),
        (by_link(per_page=3), "/link", 3),
        (by_address("next", items="items"), "/address", 3),
        (by_address("@odata.nextLink", items="items"), "/odata", 3),
    ],
)
def test_every_entry_of_every_page_in_order(lists: Lists, paged: Pager, path: str, pages: int) -> None:
    assert read(lists, paged, path) == ALL
    assert len(lists.requests) == pages


def test_what_was_asked_for_is_asked_of_every_page(lists: Lists) -> None:
    read(lists, by_page(per_page=3), "/page", email="ann@example.com")
    assert [one.query["email"] for one in lists.requests] == ["ann@example.com"] * 3


def test_no_page_is_asked_for_before_it_is_needed(lists: Lists) -> None:
    http = Http(timeout=5, allow_networks=[ip_network("127.0.0.0/8")])
    entries = by_page(per_page=3).entries(http, f"{lists.url}/page")
    assert lists.requests == []
    assert [next(entries).raw for _ in range(3)] == ALL[:3]
    assert len(lists.requests) == 1


def test_smaller_pages_and_only_some_of_them(lists: Lists) -> None:
    assert read(lists, by_page().few(2), "/page") == ALL
    assert {one.query["per_page"] for one in lists.requests} == {"2"}
    assert read(lists, by_page().few(2, most=2), "/page") == ALL[:4]


def test_nothing_and_null_are_empty_lists(lists: Lists) -> None:
    assert read(lists, by_page(), "/none") == []
    assert read(lists, by_page("data"), "/null") == []


def test_an_error_that_means_that_there_is_nothing_is_an_empty_list(lists: Lists) -> None:
    lists.route("GET", "/nobody", lambda request: {"errors": [{"field": "email"}]})
    assert read(lists, replace(by_page(), empty="errors"), "/nobody") == []
    with pytest.raises(RetryLater):
        read(lists, by_page(), "/nobody")


@pytest.mark.parametrize("path", ["/wrong", "/html", "/missing"])
def test_what_is_no_list_is_tried_again(lists: Lists, path: str) -> None:
    with pytest.raises(RetryLater):
        read(lists, by_page("data"), path)


def test_a_list_that_goes_on_at_another_server_gets_no_credentials(lists: Lists) -> None:
    with pytest.raises(ConnectorRefused, match=r"another server, evil\.example\.com"):
        read(lists, by_address("next", items="items"), "/elsewhere")


def test_a_list_that_never_ends_is_given_up(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pager, "MOST_PAGES", 3)
    with pytest.raises(RetryLater, match="more than 3 pages"):
        read(lists, by_address("next", items="items"), "/never")
