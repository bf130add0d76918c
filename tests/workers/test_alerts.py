"""Notices of trouble, on a real server, to a real mail server and a real destination on loopback."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from standardwebhooks import Webhook as Signer

from connectors.registry import settings_model
from core.config.environment import environment
from core.config.json_schema import schema
from core.config.loader import load
from core.config.settings import Settings, masked
from core.delivery import Attempt, Outcome, PayloadStatus
from core.errors import ConfigError
from core.ids import identified
from core.store import INBOX, Store, connect
from core.store import incidents as states
from core.store.incidents import Incident, Incidents
from core.store.protocol.keys import key
from tests.conftest import Clock
from tests.support import made
from tests.support.command_line import CommandLine
from tests.support.destination import Destination, Handler
from tests.support.made import control
from tests.support.mailbox import PASSWORD, USER, Mailbox
from tests.support.server import Server
from tests.support.stack import SOON_RELOADED, Stack, chat, until
from workers.alerts import detect
from workers.alerts.messages import AlertMessage
from workers.alerts.notifier import Notifier
from workers.alerts.sending import ByWebhook
from workers.intake import take_in

#: Constants of a Stack whose processes look for troubles more often.
SOON_TOLD: Mapping[str, object] = {"workers.alerts.notifier._PERIOD": 0.3}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CONNECTORS = {"crm": {"type": "archive"}, "desk": {"type": "archive", "folder": "desk"}}
HOSTILE = "HTTP 401 No\r\nBcc: thief@example.com\r\n\r\n<b>: Hello from ann@example.com, key 4711"


def webhook(there: Destination, **more: Any) -> dict[str, Any]:
    return {"url": there.url, "allow_networks": ["127.0.0.0/8"], **more}


def email(box: Mailbox, **more: Any) -> dict[str, Any]:
    place = {"host": "127.0.0.1", "port": box.port, "user": USER, "password": PASSWORD}
    return {**place, "from": "relay@shop.example", "to": ["ops@shop.example", "chief@shop.example"], **more}


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with Mailbox(tmp_path) as box:
        monkeypatch.setenv("SSL_CERT_FILE", str(box.authority))
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        yield box


class Two:
    """Two who look and tell at the same time, as two workers do, and the store with its troubles."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.store = Store(connect(server.url))
        self.settings = self.load({})
        self.tellers = [self.teller(), self.teller()]

    def load(self, notices: dict[str, Any], **more: Any) -> Settings:
        file = self.folder / "relay.yaml"
        file.write_text(json.dumps({"connectors": CONNECTORS, "alerts": notices, **more}))
        env = environment({"RELAY_CONFIG": str(file), "RELAY_DATA_DIR": str(self.folder)})
        return load(env, settings_model, {})

    def configure(self, **notices: Any) -> None:
        self.settings = self.load(notices)

    def teller(self) -> Notifier:
        return Notifier(connect(self.server.url), lambda: self.settings, "https://relay.example.com", threading.Event())

    def turn(self, times: int = 3) -> None:
        """Everybody looks and tells, at the same time, some times over."""

        def work(teller: Notifier) -> None:
            for _ in range(times):
                teller.look(self.settings)
                teller.turn()

        threads = [threading.Thread(target=work, args=[teller]) for teller in self.tellers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def fail(self, outcome: Outcome, number: int, **changes: Any) -> None:
        key = made.conversation(self.store, chat(number), crm=None)
        made.settle(self.store, made.claimed(self.store, "crm", key), outcome, **changes)

    def age(self, ms: int) -> None:
        """As if everything about incidents and notices was that much longer ago."""
        client: Any = self.server.client
        for name, value in client.hgetall("relay:incidents").items():
            incident = json.loads(value)
            for part in ("began", "seen", "told"):
                incident[part] = max(0, incident[part] - ms)
            client.hset("relay:incidents", name, json.dumps(incident))
        for name in client.keys("relay:sending:*"):
            client.hset(name, "due", int(client.hget(name, "due")) - ms)


@pytest.fixture
def two(server: Server, tmp_path: Path) -> Two:
    return Two(server, tmp_path)


def told(there: Destination) -> list[tuple[str, str, str]]:
    found = [one.json() for one in there.received]
    return [(one["type"].partition(".")[2], one["data"]["trouble"], one["data"]["subject"]) for one in found]


def paused(two: Two) -> Callable[[], object]:
    two.fail(Outcome.PAUSED, 1, error=HOSTILE)
    return lambda: control(two.store).resume("crm")


def broken(two: Two) -> Callable[[], object]:
    for number in range(5):
        key = made.conversation(two.store, chat(number), crm=None)
        claim = made.claimed(two.store, "crm", key)
        attempt = outage("HTTP 503 Service Unavailable: Hello from Ann")
        two.store.settle(claim, attempt, delay_ms=30_000, trouble="outage", breaker=5)
    return lambda: control(two.store).resume("crm")


def outage(error: str) -> Attempt:
    return Attempt(at=1_700_000_000_000, ms=5, outcome=Outcome.RETRY, revision=1, status=503, error=error)


def dead(two: Two) -> Callable[[], object]:
    two.fail(Outcome.REFUSED, 1, error="HTTP 422 No: ann@example.com said Hello", status=422)
    two.fail(Outcome.REFUSED, 2, error="HTTP 422 No: ann@example.com said Hello", status=422)

    def end() -> None:
        for number in (1, 2):
            control(two.store).discard(identified(f"crm:1:{number}"), "seen")

    return end


def quarantined(two: Two) -> Callable[[], object]:
    payload = two.store.accept(b"nonsense").id
    two.store.divert(payload, PayloadStatus.QUARANTINED, "messages[0].sentAt: expected a number, got 'Hello'")
    return lambda: control(two.store).discard(payload, "seen")


def backlog(two: Two) -> Callable[[], object]:
    key = made.conversation(two.store, chat(1), crm=None)
    two.server.client.zadd("relay:lane:crm", {f"crm:{key}": round(time.time() * 1000) - 20 * 60_000})
    return lambda: control(two.store).discard(identified(f"crm:{key}"), "seen")


def undelivered(two: Two) -> Callable[[], object]:
    two.store.accept(chat(1))
    take_in(two.store, two.store.claim_bodies("t"), made.settings("crm", to=[]))
    two.store.accept(chat(2))
    take_in(two.store, two.store.claim_bodies("t"), made.settings(off=["crm"], to=["crm"]))
    return lambda: control(two.store).discard(identified("1:2"), "seen")


def gone(two: Two) -> Callable[[], object]:
    """One that is due, and one that is tried again later."""
    for number, outcome in ((1, None), (2, Outcome.RETRY)):
        made.conversation(two.store, chat(number), old=outcome)

    def end() -> None:
        for number in (1, 2):
            control(two.store).discard(identified(f"old:1:{number}"), "seen")

    return end


TROUBLES = {
    "paused": (paused, "crm", "/connectors/crm", "HTTP 401 No Bcc"),
    "breaker": (broken, "crm", "/connectors/crm", "HTTP 503 Service Unavailable"),
    "dead": (dead, "crm", "/conversations?connector=crm&status=dead", "rejected it (HTTP 422 Unprocessable Entity)"),
    "quarantined": (quarantined, "inbox", "/quarantine", "messages[0].sentAt: expected a number"),
    "backlog": (backlog, "crm", "/connectors/crm", ""),
    "undelivered": (undelivered, "inbox", "/conversations?status=undelivered", "Every connector is off"),
    "gone": (gone, "old", "/connectors/old", ""),
}


def test_a_store_that_fills_is_told_before_it_is_full(two: Two, destination: Destination) -> None:
    client = two.server.client
    two.configure(webhook=webhook(destination))

    def leave(share: float) -> None:
        client.config_set("maxmemory", round(int(client.info("memory")["used_memory"]) / share))
        two.turn()

    try:
        leave(0.5)
        assert destination.received == []
        leave(0.88)
        assert told(destination) == [("begun", "filling", "memory")]
        leave(0.98)
        assert told(destination)[1:] == [("begun", "full", "memory")]
        assert "new chats are refused, and Smartsupp does not send them again" in destination.received[0].json()["text"]
    finally:
        client.config_set("maxmemory", 0)
    two.age(states.CALM_MS)
    two.turn()
    assert sorted(told(destination)[2:]) == [("over", "filling", "memory"), ("over", "full", "memory")]


def test_chats_that_are_refused_are_told(two: Two, destination: Destination) -> None:
    two.configure(webhook=webhook(destination))
    two.server.client.hincrby("relay:totals", "refused:503", 7)
    two.turn()
    assert destination.received == []  # that was before anybody looked
    two.server.client.hincrby("relay:totals", "refused:503", 3)
    two.turn()
    assert told(destination) == [("begun", "refusing", "inbox")]
    assert "3 were answered with 500 or 503" in destination.received[0].json()["text"]
    two.tellers = [two.teller()]
    two.turn()
    two.age(states.CALM_MS)
    two.turn()
    assert told(destination)[1:] == [("over", "refusing", "inbox")]


def test_a_disk_that_fills_is_seen(two: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = detect.Look(connect(two.server.url), tmp_path)
    usage = namedtuple("usage", "total used free")
    for free, kinds in ((2 * 1024**3, []), (500 * 1024**2, ["filling"]), (50 * 1024**2, ["filling", "full"])):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage(10 * 1024**3, 0, free))
        assert [one.kind for one in look.troubles(two.settings) if one.subject == "disk"] == kinds


@pytest.mark.parametrize("kind", TROUBLES)
def test_a_trouble_is_told_once_and_its_end_once_by_all_who_look(
    two: Two, destination: Destination, mailbox: Mailbox, kind: str
) -> None:
    begin, subject, page, error = TROUBLES[kind]
    two.configure(webhook=webhook(destination), email=email(mailbox))
    two.turn()
    assert destination.received == []
    end = begin(two)
    two.turn()
    two.age(detect.BACKLOG_PATIENCE_MS)
    two.turn()
    two.tellers = [two.teller(), two.teller()]  # a restart tells nothing again
    two.turn()
    assert told(destination) == [("begun", kind, subject)]
    body = destination.received[0].json()
    assert body["data"]["link"] == f"https://relay.example.com{page}"
    assert body["data"]["count"] >= 1
    assert abs(time.time() - datetime.fromisoformat(body["timestamp"]).timestamp()) < 60
    assert error.strip() in body["data"]["error"]
    for part in ("Since: 20", "What to do: ", body["data"]["error"], body["data"]["link"]):
        assert part in body["text"]
    end()
    two.turn()
    assert len(destination.received) == 1  # it may come back in a moment
    two.age(states.CALM_MS)
    two.turn()
    assert told(destination)[1:] == [("over", kind, subject)]
    titles = [one.json()["text"].splitlines()[0].removesuffix(".") for one in destination.received]
    assert [mail["Subject"] for mail in mailbox.mails] == [f"[Relay] {title}" for title in titles]
    assert mailbox.recipients == [["ops@shop.example", "chief@shop.example"]] * 2
    everything = "".join([str(mail) for mail in mailbox.mails] + [one.body.decode() for one in destination.received])
    for private in ("ann@example.com", "Hello", "thief", "4711", PASSWORD):
        assert private not in everything


def test_what_comes_back_in_a_moment_is_the_same_incident(two: Two, destination: Destination) -> None:
    two.configure(webhook=webhook(destination))
    end = paused(two)
    two.turn()
    for _ in range(3):
        end()
        two.turn()
        made.settle(two.store, made.claimed(two.store, "crm", "1:1"), Outcome.PAUSED, error="HTTP 401")
        two.turn()
    assert told(destination) == [("begun", "paused", "crm")]


def test_what_dies_after_a_notice_is_told_again_some_hours_after_it(two: Two, destination: Destination) -> None:
    two.configure(webhook=webhook(destination))
    dead(two)
    two.turn()
    two.age(states.ANEW_MS)
    two.turn()
    assert len(told(destination)) == 1  # nothing has died since
    two.fail(Outcome.REFUSED, 3)
    two.turn()
    assert told(destination) == [("begun", "dead", "crm")] * 2
    assert destination.received[1].json()["data"]["count"] == 3
    two.fail(Outcome.REFUSED, 4)
    two.turn()
    assert len(told(destination)) == 2  # not yet


def test_chats_that_go_nowhere_after_an_alert_are_told_together(two: Two, destination: Destination) -> None:
    two.configure(webhook=webhook(destination))
    end = undelivered(two)
    two.turn()
    for number in (3, 4):
        two.store.accept(chat(number))
        take_in(two.store, two.store.claim_bodies("t"), made.settings(off=["crm"], to=["crm"]))
    two.turn()
    assert told(destination) == [("begun", "undelivered", "inbox")]  # not yet
    two.age(states.ANEW_MS)
    two.turn()
    assert told(destination) == [("begun", "undelivered", "inbox")] * 2
    again = destination.received[1].json()["data"]
    assert (again["count"], again["error"]) == (3, "Every connector is off")
    end()


def test_a_connector_that_is_renamed_in_two_saves_is_not_told(two: Two, destination: Destination) -> None:
    two.configure(webhook=webhook(destination))
    end = gone(two)
    two.turn()
    end()
    two.age(detect.GONE_PATIENCE_MS)
    two.turn()
    assert destination.received == []


def test_an_admins_pause_and_what_is_switched_off_are_no_trouble(two: Two, destination: Destination) -> None:
    two.configure(webhook=webhook(destination))
    backlog(two)
    control(two.store).pause("crm", "a rest")
    two.turn()
    two.age(detect.BACKLOG_PATIENCE_MS)
    two.turn()
    assert destination.received == []


def test_a_backlog_that_drains_at_once_is_not_told(two: Two, destination: Destination) -> None:
    two.configure(webhook=webhook(destination))
    end = backlog(two)
    two.turn()
    end()
    two.turn()
    two.age(detect.BACKLOG_PATIENCE_MS)
    two.turn()
    assert destination.received == []
    assert two.server.client.hgetall("relay:incidents") == {}


def test_how_old_a_backlog_may_be_is_a_setting_and_the_inbox_counts(two: Two, destination: Destination) -> None:
    payload = two.store.accept(chat(1)).id
    two.server.client.zadd("relay:lane:inbox", {payload: round(time.time() * 1000) - 20 * 60_000})
    two.configure(webhook=webhook(destination), oldest_after=30)
    for minutes in (30, 10):
        two.configure(webhook=webhook(destination), oldest_after=minutes)
        two.turn()
        two.age(detect.BACKLOG_PATIENCE_MS)
        two.turn()
    assert told(destination) == [("begun", "backlog", INBOX)]
    assert "The backlog of new chats is too old" in destination.received[0].json()["text"]


def test_a_destination_that_is_down_is_told_later_and_the_other_channel_at_once(
    two: Two, destination: Destination, mailbox: Mailbox
) -> None:
    two.configure(webhook=webhook(destination), email=email(mailbox))
    destination.behaviour = lambda handler, number: handler.answer(500 if number < 2 else 200)
    end = paused(two)
    two.turn()
    assert (len(destination.received), len(mailbox.mails)) == (1, 1)
    two.age(10_000)
    two.turn()
    assert len(destination.received) == 1  # not yet
    two.age(20_000)
    two.turn()
    assert len(destination.received) == 2
    end()
    two.turn()
    two.age(states.CALM_MS)
    two.turn()
    assert told(destination) == [("begun", "paused", "crm")] * 3 + [("over", "paused", "crm")]
    assert len({one.headers["webhook-id"] for one in destination.received[:3]}) == 1
    assert len(mailbox.mails) == 2


def test_a_channel_that_fails_in_a_way_of_its_own_silences_no_other(
    two: Two, destination: Destination, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(channel: ByWebhook, message: AlertMessage) -> str:
        raise ZeroDivisionError

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(ByWebhook, "send", broken)
        two.configure(webhook=webhook(destination), email=email(mailbox))
        paused(two)
        two.turn()
        assert len(mailbox.mails) == 1
    two.age(60_000)
    two.turn()
    assert told(destination) == [("begun", "paused", "crm")]  # nor is it given up


def test_a_mail_server_that_refuses_is_tried_later(two: Two, mailbox: Mailbox) -> None:
    two.configure(email=email(mailbox))
    mailbox.answer = f"451 not now, {PASSWORD}"
    paused(two)
    two.turn()
    mailbox.answer = ""
    two.age(30_000)
    two.turn()
    assert len(mailbox.mails) == 1


def test_one_who_dies_while_telling_is_followed_by_another(server: Server, clock: Clock) -> None:
    incidents = Incidents(connect(server.url), clock)
    assert incidents.compare([Incident("paused", "crm", 1, 2)], ["webhook"]) == 1
    first = incidents.next("webhook")
    assert first is not None
    assert incidents.next("webhook") is None
    clock.pass_by(181)
    second = incidents.next("webhook")
    assert second is not None
    assert second.id == first.id
    incidents.sent(first)  # too late: it is somebody else's
    assert incidents.waiting("webhook") == 1
    incidents.sent(second)
    assert incidents.waiting("webhook") == 0


def test_what_dies_soon_after_a_notice_is_told_though_nothing_dies_later(server: Server, clock: Clock) -> None:
    incidents = Incidents(connect(server.url), clock)

    def look(count: int, newest: int) -> int:
        return incidents.compare([Incident("dead", "crm", begun, count, newest=newest)], ["webhook"])

    begun = clock()
    assert look(1, begun) == 1
    clock.pass_by(60)
    died = clock()
    assert look(300, died) == 0  # the same incident
    clock.pass_by(states.ANEW_MS / 1000)
    assert [look(300, died) for _ in range(2)] == [1, 0]
    clock.pass_by(2 * states.ANEW_MS / 1000)
    assert look(300, died) == 0  # none has died since


def test_what_could_not_be_told_for_days_tells_nobody_anything(server: Server, clock: Clock) -> None:
    incidents = Incidents(connect(server.url), clock)
    for number in range(150):
        incidents.compare([Incident("paused", f"c{number}", 1, 2)], ["webhook"], 10**12)
    assert incidents.waiting("webhook") == states.MOST
    waits = []
    for _ in range(9):
        notice = incidents.next("webhook")
        assert notice is not None
        waits.append(incidents.failed(notice) // 1000)
        clock.pass_by(waits[-1])
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    clock.pass_by(3 * 86_400)
    assert incidents.next("webhook") is None
    assert incidents.waiting("webhook") == 0


def test_a_signed_notice_proves_who_sent_it_and_an_unsigned_one_carries_no_signature(
    two: Two, destination: Destination
) -> None:
    two.configure(webhook=webhook(destination, secret=SECRET))
    end = paused(two)
    two.turn()
    first = destination.received[0]
    assert Signer(SECRET).verify(first.body, first.headers)["type"] == "trouble.begun"
    two.configure(webhook=webhook(destination))
    end()
    two.age(states.CALM_MS)
    two.turn()
    assert "webhook-signature" not in destination.received[1].headers


def test_a_private_address_needs_leave_and_redirects_lead_nowhere(
    two: Two, destination: Destination, capfd: pytest.CaptureFixture[str]
) -> None:
    two.configure(webhook={"url": destination.url})
    paused(two)
    two.turn()
    assert destination.received == []
    assert "private address. If you mean it" in "".join(capfd.readouterr())
    two.configure(webhook=webhook(destination))
    two.age(30_000)
    destination.behaviour = lambda handler, number: handler.answer(302, Location=destination.url)
    two.turn()
    assert len(destination.received) == 1


def test_a_certificate_that_proves_nothing_ends_it_and_no_password_is_sent(
    two: Two, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    two.configure(email=email(mailbox))
    paused(two)
    two.turn()
    assert mailbox.mails == []
    assert Incidents(connect(two.server.url)).waiting("email") == 1


@pytest.mark.processes
def test_tls_from_the_first_byte(two: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Mailbox(tmp_path, security="tls") as box:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(box.authority))
        two.configure(email=email(box, security="tls"))
        paused(two)
        two.turn()
        assert [mail["Subject"] for mail in box.mails] == ["[Relay] crm is paused: credentials rejected"]


def test_hostile_text_of_a_vendor_makes_no_header_and_no_line(
    two: Two, destination: Destination, mailbox: Mailbox
) -> None:
    two.configure(webhook=webhook(destination), email=email(mailbox))
    two.fail(Outcome.PAUSED, 1, error="x\r\nBcc: thief@evil.example\r\nSubject: you won\x1b[2J\r\n\r\nbody \u202e")
    two.turn()
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert mail.get_all("Subject") == ["[Relay] crm is paused: credentials rejected"]
    assert mailbox.recipients == [["ops@shop.example", "chief@shop.example"]]
    lines = [line for line in mail.get_content().splitlines() if "Last error" in line]
    assert lines == ["Last error: x Bcc: … Subject: you won[2J body"]
    assert not any(line.startswith(("Bcc", "Subject")) for line in mail.get_content().splitlines())


@pytest.mark.parametrize(
    ("notices", "problem"),
    [
        ({"webhook": {"url": "ftp://example.com"}}, "alerts.webhook.url: must be a whole address"),
        ({"webhook": {"url": "https://u:p@example.com"}}, "alerts.webhook.url: must not contain a user and password"),
        ({"webhook": {"url": "https://example.com", "secret": "short"}}, "make one with: openssl rand -base64 32"),
        ({"email": {"host": "h", "from": "a@b", "to": ["x\r\nBcc: y@z"]}}, "alerts.email.to[0]: "),
        ({"email": {"host": "h", "from": "a@b\n", "to": ["x@y"]}}, "alerts.email.from: "),
        ({"email": {"host": "h", "from": "a@b", "to": []}}, "alerts.email.to: "),
        ({"email": {"host": "h", "to": ["x@y"]}}, "alerts.email.from: is missing; add 'from: …'"),
        ({"email": {"host": "h", "form": "a@b", "from": "a@b", "to": ["x@y"]}}, "Did you mean 'from'?"),
        ({"email": {"host": "h", "from": "a@b", "to": ["x@y"], "user": "u"}}, "'user' and 'password' go together"),
        ({"oldest_after": 0}, "alerts.oldest_after: "),
    ],
)
def test_what_is_wrong_in_the_section_is_said(two: Two, notices: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        two.load(notices)
    assert problem in str(raised.value)
    assert "u:p@" not in str(raised.value)


def test_the_schema_knows_the_section() -> None:
    right = {"host": "h", "from": "a@b", "to": ["x@y"], "user": "u", "password": "p", "security": "tls", "port": None}
    validator = jsonschema.Draft202012Validator
    check = validator(schema({}), format_checker=validator.FORMAT_CHECKER)
    assert check.is_valid({"alerts": {"webhook": {"url": "https://example.com"}, "email": right, "oldest_after": 1}})
    for wrong in ({"email": {**right, "from": "nobody"}}, {"email": {"host": "h", "to": ["x@y"]}}, {"oldest": 1}):
        assert not check.is_valid({"alerts": wrong})


def test_no_secret_of_the_section_is_shown(two: Two, mailbox: Mailbox, destination: Destination) -> None:
    two.configure(webhook=webhook(destination, secret=SECRET), email=email(mailbox))
    shown = json.dumps(masked(two.settings)) + repr(two.settings)
    for secret in (SECRET, PASSWORD, destination.url):
        assert secret not in shown
    assert masked(two.settings)["alerts"]["email"]["from"] == "relay@shop.example"


class TestCommand:
    @pytest.fixture
    def cli(self, tmp_path: Path, server: Server) -> CommandLine:
        return CommandLine(tmp_path, server)

    def configure(self, cli: CommandLine, **notices: Any) -> None:
        cli.config.write_text(json.dumps({"alerts": notices}))

    def test_a_test_is_sent_by_every_channel_and_the_answers_are_said(
        self, cli: CommandLine, destination: Destination, mailbox: Mailbox
    ) -> None:
        self.configure(cli, webhook=webhook(destination, secret=SECRET), email=email(mailbox))
        said = cli.run("alerts", "test")
        assert said == "webhook: ✓ HTTP 200\nemail: ✓ 127.0.0.1 accepted it for 2 of 2\n"
        assert destination.received[0].json()["type"] == "trouble.test"
        assert mailbox.mails[0]["Subject"] == "[Relay] Test alert"
        assert [one["sent"] for one in cli.json("alerts", "test")] == [True, True]

    def test_what_was_refused_is_said_without_secrets(
        self, cli: CommandLine, destination: Destination, mailbox: Mailbox
    ) -> None:
        secretive = destination.url.replace("/hook", "/services/T0123/very-secret")
        destination.behaviour = lambda handler, number: handler.answer(403, f"no {secretive} {SECRET}".encode())
        mailbox.answer = f"554 no {PASSWORD}"
        self.configure(cli, webhook=webhook(destination, url=secretive, secret=SECRET), email=email(mailbox))
        said = cli.run("alerts", "test", code=1)
        assert "webhook: ✗ HTTP 403 Forbidden: no **********" in said
        assert "email: ✗ SMTP 554 to the mail: no **********" in said
        for secret in ("very-secret", SECRET, PASSWORD):
            assert secret not in said

    def test_without_anybody_to_tell_it_says_what_to_add(self, cli: CommandLine) -> None:
        assert "add webhook, email, slack, teams or notify under alerts" in cli.run("alerts", "test", code=2)


def test_two_running_workers_tell_once_follow_the_configuration_and_deliver_meanwhile(
    relay: Stack, destination: Destination
) -> None:
    """A destination of notices that hangs keeps nothing else waiting."""

    def answer(handler: Handler, number: int) -> None:
        handler.hang() if number == 0 else handler.answer(200)

    connectors = {
        "archive": {"type": "archive"},
        "crm": {"type": "webhook", "url": "http://127.0.0.1:9/", "secret": SECRET},
    }
    relay.configure(json.dumps({"connectors": connectors}))
    relay.constants |= {**SOON_RELOADED, **SOON_TOLD}
    relay.web()
    workers = [relay.worker(), relay.worker()]
    relay.post(chat(1))
    until(lambda: relay.ledger.lane("crm").gate, what="the pause")
    destination.behaviour = answer
    notices = {"webhook": webhook(destination, timeout=1)}
    relay.configure(json.dumps({"connectors": connectors, "alerts": notices}))
    until(lambda: destination.received, what="the first try")
    relay.post(chat(2))
    until(lambda: relay.ledger.lane("archive").counts["delivered"] == 2, 5, "a delivery while the notice hangs")
    until(lambda: "alert not sent" in relay.logs(), what="the failure")
    server: Any = relay.server.client
    server.hset("relay:sending:webhook", "due", 0)
    until(lambda: len(destination.received) == 2, what="the second try")
    for _ in range(6):  # two more looks by each, of which one waits for its turn
        server.delete(key("troubles"))
        until(lambda: server.exists(key("troubles")), what="a look")
    assert told(destination) == [("begun", "paused", "crm")] * 2
    assert len({one.headers["webhook-id"] for one in destination.received}) == 1
    assert [worker.poll() for worker in workers] == [None, None]


def test_a_receiver_tells_too_for_there_may_be_no_worker(relay: Stack, destination: Destination) -> None:
    notices = {"webhook": webhook(destination)}
    relay.configure(json.dumps({"connectors": {"archive": {"type": "archive"}}, "alerts": notices}))
    relay.constants |= SOON_TOLD
    relay.web()
    identity = relay.post(chat(1)).json()["id"]
    server: Any = relay.server.client
    server.zadd("relay:lane:inbox", {identity: round(time.time() * 1000) - 20 * 60_000})
    until(lambda: server.hgetall("relay:incidents"), what="a look")
    ((name, value),) = server.hgetall("relay:incidents").items()
    server.hset("relay:incidents", name, json.dumps({**json.loads(value), "began": 0}))
    until(lambda: destination.received, what="the notice")
    assert told(destination) == [("begun", "backlog", INBOX)]
