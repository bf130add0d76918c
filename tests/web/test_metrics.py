from __future__ import annotations

import secrets
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from core.config.environment import environment
from core.delivery import Attempt, Outcome, PayloadStatus, Reference
from core.ids import ConversationId
from core.store import INBOX, RateLimit, Store, connect
from core.store.claims import Limits
from core.store.protocol.constants import Ended
from core.store.sources.orders import Wish, source_lane
from tests.conftest import Clock
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import TOKEN


@pytest.fixture
def client(server: Server, tmp_path: Path) -> FlaskClient:
    return made(server, tmp_path)


def made(
    server: Server, folder: Path, crm: str = "{type: archive}", source: str = "{}", **variables: str
) -> FlaskClient:
    """A receiver whose one connector is `crm`."""
    (folder / "relay.yaml").write_text(f"source: {source}\nconnectors: {{crm: {crm}}}")
    variables["RELAY_CONFIG"] = str(folder / "relay.yaml")
    env = environment(
        {"RELAY_REDIS_URL": server.url, "RELAY_DATA_DIR": str(folder), "SMARTSUPP_TOKEN": TOKEN, **variables}
    )
    return create_app(env, {}).test_client()


def read(client: FlaskClient) -> dict[str, float]:
    """`name{label="value"}` -> value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def work(store: Store, clock: Clock) -> None:
    """Four bodies: one delivered after two seconds, one refused, one that fails for now, one that is none."""
    for number in range(4):
        store.accept(b"%d" % number)
    store.accept(b"0")
    for number in range(3):
        inbox = store.claim(INBOX, secrets.token_hex(8))
        assert inbox is not None
        store.fan_out(inbox, ConversationId(f"1:{number}"), ["crm"])
    inbox = store.claim(INBOX, secrets.token_hex(8))
    assert inbox is not None
    store.divert(inbox.payload, PayloadStatus.QUARANTINED, "no", token=inbox.token)
    clock.pass_by(2)
    for outcome in (Outcome.DELIVERED, Outcome.REFUSED, Outcome.RETRY):
        claim = store.claim("crm", secrets.token_hex(8))
        assert claim is not None
        store.settle(claim, Attempt(1, 2, outcome, 1, error="no"), delay_ms=60_000, reference=Reference("r"))


def test_it_counts_what_came_and_what_became_of_it(client: FlaskClient, store: Store, clock: Clock) -> None:
    work(store, clock)
    found = read(client)
    assert found["relay_store_up"] == 1
    assert found["relay_store_safe"] == 1
    assert found["relay_received_total status=accepted"] == 4
    assert found["relay_received_total status=duplicate"] == 1
    assert found["relay_received_total status=quarantined"] == 1
    assert found["relay_received_total status=routed"] == 3
    assert found["relay_attempts_total connector=crm outcome=retry"] == 1
    assert found["relay_deliveries_total connector=crm outcome=delivered"] == 1
    assert found["relay_deliveries_total connector=crm outcome=dead"] == 1
    assert found["relay_deliveries_now connector=crm status=retrying"] == 1
    assert found["relay_deliveries_now connector=crm status=dead"] == 1
    assert found["relay_bodies status=quarantined"] == 1


def test_the_time_from_receipt_to_record_is_a_histogram(client: FlaskClient, store: Store, clock: Clock) -> None:
    work(store, clock)
    found = read(client)
    assert found["relay_receipt_to_record_seconds_count connector=crm"] == 1
    assert found["relay_receipt_to_record_seconds_sum connector=crm"] == 2
    assert found["relay_receipt_to_record_seconds_bucket connector=crm le=1.024"] == 0
    assert found["relay_receipt_to_record_seconds_bucket connector=crm le=2.048"] == 1
    assert found["relay_receipt_to_record_seconds_bucket connector=crm le=+Inf"] == 1


def test_it_tells_what_waits_and_who_holds_it_back(client: FlaskClient, server: Server) -> None:
    store = Store(connect(server.url))
    for number in range(3):
        store.accept(b"%d" % number)
        inbox = store.claim(INBOX, secrets.token_hex(8))
        assert inbox is not None
        store.fan_out(inbox, ConversationId(f"1:{number}"), ["crm"])
    store.claim("crm", secrets.token_hex(8))
    control(store).pause("crm", "stocktaking")
    time.sleep(0.01)
    found = read(client)
    assert found["relay_due lane=crm"] == 2
    assert found["relay_in_flight lane=crm"] == 1
    assert 0 < found["relay_oldest_due_seconds lane=crm"] < 3600
    assert found["relay_paused by=admin connector=crm"] == 1
    assert found["relay_paused by=breaker connector=crm"] == 0
    assert found["relay_due lane=inbox"] == 0
    assert found["relay_slowed connector=crm"] == 1
    assert found["relay_limited connector=crm"] == 0
    control(store).resume("crm")
    store.claim("crm", secrets.token_hex(8), limits=Limits(at_once=1))
    assert read(client)["relay_limited connector=crm"] == 1


def test_what_is_switched_off_waits_on_purpose_and_alarms_nobody(server: Server, tmp_path: Path) -> None:
    client = made(server, tmp_path, crm="{type: archive, enabled: false}")
    store = Store(connect(server.url))
    store.accept(b"1")
    inbox = store.claim(INBOX, secrets.token_hex(8))
    assert inbox is not None
    store.fan_out(inbox, ConversationId("1:1"), ["crm", "gone"])
    control(store).pause("crm", "stocktaking")
    time.sleep(0.01)
    found = read(client)
    for name in ("crm", "gone"):
        assert found[f"relay_due lane={name}"] == 1
        assert found[f"relay_deliveries_now connector={name} status=waiting"] == 1
        assert found[f"relay_oldest_due_seconds lane={name}"] == 0
        assert found[f"relay_paused by=admin connector={name}"] == 0


SOURCE = '{account: "1000", api: {token: a-token-of-smartsupp, rate: 3}}'


def test_it_tells_what_is_to_be_fetched_and_how_fetches_ended(server: Server, tmp_path: Path) -> None:
    client = made(server, tmp_path, source=SOURCE)
    found = read(client)
    assert found["relay_source_fetches_total outcome=done source=main"] == 0, "from the beginning"
    assert found["relay_source_requests_total source=main"] == 0
    assert found["relay_source_rate source=main"] == 3
    store = Store(connect(server.url))
    for name, number in (("main", 3), ("gone", 2)):
        for one in range(number):
            account = "1000" if name == "main" else "4711"
            store.order(Wish(ConversationId.of(account, f"co{one}"), source_lane(name), wait_ms=0, at_most_ms=0))
    ends: tuple[tuple[Ended, int], ...] = (("done", 0), ("down", 60_000))
    for ended, delay in ends:
        order = store.claim_order(source_lane("main"), secrets.token_hex(8))
        assert order is not None
        store.settle_order(order, ended, delay, "no")
    RateLimit(connect(server.url)).take("smartsupp-api:main", 10, 10, counted="asked:main")
    found = read(client)
    assert found["relay_source_orders source=main"] == 2
    assert found["relay_source_oldest_due_seconds source=main"] > 0
    assert found["relay_source_held by=breaker source=main"] == 1
    assert found["relay_source_held by=relay source=main"] == 0
    assert found["relay_source_stranded_orders source=gone"] == 2
    assert found["relay_source_fetches_total outcome=done source=main"] == 1
    assert found["relay_source_fetches_total outcome=down source=main"] == 1
    assert found["relay_source_requests_total source=main"] == 1
    assert not [name for name in found if name.startswith("relay_attempts") and "main" in name]


def test_a_store_that_is_away_is_said_and_nothing_else(own_server: Server, tmp_path: Path) -> None:
    client = made(own_server, tmp_path)
    own_server.kill()
    assert read(client) == {"relay_store_up": 0}


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("10.1.2.3", {}, 200),
        ("8.8.8.8", {}, 403),
        # As a listener for both kinds of addresses spells them.
        ("::ffff:10.1.2.3", {}, 200),
        ("::ffff:8.8.8.8", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "8.8.8.8"}, 403),
        ("127.0.0.1", {"Forwarded": "for=8.8.8.8"}, 403),
        ("127.0.0.1", {"Via": "1.1 somebody"}, 403),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, 403),
        # A proxy that says nothing of itself passes on what it was asked for.
        ("172.17.0.1", {"Host": "relay.example.com"}, 403),
        ("127.0.0.1", {"Host": "8.8.8.8:8000"}, 403),
        ("127.0.0.1", {"Host": ""}, 403),
        ("172.17.0.1", {"Host": "web:8000"}, 200),
        ("10.1.2.3", {"Host": "10.1.2.4:8000"}, 200),
        ("10.1.2.3", {"Host": "relay.ours.svc.cluster.local:8000"}, 200),
        ("127.0.0.1", {"Host": "[::1]:8000"}, 200),
    ],
)
def test_without_a_token_only_neighbours_may_look(
    client: FlaskClient, address: str, headers: dict[str, str], status: int
) -> None:
    assert client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address}).status_code == status


def test_without_a_token_nobody_may_look_once_the_relay_has_a_public_address(server: Server, tmp_path: Path) -> None:
    answer = made(server, tmp_path, RELAY_PUBLIC_URL="https://relay.example.com").get("/metrics")
    assert answer.status_code == 403
    assert "RELAY_METRICS_TOKEN" in answer.text
    assert made(server, tmp_path, RELAY_PUBLIC_URL="http://localhost:8000").get("/metrics").status_code == 200


def test_a_proxy_that_adds_nothing_shows_itself_by_its_old_protocol(client: FlaskClient) -> None:
    assert client.get("/metrics", environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0"}).status_code == 403


def test_with_a_token_only_its_bearers_may_look(server: Server, tmp_path: Path) -> None:
    client = made(server, tmp_path, RELAY_METRICS_TOKEN="m" * 24)
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer " + "n" * 24}).status_code == 403
    right = client.get(
        "/metrics", headers={"Authorization": "Bearer " + "m" * 24}, environ_base={"REMOTE_ADDR": "8.8.8.8"}
    )
    assert right.status_code == 200
    assert TOKEN not in right.text
