"""A vendor without any idempotency, and the connector that somebody in a hurry would write for it.

The contract must fail it. It is here to show that the suite can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import AnyHttpUrl, SecretStr

from connectors.kit.connector import Change, Finding, HttpConnector, Receipt, Step
from connectors.kit.record import RecordSettings
from connectors.testing.fake import Answer, Fake, Request
from core.conversation import Conversation
from core.delivery import Reference


class NaiveSettings(RecordSettings):
    base_url: AnyHttpUrl
    key: SecretStr


class Naive(HttpConnector[NaiveSettings]):
    label = "Naive"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        base = str(self.settings.base_url)
        auth = {"Authorization": f"Bearer {self.settings.key.get_secret_value()}"}
        visitor = conversation.visitor
        person = self.http.json(
            "POST", base + "people", json={"email": visitor.email, "name": visitor.name}, headers=auth
        )
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
        self.route("POST", "/people", lambda request: self._add(self._people, request))
        self.queues = 0
        self.route("POST", "/queues", self._add_queue)
        self.route("POST", "/tickets", lambda request: self._add(self._tickets, request))

    def _add(self, where: list[Any], request: Request) -> Answer:
        where.append({**request.body, "id": self.new_id()})
        return Answer(201, where[-1])

    def _add_queue(self, request: Request) -> Answer:
        self.queues += 1
        return Answer(201, {"id": self.queues})

    def people(self) -> list[Any]:
        return self._people

    def records(self) -> list[Any]:
        return self._tickets

    def texts(self) -> list[str]:
        return [one["text"] for one in self._tickets]
