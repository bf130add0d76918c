"""How Pipedrive is asked, and what its answers mean.

https://pipedrive.readme.io/docs/core-api-concepts-responses
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from datetime import timedelta
from itertools import takewhile
from typing import Any, ClassVar, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator
from requests import Response

from connectors.kit.connector import HttpConnector, Receipt
from connectors.kit.record import RecordSettings
from connectors.kit.reply import Reply
from connectors.kit.responses import Verdict
from core.errors import ConnectorRefused, DeliveryError, Gone, RecordRefused, RetryLater

#: How many of the newest persons are looked through before one is created: those that the search may not know yet.
NEWEST = 100
#: Clocks differ: what was made for a chat was not made earlier than this before it came to us.
SKEW = timedelta(hours=1)
#: Seconds to wait when the day's tokens are used up. They come back at a midnight that we are not told.
OUT_OF_TOKENS = 3600.0
#: Seconds to wait when the guard in front of the API turns us away, as it does after too many 429s.
BLOCKED = 900.0


class PipedriveSettings(RecordSettings):
    """Settings of `type: pipedrive`."""

    # Ten searches in two seconds; at most every other request of a delivery is one. A second's worth may come at once.
    rate: float | None = Field(default=6, gt=0, description="Requests a second, over all workers; null: no limit.")
    company: str = Field(
        default="", pattern=r"^[a-z0-9-]*$", description="The company's domain: acme for acme.pipedrive.com."
    )
    base_url: AnyHttpUrl | None = Field(default=None, description="The whole address, instead of `company`.")
    api_token: SecretStr = Field(description="From Personal preferences > API.")
    record: Literal["note", "lead", "deal"] = Field(
        default="note", description="A note on the person, or a new lead or deal with the note on it."
    )
    pipeline_id: int | None = Field(default=None, gt=0, description="Of a deal. Without it, Pipedrive's first.")
    stage_id: int | None = Field(default=None, gt=0, description="Of a deal. Without it, the pipeline's first.")
    owner_id: int | None = Field(
        default=None, gt=0, description="The user who owns new persons, leads and deals. Without it, the token's."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if bool(self.company) == bool(self.base_url):
            raise ValueError("write either company or base_url")
        if self.record != "deal" and (self.pipeline_id or self.stage_id):
            raise ValueError("pipeline_id and stage_id need record: deal")
        if self.record == "note" and self.fields:
            raise ValueError("fields need record: lead or record: deal; a note has none")
        for key in self.fields:
            if not re.fullmatch("[0-9a-f]{40}", key):
                raise ValueError(f"fields: '{key}' is not the API key of a custom field: 40 characters, 0-9 and a-f")
        return self

    @property
    def base(self) -> str:
        return str(self.base_url).rstrip("/") if self.base_url else f"https://{self.company}.pipedrive.com"


class PipedriveApi(HttpConnector[PipedriveSettings]):
    """The part of the connector that knows nothing of chats."""

    label = "Pipedrive"
    # 415 is a feature that is not switched on, 501 one that is not there, 403 also a limit of the plan: all of them for
    # every record. https://pipedrive.readme.io/docs/core-api-concepts-http-status-codes
    statuses: ClassVar[Map[int, Verdict]] = {415: ConnectorRefused, 501: ConnectorRefused}

    @property
    def headers(self) -> dict[str, str]:
        return {"x-api-token": self.settings.api_token.get_secret_value()}

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        """The answer: `{success, data, additional_data}`. https://pipedrive.readme.io/docs/core-api-concepts-responses"""
        answer = self.http.reply(method, self.settings.base + path, headers=self.headers, **options)
        if answer["success"].raw is not True:
            raise answer["success"].expected("true")
        _ = answer["data"]
        return answer

    def made(self, method: str, path: str, body: Any, **options: Any) -> Any:
        """The id of what was created or changed."""
        made = self.ask(method, path, json=body, **options)["data"]["id"]
        _ = made.id
        return made.raw

    def written(self, method: str, path: str, body: Any) -> Any:
        """The id of what was made before and is changed now, which does no harm twice."""
        return self.made(method, path, body, repeatable=True, judge=self.judge_remembered)

    def pages(self, path: str, asked: Map[str, Any]) -> Iterator[Reply]:
        """Every entry of a list. v1 counts entries, v2 gives cursors; both say null for none."""
        more: Map[str, Any] | None = {}
        while more is not None:
            answer = self.ask("GET", path, params={**asked, **more})
            data = answer.get("data")
            yield from data if data is not None else ()
            more = _next(answer.get("additional_data"))

    def newest(self, kind: str, **asked: Any) -> Iterator[Reply]:
        """Persons or deals, the newest first. https://developers.pipedrive.com/docs/api/v1/Persons#getPersons"""
        order = {"sort_by": "add_time", "sort_direction": "desc", "limit": NEWEST}
        return self.pages(f"/api/v2/{kind}", {**asked, **order})

    def since(self, receipt: Receipt, kind: str, **asked: Any) -> Iterator[Reply]:
        """Those that were created after the chat began."""
        start = (receipt.since - SKEW).strftime("%Y-%m-%dT%H:%M:%SZ")
        return takewhile(lambda one: one["add_time"].text >= start, self.newest(kind, **asked))

    # --- what an answer means ------------------------------------------------------

    def judge(self, answer: Response) -> DeliveryError | None:
        error = super().judge(answer)
        # https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting
        if answer.status_code == 403 and "json" not in answer.headers.get("Content-Type", ""):
            return RetryLater(str(error), status=403, retry_after=BLOCKED)
        if answer.status_code == 429 and isinstance(error, RetryLater):
            reset = answer.headers.get("x-ratelimit-reset", "")
            if answer.headers.get("x-daily-ratelimit-token-remaining") == "0":
                error.retry_after = OUT_OF_TOKENS  # Retry-After speaks of the burst alone
            elif error.retry_after is None and reset.isascii() and reset.isdecimal():
                error.retry_after = float(reset)
        return error

    def judge_remembered(self, answer: Response) -> DeliveryError | None:
        """For what names something that was there before."""
        if answer.status_code == 404:
            return RecordRefused(f"it was deleted in Pipedrive: {self.judge(answer)}", status=404)
        return self.judge(answer)

    def judge_of_person(self, answer: Response) -> DeliveryError | None:
        """For what brings the person's address, or names somebody who may have been merged or deleted since."""
        error = self.judge(answer)
        if answer.status_code not in (400, 404, 422) or not isinstance(error, RecordRefused | ConnectorRefused):
            return error
        said = answer.content.lower()
        named = any(word in said for word in (b"person", b"email"))
        if not named or b"unknown method" in said:
            return error
        return Gone(str(error), "person", status=answer.status_code)

    def or_none(self, answer: Response) -> DeliveryError | None:
        return None if answer.status_code == 404 else self.judge(answer)


def ids_of(by: str, term: str, persons: Iterable[Reply]) -> Iterator[int]:
    """Ids of the persons with this email or name. The search gives emails as texts, lists as objects."""
    for person in persons:
        said = person.get("emails") if by == "email" else None
        texts = [
            one.text if isinstance(one.raw, str) else one["value"].text for one in (said if said is not None else ())
        ]
        if by == "name":
            texts = [person["name"].text]
        if term.casefold() in {text.casefold() for text in texts}:
            yield person["id"].number


def _next(more: Reply | None) -> Map[str, Any] | None:
    """What asks for the next page. https://pipedrive.readme.io/docs/core-api-concepts-pagination"""
    if more is None:
        return None
    if (cursor := more.get("next_cursor")) is not None:
        return {"cursor": cursor.text}
    page = more.get("pagination")
    if page is None or page["more_items_in_collection"].raw is not True:
        return None
    # An empty page that says there is more would be asked for again and again.
    return {"start": page["start"].number + max(1, page["limit"].number)}
