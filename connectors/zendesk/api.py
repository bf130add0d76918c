"""How Zendesk is asked, and what its answers mean.

https://developer.zendesk.com/api-reference/introduction/requests/
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from connectors.kit.auth.credentials import Basic, Credentials
from connectors.kit.auth.oauth import Provider
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import HttpConnector
from connectors.kit.reply import Reply
from connectors.kit.wire.verdicts import PAUSE, WAIT, Hint, Verdicts, When
from connectors.kit.work.owner import OWNER
from connectors.zendesk.settings import ZendeskSettings

#: Codes, and the names of the fields complained of, in the body of a 400 or 422. What is not here is a refusal of this
#: record. https://developer.zendesk.com/api-reference/introduction/requests/#400-range
VERDICTS = Verdicts(
    # 409: somebody changed the same thing at the same moment.
    statuses={409: WAIT},
    only=frozenset({400, 422}),
    codes={
        # The key was used for another body: an earlier create got through after all, and the next try will find it.
        "error": {"IdempotentRequestError": WAIT},
        # These come from our settings, so every record would be refused for them.
        "details{}": {name: PAUSE for one in ("group", "brand", "ticket_form") for name in (one, f"{one}_id")},
    },
    # https://developer.zendesk.com/api-reference/introduction/rate-limits/ : seconds, not a time.
    hints=(Hint(header="ratelimit-reset", on=(429,)),),
)
_CLOSED = b"prevents ticket update"
#: When the request names a ticket that was made earlier. No follow-up ticket: one conversation is one record, and
#: whoever closed it had seen the chat.
OF_TICKET = (
    When((404,), text="the ticket was deleted in Zendesk; restore it and replay"),
    When(
        (422,),
        text="the ticket is closed, and Zendesk adds nothing to closed tickets; read on in Smartsupp",
        said=(_CLOSED,),
    ),
)
#: The same where a person's chats share tickets: what was closed is followed by another one.
OF_SHARED_TICKET = (OF_TICKET[0], When((422,), text="the ticket is closed", said=(_CLOSED,), steps=("ticket",)))
#: The step that remembers the user who wrote.
REQUESTER = "requester"
_REQUESTER = frozenset({"requester", "requester_id", "email"})
#: When it brings a visitor, by address or by number: suspended, deleted, or an address that Zendesk takes for none.
OF_PERSON = (
    When((422,), steps=(REQUESTER,), codes={"details{}": _REQUESTER}, refused=True),
    When((422,), steps=("agent",), codes={"details{}": frozenset({"submitter", "submitter_id"})}, refused=True),
)
#: When it brings a new user: that somebody has the address already is an answer.
OF_NEW_USER = (When((422,), then=None, codes={"details.*[].error": frozenset({"DuplicateValue"})}), *OF_PERSON)
#: When it fills the fields of a user.
GONE_USER = When((404,), text="the user was deleted or merged in Zendesk", steps=(REQUESTER,))
#: When it brings a new ticket. An owner outside the ticket's group, or one who became a light agent, is refused alone.
OF_NEW_TICKET = (
    When((422,), steps=(OWNER,), codes={"details{}": frozenset({"assignee", "assignee_id"})}, refused=True),
    *OF_PERSON,
)
#: Only admins may import tickets; who is none makes them as of today.
OF_IMPORT = (When((403,), then=None), *OF_NEW_TICKET)


class ZendeskApi(HttpConnector[ZendeskSettings]):
    """The part of the connector that knows nothing of chats."""

    label = "Zendesk"
    makes = "a user and a ticket, with the transcript in private comments"
    capabilities = Capabilities(
        person="a user, by email, phone or customer id, else created; blank fields filled",
        revision="what is new, as a private comment",
        idempotent="an idempotency key; looked for by external id and mark",
        files="attached to a private comment",
    )
    verdicts: ClassVar[Verdicts | None] = VERDICTS
    headers: ClassVar[Mapping[str, str]] = {"Accept": "application/json"}

    @property
    def base(self) -> str:
        return str(self.settings.base_url or f"https://{self.settings.subdomain}.zendesk.com").rstrip("/")

    @cached_property
    def credentials(self) -> Credentials:
        own = self.settings
        if own.api_token:
            # https://developer.zendesk.com/api-reference/introduction/security-and-auth/#api-token
            return Basic(f"{own.email}/token", own.api_token.get_secret_value())
        # https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/
        return self.tokens(
            Provider(
                token_url=f"{self.base}/oauth/tokens",
                authorize_url=f"{self.base}/oauth/authorizations/new",
                client_id=own.client_id,
                client_secret=own.client_secret,
                grant=own.grant,
                scope=own.scope or "read write",
                as_json=True,
            )
        )

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        return super().ask(method, f"/api/v2/{path}", **options)

    def page_of(self, ticket: int) -> str:
        """Where an agent reads a ticket."""
        return f"{self.base}/agent/tickets/{ticket}"

    def is_there(self, kind: str, number: int) -> bool:
        """Whether there is such a group, brand, form or field, and it is in use; asked once for all workers."""
        return self.cache.pretends or self.cache.get(f"{kind} {number}", lambda: self.thing(kind, number)[1] == "")

    def thing(self, kind: str, number: int) -> tuple[str, str]:
        """Its name, and what speaks against it, or ""."""
        # https://developer.zendesk.com/api-reference/ticketing/groups/groups/#show-group, and its like
        judge = self.when(When((404,), then=None))
        shown = self.ask("GET", f"{kind}s/{number}", judge=judge).get(kind)
        if shown is None:
            return "", "is not there"
        found = shown.object
        return str(found.get("name") or found.get("title")), unusable(found)


#: What speaks against a field that is in every ticket.
FIXED = "is a system field"


def unusable(thing: Mapping[str, Any]) -> str:
    """Why a group, brand, form or field cannot be used, or ""."""
    gone = thing.get("active") is False or thing.get("deleted") or thing.get("is_deleted")
    # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/#json-format: removable
    fixed = thing.get("removable") is False
    return "is not active" if gone else FIXED if fixed else ""
