"""What every connector must do, whatever the vendor. A connector's tests inherit `Contract` and say four things.

    class TestZendesk(Contract):
        kind = "zendesk"
        secrets = ("key-0123456789",)

        def fake(self) -> Fake: ...
        def settings(self, url: str) -> dict[str, Any]: ...

Every test here runs the connector over real HTTP against a fake with a memory.
"""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connectors.kit.connector import HttpConnector
from connectors.testing.bench import UPDATE_GOLDEN, Bench, Died
from connectors.testing.chats import HOSTILE, SAMPLE, chat
from connectors.testing.fake import Answer, Fake
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError, RetryLater, Skipped


def pytest_addoption(parser: pytest.Parser) -> None:
    """For a conftest.py that names this module among its `pytest_plugins`."""
    parser.addoption(UPDATE_GOLDEN, action="store_true", help="write the golden files of the connectors anew")


class Contract(Bench):
    # --- one person, one record --------------------------------------------------

    def test_a_chat_becomes_one_person_and_one_record_with_a_link(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor), SAMPLE, {})
        assert self.people(vendor) == 1
        assert len(vendor.records()) == 1
        assert reference.id
        assert reference.url.startswith("http")
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
                for _ in range(4):
                    try:
                        self.deliver(connector, SAMPLE, memory)
                    except RetryLater:
                        continue
                    break
                assert self.people(vendor) == 1, f"request {number}"
                assert len(vendor.records()) == 1, f"request {number}"
                assert self.arrived(vendor).count("tanks.") == 1, f"request {number}"
                if vendor.lose_reply_after is not None:  # there was no such request
                    break
            number += 1
        assert number > 0

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
        send = connector.http._once
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

        connector.http._once = once  # type: ignore[method-assign, assignment]
        try:
            self.deliver(connector, payload, memory, revision)
        except Died:
            return True
        return False

    # --- errors --------------------------------------------------------------------

    def test_every_answer_means_what_the_vendor_means_by_it(self) -> None:
        common: list[tuple[int, Any, dict[str, str], type[DeliveryError]]] = [
            (401, {"message": "who?"}, {}, ConnectorRefused),
            (429, {"message": "slow down"}, {"Retry-After": "77"}, RetryLater),
            (500, {"message": "oops"}, {}, RetryLater),
            (503, {"message": "away"}, {"Retry-After": "77"}, RetryLater),
        ]
        for status, body, headers, error in [*common, *self.answers]:
            with self.fake() as vendor:
                vendor.instead = [Answer(status, body, headers)] * 4
                with pytest.raises(error) as raised:
                    self.deliver(self.connector(vendor), SAMPLE, {})
                assert type(raised.value) is error, (status, body)
                if "Retry-After" in headers:
                    assert isinstance(raised.value, RetryLater)
                    assert raised.value.retry_after == float(headers["Retry-After"])

    def test_an_answer_that_is_no_json_is_tried_again(self, vendor: Fake) -> None:
        vendor.instead = [Answer(200, "<html>")] * 4
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), SAMPLE, {})

    def test_a_vendor_that_hangs_is_not_waited_for(self, vendor: Fake) -> None:
        vendor.hanging = True
        with pytest.raises(RetryLater, match="no response in time"):
            self.deliver(self.connector(vendor, timeout=0.3), SAMPLE, {})

    def test_secrets_are_in_no_repr_and_no_error(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        vendor.instead = [Answer(400, {"message": f"bad key {secret}"}) for secret in self.secrets] * 4
        with connector.attempt() as exchanges, pytest.raises(DeliveryError) as raised:
            self.deliver(connector, SAMPLE, {})
        seen = [repr(connector), repr(connector.settings), connector.mask(str(raised.value)), repr(exchanges)]
        for secret in self.secrets:
            assert not any(secret in text for text in seen)

    # --- strangers -----------------------------------------------------------------

    @pytest.mark.parametrize("name", sorted(HOSTILE))
    def test_a_hostile_chat_arrives_whole_and_harmless(self, vendor: Fake, name: str) -> None:
        payload = HOSTILE[name]
        self.deliver(self.connector(vendor), payload, {})
        assert len(vendor.records()) == 1
        arrived = self.arrived(vendor)
        for message in payload["messages"]:
            if message["type"] != "system":
                assert self.spread(message["content"]) in arrived, message["content"][:80]
        # A page that the visitor came through may be a link, if it leads to the web and to nothing else.
        link = r'<a href="https?://[^"<>\s]*" target="_blank" rel="noopener noreferrer nofollow">'
        for text in (re.sub(link, "", text) for text in vendor.texts()):
            if self.takes_html:
                assert not re.search(r"<\s*(script|img|a\b|b\s+on)", text, re.IGNORECASE)
                assert "{{" not in text
                assert "{%" not in text
            assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)

    @pytest.mark.parametrize("choice", ["nobody", "placeholder", "skip"])
    def test_what_to_do_without_an_e_mail_is_the_admins_choice(self, vendor: Fake, choice: str) -> None:
        connector = self.connector(vendor, without_email=choice)
        if choice == "skip":
            with pytest.raises(Skipped, match="no email"):
                self.deliver(connector, chat(email=""), {})
            assert vendor.writes() == []
            return
        self.deliver(connector, chat(email=""), {})
        assert len(vendor.records()) == 1
        people = vendor.people()
        if choice == "placeholder":
            assert not self.has_people or "visitor-27671@smartsupp.invalid" in json.dumps(people)
        elif not self.needs_person:
            assert people == []

    def test_missed_and_offline_are_told_apart(self) -> None:
        seen = []
        for flag in ("isMissed", "isOffline", "isChat"):
            with self.fake() as vendor:
                payload = json.loads(json.dumps(SAMPLE))
                payload["channel"][flag] = True
                self.deliver(self.connector(vendor), payload, {})
                seen.append(json.dumps([one.body for one in vendor.writes()], ensure_ascii=False))
        missed, offline, plain_chat = seen
        assert "Missed chat" in missed
        assert "Offline message" in offline
        assert "Missed chat" not in plain_chat
        assert "Offline message" not in plain_chat

    # --- looking first ---------------------------------------------------------------

    def test_a_check_only_reads_and_finds_all_right(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        findings = list(connector.check())
        assert findings
        assert all(finding.right for finding in findings), [one for one in findings if not one.right]
        for request in vendor.writes():
            said = f"{request.method} {request.path}"
            assert any(re.match(pattern, said) for pattern in self.reading), said

    def test_a_check_with_refused_credentials_says_so(self, vendor: Fake) -> None:
        vendor.instead = [Answer(401, {"message": "who?"})] * 20
        with pytest.raises(ConnectorRefused):
            list(self.connector(vendor).check())

    def test_the_preview_is_what_is_sent(self, vendor: Fake) -> None:
        """And what is sent to an empty account is written down, for people to read and to compare."""
        self.deliver(self.connector(vendor), SAMPLE, {})
        sent = [(one.method, one.path) for one in vendor.requests]
        asked = len(vendor.requests)
        connector = self.connector(vendor)
        with connector.http.pretending(connector.imagine) as preview:
            self.deliver(connector, SAMPLE, {})
        assert len(vendor.requests) == asked
        assert [(one.method, re.sub(r"^https?://[^/]+", "", one.url).partition("?")[0]) for one in preview] == [
            (method, path) if index == 0 else (method, _any_id(path, preview[index].url))
            for index, (method, path) in enumerate(sent)
        ]
        golden = [
            {
                "request": f"{one.method} " + one.url.replace(vendor.url, "https://vendor"),
                **({"body": one.body} if one.body is not None else {}),
            }
            for one in preview
        ]
        self.compare_golden(
            json.dumps(golden, indent=2, ensure_ascii=False).replace(vendor.url, "https://vendor") + "\n"
        )


def _any_id(path: str, previewed: str) -> str:
    """A path of the fake with the ids that the preview made up, where only these differ."""
    other = re.sub(r"^https?://[^/]+", "", previewed).partition("?")[0]
    mine, theirs = path.split("/"), other.split("/")
    if len(mine) == len(theirs) and all(a == b or a.isdigit() for a, b in zip(mine, theirs, strict=True)):
        return other
    return path
