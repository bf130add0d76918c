"""Slack: a message by a bot, which can be changed, answered and found again; or by an address, once."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from connectors.slack.settings import SlackSettings
from connectors.testing.bench import Bench
from connectors.testing.chats import SAMPLE, chat, longer
from connectors.testing.contract import Contract
from connectors.testing.fake import Answer, Fake
from core.errors import ConnectorRefused, Gone, RecordRefused, RetryLater
from tests.fakes.slack import CHANNEL, HOOK, TOKEN, SlackVendor

WHOLE = {"only": None, "body": "{{ summary }}{{ transcript }}"}


def missed(**channel: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["channel"] |= {"isMissed": True, **channel}
    return made


class TestSlack(Contract):
    """With the whole transcript, so that every law can look for what was said."""

    kind = "slack"
    secrets = (TOKEN,)
    has_people = False
    takes_html = False
    reading = ("POST /api/auth.test",)
    answers: ClassVar[list[Any]] = [
        (200, {"ok": False, "error": "ratelimited"}, {"Retry-After": "30"}, RetryLater),
        (200, {"ok": False, "error": "internal_error"}, {}, RetryLater),
        (200, {"ok": False, "error": "invalid_auth"}, {}, ConnectorRefused),
        (200, {"ok": False, "error": "not_in_channel"}, {}, ConnectorRefused),
        (200, {"ok": False, "error": "missing_scope"}, {}, ConnectorRefused),
        (200, {"ok": False, "error": "msg_too_long"}, {}, RecordRefused),
    ]

    def fake(self) -> SlackVendor:
        return SlackVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": f"{url}/api", "token": TOKEN, "channel": CHANNEL, **WHOLE}

    @staticmethod
    def slack(vendor: Fake) -> SlackVendor:
        assert isinstance(vendor, SlackVendor)
        return vendor

    def short(self, vendor: Fake, **more: Any) -> Any:
        return self.connector(vendor, **{"body": "{{ summary }}", "only": ["missed", "offline", "rated_bad"], **more})

    def said(self, vendor: Fake) -> list[str]:
        return [one["text"] for one in self.slack(vendor).channels[CHANNEL]]

    # --- short ------------------------------------------------------------------------------

    def test_it_is_short_and_leads_to_the_chat(self, vendor: Fake) -> None:
        connector = self.short(vendor, language="de")
        connector.settings._public_url = "https://relay.example.com"
        reference = self.deliver(connector, missed(rating=1, ratingDesc="Nobody <!channel> there"), {})
        assert self.said(vendor) == [
            "*<https://relay.example.com/conversations/208:55039|Verpasster Chat: Dusan Kmet>*\n"
            "dusan@domain.com\nBewertung: schlecht · Nobody &lt;!channel&gt; there\n_Hello_"
        ]
        assert reference.url.startswith(f"https://shop.slack.com/archives/{CHANNEL}/p1427470600")

    def test_only_chats_that_somebody_has_to_look_after_are_sent_unless_the_settings_say_otherwise(self) -> None:
        assert SlackSettings.model_validate({"type": "slack", "token": TOKEN, "channel": CHANNEL}).only == (
            "missed",
            "offline",
            "rated_bad",
        )

    @pytest.mark.parametrize(
        ("mode", "texts", "threads"), [("overwrite", 1, 0), ("append", 2, 1), ("nothing", 1, 0), (None, 1, 0)]
    )
    def test_a_revision_changes_the_message_or_answers_it_or_does_nothing(
        self, vendor: Fake, mode: str | None, texts: int, threads: int
    ) -> None:
        memory: dict[str, Any] = {}
        connector = self.short(vendor, on_revision=mode)
        self.deliver(connector, missed(), memory)
        self.deliver(connector, missed(rating=1), memory, 2)
        found = self.slack(vendor).channels[CHANNEL]
        assert (len(found), sum("thread_ts" in one for one in found)) == (texts, threads)
        assert ("Rating: bad" in found[0]["text"]) is (mode in ("overwrite", None))

    def test_a_long_transcript_is_in_the_thread_and_a_shorter_revision_leaves_nothing_stale(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, chat(*(f"message {n} {'x' * 500}" for n in range(100))), memory)
        root, *replies = self.slack(vendor).channels[CHANNEL]
        assert len(replies) >= 4
        assert all(one["thread_ts"] == root["ts"] for one in replies)
        self.deliver(connector, chat("short now"), memory, 2)
        assert [one["text"] for one in replies] == ["—"] * len(replies)

    @pytest.mark.parametrize("error", ["message_not_found", "edit_window_closed"])
    def test_a_message_that_cannot_be_changed_is_left_alone(self, vendor: Fake, error: str) -> None:
        memory: dict[str, Any] = {}
        connector = self.short(vendor)
        self.deliver(connector, missed(), memory)
        vendor.instead = [Answer(200, {"ok": False, "error": error})]
        self.deliver(connector, missed(rating=1), memory, 2)
        assert len(self.said(vendor)) == 1

    def test_the_channel_may_come_out_of_a_template(self, vendor: Fake) -> None:
        more = {"channel": "{{ 'C0000000002' if visitor.country_code == 'CZ' else 'x' }}", "channel_fallback": CHANNEL}
        with pytest.raises(ValidationError, match="may come out as 'x'"):
            self.short(vendor, **more)
        more["channel"] = "{{ 'C0000000002' if visitor.country_code == 'CZ' }}"
        self.deliver(self.short(vendor, **more), missed(), {})
        assert len(self.slack(vendor).channels["C0000000002"]) == 1
        other = missed()
        other["visitor"]["countryCode"] = "DE"
        self.deliver(self.short(vendor, **more), other, {})
        assert len(self.said(vendor)) == 1

    def test_a_check_says_whose_token_it_is_and_that_it_finds_its_own_messages(self, vendor: Fake) -> None:
        assert [one.text for one in self.connector(vendor).check()] == [
            "the token is the one of relay in Shop",
            f"the bot reads channel {CHANNEL}, as it must to find its own messages",
        ]
        with pytest.raises(ConnectorRefused, match="channel_not_found"):
            list(self.connector(vendor, channel="C9999999999").check())


class TestWebhook(Bench):
    """An address can neither be asked nor change anything: of the contract there is left what an answer means."""

    kind = "slack"

    def fake(self) -> SlackVendor:
        return SlackVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": f"{url}{HOOK}"}

    @staticmethod
    def hooked(vendor: Fake) -> list[str]:
        assert isinstance(vendor, SlackVendor)
        return vendor.hooked

    def test_a_chat_is_sent_once_and_its_revisions_are_left_out(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        self.deliver(connector, missed(), memory)
        self.deliver(connector, missed(), memory)
        self.deliver(connector, longer(missed(), "Me again"), memory, 2)
        assert self.hooked(vendor) == ["*Missed chat: Dusan Kmet*\ndusan@domain.com\nRating: good\n_Hello_"]

    def test_or_each_is_another_message(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, on_revision="append")
        for number in (1, 2):
            self.deliver(connector, missed(), memory, number)
        assert len(self.hooked(vendor)) == 2

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
        assert len(self.hooked(vendor)) == sent

    def test_what_was_surely_not_sent_is_sent_again_even_so(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, repeatable="never")
        vendor.instead = [Answer(429, "slow down", {"Retry-After": "60"})]
        with pytest.raises(RetryLater):
            self.deliver(connector, missed(), memory)
        self.deliver(connector, missed(), memory)
        assert len(self.hooked(vendor)) == 1

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            (403, "action_prohibited", ConnectorRefused),
            (404, "no_service", ConnectorRefused),
            (410, "channel_is_archived", ConnectorRefused),
            (400, "invalid_payload", RecordRefused),
            (500, "rollup_error", RetryLater),
        ],
    )
    def test_what_slack_says_means_what_it_means_by_it(
        self, vendor: Fake, status: int, body: str, error: type[Exception]
    ) -> None:
        vendor.instead = [Answer(status, body)] * 3
        with pytest.raises(error) as raised:
            self.deliver(self.connector(vendor), missed(), {})
        assert "secret0123456789" not in str(raised.value)

    def test_a_check_sends_nothing(self, vendor: Fake) -> None:
        [right] = self.connector(vendor).check()
        [wrong] = self.connector(vendor, url=f"{vendor.url}/services/T0/B0/none0123456789").check()
        assert (right.right, wrong.right) == (True, False)
        assert "secret0123456789" not in right.text + wrong.text + wrong.remedy
        assert self.hooked(vendor) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "write either 'token: …' and 'channel: …', or 'url: …'"),
        ({"token": TOKEN}, "write either"),
        ({"token": TOKEN, "channel": CHANNEL, "url": "https://x.example/a"}, "write either"),
        ({"token": TOKEN, "channel": "#general"}, "match pattern"),
        ({"url": "https://x.example/a", "on_revision": "overwrite"}, "a webhook cannot change a message"),
        ({"token": TOKEN, "channel": "{{ visitor.group }}"}, "channel_fallback"),
    ],
)
def test_a_setting_that_is_wrong_says_what_to_write(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SlackSettings.model_validate({"type": "slack", **given})
