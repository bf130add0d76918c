"""How Freshdesk is asked, what its answers mean, and what its ticket form and its agents are.

https://developers.freshdesk.com/api/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as Table
from contextlib import suppress
from functools import cached_property
from typing import Any, ClassVar

from requests import Response

from connectors.freshdesk.settings import FreshdeskSettings
from connectors.kit.auth.credentials import Basic, Credentials
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import HttpConnector
from connectors.kit.record import Mapping
from connectors.kit.reply import Reply
from connectors.kit.responses import Verdict, refusal
from connectors.kit.wire.verdicts import PAUSE, When
from connectors.kit.work.owner import OWNER, Owners
from core.errors import ConnectorRefused, DeliveryError, RetryLater
from core.wording.sentence import to_be_said

LINE = 255  #: characters of a subject, and of a name
#: Fields of the ticket form whose value is from a setting, and which.
CHOSEN = {name: name for name in ("status", "priority", "source", "ticket_type")}
CHOSEN |= {"group": "group_id", "product": "product_id"}
#: What a 400 can complain of that differs from record to record, besides the custom fields.
OF_RECORD = {"name", "email", "requester_id", "unique_external_id", "subject", "description", "body", "tags"}
OF_RECORD |= {"due_by", "fr_due_by"}

#: About a ticket that was there: 405 when it is deleted or marked as spam. What a ticket in the state of this one wants
#: filled in says nothing about other records.
OF_TICKET = (When((404, 405), text="the ticket is gone at Freshdesk: deleted, spam, archived"), When((400,)))
#: The step that remembers the contact.
PERSON = "person"
_PERSON = frozenset({"email", "requester_id", "unique_external_id"})
#: For requests that bring the visitor: what Freshdesk complains of there is no fault of the chat. An owner whom it
#: refuses, such as one outside the ticket's group, is refused alone.
OF_PERSON = (
    When((400,), steps=(PERSON,), every={"errors[].field": _PERSON}),
    When((400,), steps=(OWNER,), codes={"errors[].field": frozenset({"responder_id"})}),
)
#: For what a contact gets: of the values, which are from chats, one is wrong or somebody else's.
_OF_VALUES = (
    When((409,), every={"errors[].code": {"duplicate_value"}}),
    When((400,), PAUSE, codes={"errors[].code": frozenset({"invalid_field"})}),
    When((400,)),
)
OF_CONTACT = (When((404, 405), text="the contact is gone at Freshdesk: deleted, merged", steps=(PERSON,)), *_OF_VALUES)
#: For lists of somebody's tickets: there is no such contact, so it has none.
OF_LIST = When((400,), then=None, every={"errors[].field": _PERSON})
#: For agents: who is none, or an address that Freshdesk takes for none.
OF_AGENT = (
    When((404,), then=None),
    When((400,), then=None, every={"errors[].field": frozenset({"email"})}),
    When(
        (403,),
        PAUSE,
        text="the API key's agent may not look up agents; give its role the right to manage agents, or write the "
        "owner's id",
    ),
)


def of_new_contact(field: str) -> tuple[When, ...]:
    """For a new contact, whom `field` tells from others: that somebody has the same is an answer."""
    return (
        When((409,), then=None, every={"errors[].field": {field}, "errors[].code": {"duplicate_value"}}),
        When((400,), steps=(PERSON,), every={"errors[].field": {field}}),
        *_OF_VALUES,
    )


#: From a template's text to what a type of custom field takes. Text that does not fit goes as it is, and is refused.
VALUES: Table[str, Callable[[str], Any]] = {
    "custom_number": lambda text: int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else text,
    "custom_decimal": lambda text: float(text) if re.fullmatch(r"-?\d{1,15}(\.\d+)?", text, re.ASCII) else text,
    "custom_checkbox": lambda text: {"true": True, "false": False}.get(text.lower(), text),
}


class FreshdeskApi(HttpConnector[FreshdeskSettings]):
    """The part of the connector that knows nothing of chats."""

    label = "Freshdesk"
    makes = "a contact and a ticket, with the transcript in private notes"
    capabilities = Capabilities(
        person="a contact, by email, phone or customer id, else created; blank fields filled",
        revision="what is new, as a private note",
        idempotent="looked for in lists, by tag or field and mark",
        files="attached to a private note",
    )
    # "Inconsistent/Conflicting State": somebody is at the same contact or ticket in this moment.
    statuses: ClassVar[Table[int, Verdict]] = {409: RetryLater}

    @property
    def base(self) -> str:
        return str(self.settings.base_url or f"https://{self.settings.domain}.freshdesk.com").rstrip("/")

    @cached_property
    def credentials(self) -> Credentials:
        # https://developers.freshdesk.com/api/#authentication
        return Basic(self.settings.api_key.get_secret_value(), "X")

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        return super().ask(method, f"/api/v2/{path}", **options)

    def page_of(self, ticket: int) -> str:
        """Where an agent reads a ticket."""
        return f"{self.base}/a/tickets/{ticket}"

    def judge(self, answer: Response) -> DeliveryError | None:
        if answer.status_code == 400 and any(self._of_settings(error) for error in _errors(answer)):
            return refusal(answer, {400: ConnectorRefused}, self.mask)
        return super().judge(answer)

    def _of_settings(self, error: Table[str, Any]) -> bool:
        """Whether Freshdesk would say so to every record: an unknown field, or a value that is from the settings."""
        name = str(error.get("field") or "").rpartition(".")[2]
        of_record = name in OF_RECORD or name in self.settings.fields
        return error.get("code") == "invalid_field" or (bool(name) and not of_record)

    # --- the ticket form -----------------------------------------------------------------

    def ticket_fields(self) -> dict[str, Any]:
        """Every field of the ticket form by its name, those inside dependent fields too."""
        # https://developers.freshdesk.com/api/#list_all_ticket_fields
        found: dict[str, Any] = {}
        for field in self.ask("GET", "ticket_fields"):
            nested = field.get("nested_ticket_fields")
            found |= {one["name"].text: one.object for one in (field, *(nested if nested is not None else ()))}
        return found

    def _known_fields(self) -> dict[str, Any]:
        return self.cache.get("ticket fields", self.ticket_fields)

    def custom(self, words: Mapping) -> dict[str, Any]:
        """The custom fields, each of the type that the form says."""
        said = words.fields()
        fields = self._known_fields() if said else {}
        return {name: VALUES.get(str(fields.get(name, {}).get("type")), str)(text) for name, text in said.items()}

    def offers(self, field: str, value: Any) -> bool:
        """Whether a field of the form has this among its choices."""
        return self.cache.pretends or str(value) in field_choices(self._known_fields().get(field, {}).get("choices"))

    # --- who wrote -------------------------------------------------------------------------

    def contact(self, number: Any) -> Reply | None:
        """A contact, one that was deleted too; None for who is none."""
        # https://developers.freshdesk.com/api/#view_contact
        shown = self.ask("GET", f"contacts/{number}", judge=self.when(When((404,), then=None)))
        return shown if shown.raw and shown.get("id") is not None else None

    def contact_fields(self) -> dict[str, str]:
        """The type of each field of contacts, by its name."""
        # https://developers.freshdesk.com/api/#list_all_contact_fields
        return {one["name"].text: one["type"].text for one in self.ask("GET", "contact_fields")}

    # --- who gets the ticket ---------------------------------------------------------------

    @cached_property
    def owners(self) -> Owners[int]:
        return Owners(
            self.cache, by_email=self._agent_by_email, by_id=self._agent_by_id, kind=to_be_said("an agent"), imagined=1
        )

    def _agent_by_email(self, email: str) -> int | None:
        # https://developers.freshdesk.com/api/#list_all_agents
        listed = self.ask("GET", "agents", params={"email": email}, judge=self.when(*OF_AGENT))
        found = listed if isinstance(listed.raw, list) else ()
        same = (one for one in found if one["contact"]["email"].text.lower() == email.lower())
        return next((one["id"].number for one in same if works(one)), None)

    def _agent_by_id(self, named: str) -> int | None:
        if not (named.isascii() and named.isdecimal()):
            return None
        # https://developers.freshdesk.com/api/#view_agent
        shown = self.ask("GET", f"agents/{named}", judge=self.when(*OF_AGENT))
        return shown["id"].number if shown.raw and works(shown) else None


def works(agent: Reply) -> bool:
    """Whether an agent can be given tickets: collaborators cannot, nor who was switched off."""
    kind = agent.get("type")
    return not agent.object.get("deactivated") and (kind is None or kind.raw != "collaborator")


def field_choices(choices: Any) -> dict[str, str]:
    """What a field offers, with labels. Of status, ids to labels came; of the type, a list; else labels to ids."""
    if isinstance(choices, dict):
        pairs = (
            (key, value[0]) if isinstance(value, list) and value else (value, key) for key, value in choices.items()
        )
        return {str(value): str(label) for value, label in pairs}
    return {str(value): str(value) for value in choices} if isinstance(choices, list) else {}


def _errors(answer: Response) -> list[Any]:
    """https://developers.freshdesk.com/api/#error"""
    with suppress(ValueError, RecursionError):
        said = answer.json()
        found = said.get("errors") if isinstance(said, dict) else []
        return [error for error in found if isinstance(error, dict)] if isinstance(found, list) else []
    return []
