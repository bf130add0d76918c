"""Lists that go on: by page, offset, cursor, the `Link` header, or an address in the body.

A vendor says which, once; whoever reads a list gets its entries one after the other, and no page is asked for before
its first entry is. A page is small enough for what is read of an answer, and a list that does not end is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests
from requests.utils import parse_header_links

from connectors.kit.http import Judge
from connectors.kit.reply import Reply
from core.errors import ConnectorRefused, RetryLater

#: A list of more pages than this is no list of one chat's or one account's things.
MOST_PAGES = 1_000


@dataclass(frozen=True)
class ListPage:
    """A page that was read: its answer and body, how many entries it had, its number from 1, and its full size."""

    answer: requests.Response
    body: Reply
    got: int
    number: int
    size: int


#: What asks for the page after one: `{"params": …}` to change, `{"url": …}`, or None where there is none.
Next = Callable[[ListPage], Mapping[str, Any] | None]


class Asker(Protocol):
    """connectors.kit.http.Http."""

    def request(self, method: str, url: str, **options: Any) -> requests.Response: ...


@dataclass(frozen=True)
class Pager:
    """How a vendor's lists go on. `items` is where the entries stand in the body, such as `data.items`, or "" for the
    body itself; `size` is the parameter of the page's size, `per_page` its value."""

    next: Next
    items: str = ""
    size: str = ""
    per_page: int = 0
    #: Parameters of the first page.
    first: Mapping[str, Any] = field(default_factory=dict)
    #: Pages that are read; 0: all there are.
    most: int = 0
    #: A member of a body that says why there is no list, where a success by `judge` means an empty one.
    empty: str = ""
    #: Raises RetryLater for a body that the vendor did not write.
    proof: Callable[[Reply], None] = lambda _: None

    def few(self, per_page: int, most: int = 0) -> Pager:
        """The same with smaller pages, for entries that are long, and of these only some."""
        return replace(self, per_page=per_page, most=most)

    def entries(
        self,
        http: Asker,
        url: str,
        params: Mapping[str, Any] | None = None,
        judge: Judge | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Reply]:
        """Every entry. Raises DeliveryError."""
        asked = {**(params or {}), **self.first, **({self.size: self.per_page} if self.size else {})}
        options: dict[str, Any] = {"params": asked}
        for page in range(1, (self.most or MOST_PAGES) + 1):
            answer = http.request("GET", options.pop("url", url), judge=judge, headers=headers, **options)
            if answer.status_code == 204 or not answer.content.strip():
                return
            body = Reply(_json(answer))
            self.proof(body)
            if self.empty and isinstance(body.raw, dict) and self.empty in body.raw:
                return
            found = _at(body, self.items)
            yield from found
            more = self.next(ListPage(answer, body, len(found), page, self.per_page))
            # An empty page that says there is more would be asked for again and again.
            if more is None or not len(found):
                return
            options = {"params": {**asked, **more["params"]}} if "params" in more else self._moved(url, more["url"])
        if not self.most:
            raise RetryLater(f"the list has more than {MOST_PAGES} pages")

    def _moved(self, url: str, following: str) -> dict[str, Any]:
        """An address that an answer gave: only within the vendor's own, as it is sent our credentials."""
        target = urljoin(url, following)
        if urlsplit(target)[:2] != urlsplit(url)[:2]:
            raise ConnectorRefused(f"the list continues at another server, {urlsplit(target).netloc}")
        return {"url": target}


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise RetryLater("expected a list in JSON, got something else", status=answer.status_code) from None


def _at(body: Reply, path: str) -> Reply:
    """What stands at a path; null is an empty list."""
    found = body
    for name in path.split(".") if path else ():
        inner = found[name]  # what is not there says nothing about how many there are
        if inner.raw is None:
            return Reply([])
        found = inner
    return found


def _text(reply: Reply, path: str) -> str:
    """A text or a number at a path, or ""."""
    found: Reply | None = reply
    for name in path.split("."):
        found = found.get(name) if found is not None and isinstance(found.raw, dict) else None
    return str(found.raw) if found is not None and isinstance(found.raw, str | int) else ""


def by_page(items: str = "", *, page: str = "page", size: str = "per_page", per_page: int = 100) -> Pager:
    """`?page=2&per_page=100`; a page that is not full is the last."""
    return Pager(
        lambda read: {"params": {page: read.number + 1}} if read.got >= read.size else None,
        items,
        size,
        per_page,
        {page: 1},
    )


def by_offset(items: str = "", *, offset: str = "offset", size: str = "limit", per_page: int = 100) -> Pager:
    """`?offset=100&limit=100`; a page that is not full is the last."""
    return Pager(
        lambda read: {"params": {offset: read.number * read.size}} if read.got >= read.size else None,
        items,
        size,
        per_page,
        {offset: 0},
    )


def by_cursor(at: str, *, items: str = "", cursor: str = "cursor", size: str = "limit", per_page: int = 100) -> Pager:
    """What stands `at` a path of the body is the next page's `cursor`; nothing or null ends the list."""

    def following(read: ListPage) -> Mapping[str, Any] | None:
        found = _text(read.body, at)
        return {"params": {cursor: found}} if found else None

    return Pager(following, items, size, per_page)


def by_link(items: str = "", *, size: str = "per_page", per_page: int = 100) -> Pager:
    """The `Link` header with `rel="next"` (RFC 8288)."""

    def following(read: ListPage) -> Mapping[str, Any] | None:
        links = parse_header_links(read.answer.headers.get("Link", ""))
        return next(({"url": one["url"]} for one in links if one.get("rel") == "next" and one.get("url")), None)

    return Pager(following, items, size, per_page)


def by_address(at: str, *, items: str = "", size: str = "", per_page: int = 0) -> Pager:
    """What stands `at` a path of the body is the next page's address, such as `@odata.nextLink`: a name with dots in it
    is looked for first."""

    def following(read: ListPage) -> Mapping[str, Any] | None:
        whole = read.body.get(at) if isinstance(read.body.raw, dict) else None
        found = whole.text if whole is not None and isinstance(whole.raw, str) else _text(read.body, at)
        return {"url": found} if found else None

    return Pager(following, items, size, per_page)
