"""Microsoft Teams: a card by a workflow's address."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import pytest

from connectors.testing.chats import HOSTILE, SAMPLE, chat, longer
from connectors.testing.contract.answers import Answers
from connectors.testing.contract.looking_first import LookingFirst
from connectors.testing.fake import Fake
from core.errors import ConnectorRefused, Gone, RecordRefused, RetryLater, Skipped
from tests.fakes.teams import PATH, SIGNATURE, TeamsVendor


def missed(*texts: str) -> dict[str, Any]:
    made: dict[str, Any] = chat(*texts) if texts else json.loads(json.dumps(SAMPLE))
    made["channel"] |= {"isMissed": True, "rating": 1}
    return made


class TestTeams(Answers, LookingFirst):
    """Of the contract, what an answer means and what looks first. The laws of one record are not for a card: it has no
    id, cannot be looked for and cannot be changed; what holds in their place is below."""

    kind = "teams"
    secrets = (SIGNATURE,)
    has_pages = False
    common_answers: ClassVar[list[Any]] = [
        (401, {"error": {"code": "x"}}, {}, ConnectorRefused),
        (404, {"error": {"code": "WorkflowNotFound"}}, {}, ConnectorRefused),
        (429, {"error": {"code": "x"}}, {"Retry-After": "77"}, RetryLater),
        (413, {"error": {"code": "x"}}, {}, RecordRefused),
        (502, {"error": {"code": "NoResponse"}}, {}, RetryLater),
    ]

    def fake(self) -> TeamsVendor:
        return TeamsVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": f"{url}{PATH}?sig={SIGNATURE}", "only": None}

    @staticmethod
    def cards(vendor: Fake) -> list[list[str]]:
        assert isinstance(vendor, TeamsVendor)
        return vendor.cards

    # A workflow says nothing of its credentials, or of anything, until it is sent a card.
    test_a_check_with_refused_credentials_says_so = None  # type: ignore[assignment]
    test_a_log_in_page_at_the_vendors_address_gets_no_tick = None  # type: ignore[assignment]
    # It answers a success with nothing, or with whatever the workflow says.
    test_an_answer_that_is_no_json_is_tried_again = None  # type: ignore[assignment]

    def test_it_is_short_and_leads_to_the_chat(self, vendor: Fake) -> None:
        connector = self.connector(vendor, time_zone="Europe/Prague")
        connector.settings._public_url = "https://relay.example.com"
        reference = self.deliver(connector, missed("Is *anybody* there?"), {})
        assert self.cards(vendor) == [
            [
                "**[Missed chat: Dusan Kmet](<https://relay.example.com/conversations/208:55039>)**\n"
                "dusan@domain.com\nRating: bad\n*Is \\*anybody\\* there?*"
            ]
        ]
        assert reference.id == "smartsupp:208:55039"

    @pytest.mark.parametrize("name", sorted(HOSTILE))
    def test_what_strangers_write_fits_and_stays_text(self, vendor: Fake, name: str) -> None:
        self.deliver(self.connector(vendor), HOSTILE[name], {})
        [[text]] = self.cards(vendor)
        assert not re.search(r"(?<!\\)<(?!https://)", text)
        assert "](javascript" not in text
        assert len(text) < 2_500

    def test_the_whole_transcript_comes_where_the_template_asks_for_it(self, vendor: Fake) -> None:
        messages = [f"message {n} *{'x' * 400}*" for n in range(100)]
        self.deliver(self.connector(vendor, body="{{ transcript }}"), missed(*messages), {})
        assert len(self.cards(vendor)) > 3
        assert all(f"message {n} " in "".join(vendor.texts()) for n in range(100))

    def test_a_chat_is_one_card_whatever_comes_after(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, missed(), memory)
        self.deliver(connector, missed(), memory)
        self.deliver(connector, longer(missed(), "Me again"), memory, 2)
        assert len(self.cards(vendor)) == 1
        self.deliver(self.connector(vendor, on_revision="append"), longer(missed(), "Me again"), memory, 3)
        assert len(self.cards(vendor)) == 2

    @pytest.mark.parametrize(("repeatable", "sent"), [("again", 2), ("never", 1)])
    def test_an_answer_that_gets_lost_is_the_admins_choice(self, vendor: Fake, repeatable: str, sent: int) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, repeatable=repeatable)
        vendor.lose_reply_after = 0
        with pytest.raises(RetryLater):
            self.deliver(connector, missed(), memory)
        if repeatable == "never":
            with pytest.raises(Gone, match="if it is there, discard this delivery"):
                self.deliver(connector, missed(), memory)
        else:
            self.deliver(connector, missed(), memory)
        assert len(self.cards(vendor)) == sent

    def test_chats_that_went_well_are_left_out_by_default(self, vendor: Fake) -> None:
        connector = self.connector(vendor, only=["missed", "offline", "rated_bad"])
        with pytest.raises(Skipped):
            self.deliver(connector, SAMPLE, {})
        assert self.cards(vendor) == []

    def test_a_check_sends_no_card_and_says_what_it_cannot_see(self, vendor: Fake) -> None:
        [found] = self.connector(vendor).check()
        assert found.text == "the address answers (HTTP 405 to a request without a card); a card shows the rest"
        assert self.cards(vendor) == []
