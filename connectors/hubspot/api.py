"""How HubSpot is asked, and what its answers mean.

https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import AnyHttpUrl, Field, SecretStr
from requests import Response

from connectors.kit.auth.credentials import Credentials, Header
from connectors.kit.connector import HttpConnector
from connectors.kit.http import Judge
from connectors.kit.people.settings import PeopleSettings
from connectors.kit.reply import Reply
from connectors.kit.responses import QUOTE, Verdict
from connectors.kit.transcript import single_line
from connectors.kit.wire.verdicts import WAIT, Hint, Verdicts, When
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater

OBJECTS = "/crm/objects/2026-09"

#: Seconds until a 429 ends. A day ends at midnight where the account is, and only asking tells.
#: https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
WAITS = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0, "DAILY": 3600.0}
#: What an error inside a 207 means; any other is the record's.
CATEGORIES: Mapping[str, Verdict] = {"RATE_LIMITS": RetryLater, "MISSING_SCOPES": ConnectorRefused}
#: These faults of any property, and any fault of these properties, come from the settings and not from the chat.
SETTINGS_CODES = {"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"}
SETTINGS_PROPERTIES = {"hs_pipeline", "hs_pipeline_stage", "hubspot_owner_id"}
NOT_UNIQUE = "Unable to perform update/upsert by non-unique"

#: For what was made earlier: a 404 is no wrong address, but something that a person deleted there.
KNOWN = When((404,), text="what the relay made was deleted in HubSpot")
#: The same, where the request names the contact too, who may have been merged or deleted since.
LINKED = When((404,), text=KNOWN.text, steps=("contact", "link"))

Id = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]


class HubSpotSettings(PeopleSettings):
    """Settings of `type: hubspot`."""

    account_settings: ClassVar[tuple[str, ...]] = ("base_url", "portal_id", "token")

    # 100 requests in ten seconds on the smallest plans; a second's worth may come at once.
    rate: float | None = Field(default=9, gt=0, description="Requests a second, over all workers; null: no limit.")
    token: SecretStr = Field(description="A service key, or the access token of a private app.")
    base_url: AnyHttpUrl = Field(default=AnyHttpUrl("https://api.hubapi.com"), description="Where the API is.")
    portal_id: Id | None = Field(default=None, description="The account's number, for links; without it, it is asked.")
    ticket: bool = Field(default=True, description="false: no ticket, only notes on the contact.")
    pipeline: Id = Field(default="0", description="Id of the ticket's pipeline.")
    stage: Id = Field(default="1", description="Id of the stage in it where new tickets begin.")
    owner: Id | None = Field(default=None, description="Id of the owner of new tickets and notes.")


class HubSpotApi(HttpConnector[HubSpotSettings]):
    """HubSpot's way of speaking, without what is said."""

    # 477: the account is moving to another data centre. https://developers.hubspot.com/docs/api-reference/error-handling
    verdicts: ClassVar[Verdicts | None] = Verdicts(statuses={477: WAIT}, hints=(Hint(path="policyName", waits=WAITS),))

    def judge(self, answer: Response) -> DeliveryError | None:
        said = json_of(answer)
        if answer.status_code == 207:
            # What a batch read does not find is an error of that input, and no failure.
            errors = said["errors"] if isinstance(said.get("errors"), list) else ()
            listed = (one for one in errors if isinstance(one, dict))
            wrong = [one for one in listed if one.get("category") != "OBJECT_NOT_FOUND"]
            verdicts = [CATEGORIES.get(str(one.get("category")), RecordRefused) for one in wrong]
            return verdicts[0](fault_text(wrong[0]), status=207) if wrong else None
        error = super().judge(answer)
        ours = any(code in SETTINGS_CODES or name in SETTINGS_PROPERTIES for code, name in faults(said))
        if isinstance(error, RecordRefused) and (ours or str(said.get("message")).startswith(NOT_UNIQUE)):
            return ConnectorRefused(f"{error} (try: relay connectors check {self.name})", status=error.status)
        return error

    @cached_property
    def credentials(self) -> Credentials:
        return Header(self.settings.token)

    @property
    def base(self) -> str:
        return str(self.settings.base_url).rstrip("/")

    def _call(self, method: str, path: str, **options: Any) -> Response:
        return self.http.request(method, self.base + path, **options)

    def _get(self, path: str, *also: int) -> Response:
        """The answer to a read; the statuses in `also` are answers too."""
        return self._call("GET", path, judge=self.when(When(also, then=None)))

    def change(self, path: str, properties: Mapping[str, str]) -> bool:
        body = {"properties": properties}
        answer = self._call("PATCH", f"{OBJECTS}/{path}", repeatable=True, judge=self.when(KNOWN), json=body)
        return bool(wrapped(answer)["id"].id)

    def link(self, path: str) -> bool:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/guide
        return bool(results(self._call("PUT", f"{OBJECTS}/{path}", repeatable=True, judge=self.when(LINKED))))

    def batch_read(self, kind: str, wanted: Mapping[str, Any]) -> list[Reply]:
        body = {**wanted, "propertiesWithHistory": []}
        return results(self._call("POST", f"{OBJECTS}/{kind}/batch/read", repeatable=True, json=body))

    def search(self, kind: str, any_of: Mapping[str, str], properties: Sequence[str]) -> list[Reply]:
        """Those of which one of these properties is the value. The index lags by seconds."""
        # https://developers.hubspot.com/docs/api-reference/latest/crm/search/guide
        groups = [
            {"filters": [{"propertyName": name, "operator": "EQ", "value": value}]} for name, value in any_of.items()
        ]
        more = {"properties": list(properties), "sorts": [], "after": "0", "limit": 100}
        body = {"filterGroups": groups, **more}
        return results(self._call("POST", f"{OBJECTS}/{kind}/search", repeatable=True, json=body))

    def upsert(self, kind: str, by: str, value: str, properties: Mapping[str, str], judge: Judge) -> Response:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/batch/upsert-contacts
        body = {"inputs": [{"idProperty": by, "id": value, "properties": properties}]}
        return self._call("POST", f"{OBJECTS}/{kind}/batch/upsert", repeatable=True, judge=judge, json=body)


def json_of(answer: Response) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        if isinstance(found := answer.json(), dict):
            return found
    return {}


def wrapped(answer: Response) -> Reply:
    """The JSON of an answer; to read of it what is not there raises RetryLater."""
    with suppress(ValueError, RecursionError):
        return Reply(answer.json())
    raise RetryLater("expected JSON from HubSpot, got something else", status=answer.status_code)


def results(answer: Response) -> list[Reply]:
    return list(wrapped(answer)["results"])


def first_id(answer: Response) -> str:
    return wrapped(answer)["results"][0]["id"].id


def existing(answer: Response) -> str | None:
    """The id in a 409: "Contact already exists. Existing ID: 123"."""
    found = re.search(r"Existing ID: (\d+)", str(json_of(answer).get("message"))) if answer.status_code == 409 else None
    return found[1] if found else None


def faults(said: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Code and property of each fault: from `errors`, or from the JSON that the message ends with. Never from words,
    which may quote what a visitor wrote."""
    errors = said.get("errors")
    faults = list(errors) if isinstance(errors, list) else []
    with suppress(ValueError, TypeError, RecursionError):
        faults += json.loads(str(said.get("message")).partition("Property values were not valid: ")[2])
    found = set()
    for one in filter(lambda one: isinstance(one, dict), faults):
        context = one.get("context")
        names = context.get("propertyName") if isinstance(context, dict) else None
        named = names if isinstance(names, list) and names else [one.get("name")]
        found |= {(str(one.get("code") or one.get("error")), str(name)) for name in named}
    return found


def fault_text(said: Mapping[str, Any]) -> str:
    return single_line(f"{said.get('category', '')} {said.get('message', '')}")[:QUOTE]
