"""Freshdesk: a contact, a ticket that says little, and the transcript in private notes on it.

The requester reads a ticket's description in the portal and may be mailed it, while a transcript has what is for agents
only. Private notes are not visible to customers: https://developers.freshdesk.com/api/#conversations
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Table
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, ClassVar, Self

from markupsafe import Markup
from pydantic import AnyHttpUrl, Field, SecretStr, model_validator
from requests import Response

from connectors.kit.auth.credentials import Basic, Credentials
from connectors.kit.connector import Change, Finding, HttpConnector, Receipt, Step
from connectors.kit.person import for_person
from connectors.kit.record import Mapping, Person, RecordSettings
from connectors.kit.reply import Reply
from connectors.kit.responses import Verdict, refusal
from connectors.kit.text.parts import Layout, Part, append, marked, octets
from connectors.kit.wire.pager import by_page
from connectors.kit.wire.verdicts import When
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError, Gone, RetryLater

LINE = 255  # characters of a subject, and of a name
TAG = 32
#: In UTF-8. Freshdesk documents no limit of a note; this stays below 64 KB.
NOTES = Layout(60_000, octets, mark="[{} {}.{}]".format)
NOTES_A_PAGE = 20  #: each may have its text twice, and the whole has to stay within what is read of an answer
PAGES = by_page(per_page=100)  # https://developers.freshdesk.com/api/#pagination
LONG_AGO = "2010-01-01T00:00:00Z"  # a list of tickets goes back 30 days unless it is told otherwise
#: Fields of the ticket form whose value is from a setting, and which.
CHOSEN = {name: name for name in ("status", "priority", "source", "ticket_type")}
CHOSEN |= {"group": "group_id", "product": "product_id"}
#: What a 400 can complain of that differs from record to record, besides the custom fields.
OF_RECORD = {"name", "email", "requester_id", "unique_external_id", "subject", "description", "body", "tags"}

#: From a template's text to what a type of custom field takes. Text that does not fit goes as it is, and is refused.
VALUES: Table[str, Callable[[str], Any]] = {
    "custom_number": lambda text: int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else text,
    "custom_decimal": lambda text: float(text) if re.fullmatch(r"-?\d{1,15}(\.\d+)?", text, re.ASCII) else text,
    "custom_checkbox": lambda text: {"true": True, "false": False}.get(text.lower(), text),
}


#: About a ticket that was there: 405 when it is deleted or marked as spam. What a ticket in the state of this one wants
#: filled in says nothing about other records.
OF_TICKET = (When((404, 405), text="the ticket is gone at Freshdesk: deleted, spam, archived"), When((400,)))
#: For requests that bring the visitor: what Freshdesk complains of there is no fault of the chat, and that somebody has
#: the address already is an answer.
OF_PERSON = (
    When((409,), then=None, every={"errors[].field": {"email"}, "errors[].code": {"duplicate_value"}}),
    When((400,), steps=("requester",), every={"errors[].field": {"email", "requester_id", "unique_external_id"}}),
)


class FreshdeskSettings(RecordSettings):
    """Settings of `type: freshdesk`."""

    # 200 requests a minute on the smallest paid plan.
    rate: float | None = Field(default=3, gt=0, description="Requests a second, over all workers; null: no limit.")
    domain: str = Field(default="", description="What stands before .freshdesk.com.")
    base_url: AnyHttpUrl | None = Field(default=None, description="The whole address, instead of domain.")
    api_key: SecretStr = Field(description="Of the agent who makes the tickets, from the profile settings.")
    status: int = Field(default=2, ge=2, description="2 open, 3 pending, 4 resolved, 5 closed, or one of your own.")
    priority: int = Field(default=1, ge=1, le=4, description="1 low, 2 medium, 3 high, 4 urgent.")
    source: int = Field(default=7, ge=1, description="7 is chat.")
    group_id: int | None = Field(default=None, description="The group that gets the tickets.")
    product_id: int | None = Field(default=None, description="The product that the tickets are about.")
    ticket_type: str | None = Field(default=None, description="The ticket's type, such as Question.")
    key_field: str = Field(default="", description="A custom text field that marks the ticket, instead of a tag.")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if bool(self.domain) == bool(self.base_url):
            raise ValueError("expected one of domain and base_url; write, for one, domain: shop")
        if self.domain and not re.fullmatch(r"[A-Za-z0-9-]+", self.domain):
            raise ValueError("domain: expected what stands before .freshdesk.com, such as shop")
        return self


class Freshdesk(HttpConnector[FreshdeskSettings]):
    label = "Freshdesk"
    makes = "a contact and a ticket, with the transcript in private notes"
    # "Inconsistent/Conflicting State": somebody is at the same contact or ticket in this moment.
    statuses: ClassVar[Table[int, Verdict]] = {409: RetryLater}

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Mapping(self.settings, conversation)
        number = receipt.number
        before = step.knows("ticket")
        person, nobody = words.person, partial(_nobody, words, conversation)

        def ticket_of(requester: dict[str, Any]) -> int:
            create = partial(self._create, words, conversation, requester)
            return step.once("ticket", create, find=partial(self._find, words.key, requester))

        # Kept as it was first: a later revision may bring an email, but the ticket is looked for under its requester.
        requester = partial(_requester, person) if person else nobody
        ticket = for_person(
            step, "requester", words, person=requester, nobody=nobody, make=ticket_of, identity=words.identity
        )
        revised = any(re.fullmatch(r"note \d+\.1", name) and name != f"note {number}.1" for name in step.done)
        parts = NOTES.parts(words, number, revised=revised)
        append(step, "note", parts, write=partial(self._add_note, ticket), look=partial(self._find_note, ticket))
        if before and number > 1 and self.settings.fields:
            step(f"fields {number}", lambda: self._update(ticket, words))
        return Reference(str(ticket), f"{self.base}/a/tickets/{ticket}")

    def check(self) -> Iterator[Finding]:
        # https://developers.freshdesk.com/api/#me
        me = self._call("GET", "agents/me")
        yield Finding(True, f"API key accepted: {me['contact']['email'].text}, agent {me['id'].number}")
        remedy = "give the agent global access: Relay may create a ticket again if it cannot see it"
        yield _finding(
            me["ticket_scope"].number == 1, "the agent sees all tickets", "the agent sees some tickets", remedy
        )
        fields = self._ticket_fields()
        settings = self.settings.model_dump(include=set(CHOSEN.values()), exclude_none=True)
        chosen = {name: str(settings[setting]) for name, setting in CHOSEN.items() if setting in settings}
        for name, value in chosen.items():
            offered = _offered(fields.get(name, {}).get("choices"))
            remedy = f"there are {', '.join(f'{one} ({label})' for one, label in offered.items()) or 'none'}"
            right = f"{CHOSEN[name]}: {value} is {offered.get(value)}"
            yield _finding(value in offered, right, f"{CHOSEN[name]}: there is no {value}", remedy)
        custom = [*self.settings.fields, *filter(None, [self.settings.key_field])]
        known = [name for name, field in fields.items() if not field.get("default")]
        remedy = f"there are {', '.join(known) or 'none'}; create one in Admin › Ticket Fields"
        for name in custom:
            yield _finding(name in known, f"there is a field {name}", f"there is no custom field {name}", remedy)
        remedy = "set it in relay.yaml, or make it optional in Admin › Ticket Fields"
        filled = {"requester", "subject", "description", *custom, *chosen}
        for name, field in fields.items():
            if field.get("required_for_agents") and name not in filled:
                yield Finding(False, f"{name} is required for agents, but relay.yaml does not set it", remedy)

    def setup(self) -> Iterator[Change]:
        name = self.settings.key_field
        if name.startswith("cf_") and name not in self._ticket_fields():
            # Freshdesk makes the name from the label: "Issue Type" becomes cf_issue_type.
            label = name.removeprefix("cf_").replace("_", " ").capitalize()
            hidden = {"displayed_to_customers": False, "customers_can_edit": False}
            field = {"label": label, "label_for_customers": label, "type": "custom_text", **hidden}
            # https://developers.freshdesk.com/api/#create_ticket_field
            make = partial(self._make_field, field)
            yield Change(f"create the ticket field {name}, for text, hidden from customers", make)

    def _make_field(self, field: Table[str, Any]) -> None:
        self._call("POST", "admin/ticket_fields", json=field)

    def judge(self, answer: Response) -> DeliveryError | None:
        if answer.status_code == 400 and any(self._of_settings(error) for error in _errors(answer)):
            return refusal(answer, {400: ConnectorRefused}, self.mask)
        return super().judge(answer)

    def _of_settings(self, error: Table[str, Any]) -> bool:
        """Whether Freshdesk would say so to every record: an unknown field, or a value that is from the settings."""
        name = str(error.get("field") or "").rpartition(".")[2]
        of_record = name in OF_RECORD or name in self.settings.fields
        return error.get("code") == "invalid_field" or (bool(name) and not of_record)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        return [] if method == "GET" else {"id": 1}

    def _create(self, words: Mapping, conversation: Conversation, requester: Table[str, Any]) -> int:
        own = self.settings
        tags = [tag.replace(",", " ")[:TAG].strip() for tag in words.tags()]
        ticket = {
            **requester,
            "subject": words.subject(LINE),
            "description": _description(words, conversation),
            **own.model_dump(include={"status", "priority", "source", "group_id", "product_id"}),
            "tags": list(dict.fromkeys(filter(None, tags if own.key_field else [*tags, _key_tag(words.key)]))),
            "custom_fields": self._custom(words) | ({own.key_field: words.key} if own.key_field else {}),
            "type": own.ticket_type,
        }
        # https://developers.freshdesk.com/api/#create_ticket
        # It finds the contact by the address or makes it, in the one call: to list contacts first would meet the
        # narrowest of all limits, 20 a minute on the smallest plan. https://developers.freshdesk.com/api/#ratelimit
        sent = {name: value for name, value in ticket.items() if value not in (None, {}, [])}
        made = self._call("POST", "tickets", json=sent, judge=self.when(*OF_PERSON))
        if made.object.get("errors") and "email" in requester:
            # The address is taken: somebody made the contact at this moment, or agents have deleted it, which the list
            # does not show. https://developers.freshdesk.com/api/#list_all_contacts
            known = list(self._call("GET", "contacts", params={"email": requester["email"]}))
            if not known:
                raise Gone(
                    "Freshdesk has a contact with this address and does not show it: deleted, or blocked", "requester"
                )
            sent = {name: value for name, value in sent.items() if name not in requester}
            sent["requester_id"] = known[0]["id"].number
            made = self._call("POST", "tickets", json=sent, judge=self.when(*OF_PERSON))
        return made["id"].number

    def _find(self, key: str, requester: Table[str, Any]) -> int | None:
        """The requester's ticket that is marked. A list, because the search index lags by minutes."""
        mine = {name: value for name, value in requester.items() if name != "name"}
        # https://developers.freshdesk.com/api/#list_all_tickets
        for ticket in self.entries(PAGES, "/api/v2/tickets", updated_since=LONG_AGO, **mine):
            tags, own = ticket.get("tags"), ticket.get("custom_fields")
            tagged = tags is not None and _key_tag(key).lower() in [str(tag).lower() for tag in tags.list]
            if tagged or (own is not None and own.object.get(self.settings.key_field) == key):
                return ticket["id"].number
        return None

    def _update(self, ticket: int, words: Mapping) -> bool:
        if custom := self._custom(words):
            # https://developers.freshdesk.com/api/#update_ticket
            path, change = f"tickets/{ticket}", {"custom_fields": custom}
            _ = self._call("PUT", path, json=change, judge=self.when(*OF_TICKET))["id"].number
        return True

    def _custom(self, words: Mapping) -> dict[str, Any]:
        said = words.fields()
        fields = self.cache.get("ticket fields", self._ticket_fields) if said else {}
        return {name: VALUES.get(str(fields.get(name, {}).get("type")), str)(text) for name, text in said.items()}

    def _add_note(self, ticket: int, part: Part) -> int:
        note = {"body": part.body, "private": True}
        # https://developers.freshdesk.com/api/#add_note_to_a_ticket
        return self._call("POST", f"tickets/{ticket}/notes", json=note, judge=self.when(*OF_TICKET))["id"].number

    def _find_note(self, ticket: int, part: Part) -> int | None:
        # https://developers.freshdesk.com/api/#list_all_ticket_notes
        path = f"/api/v2/tickets/{ticket}/conversations"
        listed = self.entries(PAGES.few(NOTES_A_PAGE), path, self.when(*OF_TICKET))
        found = marked(listed, lambda note: str(note.object.get("body_text") or ""), part.mark)
        return found["id"].number if found is not None else None

    def _ticket_fields(self) -> dict[str, Any]:
        """Every field of the ticket form by its name, those inside dependent fields too."""
        # https://developers.freshdesk.com/api/#list_all_ticket_fields
        found: dict[str, Any] = {}
        for field in self._call("GET", "ticket_fields"):
            nested = field.get("nested_ticket_fields")
            found |= {one["name"].text: one.object for one in (field, *(nested if nested is not None else ()))}
        return found

    @property
    def base(self) -> str:
        return str(self.settings.base_url or f"https://{self.settings.domain}.freshdesk.com").rstrip("/")

    def _call(self, method: str, path: str, **options: Any) -> Reply:
        return self.ask(method, f"/api/v2/{path}", **options)

    @cached_property
    def credentials(self) -> Credentials:
        # https://developers.freshdesk.com/api/#authentication
        return Basic(self.settings.api_key.get_secret_value(), "X")


def _requester(person: Person) -> dict[str, Any]:
    return {"email": person.email, "name": person.name[:LINE]}


def _nobody(words: Mapping, conversation: Conversation) -> dict[str, Any]:
    """A ticket needs a requester. Without an email it is a contact with an id of ours, made along with the ticket."""
    visitor = conversation.visitor.id
    ours = f"smartsupp:{conversation.account}:visitor:{visitor}" if visitor else words.key
    return {"unique_external_id": ours, "name": words.name[:LINE]}


def _description(words: Mapping, conversation: Conversation) -> str:
    """Which conversation it was, and when: Freshdesk lets nobody set the time of a ticket."""
    said = {"conversation": conversation.id}
    said |= {"began": words.voice.moment(conversation.begin_at), "ended": words.voice.moment(conversation.end_at)}
    labelled = ((words.voice.say(word) + words.voice.colon, fact) for word, fact in said.items() if fact)
    lines = [Markup("{} {}").format(label, fact) for label, fact in labelled]
    return Markup("<p>{}</p>").format(Markup("<br>").join(lines))


def _key_tag(key: str) -> str:
    """The key as a tag, shortened where it is too long for one."""
    fits = re.fullmatch(r"[\w:.-]+", key, re.ASCII) and len(key) <= TAG
    return key if fits else "smartsupp:" + hashlib.sha256(key.encode()).hexdigest()[: TAG - 10]


def _offered(choices: Any) -> dict[str, str]:
    """What a field offers, with labels. Of status, ids to labels came; of the type, a list; else labels to ids."""
    if isinstance(choices, dict):
        pairs = (
            (key, value[0]) if isinstance(value, list) and value else (value, key) for key, value in choices.items()
        )
        return {str(value): str(label) for value, label in pairs}
    return {str(value): str(value) for value in choices} if isinstance(choices, list) else {}


def _finding(right: bool, good: str, bad: str, remedy: str) -> Finding:
    return Finding(True, good) if right else Finding(False, bad, remedy)


def _errors(answer: Response) -> list[Any]:
    """https://developers.freshdesk.com/api/#error"""
    with suppress(ValueError, RecursionError):
        said = answer.json()
        found = said.get("errors") if isinstance(said, dict) else []
        return [error for error in found if isinstance(error, dict)] if isinstance(found, list) else []
    return []
