"""How HubSpot is asked, and what its answers mean.

https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, ClassVar

from requests import Response

from connectors.hubspot.settings import HubSpotSettings
from connectors.kit.auth.credentials import Credentials, Header
from connectors.kit.connector import HttpConnector
from connectors.kit.http import Judge
from connectors.kit.reply import Reply
from connectors.kit.responses import QUOTE, Verdict
from connectors.kit.text.parts import marked
from connectors.kit.transcript import single_line
from connectors.kit.wire.verdicts import WAIT, Hint, Verdicts, When
from connectors.kit.work.owner import OWNER
from core.errors import ConnectorRefused, DeliveryError, Gone, RecordRefused, RetryLater

OBJECTS = "/crm/objects/2026-09"

#: Seconds until a 429 ends. A day ends at midnight where the account is, and only asking tells.
#: https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
WAITS = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0, "DAILY": 3600.0}
#: What an error inside a 207 means; any other is the record's.
CATEGORIES: Mapping[str, Verdict] = {"RATE_LIMITS": RetryLater, "MISSING_SCOPES": ConnectorRefused}
#: These faults of any property, and any fault of these properties, come from the settings and not from the chat.
SETTINGS_CODES = {"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"}
#: Whose a record is, whatever it is.
OWNED = "hubspot_owner_id"
SETTINGS_PROPERTIES = {"hs_pipeline", "hs_pipeline_stage", OWNED}
NOT_UNIQUE = "Unable to perform update/upsert by non-unique"

#: For what was made earlier: a 404 is no wrong address, but something that a person deleted there.
KNOWN = When((404,), text="what the relay made was deleted in HubSpot")
#: The same, where the request names the contact too, who may have been merged or deleted since.
LINKED = When((404,), text=KNOWN.text, steps=("contact", "link"))
#: HubSpot's own association types from an activity to what it hangs on.
#: https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/guide
HANGS_ON: Mapping[str, Mapping[str, int]] = {
    "notes": {"tickets": 228, "contacts": 202},
    "tasks": {"tickets": 230, "contacts": 204},
}
#: Activities that are read at once: so many of the longest notes stay within what is read of an answer.
_FEW = 20
#: Inputs that a batch may have.
BATCH_INPUTS = 100


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

    def call(self, method: str, path: str, **options: Any) -> Response:
        return self.http.request(method, self.base + path, **options)

    def _get(self, path: str, *also: int) -> Response:
        """The answer to a read; the statuses in `also` are answers too."""
        return self.call("GET", path, judge=self.when(When(also, then=None)))

    def change(self, path: str, properties: Mapping[str, str]) -> bool:
        body = {"properties": properties}
        answer = self.call("PATCH", f"{OBJECTS}/{path}", repeatable=True, judge=self.when(KNOWN), json=body)
        return bool(wrapped(answer)["id"].id)

    def link(self, path: str) -> bool:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/guide
        return bool(results(self.call("PUT", f"{OBJECTS}/{path}", repeatable=True, judge=self.when(LINKED))))

    def batch_read(self, kind: str, wanted: Mapping[str, Any]) -> list[Reply]:
        body = {**wanted, "propertiesWithHistory": []}
        return results(self.call("POST", f"{OBJECTS}/{kind}/batch/read", repeatable=True, json=body))

    def search(self, kind: str, any_of: Mapping[str, str], properties: Sequence[str]) -> list[Reply]:
        """Those of which one of these properties is the value. The index lags by seconds."""
        # https://developers.hubspot.com/docs/api-reference/latest/crm/search/guide
        groups = [
            {"filters": [{"propertyName": name, "operator": "EQ", "value": value}]} for name, value in any_of.items()
        ]
        more = {"properties": list(properties), "sorts": [], "after": "0", "limit": 100}
        body = {"filterGroups": groups, **more}
        return results(self.call("POST", f"{OBJECTS}/{kind}/search", repeatable=True, json=body))

    def upsert(self, kind: str, by: str, value: str, properties: Mapping[str, str], judge: Judge) -> Response:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/batch/upsert-contacts
        body = {"inputs": [{"idProperty": by, "id": value, "properties": properties}]}
        return self.call("POST", f"{OBJECTS}/{kind}/batch/upsert", repeatable=True, judge=judge, json=body)

    # --- what hangs on a record ------------------------------------------------------

    def add_activity(self, kind: str, properties: Mapping[str, str], parents: Mapping[str, str], owner: str) -> str:
        """A note or task on records, such as `{"tickets": "5"}`, that belongs to an owner or to nobody (""): its id."""
        # https://developers.hubspot.com/docs/api-reference/latest/crm/activities/notes/guide, and …/tasks/guide
        associations = [
            {
                "to": {"id": parent},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": HANGS_ON[kind][one]}],
            }
            for one, parent in parents.items()
        ]
        body = {"properties": {**properties, **owned(owner)}, "associations": associations}
        judge = self.unless_owner(self.when(LINKED), given=bool(owner))
        return wrapped(self.call("POST", f"{OBJECTS}/{kind}", json=body, judge=judge))["id"].id

    def find_activity(self, kind: str, text: str, parents: Mapping[str, str], mark: str) -> str | None:
        """The one whose property `text` ends with a mark, among those of the first of these records."""
        found = marked(self.activities(kind, text, parents), lambda one: one[1], mark)
        return found[0] if found is not None else None

    def activities(self, kind: str, text: str, parents: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Ids and what the property `text` says, of those of the first of these records."""
        numbers = list(self.linked(*next(iter(parents.items())), kind))
        for start in range(0, len(numbers), _FEW):
            inputs = [{"id": one} for one in numbers[start : start + _FEW]]
            read = self.batch_read(kind, {"inputs": inputs, "properties": [text]})
            yield from ((one["id"].id, str(one["properties"].object.get(text) or "")) for one in read)

    def linked(self, kind: str, record: str, other: str) -> Iterator[str]:
        """The ids of what a record is associated with."""
        # https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/batch/get-associations
        after: str | None = ""
        while after is not None:
            wanted = {"inputs": [{"id": record, **({"after": after} if after else {})}]}
            path, after = f"/crm/associations/2026-09/{kind}/{other}/batch/read", None
            for result in results(self.call("POST", path, repeatable=True, json=wanted)):
                yield from (one["toObjectId"].id for one in result["to"])
                paging = result.get("paging")
                following = paging.get("next") if paging is not None else None
                after = following["after"].id if following is not None else None

    def unless_owner(self, judge: Judge, *, given: bool) -> Judge:
        """A judge for what is `given` to an owner: one whom HubSpot does not take is refused alone."""

        def judged(answer: Response) -> DeliveryError | None:
            error = judge(answer)
            taken = error is None or not any(name == OWNED for _, name in faults(json_of(answer)))
            return error if taken or not given else Gone(str(error), OWNER, status=answer.status_code)

        return judged


def owned(owner: str) -> dict[str, str]:
    """The property of whom a record belongs to; none for nobody ("")."""
    return {OWNED: owner} if owner else {}


def granted(answer: Response, name: str) -> bool:
    """Whether an answer is a success that has what was asked for. Raises RetryLater for what is not HubSpot's own."""
    success = answer.status_code // 100 == 2
    _ = wrapped(answer)[name if success else "category"]
    return success


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
