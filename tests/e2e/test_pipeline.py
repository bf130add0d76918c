"""From an HTTP request to the record: real server, real receiver, real Celery workers, real destination."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from connectors.testing.chats import HOOK
from core.delivery import Delivery, PayloadStatus
from core.ids import DeliveryId
from tests.support.destination import Destination, Handler
from tests.support.stack import SOON_RELOADED, Stack, chat, until

PAYLOADS = Path(__file__).parents[1] / "payloads"
REVISIONS = ((PAYLOADS / "hook-before-2018-11-16.json").read_bytes(), HOOK)
SECRET = "whsec_" + "c2VjcmV0LWZvci10ZXN0cy0wMTIzNDU2Nzg5"


def webhook(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "webhook", "url": url, "secret": SECRET, "allow_networks": ["127.0.0.0/8"], **more}


def config(**connectors: Any) -> str:
    return json.dumps({"connectors": connectors})


def settled(relay: Stack, identity: str, *statuses: str) -> Delivery:
    """Wait until a delivery has one of the statuses."""

    def look() -> Delivery | None:
        found = [one for one in relay.ledger.deliveries(limit=1000) if one.id == identity and not one.in_flight]
        return relay.ledger.delivery(DeliveryId(identity)) if found and found[0].status in statuses else None

    found: Delivery = until(look, what=f"{identity} {' or '.join(statuses)}")
    return found


def milliseconds() -> int:
    return time.time_ns() // 1_000_000 + 1


def test_both_documented_payloads_reach_the_archive_with_every_field(relay: Stack) -> None:
    relay.web()
    relay.worker()
    folder = relay.data / "archive" / "208" / "55039"
    for number, body in enumerate(REVISIONS, 1):
        assert relay.post(body).json()["status"] == "accepted"
        file = folder / f"r{number}.json"
        until(file.exists, what=str(file))
        record = json.loads(file.read_text())
        assert record["payload"] == json.loads(body)
        assert record["revision"] == number
        conversation = record["conversation"]
        assert conversation["visitor"]["name"] == "Dusan Kmet"
        assert [one["content"] for one in conversation["messages"]] == [
            "Hello",
            "agent.join",
            "This is triggered message",
            "Hi, how can i help you ?",
            "tanks.",
            "close.visitorClose",
        ]
        assert "Hi, how can i help you ?" in (folder / f"r{number}.txt").read_text()
        assert relay.post(body).json()["status"] == "duplicate"
    found = settled(relay, "archive:208:55039", "delivered")
    assert found.revision == 2


def test_two_revisions_that_come_at_once_are_both_in_the_archive(relay: Stack) -> None:
    relay.web()
    for body in REVISIONS:
        relay.post(body)
    relay.worker()
    folder = relay.data / "archive" / "208" / "55039"
    until(lambda: sorted(file.name for file in folder.glob("r*.json")) == ["r1.json", "r2.json"], what="both files")


def test_the_statistics_report_is_set_aside_and_nonsense_is_quarantined_and_listed(relay: Stack) -> None:
    relay.web()
    relay.worker()
    assert relay.post((PAYLOADS / "domain-stats-report.json").read_bytes()).json()["status"] == "set-aside"
    answer = relay.post(b"not json").json()
    assert answer["status"] == "quarantined"
    assert answer["id"] in relay.cli("payloads")
    assert "not JSON: a value is missing" in relay.cli("show", answer["id"])


def test_what_the_receiver_left_to_the_workers_is_sorted_by_them(relay: Stack) -> None:
    # As after a receiver that died between keeping a body and looking at it.
    nonsense = relay.store.accept(b"not json").id
    report = relay.store.accept(b'{"domains": {}}').id
    relay.worker()
    until(lambda: relay.ledger.payload(nonsense).status is PayloadStatus.QUARANTINED)
    until(lambda: relay.ledger.payload(report).status is PayloadStatus.SET_ASIDE)
    assert relay.ledger.payload(nonsense).error == "not JSON: a value is missing (line 1, column 1)"


def test_a_webhook_gets_a_signed_conversation(relay: Stack, destination: Destination) -> None:
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    found = settled(relay, "hook:1:c1", "delivered")
    (received,) = destination.received
    assert Webhook(SECRET).verify(received.body, received.headers)["data"]["conversation"]["id"] == "c1"
    assert found.reference
    assert found.reference.id == received.headers["webhook-id"]


def test_routes_decide_where_a_conversation_goes(relay: Stack, destination: Destination) -> None:
    relay.configure(
        json.dumps(
            {
                "connectors": {"archive": {"type": "archive"}, "hook": webhook(destination.url)},
                "routes": [{"to": ["archive"]}, {"when": "conversation.is_missed", "to": ["hook"]}],
            }
        )
    )
    relay.web()
    relay.worker()
    relay.post(chat("answered"))
    relay.post(chat("missed", channel={"id": "missed", "isMissed": True}))
    settled(relay, "hook:1:missed", "delivered")
    settled(relay, "archive:1:answered", "delivered")
    assert destination.conversations() == ["1:missed"]


def test_a_destination_that_fails_twice_gets_the_chat_at_the_third_try(relay: Stack, destination: Destination) -> None:
    destination.behaviour = lambda handler, number: handler.answer(500 if number < 2 else 200, b"busy")
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    for tries in (1, 2):
        found = settled(relay, "hook:1:c1", "retrying")
        assert (found.tries, found.error) == (tries, "HTTP 500 Internal Server Error: busy")
        # The schedule says 30 s and 2 min, and up to a tenth more, from some moment between the attempt and now; the
        # test does not wait for them.
        assert found.due
        least, most = ((30_000, 33_000), (120_000, 132_000))[tries - 1]
        assert found.attempts[-1].at + least <= found.due <= milliseconds() + most
        relay.store._redis.zadd("relay:lane:hook", {"hook:1:c1": 0})
        until(lambda tries=tries: len(relay.ledger.delivery(DeliveryId("hook:1:c1")).attempts) > tries)  # type: ignore[misc]
    found = settled(relay, "hook:1:c1", "delivered")
    assert [(one.outcome, one.status) for one in found.attempts] == [("retry", 500), ("retry", 500), ("delivered", 200)]
    assert len({one.headers["webhook-id"] for one in destination.received}) == 1
    story = relay.cli("show", "hook:1:c1")
    assert "HTTP 500 Internal Server Error: busy" in story
    assert "next attempt" in story


def test_a_short_retry_after_is_waited_for_within_the_attempt(relay: Stack, destination: Destination) -> None:
    destination.behaviour = lambda handler, number: (
        handler.answer(429, b"slow down", Retry_After="3") if number == 0 else handler.answer(200)
    )
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    found = settled(relay, "hook:1:c1", "delivered")
    first, second = destination.received
    assert second.at - first.at >= 2.9
    assert [one.status for one in found.attempts[0].requests] == [429, 200]
    assert "429" in relay.cli("show", "hook:1:c1")


def test_a_long_retry_after_is_waited_for_by_the_lane(relay: Stack, destination: Destination) -> None:
    destination.behaviour = lambda handler, number: handler.answer(429, Retry_After="3600")
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    found = settled(relay, "hook:1:c1", "retrying")
    assert found.due
    assert found.attempts[0].at + 3_600_000 <= found.due <= milliseconds() + 3_600_000


def test_refused_credentials_pause_the_connector_and_a_new_secret_resumes_it(
    relay: Stack, destination: Destination
) -> None:
    destination.behaviour = lambda handler, number: handler.answer(401, b"who are you?")
    relay.configure(config(hook=webhook(destination.url), archive={"type": "archive"}))
    relay.constants |= SOON_RELOADED
    relay.web()
    relay.worker()
    # One chat that is refused may itself be the reason; a second one is the witness.
    relay.post(chat("c1"))
    settled(relay, "hook:1:c1", "retrying")
    assert relay.ledger.lane("hook").gate is None
    relay.post(chat("c2"))
    until(lambda: relay.ledger.lane("hook").gate)
    settled(relay, "archive:1:c2", "delivered")
    found = settled(relay, "hook:1:c2", "retrying")
    assert (found.paused, found.tries, found.attempts[0].outcome) == (True, 1, "paused")
    assert "HTTP 401 Unauthorized: who are you?" in relay.cli("show", "hook:1:c2")
    assert "hook: Paused, because the destination rejected the credentials" in relay.cli("status")
    # Between the two, the check of the settings: somebody answers, which is no witness against them.
    assert [one.method for one in destination.received] == ["POST", "HEAD", "POST"]
    destination.behaviour = lambda handler, number: handler.answer(200)
    new = "whsec_" + "bmV3LXNlY3JldC1mb3ItdGVzdHMtMDEyMzQ1Njc4OQ=="
    relay.configure(config(hook={**webhook(destination.url), "secret": new}, archive={"type": "archive"}))
    settled(relay, "hook:1:c2", "delivered")
    relay.cli("replay", "hook:1:c1")
    settled(relay, "hook:1:c1", "delivered")
    Webhook(new).verify(destination.received[-1].body, destination.received[-1].headers)


def test_a_refused_record_is_dead_at_once_and_replay_brings_it_back(relay: Stack, destination: Destination) -> None:
    destination.behaviour = lambda handler, number: handler.answer(422, b"\x1b[31mno\x1b[0m such field")
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    found = settled(relay, "hook:1:c1", "dead")
    assert [(one.outcome, one.status) for one in found.attempts] == [("refused", 422)]
    listed = relay.cli("deliveries", "--status", "dead")
    assert "hook:1:c1" in listed
    assert "no such field" in relay.cli("show", "hook:1:c1").replace("[31m", "").replace("[0m", "")
    assert "\x1b" not in listed
    destination.behaviour = lambda handler, number: handler.answer(200)
    relay.cli("replay", "hook:1:c1")
    settled(relay, "hook:1:c1", "delivered")


def test_a_destination_that_hangs_is_given_up_on_and_holds_no_other_back(
    relay: Stack, destination: Destination
) -> None:
    destination.behaviour = lambda handler, number: handler.hang()
    connectors = {"hook": webhook(destination.url, timeout=1.5), "patient": webhook(destination.url, timeout=50)}
    relay.configure(config(**connectors, archive={"type": "archive"}))
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    found = settled(relay, "hook:1:c1", "retrying")
    assert found.error.startswith("no response in time")
    settled(relay, "archive:1:c1", "delivered")
    assert relay.ledger.lane("patient").in_flight == 1


def test_a_connection_closed_half_way_is_tried_again_later(relay: Stack, destination: Destination) -> None:
    def once_cut(handler: Handler, number: int) -> None:
        handler.cut() if number == 0 else handler.answer(200)

    destination.behaviour = once_cut
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    found = settled(relay, "hook:1:c1", "retrying")
    assert found.attempts[0].outcome == "retry"
    assert len(destination.received) == 1
    relay.cli("replay", "hook:1:c1")
    settled(relay, "hook:1:c1", "delivered")


def test_a_private_address_that_is_not_listed_is_not_called(relay: Stack, destination: Destination) -> None:
    relay.configure(config(hook=webhook(destination.url, allow_networks=[])))
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    until(lambda: relay.ledger.lane("hook").gate)
    assert destination.received == []
    assert "allow_networks: [127.0.0.1]" in relay.cli("status")


def test_a_broken_change_of_the_config_is_refused_while_the_old_one_goes_on(
    relay: Stack, destination: Destination
) -> None:
    relay.configure(config(hook=webhook(destination.url)))
    relay.constants |= SOON_RELOADED
    relay.web()
    relay.worker()
    relay.configure("connectors: {hook: {type: webhok}}")
    until(lambda: "did you mean 'webhook'" in relay.cli("config", "check", code=2))
    until(relay.ledger.troubles, what="the trouble")
    relay.post(chat("c1"))
    settled(relay, "hook:1:c1", "delivered")


def test_a_new_connector_reaches_a_running_worker(relay: Stack, destination: Destination) -> None:
    relay.constants |= SOON_RELOADED
    relay.web()
    relay.worker()
    relay.reconfigure(config(archive={"type": "archive"}, hook=webhook(destination.url)))
    relay.post(chat("c1"))
    settled(relay, "hook:1:c1", "delivered")


def test_a_connector_of_a_third_party_plugs_in_by_its_dotted_path(relay: Stack) -> None:
    relay.configure(config(mine={"type": "tests.support.third_party.Mine", "greeting": "ahoj"}))
    relay.environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    found = settled(relay, "mine:1:c1", "delivered")
    assert found.reference
    assert found.reference.id == "ahoj, Ann"
    assert found.steps == {"greet": "ahoj"}


def test_a_bug_in_a_connector_is_tried_again_and_says_so(relay: Stack) -> None:
    relay.configure(config(mine={"type": "tests.support.third_party.Mine", "greeting": "boom"}))
    relay.environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    found = settled(relay, "mine:1:c1", "retrying")
    assert found.error.startswith("internal error: ZeroDivisionError: division by zero (deliver, line ")
    assert "internal error: ZeroDivisionError" in relay.cli("show", "mine:1:c1")


def poisoned(relay: Stack) -> None:
    """One chat that kills whoever touches it, before twenty others."""
    relay.configure(config(mine={"type": "tests.support.third_party.Mine", "greeting": "die", "only_for": "poison"}))
    relay.environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    relay.web()
    relay.post(chat("poison"))
    for number in range(20):
        relay.post(chat(f"c{number}"))


def test_a_chat_that_kills_its_process_is_dead_after_three_of_its_own_and_harms_no_other(relay: Stack) -> None:
    poisoned(relay)
    workers = [relay.worker()]

    def restarted() -> bool:
        """As a supervisor does."""
        if workers[-1].poll() is not None:
            workers.append(relay.run("worker"))
        return relay.ledger.lane("mine").counts["delivered"] == 20

    until(restarted, 90, what="the others delivered")

    def given_up() -> bool:
        relay.hurry("mine")  # half a minute, then a whole one
        return restarted() and relay.ledger.delivery(DeliveryId("mine:1:poison")).status == "dead"

    until(given_up, 60, what="the one that kills given up")
    found = relay.ledger.delivery(DeliveryId("mine:1:poison"))
    assert found.error == "it ended its process 3 times, alone in it each time"
    assert [one.outcome for one in found.attempts] == ["crashed"] * 5
    # From the third on it was alone in a process of its own, so no worker died of it.
    assert len(workers) == 3


def test_an_idle_relay_is_woken_by_a_chat_and_waits_for_no_look_around(relay: Stack) -> None:
    # A wake-up is all that can bring it on: the next look for what is due is far away.
    relay.constants["workers.runtime.TICK"] = 3_600.0
    relay.web()
    relay.worker()
    for number in range(3):
        relay.post(chat(f"idle-{number}"))
        until((relay.data / "archive" / "1" / f"idle-{number}" / "r1.json").exists, what="the record")
