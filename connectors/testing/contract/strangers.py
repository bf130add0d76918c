"""What strangers wrote arrives whole and harmless; what they left out is the admin's choice."""

from __future__ import annotations

import json
import re

import pytest

from connectors.testing.bench import Bench
from connectors.testing.chats import HOSTILE, SAMPLE, chat
from connectors.testing.fake import Fake
from core.errors import Skipped


class Strangers(Bench):
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
            assert not self.has_people or "visitor-27671@smartsupp.example.com" in json.dumps(people)
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
