"""What a `type: http` of the documentation (docs/connectors/examples) does at a real system: one suite for all of them.

A module has the system as its fixture `system`, and a class that inherits these tests and says how to look at it.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from connectors import registry
from connectors.kit.connector import HttpConnector, Receipt, Step
from connectors.testing.bench import Died
from connectors.testing.chats import SAMPLE
from core.delivery import Delivery, Reference, Revision
from core.ids import DeliveryId, PayloadId
from core.smartsupp.parser import parse_conversation
from tests.live.cutting import Cutting
from tests.live.pipeline import settled
from tests.support.stack import Stack, chat, until

EXAMPLES = Path(__file__).parents[2] / "docs" / "connectors" / "examples"
HELLO = {"type": "visitor", "from": "visitor:mx1", "content": "Hello", "sentAt": 1427470439703}


@dataclass(frozen=True)
class Record:
    """What a system has of a chat: whose it is, and its texts in order, as they are read by people."""

    id: Any
    email: str
    texts: Sequence[str]


def messages(*texts: str) -> list[dict[str, Any]]:
    return [{**HELLO, "content": text, "sentAt": HELLO["sentAt"] + n} for n, text in enumerate(texts)]  # type: ignore[operator]


def numbers(texts: Sequence[str]) -> list[int]:
    """What is numbered in the texts, in order."""
    return [int(one) for text in texts for one in re.findall(r"number (\d+)\b", text)]


class DeclaredAtWork(ABC):
    example: ClassVar[str]
    #: A secret of the example by its variable, and what a check says of a wrong one.
    secret: ClassVar[str]
    refused: ClassVar[str]
    #: What a check says, and what it says of one thing in the environment that is not there.
    proven: ClassVar[Sequence[str]]
    missing: ClassVar[tuple[str, str] | None] = None
    #: Whether a revision is written over the texts that stand, or added to them.
    is_written_over: ClassVar[bool]
    #: Whether a record that was deleted there is created again; else its chat becomes a dead letter.
    heals: ClassVar[bool] = False
    #: Requests that write, for a long chat of a new visitor.
    writes: ClassVar[int]

    @abstractmethod
    def environment(self, system: Any) -> Mapping[str, str]:
        """The variables that the example names."""

    @abstractmethod
    def records(self, system: Any, key: str) -> list[Record]:
        """All that there are of a chat, by its key."""

    @abstractmethod
    def delete(self, system: Any, record: Record) -> None:
        """As somebody deletes it there."""

    @abstractmethod
    def has_one_person(self, system: Any, email: str, keys: Sequence[str]) -> None:
        """Fails unless that person is there once, with these chats and no others; where there are no persons, unless
        each of the chats has the address."""

    # --- the connector -------------------------------------------------------------------

    @property
    def _written(self) -> dict[str, Any]:
        """The example, with the one thing beside that a system on loopback needs."""
        written: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{self.example}.yaml").read_text())
        for one in written["connectors"].values():
            one["allow_networks"] = ["127.0.0.1/32"]
        return written

    @property
    def name(self) -> str:
        (name,) = self._written["connectors"]
        return str(name)

    def configured(self, relay: Stack, system: Any, **changes: str) -> None:
        relay.environment |= {**self.environment(system), **changes}
        relay.configure(json.dumps(self._written))

    def connector(self, system: Any) -> HttpConnector[Any]:
        values = self.environment(system)
        text = re.sub(
            r"\$\{(\w+)\}", lambda found: values[found[1]], json.dumps(self._written["connectors"][self.name])
        )
        kind = registry.find("http")
        made = kind(self.name, kind.settings_model.model_validate(json.loads(text)), Path())
        assert isinstance(made, HttpConnector)
        return made

    def deliver(
        self,
        made: HttpConnector[Any],
        channel: str,
        memory: dict[str, Any],
        *texts: str,
        number: int = 1,
        **visitor: Any,
    ) -> Reference:
        """One attempt without a worker; `memory` is what the store remembers of the steps."""
        body = json.loads(chat(channel, messages=messages(*texts)))
        body["visitor"] |= visitor
        revision = Revision(number, PayloadId(f"payload{number}"), 1_700_000_000_000, "", json.dumps(body).encode())
        receipt = Receipt(f"{self.name}:1:{channel}", revision, lambda: [revision])
        with made.attempt():
            return made.deliver(parse_conversation(revision.body), receipt, Step(memory, memory.__setitem__))

    def one(self, system: Any, channel: str, account: int = 1) -> Record:
        (found,) = self.records(system, f"smartsupp:{account}:{channel}")
        return found

    def settled(self, relay: Stack, channel: str, status: str = "delivered", tries: int = 1) -> Delivery:
        return settled(relay, f"{self.name}:1:{channel}", status, tries)

    @pytest.fixture
    def desk(self, relay: Stack, system: Any) -> Stack:
        """Everything runs, and the system is its one destination."""
        self.configured(relay, system)
        relay.web()
        relay.worker()
        return relay

    # --- the pipeline --------------------------------------------------------------------

    def test_a_chat_is_one_record_of_the_visitors_with_the_whole_text(self, desk: Stack, system: Any) -> None:
        desk.post(json.dumps({**SAMPLE, "accountId": 1}).encode())
        delivery = self.settled(desk, "55039")
        record = self.one(system, "55039")
        assert delivery.reference
        assert delivery.reference.id == str(record.id)
        assert record.email == "dusan@domain.com"
        for said in ("visitor: Hello", "John Doe: Hi, how can i help you ?", "Dusan Kmet: tanks."):
            assert said in "\n".join(record.texts), record.texts

    def test_a_revision_brings_what_is_new_to_the_same_record(self, desk: Stack, system: Any) -> None:
        """Where notes are written over, they stand once; where notes are added, what stands stays as it is, and only
        what is new follows."""
        long = [f"number {n} " + "x" * 900 for n in range(100)]
        desk.post(chat("revised", messages=messages(*long)))
        first = self.settled(desk, "revised")
        before = self.one(system, "revised")
        assert numbers(before.texts) == [*range(100)]
        desk.post(chat("revised", messages=messages(*long, "number 100 at last")))
        until(lambda: desk.ledger.delivery(DeliveryId(f"{self.name}:1:revised")).revision == 2, 60)
        second = self.settled(desk, "revised", tries=2)
        assert second.reference == first.reference
        after = self.one(system, "revised")
        if self.is_written_over:
            assert numbers(after.texts) == [*range(101)]
            assert len(after.texts) == len(before.texts)
        else:
            assert list(after.texts[: len(before.texts)]) == list(before.texts)
            assert numbers(after.texts[len(before.texts) :]) == [100]
        desk.cli("replay", f"{self.name}:1:revised")
        self.settled(desk, "revised", tries=3)
        assert self.one(system, "revised") == after

    def test_chats_of_one_new_person_whose_answers_get_lost_are_a_record_each(self, relay: Stack, system: Any) -> None:
        """Twelve at once, half of them of one person, before a proxy that loses every fifth answer to a write."""
        channels = [f"many-{number}" for number in range(12)]
        with Cutting(system.url, share=0.2) as proxy:
            behind = {name: value.replace(system.url, proxy.url) for name, value in self.environment(system).items()}
            self.configured(relay, system, **behind)
            relay.web()
            for number, channel in enumerate(channels):
                visitor = {
                    "id": number,
                    "name": "Eva",
                    "email": f"eva-{'shared' if number % 2 else number}@example.com",
                }
                said = messages(*(f"number {n} " + "й" * 700 for n in range(100 if number % 3 == 0 else 2)))
                assert relay.post(chat(channel, visitor=visitor, messages=said)).status_code == 202
            # From here on they are delivered as many at once as there are threads.
            relay.worker()

            def arrived() -> bool:
                relay.hurry(self.name)
                return relay.ledger.lane(self.name).counts["delivered"] == len(channels)

            until(arrived, 180, "twelve records")
        assert proxy.lost
        for number, channel in enumerate(channels):
            record = self.one(system, channel)
            assert record.email == f"eva-{'shared' if number % 2 else number}@example.com", proxy.lost
            assert numbers(record.texts) == [*range(100 if number % 3 == 0 else 2)], (channel, proxy.lost)
        self.has_one_person(system, "eva-shared@example.com", [f"smartsupp:1:{one}" for one in channels[1::2]])

    def test_a_record_that_somebody_deleted_there_is_a_matter_of_its_own_chat(self, desk: Stack, system: Any) -> None:
        desk.post(chat("deleted", visitor={"id": 9, "name": "Dan", "email": "dan@example.com"}))
        self.settled(desk, "deleted")
        self.delete(system, self.one(system, "deleted"))
        more = messages("Hello", "number 1 at last")
        desk.post(chat("deleted", visitor={"id": 9, "name": "Dan", "email": "dan@example.com"}, messages=more))
        if self.heals:
            until(lambda: desk.ledger.delivery(DeliveryId(f"{self.name}:1:deleted")).revision == 2, 60)
            record = self.one(system, "deleted")
            assert (record.email, numbers(record.texts)) == ("dan@example.com", [1])
        else:
            dead = self.settled(desk, "deleted", "dead", tries=2)
            assert re.search(r"was deleted|is no longer there", dead.attempts[-1].error), dead.attempts[-1].error
            assert self.records(system, "smartsupp:1:deleted") == []
        desk.post(chat("after"))
        self.settled(desk, "after")
        assert self.one(system, "after").email == "ann@example.com"

    def test_a_check_says_what_is_there_and_what_is_not(self, relay: Stack, system: Any) -> None:
        self.configured(relay, system)
        said = relay.cli("connectors", "check", self.name)
        for right in self.proven:
            assert right in said
        if self.missing:
            variable, wrong = self.missing
            self.configured(relay, system, **{variable: "nothing-of-this-name"})
            assert wrong in relay.cli("connectors", "check", self.name, code=1)
        self.configured(relay, system, **{self.secret: "not-a-secret-of-this-system"})
        said = relay.cli("connectors", "check", self.name, code=1)
        assert self.refused in said
        assert "not-a-secret-of-this-system" not in said

    # --- the connector alone -------------------------------------------------------------

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_a_death_around_any_request_leaves_one_record_and_each_text_once(self, system: Any, after: bool) -> None:
        """A long chat: the system itself is asked what is there."""
        long = [f"number {n} " + "x" * 900 for n in range(100)]
        number = 0
        while True:
            channel = f"dies-{'after' if after else 'before'}-{number}"
            email = f"{channel}@example.com"
            memory: dict[str, Any] = {}
            died = self._dies(self.connector(system), number, after, channel, memory, *long, email=email)
            self.deliver(self.connector(system), channel, memory, *long, email=email)
            if not died:
                break
            record = self.one(system, channel)
            assert numbers(record.texts) == [*range(100)], (channel, numbers(record.texts))
            assert record.email == email
            self.has_one_person(system, email, [f"smartsupp:1:{channel}"])
            number += 1
        assert number >= self.writes

    def _dies(self, made: HttpConnector[Any], number: int, after: bool, *delivered: Any, **visitor: Any) -> bool:
        """Deliver, and die before or after request `number`. False when there was no such request."""
        send, count = made.http._once, iter(range(1000))

        def once(*arguments: Any) -> Any:
            mine = next(count) == number
            if mine and not after:
                raise Died
            answer = send(*arguments)
            if mine:
                raise Died
            return answer

        made.http._once = once  # type: ignore[method-assign, assignment]
        try:
            self.deliver(made, *delivered, **visitor)
        except Died:
            return True
        return False

    @pytest.mark.parametrize("number", range(4))
    def test_a_name_of_any_shape_is_delivered(self, system: Any, number: int) -> None:
        name = ('O\'Brien "Ann" <x@y>', "Kmet, Dušan 🎉 (VIP)", "back\\slash", "n" * 400)[number]
        email = f"name-{number}@example.com"
        self.deliver(self.connector(system), f"name-{number}", {}, "number 1", name=name, email=email)
        assert self.one(system, f"name-{number}").email == email
