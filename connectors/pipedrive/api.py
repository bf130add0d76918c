"""How Pipedrive is asked, and what its answers mean.

https://pipedrive.readme.io/docs/core-api-concepts-responses
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Map
from datetime import timedelta
from functools import cached_property
from itertools import takewhile
from typing import Any, ClassVar

from connectors.kit.auth.credentials import Credentials, Header
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import HttpConnector, Receipt
from connectors.kit.reply import Reply
from connectors.kit.wire.pager import ListPage, Pager
from connectors.kit.wire.verdicts import PAUSE, Hint, Verdicts, When, body_of
from connectors.kit.work.owner import OWNER
from connectors.pipedrive.settings import PipedriveSettings

#: How many of the newest persons are looked through before one is created: those that the search may not know yet.
NEWEST = 100
#: Clocks differ: what was made for a chat was not made earlier than this before it came to us.
SKEW = timedelta(hours=1)
#: Seconds to wait when the day's tokens are used up. They come back at a midnight that we are not told.
OUT_OF_TOKENS = 3600.0
#: Seconds to wait when the guard in front of the API turns us away, as it does after too many 429s.
BLOCKED = 900.0


#: A wrong path, which says nothing of what was made.
UNKNOWN = (b"unknown method",)
#: What names something that was there before.
REMEMBERED = When((404,), text="it was deleted in Pipedrive")
NONE = When((404,), then=None, unless=UNKNOWN)
#: What brings the person's address, or names somebody who may have been merged or deleted since; but not a wrong path.
OF_PERSON = When((400, 404, 422), steps=("person",), said=(b"person", b"email"), unless=UNKNOWN)
#: An owner whom Pipedrive does not take is refused alone.
OF_OWNER = When((400, 403, 404, 422), steps=(OWNER,), said=(b"owner",), unless=UNKNOWN)


class PipedriveApi(HttpConnector[PipedriveSettings]):
    """The part of the connector that knows nothing of chats."""

    label = "Pipedrive"
    makes = "a person with a note, and a lead or a deal if you want one"
    capabilities = Capabilities(
        person="a person, by email, phone or customer id, else created; blank fields filled",
        revision="the notes are written over",
        idempotent="looked for in lists, by key or mark",
        files="on the record, one by one",
    )
    # 415 is a feature that is not switched on, 501 one that is not there, 403 also a limit of the plan: all of them for
    # every record. https://pipedrive.readme.io/docs/core-api-concepts-http-status-codes
    verdicts: ClassVar[Verdicts | None] = Verdicts(
        statuses={415: PAUSE, 501: PAUSE},
        guards=(403,),
        hints=(
            Hint(header="x-daily-ratelimit-token-remaining", waits={"0": OUT_OF_TOKENS}, on=(429,), first=True),
            Hint(header="x-ratelimit-reset", on=(429,)),
            Hint(always=BLOCKED, on=(403,), first=True),
        ),
    )

    @property
    def base(self) -> str:
        return self.settings.base

    @cached_property
    def credentials(self) -> Credentials:
        return Header(self.settings.api_token, "x-api-token", "")

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        """The answer: `{success, data, additional_data}`. https://pipedrive.readme.io/docs/core-api-concepts-responses"""
        answer = super().ask(method, path, **options)
        _succeeded(answer)
        _ = answer["data"]
        return answer

    def there(self, path: str, **options: Any) -> Reply | None:
        """What stands at a path, or None where there is nothing."""
        answer = self.http.request("GET", self.base + path, judge=self.when(NONE), **options)
        if answer.status_code == 404:
            return None
        body = Reply(body_of(answer))
        _succeeded(body)
        return body["data"]

    def given(self, path: str, body: Map[str, Any], owner: int | None) -> Any:
        """The id of what was created for an owner, or for the token's user."""
        mine, cases = ({"owner_id": owner}, (OF_OWNER, OF_PERSON)) if owner else ({}, (OF_PERSON,))
        return self.made("POST", path, {**body, **mine}, judge=self.when(*cases))

    def made(self, method: str, path: str, body: Any, **options: Any) -> Any:
        """The id of what was created or changed."""
        made = self.ask(method, path, json=body, **options)["data"]["id"]
        _ = made.id
        return made.raw

    def written(self, method: str, path: str, body: Any) -> Any:
        """The id of what was made before and is changed now, which does no harm twice."""
        return self.made(method, path, body, repeatable=True, judge=self.when(REMEMBERED))

    def pages(self, path: str, asked: Map[str, Any]) -> Iterator[Reply]:
        """Every entry of a list."""
        return self.entries(_PAGES, path, **asked)

    def newly_added(self, kind: str, **asked: Any) -> Iterator[Reply]:
        """Persons, deals or activities, the newest first. https://developers.pipedrive.com/docs/api/v1/Persons#getPersons"""
        order = {"sort_by": "add_time", "sort_direction": "desc", "limit": NEWEST}
        return self.pages(f"/api/v2/{kind}", {**asked, **order})

    def since(self, receipt: Receipt, kind: str, **asked: Any) -> Iterator[Reply]:
        """Those that were created after the chat began."""
        start = (receipt.since - SKEW).strftime("%Y-%m-%dT%H:%M:%SZ")
        return takewhile(lambda one: one["add_time"].text >= start, self.newly_added(kind, **asked))


def _succeeded(answer: Reply) -> None:
    """Raises RetryLater for what Pipedrive did not answer."""
    if answer["success"].raw is not True:
        raise answer["success"].expected("true")


def _next(read: ListPage) -> Map[str, Any] | None:
    """What asks for the next page: v1 counts entries, v2 gives cursors.
    https://pipedrive.readme.io/docs/core-api-concepts-pagination"""
    more = read.body.get("additional_data")
    cursor = more.get("next_cursor") if more is not None else None
    if cursor is not None:
        return {"params": {"cursor": cursor.text}}
    page = more.get("pagination") if more is not None else None
    if page is None or page["more_items_in_collection"].raw is not True:
        return None
    return {"params": {"start": page["start"].number + page["limit"].number}}


_PAGES = Pager(_next, items="data", proof=_succeeded)
