"""One chat, one person, one record: whatever dies, is lost, or comes twice."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from connectors.kit.connector import HttpConnector
from connectors.testing.bench import Bench, Died
from connectors.testing.chats import SAMPLE
from connectors.testing.fake import Fake
from core.delivery import Reference
from core.errors import RetryLater


class OneRecord(Bench):
    def test_a_chat_becomes_one_person_and_one_record_with_a_link(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor), SAMPLE, {})
        assert self.people(vendor) == 1
        assert len(vendor.records()) == 1
        assert reference.id
        assert reference.url.startswith("http") or not self.has_pages
        for message in ("Hello", "Hi, how can i help you ?", "tanks.", "John Doe", "VIP customer"):
            assert self.spread(message) in self.arrived(vendor)

    def test_a_second_chat_of_the_same_visitor_finds_the_person(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, {})
        other = json.loads(json.dumps(SAMPLE))
        other["channel"]["id"] = 60000
        self.deliver(connector, other, {})
        assert self.people(vendor) == 1
        assert len(vendor.records()) == 2

    def test_two_chats_of_one_new_visitor_at_the_same_moment_make_one_person(self, vendor: Fake) -> None:
        vendor.pause = 0.03
        other = json.loads(json.dumps(SAMPLE))
        other["channel"]["id"] = 60000
        held: dict[str, threading.Lock] = {}

        def hold(identity: str) -> threading.Lock:
            return held.setdefault(identity, threading.Lock())

        connector = self.connector(vendor)
        with ThreadPoolExecutor(2) as both:

            def one(payload: dict[str, Any]) -> Reference:
                memory: dict[str, Any] = {}
                for _ in range(3):
                    try:
                        return self.deliver(connector, payload, memory, alone=hold)
                    except RetryLater:  # both made something else, such as a tag
                        continue
                raise AssertionError("it does not get through")

            made = {reference.id for reference in both.map(one, (SAMPLE, other))}
        assert self.people(vendor) == 1
        assert len(made) == len(vendor.records()) == 2

    def test_a_store_that_has_forgotten_everything_makes_no_second_record(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        first = self.deliver(connector, SAMPLE, {})
        again = self.deliver(connector, SAMPLE, {}, first=False)
        assert again.id == first.id
        assert (self.people(vendor), len(vendor.records())) == (1, 1)

    def test_a_chat_that_goes_on_after_everything_was_forgotten_arrives_whole_in_its_record(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        first = self.deliver(connector, SAMPLE, {})
        longer = json.loads(json.dumps(SAMPLE))
        longer["messages"].append({**SAMPLE["messages"][0], "content": "One thing more", "sentAt": 1427470480000})
        # Its revisions are counted anew, so its number is one that no earlier revision can have had.
        second = self.deliver(connector, longer, {}, 1427470480, first=False)
        assert second.id == first.id
        assert (self.people(vendor), len(vendor.records())) == (1, 1)
        assert self.spread("One thing more") in self.arrived(vendor)

    def test_a_death_before_or_after_any_request_leaves_one_person_and_one_record(self) -> None:
        for after in (False, True):
            number = 0
            while True:
                with self.fake() as vendor:
                    memory: dict[str, Any] = {}
                    connector = self.connector(vendor)
                    if not self._dies(connector, number, after, memory):
                        break
                    self.deliver(self.connector(vendor), SAMPLE, memory)
                    where = f"{'after' if after else 'before'} request {number}"
                    assert self.people(vendor) == 1, where
                    assert len(vendor.records()) == 1, where
                    assert self.arrived(vendor).count("tanks.") == 1, where
                number += 1
            assert number > 0

    def test_a_lost_reply_to_any_request_leaves_one_person_and_one_record(self) -> None:
        number = 0
        while True:
            with self.fake() as vendor:
                memory: dict[str, Any] = {}
                connector = self.connector(vendor)
                vendor.lose_reply_after = number
                self._delivered(connector, SAMPLE, memory)
                assert self.people(vendor) == 1, f"request {number}"
                assert len(vendor.records()) == 1, f"request {number}"
                assert self.arrived(vendor).count("tanks.") == 1, f"request {number}"
                if vendor.lose_reply_after is not None:  # there was no such request
                    break
            number += 1
        assert number > 0

    def test_a_lost_reply_about_a_chat_that_may_have_been_forgotten_writes_no_text_twice(self) -> None:
        for number in itertools.count():
            with self.fake() as vendor:
                connector, memory = self.connector(vendor), dict[str, Any]()
                lost = self._loses(vendor, connector, number)
                # Counted anew: no earlier revision can have had this number.
                self._delivered(connector, SAMPLE, memory, 1427470480, first=False)
                assert self.people(vendor) == 1, f"change {number}"
                assert len(vendor.records()) == 1, f"change {number}"
                assert self.arrived(vendor).count("tanks.") == 1, f"change {number}"
                if not lost:
                    break
        assert number > 0

    def test_a_chat_that_is_imported_again_into_a_new_store_writes_no_text_twice(self, vendor: Fake) -> None:
        for _ in range(2):
            self.deliver(self.connector(vendor), SAMPLE, {}, 1427470480, first=False)
        assert (self.people(vendor), len(vendor.records())) == (1, 1)
        assert self.arrived(vendor).count("tanks.") == 1

    def test_a_revision_that_comes_between_two_tries_is_written_once(self) -> None:
        """The first try ends before it changes something, and what the second changes first loses its reply."""
        longer = json.loads(json.dumps(SAMPLE))
        longer["messages"].append({**SAMPLE["messages"][0], "content": "One thing more", "sentAt": 1427470480000})
        with self.fake() as vendor:
            connector = self.connector(vendor)
            changing = self._watched(vendor, connector, lambda _: None)
            self.deliver(connector, SAMPLE, {})
        assert changing
        for number in changing:
            with self.fake() as vendor:
                memory: dict[str, Any] = {}
                assert self._dies(self.connector(vendor), number, False, memory)
                connector = self.connector(vendor)
                self._loses(vendor, connector, 0)
                self._delivered(connector, longer, memory, 2)
                assert self.people(vendor) == 1, f"request {number}"
                assert len(vendor.records()) == 1, f"request {number}"
                assert self.arrived(vendor).count(self.spread("One thing more")) == 1, f"request {number}"

    def test_a_replay_makes_nothing_new(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        first = self.deliver(connector, SAMPLE, memory)
        texts = len(vendor.texts())
        assert self.deliver(connector, SAMPLE, memory) == first
        assert (self.people(vendor), len(vendor.records()), len(vendor.texts())) == (1, 1, texts)

    def test_a_new_revision_updates_the_same_record(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        first = self.deliver(connector, SAMPLE, memory)
        longer = json.loads(json.dumps(SAMPLE))
        longer["messages"].append({**SAMPLE["messages"][0], "content": "One thing more", "sentAt": 1427470480000})
        second = self.deliver(connector, longer, memory, 2)
        assert second.id == first.id
        assert (self.people(vendor), len(vendor.records())) == (1, 1)
        assert self.spread("One thing more") in self.arrived(vendor)

    def test_a_death_while_a_revision_is_delivered_leaves_one_of_it(self) -> None:
        longer = json.loads(json.dumps(SAMPLE))
        longer["messages"].append({**SAMPLE["messages"][0], "content": "One thing more", "sentAt": 1427470480000})
        for after in (False, True):
            number = 0
            while True:
                with self.fake() as vendor:
                    memory: dict[str, Any] = {}
                    self.deliver(self.connector(vendor), SAMPLE, memory)
                    if not self._dies(self.connector(vendor), number, after, memory, longer, 2):
                        break
                    self.deliver(self.connector(vendor), longer, memory, 2)
                    assert (self.people(vendor), len(vendor.records())) == (1, 1)
                    assert self.arrived(vendor).count(self.spread("One thing more")) == 1
                number += 1

    def _delivered(self, connector: HttpConnector[Any], payload: dict[str, Any], *rest: Any, **more: Any) -> None:
        """As the lane does it: again while it is to be tried again."""
        for _ in range(4):
            try:
                self.deliver(connector, payload, *rest, **more)
            except RetryLater:
                continue
            break

    def _loses(self, vendor: Fake, connector: HttpConnector[Any], nth: int) -> list[int]:
        """The request that changes something as the nth is done, and its reply is lost. Returns where that was."""
        lost: list[int] = []

        def lose(changing: list[int]) -> None:
            if len(changing) == nth + 1:
                lost.append(changing[-1])
                raise RetryLater("the reply was lost")

        self._watched(vendor, connector, lose)
        return lost

    def _watched(self, vendor: Fake, connector: HttpConnector[Any], after: Callable[[list[int]], object]) -> list[int]:
        """Which requests change something at the vendor's: a list that fills. `after` is called with it each time."""
        changing: list[int] = []
        send, made = connector.wire._once, itertools.count()

        def there() -> str:
            return repr((self.people(vendor), vendor.records(), vendor.texts()))

        def once(*arguments: Any) -> Any:
            number, before = next(made), there()
            answer = send(*arguments)
            if there() != before:
                changing.append(number)
                after(changing)
            return answer

        connector.wire._once = once  # type: ignore[method-assign, assignment]
        return changing

    def _dies(
        self,
        connector: HttpConnector[Any],
        number: int,
        after: bool,
        memory: dict[str, Any],
        payload: dict[str, Any] = SAMPLE,
        revision: int = 1,
    ) -> bool:
        """Deliver, and die before or after request `number`. False when there is no such request."""
        send = connector.wire._once
        made = 0

        def once(*arguments: Any) -> Any:
            nonlocal made
            made += 1
            if made - 1 == number and not after:
                raise Died
            answer = send(*arguments)
            if made - 1 == number:
                raise Died
            return answer

        connector.wire._once = once  # type: ignore[method-assign, assignment]
        try:
            self.deliver(connector, payload, memory, revision)
        except Died:
            return True
        return False
