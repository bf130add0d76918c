"""My Desk: a ticket for each chat, and its text as notes.

https://desk.example.com/api, which does not exist: copy this file, and put your vendor's calls into the last section.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from pydantic import AnyHttpUrl, Field, SecretStr
from requests import Response

from connectors.kit.connector import Finding, HttpConnector, Receipt, Step
from connectors.kit.record import Mapping, Person, RecordSettings
from connectors.kit.reply import Reply
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError, Gone, RecordRefused

#: Characters that My Desk takes.
SUBJECT, NOTE = 200, 60_000


class MyDeskSettings(RecordSettings):
    """Settings of `type: mydesk`."""

    url: AnyHttpUrl = Field(description="Of the desk, such as https://desk.example.com.")
    key: SecretStr = Field(description="From its settings, under API.")


class MyDesk(HttpConnector[MyDeskSettings]):
    label = "My Desk"
    makes = "a person and a ticket, with the transcript in internal notes"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Mapping(self.settings, conversation)
        who = words.person
        person = step("person", partial(self._person, who), identity=who.email) if who else None
        # The ticket has no text of its own. So whoever finds it need not ask which revision it was made of.
        ticket = step.once("ticket", partial(self._create, words, person), find=partial(self._find_ticket, words.key))
        number = receipt.number
        # The first revision that comes here may be number 3: of revisions that follow each other quickly, only the last
        # is delivered.
        revised = step.knows("first") and step("first", lambda: number) < number
        for part, html in enumerate(words.bodies(NOTE, revised=revised), 1):
            mark = f"{words.key}:{number}.{part}"
            step.once(
                f"note {number}.{part}",
                partial(self._add_note, ticket, mark, html),
                find=partial(self._find_note, ticket, mark),
            )
        step("first", lambda: number)
        return Reference(ticket, f"{self._base}/tickets/{ticket}")

    # --- what the vendor means ---------------------------------------------------

    def _judge_new(self, answer: Response) -> DeliveryError | None:
        """For a request that names a person: My Desk answers 422 for one that was deleted."""
        error = self.judge(answer)
        return Gone(str(error), "person", status=422) if answer.status_code == 422 else error

    def _judge_ticket(self, answer: Response) -> DeliveryError | None:
        """For a request that names a ticket: a 404 is about this ticket, and says nothing of the others."""
        error = self.judge(answer)
        if answer.status_code == 404 and isinstance(error, ConnectorRefused):  # no page of a firewall
            return RecordRefused("the ticket is no longer in My Desk; it was deleted there", status=404)
        return error

    # --- looking first -----------------------------------------------------------

    def check(self) -> Iterator[Finding]:
        name = self._call("GET", "me")["name"].text
        yield Finding(True, f"My Desk accepts the key, which is {name}'s")

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """An empty desk."""
        return {"id": 1} if method == "POST" else {"name": "Relay", "found": []}

    # --- the calls ---------------------------------------------------------------

    def _person(self, person: Person) -> str:
        found = self._call("GET", "people", params={"email": person.email})["found"]
        if len(found):
            return found[0]["id"].id
        return self._call("POST", "people", json={"email": person.email, "name": person.name})["id"].id

    def _create(self, words: Mapping, person: str | None) -> str:
        ticket = {
            "key": words.key,
            "subject": words.subject(SUBJECT),
            "person": person,
            "tags": words.tags(),
            "fields": words.fields(),
        }
        return self._call("POST", "tickets", json=ticket, judge=self._judge_new)["id"].id

    def _find_ticket(self, key: str) -> str | None:
        # A list by an exact key. A full-text search would not do: its index lags behind.
        found = self._call("GET", "tickets", params={"key": key})["found"]
        return found[0]["id"].id if len(found) else None

    def _add_note(self, ticket: str, mark: str, html: str) -> str:
        note = {"mark": mark, "html": html}
        return self._call("POST", f"tickets/{ticket}/notes", json=note, judge=self._judge_ticket)["id"].id

    def _find_note(self, ticket: str, mark: str) -> str | None:
        notes = self._call("GET", f"tickets/{ticket}/notes", judge=self._judge_ticket)["found"]
        return next((note["id"].id for note in notes if note["mark"].text == mark), None)

    @property
    def _base(self) -> str:
        return str(self.settings.url).rstrip("/")

    def _call(self, method: str, path: str, **options: Any) -> Reply:
        headers = {"Authorization": f"Bearer {self.settings.key.get_secret_value()}"}
        return self.http.reply(method, f"{self._base}/api/{path}", headers=headers, **options)
