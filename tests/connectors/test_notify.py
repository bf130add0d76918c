"""Notifications by Apprise: the real library, to a service on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.kit.chat_services import apprise as by_apprise
from connectors.notify.settings import NotifySettings
from connectors.testing.bench import Bench
from connectors.testing.chats import HOSTILE, SAMPLE, longer
from connectors.testing.fake import Answer, Fake
from core.errors import ConnectorRefused, Gone, RecordRefused, RetryLater, Skipped, TimedOut

TOPIC = "a-topic-that-nobody-knows"


class Service(Fake):
    """Takes what Apprise's json:// sends: version, title, message."""

    def __init__(self) -> None:
        super().__init__()
        self.route("POST", f"/{TOPIC}/?", lambda _: Answer(200))


def missed() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["channel"] |= {"isMissed": True, "rating": 1}
    return made


class TestNotify(Bench):
    """No service says what it has, and no message can be changed: of the contract, what an answer means is left."""

    kind = "notify"

    def fake(self) -> Service:
        return Service()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": f"{url.replace('http://', 'json://')}/{TOPIC}"}

    def sent(self, vendor: Fake) -> list[tuple[str, str]]:
        return [(one.body["title"], one.body["message"]) for one in vendor.requests]

    def test_it_is_short_and_leads_to_the_chat(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        connector.settings._public_url = "https://relay.example.com"
        reference = self.deliver(connector, missed(), {})
        text = (
            "Missed chat: Dusan Kmet (https://relay.example.com/conversations/208:55039)\n"
            "dusan@domain.com\nRating: bad\nHello"
        )
        assert self.sent(vendor) == [("Missed chat: Dusan Kmet", text)]
        assert reference.id == "smartsupp:208:55039"

    @pytest.mark.parametrize("name", ["100 kB in the name", "markup", "emoji and right-to-left", "control characters"])
    def test_what_strangers_write_is_short_and_stays_text(self, vendor: Fake, name: str) -> None:
        self.deliver(self.connector(vendor, only=None), HOSTILE[name], {})
        [(title, text)] = self.sent(vendor)
        assert len(title) <= 100
        assert len(text) < 600

    def test_a_chat_is_sent_once_whatever_comes_after(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor)
        for number in (1, 1, 2):
            self.deliver(connector, longer(missed(), *["More"] * (number - 1)), memory, number)
        assert len(vendor.requests) == 1
        self.deliver(self.connector(vendor, on_revision="append"), missed(), memory, 3)
        assert len(vendor.requests) == 2
        with pytest.raises(Skipped):
            self.deliver(connector, SAMPLE, {})

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, RecordRefused),
            (401, ConnectorRefused),
            (404, ConnectorRefused),
            (429, RetryLater),
            (503, RetryLater),
        ],
    )
    def test_a_status_that_apprise_reports_means_what_it_means_elsewhere(
        self, vendor: Fake, status: int, error: type[Exception]
    ) -> None:
        vendor.instead = [Answer(status)]
        with pytest.raises(error) as raised:
            self.deliver(self.connector(vendor), missed(), {})
        assert type(raised.value) is error
        assert raised.value.status == status  # type: ignore[attr-defined]
        assert TOPIC not in str(raised.value)

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
        assert len(vendor.requests) == sent

    def test_a_service_that_hangs_is_not_waited_for(self, vendor: Fake) -> None:
        vendor.hanging = True
        with pytest.raises(TimedOut):
            self.deliver(self.connector(vendor, timeout=0.3), missed(), {})

    def test_nothing_is_sent_when_the_attempt_is_over(self, vendor: Fake) -> None:
        wire = self.connector(vendor).wire
        with wire.attempt(0.0), pytest.raises(TimedOut) as raised:
            wire.send("title", "text")  # type: ignore[attr-defined]
        assert raised.value.untaken
        assert vendor.requests == []

    def test_a_redirect_is_not_followed(self, vendor: Fake) -> None:
        vendor.route("POST", "/inside", lambda _: Answer(200))
        vendor.instead = [Answer(307, None, {"Location": f"{vendor.url}/inside"})]
        with pytest.raises(ConnectorRefused, match="error=307"):
            self.deliver(self.connector(vendor), missed(), {})
        assert len(vendor.requests) == 1

    def test_a_server_in_a_private_network_is_reached_only_where_the_settings_allow_it(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused, match="private address"):
            self.deliver(self.connector(vendor, allow_networks=[]), missed(), {})
        assert vendor.requests == []

    @pytest.mark.parametrize("url", ["nonsense://x/y", "syslog://", "windows://", "dbus://x"])
    def test_what_is_no_service_is_refused(self, vendor: Fake, url: str) -> None:
        given = url if url.partition("://")[2] else f"{url}x"
        with pytest.raises(ConnectorRefused, match="is not an address that Apprise can send to"):
            list(self.connector(vendor, url=given).check())

    def test_a_check_names_the_service_and_sends_nothing(self, vendor: Fake) -> None:
        [found] = self.connector(vendor).check()
        assert found.text == "the address is one of JSON; a message shows the rest"
        assert vendor.requests == []

    def test_a_preview_has_the_message_and_no_secret(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        with connector.wire.pretending(connector.imagine) as preview:
            self.deliver(connector, missed(), {})
        [one] = preview
        assert (one.method, one.url) == ("NOTIFY", "json://…")
        assert one.body["title"] == "Missed chat: Dusan Kmet"
        assert vendor.requests == []

    def test_what_is_kept_of_a_failure_has_no_secret(self, vendor: Fake) -> None:
        vendor.instead = [Answer(500)]
        wire = self.connector(vendor).wire
        with wire.attempt() as exchanges, pytest.raises(RetryLater):
            wire.send("title", f"text {TOPIC}")  # type: ignore[attr-defined]
        [one] = exchanges
        assert one.status == 500
        assert TOPIC not in repr(one)


def test_an_address_that_is_none_says_what_to_write() -> None:
    for wrong in ("ntfy.sh/topic", "ntfy://", "a b://c"):
        with pytest.raises(ValidationError, match="must be an address of Apprise"):
            NotifySettings.model_validate({"type": "notify", "url": wrong})


@pytest.mark.processes
def test_apprise_is_imported_by_nobody_who_does_not_use_it() -> None:
    """It takes 20 MB."""
    code = "import sys, app.cli, workers.main, connectors.registry as r; r.types(); print('apprise' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert by_apprise.__name__ == "connectors.kit.chat_services.apprise"
