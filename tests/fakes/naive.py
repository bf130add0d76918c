"""A vendor without any idempotency, and the connector that somebody in a hurry would write for it.

The contract must fail it. It is here to show that the suite can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import AnyHttpUrl, SecretStr

from connectors.kit.connector import Change, Finding, HttpConnector, Receipt, Step
from connectors.kit.people.settings import PeopleSettings
from connectors.testing.fake import Answer, Fake, Request
from core.conversation import Conversation
from core.delivery import Reference


class NaiveSettings(PeopleSettings):
    base_url: AnyHttpUrl
    key: SecretStr


class Naive(HttpConnector[NaiveSettings]):
    label = "Naive"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        base = str(self.settings.base_url)
        auth = {"Authorization": f"Bearer {self.settings.key.get_secret_value()}"}
        visitor = conversation.visitor
        said = {"email": visitor.email, "name": visitor.name, "title": "said in the chat"}
        person = self.http.json("POST", base + "people", json=said, headers=auth)
        text = "<br>".join(f"{one.name}: {one.content}" for one in conversation.messages)[:65536]
        record = self.http.json("POST", base + "tickets", json={"person": person["id"], "text": text}, headers=auth)
        return Reference(str(record["id"]))

    def check(self) -> Any:
        self.http.json("POST", str(self.settings.base_url) + "people", json={"email": "test@example.com"})
        yield Finding(True, "works")

    def setup(self) -> Iterator[Change]:
        def make() -> None:
            self.http.json("POST", f"{self.settings.base_url}queues")

        yield Change("the queue Chats", make)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        return {"id": 1}


class NaiveVendor(Fake):
    def __init__(self) -> None:
        super().__init__()
        self._people: list[Any] = []
        self._tickets: list[Any] = []
        self.route("POST", "/people", self._upsert)
        self.queues = 0
        self.route("POST", "/queues", self._add_queue)
        self.route("POST", "/tickets", lambda request: self._add(self._tickets, request))

    def _add(self, where: list[Any], request: Request) -> Answer:
        where.append({**request.body, "id": self.new_id()})
        return Answer(201, where[-1])

    def _upsert(self, request: Request) -> Answer:
        """As vendors do that update whoever has the address: what was typed is gone."""
        known = [one for one in self._people if one["email"] == request.body["email"] and "phone" in one]
        if known:
            known[0].update(request.body)
            return Answer(200, known[0])
        return self._add(self._people, request)

    def _add_queue(self, request: Request) -> Answer:
        self.queues += 1
        return Answer(201, {"id": self.queues})

    def people(self) -> list[Any]:
        return self._people

    def records(self) -> list[Any]:
        return self._tickets

    def add_person(self, *, name: str = "", email: str = "", phone: str = "", **fields: str) -> int:
        self._people.append({"id": self.new_id(), "name": name, "email": email, "phone": phone, **fields})
        return int(self._people[-1]["id"])

    def person(self, number: int) -> dict[str, str]:
        return next(one for one in self._people if one["id"] == number)

    def remove_person(self, number: int) -> None:
        self._people = [one for one in self._people if one["id"] != number]

    def records_of(self, number: int) -> int:
        return sum(one["person"] == number for one in self._tickets)

    def add_company(self, domain: str) -> int:
        return self.new_id()

    def company_of(self, number: int) -> None:
        return None

    def texts(self) -> list[str]:
        return [one["text"] for one in self._tickets]
