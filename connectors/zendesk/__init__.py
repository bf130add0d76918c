"""Zendesk Support: a user and a ticket, with the transcript in private comments.

https://developer.zendesk.com/api-reference/ticketing/introduction/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from connectors.kit.connector import Finding, Receipt, Step
from connectors.kit.email_address import spellings
from connectors.kit.person import for_person
from connectors.kit.record import Mapping, Person
from connectors.kit.reply import Reply
from connectors.kit.text.parts import Layout, Part, append, marked, octets
from connectors.kit.wire.pager import by_page
from connectors.kit.wire.verdicts import When
from connectors.zendesk.api import OF_NEW_USER, OF_PERSON, OF_TICKET, ZendeskApi
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import Gone

#: Bytes of HTML in one comment. Zendesk takes 64 KB. It writes attributes into our paragraphs, by which the shortest
#: grow by half, and nobody says whether it counts before or after.
COMMENTS = Layout(40_000, octets, mark="[{}:{}:{}]".format)
#: How many comments are looked through: twenty a page stay within what is read of an answer.
NEWEST = by_page("comments").few(20, most=5)
#: How many users of those that a search shows are asked for their further addresses.
FURTHER = 5
#: The day on which API tokens end.
LAST_DAY = date(2027, 4, 30)
#: Characters. Neither is documented; what is longer than a database's usual column helps nobody.
SUBJECT, NAME = 150, 255


class Zendesk(ZendeskApi):
    label = "Zendesk"
    makes = "A user and a ticket, with the transcript in private comments."

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Mapping(self.settings, conversation)
        number = receipt.number
        # The submitter is the author of the first comment, and by default it is the requester; but what is private
        # is an agent's. https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#requesters-and-submitters
        agent = step("agent", lambda: self.cache.get("me", self._me, anew=step.healed))
        person, nobody = words.person, partial(self._nobody, words, conversation)
        # The ticket, and the revision that its first comment holds: this one, or an earlier one.
        ticket = for_person(
            step,
            "requester",
            words,
            person=partial(self._requester, person) if person else nobody,
            nobody=nobody,
            identity=words.identity,
            make=lambda requester: step.once(
                "ticket",
                partial(self._create_ticket, words, requester, agent, number),
                find=partial(self._find_ticket, words),
            ),
        )
        first = ticket["revision"] == number
        parts = COMMENTS.parts(words, number, revised=not first)[1 if first else 0 :]
        write, look = partial(self._comment, ticket["id"], words), partial(self._has_comment, ticket["id"])
        append(step, "comment", parts, write=write, look=look)
        return Reference(str(ticket["id"]), f"{self.base}/agent/tickets/{ticket['id']}")

    def _me(self) -> int:
        return self.ask("GET", "users/me")["user"]["id"].number

    # --- the person ------------------------------------------------------------------

    def _requester(self, person: Person) -> int:
        """The user with this address, or a new one; nobody's name changes. Raises Gone when Zendesk takes neither."""
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#search-users
        found = list(self.ask("GET", "users/search", params={"query": f"email:{person.email}"})["users"])
        same = (user["id"].number for user in found if _is(person.email, user.get("email")))
        return (
            next(same, None)
            or next((user["id"].number for user in found[:FURTHER] if self._has(user, person.email)), None)
            or self._create_user(person)
        )

    def _has(self, user: Reply, email: str) -> bool:
        """Whether it is a further address of the user's, as after a merge: the user itself shows the first alone."""
        # https://developer.zendesk.com/api-reference/ticketing/users/user_identities/#list-identities
        listed = self.ask("GET", f"users/{user['id'].number}/identities")["identities"]
        return any(_is(email, one.get("value")) for one in listed if one["type"].text == "email")

    def _create_user(self, person: Person) -> int:
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#create-user
        # It refuses an address that somebody has, while the upsert would rename that somebody after what was typed.
        new = {"name": person.name[:NAME], "email": person.email, "skip_verify_email": True}
        judge = self.when(*OF_NEW_USER)
        made = self.ask("POST", "users", json={"user": new}, repeatable=True, judge=judge).get("user")
        if made is None:
            # Somebody whom the search does not show, or not yet. Without a name, the upsert changes nothing.
            # https://developer.zendesk.com/api-reference/ticketing/users/users/#create-or-update-user
            known = {"email": person.email, "skip_verify_email": True}
            path = "users/create_or_update"
            made = self.ask("POST", path, json={"user": known}, repeatable=True, judge=judge).get("user")
        if made is None:
            raise Gone("Zendesk says that the address is taken, and does not say by whom", "requester", status=422)
        return made["id"].number

    def _nobody(self, words: Mapping, conversation: Conversation) -> int:
        # A ticket without a requester would be ours, and a user needs a name alone: https://support.zendesk.com/
        # hc/en-us/articles/4408894213018. The external id makes it one user for each visitor.
        visitor = conversation.visitor.id or conversation.id
        external = f"smartsupp:{conversation.account}:visitor:{visitor}"
        user = {"name": words.name[:NAME], "external_id": external, "skip_verify_email": True}
        saved = self.ask("POST", "users/create_or_update", json={"user": user}, repeatable=True)
        return saved["user"]["id"].number

    # --- the ticket ------------------------------------------------------------------

    def _create_ticket(self, words: Mapping, requester: int, agent: int, number: int) -> dict[str, int]:
        settings = self.settings
        ticket = {
            # Zendesk fills placeholders in, in subjects too: raw_subject in the JSON format.
            "subject": words.subject(SUBJECT).replace("{", "("),
            "comment": {"html_body": COMMENTS.parts(words, number)[0].body, "public": False},
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
        made = self.ask(
            "POST",
            "tickets",
            json={"ticket": {name: value for name, value in ticket.items() if value not in (None, [])}},
            # https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency
            headers={"Idempotency-Key": words.key},
            repeatable=True,
            judge=self.when(*OF_PERSON),
        )
        return {"id": made["ticket"]["id"].number, "revision": number}

    def _find_ticket(self, words: Mapping) -> dict[str, int] | None:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#list-tickets
        # The key of a create lives for two hours, the external id as long as the ticket; /search lags.
        listed = self.ask("GET", "tickets", params={"external_id": words.key})["tickets"]
        found = next((ticket for ticket in listed if ticket["external_id"].raw == words.key), None)
        if found is None:
            return None
        described = found.get("description")
        marked = re.search(rf"\[{re.escape(words.key)}:(\d+):1\]\s*\Z", described.text if described is not None else "")
        return {"id": found["id"].number, "revision": int(marked[1]) if marked else 0}

    def _comment(self, ticket: int, words: Mapping, part: Part) -> bool:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket
        # Subject and tags are the agents' by the time of a new revision; the fields came from us.
        fields = _fields(words) if part.number == 1 else []
        sent = {"comment": {"html_body": part.body, "public": False}, **({"custom_fields": fields} if fields else {})}
        changed = self.ask("PUT", f"tickets/{ticket}", json={"ticket": sent}, judge=self.when(*OF_TICKET))
        _ = changed["ticket"]["id"].number  # a 200 that Zendesk did not write has none
        return True

    def _has_comment(self, ticket: int, part: Part) -> bool | None:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#list-comments
        # The newest first: what we look for was sent a moment ago, or at most a few days. Few at a time, as each has
        # its text three times over.
        path, judge = f"/api/v2/tickets/{ticket}/comments", self.when(*OF_TICKET)
        listed = self.entries(NEWEST, path, judge, sort_order="desc")
        return marked(listed, lambda one: one["html_body"].text, part.mark) is not None or None

    # --- looking first -------------------------------------------------------------------

    def check(self) -> Iterator[Finding]:
        settings = self.settings
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self
        # Without credentials it answers 200 with an anonymous user.
        me = self.ask("GET", "users/me")["user"]
        role, email = me.get("role"), me.get("email")
        yield Finding(
            role is not None and role.raw in ("admin", "agent") and not me.object.get("suspended"),
            f"{email.text if email is not None else settings.email} is "
            f"{role.text if role is not None else 'nobody'} in {self.base}",
            "sign in as an admin, or as an agent who may manage end users",
        )
        for text, remedy in settings.doubts():
            yield Finding(datetime.now(UTC).date() < LAST_DAY, text, remedy)
        # https://developer.zendesk.com/api-reference/ticketing/account-configuration/account_settings/#show-settings
        tickets = self.ask("GET", "account/settings")["settings"]["tickets"].object
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
        judge = self.when(When((404,), then=None))
        shown = self.ask("GET", f"{kind}s/{number}", judge=judge).get(kind)
        label = f"{kind.replace('_', ' ')} {number}"
        if shown is None:
            return Finding(False, f"there is no {label}", remedy)
        found = shown.object
        gone = found.get("active") is False or found.get("deleted") or found.get("is_deleted")
        # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/#json-format: removable
        fixed = found.get("removable") is False
        said = "is not active" if gone else "is a system field" if fixed else "is there"
        return Finding(not gone and not fixed, f"{label} ({found.get('name') or found.get('title')}) {said}", remedy)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """Every list empty and every id 1; a request reads of it what it asked for."""
        return {"users": [], "user": {"id": 1}, "tickets": [], "ticket": {"id": 1}, "comments": []}


def _is(email: str, said: Reply | None) -> bool:
    return said is not None and said.text.casefold() in {one.casefold() for one in spellings(email)}


def _fields(words: Mapping) -> list[dict[str, Any]]:
    return [{"id": int(name), "value": value} for name, value in words.fields().items()]
