"""Zendesk Support: a user and a ticket, with the transcript in private comments.

https://developer.zendesk.com/api-reference/ticketing/introduction/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as Table
from functools import partial
from typing import Any, Literal, Self

from markupsafe import Markup
from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator
from requests import Response

from connectors.answers import STATUS, Verdict, refusal
from connectors.base import Finding, HttpConnector, Receipt, Step
from connectors.mapping import Mapping, RecordSettings
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater

#: Bytes of HTML in one comment. Zendesk takes 64 KB. It writes attributes into our paragraphs, by which the shortest
#: grow by half, and nobody says whether it counts before or after.
COMMENT = 40_000
#: Characters. Neither is documented; what is longer than a database's usual column helps nobody.
SUBJECT, NAME = 150, 255

#: What the codes, and the names of the fields complained of, in the body of a 400 or 422 mean. What is not here is a
#: refusal of this record. https://developer.zendesk.com/api-reference/introduction/requests/#400-range
MEANS: Table[bytes, Verdict] = {
    # The key was used for another body: an earlier create got through after all, and the next try will find it.
    b"IdempotentRequestError": RetryLater,
    # Two chats of a new visitor at the same moment: the next try finds the user.
    b"DuplicateValue": RetryLater,
    # These come from our settings, so every record would be refused for them.
    b"group": ConnectorRefused,
    b"brand": ConnectorRefused,
    b"ticket_form": ConnectorRefused,
}
# Within a text every quotation mark has a backslash, so nothing that a visitor wrote looks like these.
_CODE = re.compile(rb'"error"\s*:\s*"(\w+)"|"(\w+?)(?:_id)?"\s*:\s*\[')


class ZendeskSettings(RecordSettings):
    """Settings of `type: zendesk`."""

    # 200 requests a minute on the smallest plan.
    rate: float | None = Field(default=3, gt=0, description="Requests a second, over all workers; null: any.")
    subdomain: str = Field(
        default="", pattern=r"^([a-z0-9][a-z0-9-]*)?$", description="acme, for https://acme.zendesk.com."
    )
    base_url: AnyHttpUrl | None = Field(default=None, description="The whole address, instead of subdomain.")
    email: str = Field(min_length=3, description="Of the agent as whom we work; the author of the comments.")
    api_token: SecretStr = Field(description="From Admin Center, Apps and integrations, APIs, API tokens.")
    group_id: int | None = Field(default=None, description="The group that gets the tickets.")
    brand_id: int | None = Field(default=None, description="The brand of the tickets.")
    ticket_form_id: int | None = Field(default=None, description="The form of the tickets.")
    priority: Literal["urgent", "high", "normal", "low"] | None = Field(default=None, description="Of new tickets.")
    status: Literal["new", "open", "pending", "hold", "solved"] | None = Field(
        default=None, description="Of new tickets."
    )

    @field_validator("fields", mode="before")
    @classmethod
    def _are_numbers(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        # YAML reads a number without quotation marks as one.
        texts = {str(name): template for name, template in fields.items()}
        if wrong := [name for name in texts if not (name.isascii() and name.isdecimal())]:
            raise ValueError(f"'{wrong[0]}' is not the number of a custom field; Admin Center shows it in its list")
        return texts

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if bool(self.subdomain) == bool(self.base_url):
            raise ValueError("write either 'subdomain: acme' or 'base_url: https://acme.zendesk.com'")
        if self.base_url and (self.base_url.username or self.base_url.password):
            raise ValueError("base_url is shown to people; take the credentials out of it")
        return self


class Zendesk(HttpConnector[ZendeskSettings]):
    label = "Zendesk"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Mapping(self.settings, conversation)
        number = receipt.revision.number
        requester = step("requester", lambda: self._requester(words, conversation))
        # The submitter is the author of the first comment, and by default it is the requester; but what is private
        # is an agent's. https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#requesters-and-submitters
        agent = step("agent", lambda: int(self._ask("user", "GET", "users/me")["id"]))
        # The ticket, and the revision that its first comment holds: this one, or an earlier one.
        ticket = step.once(
            "ticket",
            lambda: self._create_ticket(words, requester, agent, number),
            find=lambda: self._find_ticket(words),
        )
        first = ticket["revision"] == number
        for part, body in enumerate(_bodies(words, number, revised=not first), 1):
            # Subject and tags are the agents' by the time of a new revision; the fields came from us.
            fields = _fields(words) if part == 1 else []
            if part > 1 or not first:
                write = partial(self._comment, ticket["id"], body, fields)
                look = partial(self._has_comment, ticket["id"], _mark(words, number, part))
                step.once(f"comment {number}.{part}", write, find=look)
        return Reference(str(ticket["id"]), f"{self._base}/agent/tickets/{ticket['id']}")

    # --- the person ------------------------------------------------------------------

    def _requester(self, words: Mapping, conversation: Conversation) -> int:
        person = words.person
        if person is None:
            # A ticket without a requester would be ours, and a user needs a name alone: https://support.zendesk.com/
            # hc/en-us/articles/4408894213018. The external id makes it one user for each visitor.
            visitor = conversation.visitor.id or conversation.id
            return self._save_user(name=words.name, external_id=f"smartsupp:{conversation.account}:visitor:{visitor}")
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#search-users
        # Before the upsert, which would rename a known customer after what somebody typed into a chat. The search
        # lags; whom it does not show yet, the upsert finds.
        found = self._ask("users", "GET", "users/search", params={"query": f"email:{person.email}"})
        same = (user["id"] for user in found if (user.get("email") or "").lower() == person.email.lower())
        return next(same, None) or self._save_user(name=person.name, email=person.email)

    def _save_user(self, *, name: str, **identity: str) -> int:
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#create-or-update-user
        user = {"name": name[:NAME], **identity, "skip_verify_email": True}
        saved = self._ask("user", "POST", "users/create_or_update", json={"user": user}, repeatable=True)
        return int(saved["id"])

    # --- the ticket ------------------------------------------------------------------

    def _create_ticket(self, words: Mapping, requester: int, agent: int, number: int) -> dict[str, int]:
        settings = self.settings
        ticket = {
            # Zendesk fills placeholders in, in subjects too: raw_subject in the JSON format.
            "subject": words.subject(SUBJECT).replace("{", "("),
            "comment": {"html_body": _bodies(words, number)[0], "public": False},
            "requester_id": requester,
            "submitter_id": agent,
            "external_id": words.key,
            "tags": words.tags(),
            "custom_fields": _fields(words),
            "group_id": settings.group_id,
            "brand_id": settings.brand_id,
            "ticket_form_id": settings.ticket_form_id,
            "priority": settings.priority,
            "status": settings.status,
        }
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket
        made = self._ask(
            "ticket",
            "POST",
            "tickets",
            json={"ticket": {name: value for name, value in ticket.items() if value not in (None, [])}},
            # https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency
            headers={"Idempotency-Key": words.key},
            repeatable=True,
        )
        return {"id": made["id"], "revision": number}

    def _find_ticket(self, words: Mapping) -> dict[str, int] | None:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#list-tickets
        # The key of a create lives for two hours, the external id as long as the ticket; /search lags.
        listed = self._ask("tickets", "GET", "tickets", params={"external_id": words.key})
        found = next((ticket for ticket in listed if ticket["external_id"] == words.key), None)
        if found is None:
            return None
        marked = re.search(rf"\[{re.escape(words.key)}:(\d+):1\]\s*\Z", found.get("description") or "")
        return {"id": found["id"], "revision": int(marked[1]) if marked else 0}

    def _comment(self, ticket: int, body: str, fields: list[dict[str, Any]]) -> bool:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket
        sent = {"comment": {"html_body": body, "public": False}, **({"custom_fields": fields} if fields else {})}
        self._ask("ticket", "PUT", f"tickets/{ticket}", json={"ticket": sent}, judge=self._judge_of_ticket)
        return True

    def _has_comment(self, ticket: int, mark: str) -> bool | None:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#list-comments
        # The newest hundred: what we look for was sent a moment ago, or at most a few days.
        newest, path = {"sort_order": "desc"}, f"tickets/{ticket}/comments"
        listed = self._ask("comments", "GET", path, params=newest, judge=self._judge_of_ticket)
        return any(Markup(one["html_body"]).striptags().endswith(mark) for one in listed) or None  # noqa: S704

    # --- errors ------------------------------------------------------------------------

    def judge(self, answer: Response) -> DeliveryError | None:
        if answer.status_code // 100 == 2:
            return None
        said = {code or field for code, field in _CODE.findall(answer.content)}
        known = next((verdict for code, verdict in MEANS.items() if code in said), RecordRefused)
        # 409: somebody changed the same thing at the same moment.
        error = refusal(answer, {**STATUS, 400: known, 409: RetryLater, 422: known}, self.mask)
        reset = answer.headers.get("ratelimit-reset", "")
        if answer.status_code == 429 and isinstance(error, RetryLater) and error.retry_after is None:
            # https://developer.zendesk.com/api-reference/introduction/rate-limits/ : seconds, not a time.
            error.retry_after = float(reset) if reset.isdecimal() else None
        return error

    def _judge_of_ticket(self, answer: Response) -> DeliveryError | None:
        """What an answer means when the request names a ticket that was made earlier."""
        said = self.judge(answer)
        if answer.status_code == 404:
            return RecordRefused(f"the ticket was deleted in Zendesk; restore it and replay: {said}", status=404)
        if answer.status_code == 422 and b"prevents ticket update" in answer.content:
            # No follow-up ticket: one conversation is one record, and whoever closed it had seen the chat.
            return RecordRefused(
                f"the ticket is closed, and Zendesk adds nothing to closed tickets; read on in Smartsupp: {said}",
                status=422,
            )
        return said

    # --- looking first -------------------------------------------------------------------

    def check(self) -> Iterator[Finding]:
        settings = self.settings
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self
        # Without credentials it answers 200 with an anonymous user.
        me = self._ask("user", "GET", "users/me")
        yield Finding(
            me.get("role") in ("admin", "agent") and not me.get("suspended"),
            f"{settings.email} is {me.get('role') or 'nobody'} in {self._base}",
            "use the e-mail of an admin, or of an agent who may manage end users",
        )
        # https://developer.zendesk.com/api-reference/ticketing/account-configuration/account_settings/#show-settings
        tickets = self._ask("settings", "GET", "account/settings").get("tickets", {})
        yield Finding(
            tickets.get("is_first_comment_private_enabled", True),
            "the first comment of a ticket may be private",
            "switch on 'Allow first comment on tickets to be private' in Admin Center, Objects and rules, Tickets, "
            "Settings; without it the visitor may see the transcript and be sent it",
        )
        if settings.tags:
            yield Finding(
                tickets.get("tagging", True),
                "tickets have tags",
                "switch on 'Enable tags on tickets' at the same place, or write 'tags: []'",
            )
        for kind in ("group", "brand", "ticket_form"):
            number = getattr(settings, f"{kind}_id")
            if number is not None:
                yield self._exists(kind, number, f"correct {kind}_id, or make the {kind.replace('_', ' ')} active")
        for name in settings.fields:
            yield self._exists("ticket_field", int(name), "write the number of an active custom field under fields")

    def _exists(self, kind: str, number: int, remedy: str) -> Finding:
        # https://developer.zendesk.com/api-reference/ticketing/groups/groups/#show-group, and its like
        found = self._ask(
            kind, "GET", f"{kind}s/{number}", judge=lambda said: self.judge(said) if said.status_code != 404 else None
        )
        label = f"{kind.replace('_', ' ')} {number}"
        if not found:
            return Finding(False, f"there is no {label}", remedy)
        gone = found.get("active") is False or found.get("deleted") or found.get("is_deleted")
        # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/#json-format: removable
        fixed = found.get("removable") is False
        said = "is not active" if gone else "is a system field" if fixed else "is there"
        return Finding(not gone and not fixed, f"{label} ({found.get('name') or found.get('title')}) {said}", remedy)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """Every list empty and every id 1; a request reads of it what it asked for."""
        return {"users": [], "user": {"id": 1}, "tickets": [], "ticket": {"id": 1}, "comments": []}

    # --- the wire ----------------------------------------------------------------------------

    @property
    def _base(self) -> str:
        return str(self.settings.base_url or f"https://{self.settings.subdomain}.zendesk.com").rstrip("/")

    def _ask(self, name: str, method: str, path: str, **options: Any) -> Any:
        """What stands under `name` in the answer; None when a judge let an error pass."""
        headers = {"Accept": "application/json", **options.pop("headers", {})}
        # https://developer.zendesk.com/api-reference/introduction/security-and-auth/#api-token
        auth = (f"{self.settings.email}/token", self.settings.api_token.get_secret_value())
        answer = self.http.json(method, f"{self._base}/api/v2/{path}", auth=auth, headers=headers, **options)
        if not isinstance(answer, dict) or not answer.keys() & {name, "error"}:
            raise RetryLater(f"expected '{name}' in the answer to {method} {path}")
        return answer.get(name)


def _mark(words: Mapping, number: int, part: int) -> str:
    """Ends each comment, so that it can be found again."""
    return f"[{words.key}:{number}:{part}]"


def _fields(words: Mapping) -> list[dict[str, Any]]:
    return [{"id": int(name), "value": value} for name, value in words.fields().items()]


def _bodies(words: Mapping, number: int, *, revised: bool = False) -> list[str]:
    """The comments of a revision, each with its mark, which has no character that HTML knows."""
    room = COMMENT - _size(f"<p>{_mark(words, number, 99_999)}</p>")
    parts = words.bodies(room, _size, revised=revised)
    return [f"{part}<p>{_mark(words, number, index)}</p>" for index, part in enumerate(parts, 1)]


def _size(text: str) -> int:
    return len(text.encode())
