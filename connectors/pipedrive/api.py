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

from connectors.answers import Verdict
from connectors.base import HttpConnector, Receipt
from connectors.mapping import RecordSettings
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater

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
    rate: float | None = Field(default=6, gt=0, description="Requests a second, over all workers; null: any.")
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

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The answer: `{success, data, additional_data}`. https://pipedrive.readme.io/docs/core-api-concepts-responses"""
        answer = self.http.json(method, self.settings.base + path, headers=self.headers, **options)
        if not isinstance(answer, dict) or not answer.get("success") or "data" not in answer:
            raise RetryLater("the answer is none of Pipedrive's, or says success: false")
        return answer

    def made(self, method: str, path: str, body: Any, **options: Any) -> Any:
        """The id of what was created or changed."""
        data = self.ask(method, path, json=body, **options)["data"]
        if not isinstance(data, dict) or "id" not in data:
            raise RetryLater("the answer to a write has no id")
        return data["id"]

    def written(self, method: str, path: str, body: Any) -> Any:
        """The id of what was made before and is changed now, which does no harm twice."""
        return self.made(method, path, body, repeatable=True, judge=self.judge_remembered)

    def pages(self, path: str, asked: Map[str, Any]) -> Iterator[Any]:
        """Every entry of a list. v1 counts entries, v2 gives cursors; both say null for none."""
        more: Map[str, Any] | None = {}
        while more is not None:
            answer = self.ask("GET", path, params={**asked, **more})
            yield from answer["data"] or ()
            more = _next(answer.get("additional_data") or {})

    def newest(self, kind: str, **asked: Any) -> Iterator[Any]:
        """Persons or deals, the newest first. https://developers.pipedrive.com/docs/api/v1/Persons#getPersons"""
        order = {"sort_by": "add_time", "sort_direction": "desc", "limit": NEWEST}
        return self.pages(f"/api/v2/{kind}", {**asked, **order})

    def since(self, receipt: Receipt, kind: str, **asked: Any) -> Iterator[Any]:
        """Those that were created after the chat came to us."""
        came = min(revision.received_at for revision in receipt.history()) - SKEW
        start = came.strftime("%Y-%m-%dT%H:%M:%SZ")
        return takewhile(lambda one: one["add_time"] >= start, self.newest(kind, **asked))

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

    def or_none(self, answer: Response) -> DeliveryError | None:
        return None if answer.status_code == 404 else self.judge(answer)


def ids_of(by: str, term: str, persons: Iterable[Any]) -> Iterator[int]:
    """Ids of the persons with this e-mail or name. The search gives e-mails as texts, lists as objects."""
    for person in persons:
        emails = (one if isinstance(one, str) else one["value"] for one in person.get("emails") or ())
        if term.casefold() in {text.casefold() for text in ((person["name"],) if by == "name" else emails)}:
            yield person["id"]


def _next(more: Map[str, Any]) -> Map[str, Any] | None:
    """What asks for the next page. https://pipedrive.readme.io/docs/core-api-concepts-pagination"""
    if more.get("next_cursor"):
        return {"cursor": more["next_cursor"]}
    page = more.get("pagination") or {}
    return {"start": page["start"] + page["limit"]} if page.get("more_items_in_collection") else None
