"""Alerts and dashboard: what they name is there, and real Prometheus takes them."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from core.delivery import Attempt, Outcome, PayloadStatus, Reference
from core.ids import ConversationId
from core.store import INBOX, RateLimit, Store, connect
from core.store.protocol.constants import Ended, Trouble
from core.store.sources.orders import Wish, source_lane
from tests.support.command_line import CommandLine
from tests.support.forked import forked
from tests.support.made import control
from tests.support.prometheus import Prometheus, Samples, program, prometheus, strangers
from tests.support.server import Server
from tests.support.stack import Stack, stack, until

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
RULES_TEST = RULES.with_name("alerts.test.yml")
CONFIG = RULES.with_name("prometheus.yml")
DASHBOARD = ROOT / "deploy" / "grafana" / "relay.json"
METRICS_TOKEN = "metrics-token-for-tests"


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return made


def targets() -> list[tuple[str, str]]:
    """(panel, expression) of every query, with Grafana's variables filled in."""
    filled = {"$job": "relay", "$connector": ".*", "$__rate_interval": "20s"}
    found = []
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for variable, value in filled.items():
                expression = expression.replace(variable, value)
            assert "$" not in expression.replace('"$1"', ""), expression
            found.append((panel["title"], expression))
    return found


def scaling() -> str:
    """The expression by which workers are multiplied."""
    file = ROOT / "deploy" / "kubernetes" / "components" / "keda" / "scaledobject.yaml"
    return str(yaml.safe_load(file.read_text())["spec"]["triggers"][0]["metadata"]["query"])


def work(store: Store, number: int, url: str) -> None:
    """A body that is delivered, one that is refused, one that fails, one that is none; and repeats."""
    for kind in range(4):
        store.accept(b"%d %d" % (number, kind))
    store.accept(b"%d 0" % number)
    for kind in range(3):
        inbox = store.claim(INBOX, secrets.token_hex(8))
        assert inbox is not None
        store.fan_out(inbox, ConversationId(f"1:{number}{kind}"), ["crm"])
    inbox = store.claim(INBOX, secrets.token_hex(8))
    assert inbox is not None
    store.divert(inbox.payload, PayloadStatus.QUARANTINED, "no", token=inbox.token)
    for outcome in (Outcome.DELIVERED, Outcome.REFUSED, Outcome.RETRY):
        claim = store.claim("crm", secrets.token_hex(8))
        assert claim is not None
        attempt = Attempt(1, 2, outcome, 1, error="no")
        trouble: Trouble = "outage" if outcome is Outcome.RETRY else ""
        store.settle(
            claim, attempt, delay_ms=600_000, reference=Reference("r"), trouble=trouble, breaker=1, fingerprint="f"
        )
    control(store).resume("crm")
    for source in ("main", "gone"):
        for kind in range(4):
            chat = ConversationId.of("1", f"co{number}{kind}{source}")
            store.order(Wish(chat, source_lane(source), wait_ms=0, at_most_ms=0))
    ends: tuple[Ended, ...] = ("done", "later", "later")
    for ended in ends:
        order = store.claim_order(source_lane("main"), secrets.token_hex(8))
        assert order is not None
        store.settle_order(order, ended, 0, "no")
    assert RateLimit(connect(url)).take("smartsupp-api:main", 10, 10, counted="asked:main") == 0


CONFIGURED = """
source: {account: "2", api: {token: a-token-of-smartsupp}}
connectors: {archive: {type: archive}}
"""


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A real receiver, whose store has seen a bit of everything."""
    with stack(tmp_path_factory.mktemp("deploy") / "relay", forked) as made:
        made.environment["RELAY_METRICS_TOKEN"] = METRICS_TOKEN
        made.configure(CONFIGURED)
        made.web()
        work(made.store, 0, made.server.url)
        yield made


@pytest.fixture(scope="module")
def samples(receiver: Stack) -> Samples:
    """What its /metrics answers: name -> labels of each sample."""
    authorization = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    answer = requests.get(f"http://127.0.0.1:{receiver.port}/metrics", headers=authorization, timeout=10)
    found: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name].append(sample.labels)
    assert found["relay_store_safe"]
    return dict(found)


def test_every_metric_and_label_that_an_alert_names_exists(samples: Samples) -> None:
    for rule in alerts():
        assert not strangers(rule["expr"], samples), rule["alert"]


def test_every_metric_and_label_that_the_dashboard_names_exists(samples: Samples) -> None:
    for panel, expression in targets():
        assert not strangers(expression, samples), panel
    for variable in dashboard()["templating"]["list"]:
        if named := re.fullmatch(r"label_values\((\w+).*?, (\w+)\)", variable.get("definition", "")):
            assert named[2] == "job" or any(named[2] in sample for sample in samples[named[1]])


def test_what_the_autoscaler_asks_exists(samples: Samples) -> None:
    assert not strangers(scaling(), samples)


def test_a_metric_a_label_or_a_value_that_is_not_there_is_found(samples: Samples) -> None:
    assert strangers("max(relay_worker)", samples) == ["relay_worker"]
    assert strangers('relay_due{connector="crm"}', samples) == ["relay_due{connector}"]
    assert strangers('relay_bodies{status="gone"}', samples) == ['relay_bodies{status="gone"}']
    assert strangers("max by (connector) (relay_due)", samples) == ["by (connector)"]


def test_the_dashboard_shows_every_metric(samples: Samples) -> None:
    shown = " ".join(expression for _, expression in targets())
    kinds = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in samples if name.startswith("relay_")}
    assert {name for name in kinds if name not in shown} == set()


def test_every_alert_says_what_happened_what_to_do_and_how_bad_it_is() -> None:
    for rule in alerts():
        assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
        assert len(rule["annotations"]["action"]) > 40
        assert rule["labels"]["severity"] in ("critical", "warning")
    assert len({rule["alert"] for rule in alerts()}) == len(alerts())


def test_commands_that_alerts_name_are_there(server: Server, tmp_path: Path) -> None:
    named = {
        command
        for rule in alerts()
        for command in re.findall(r"`relay ([a-z]+(?: [a-z]+)?)", rule["annotations"]["action"])
    }
    assert len(named) >= 8
    for command in named:
        CommandLine(tmp_path, server).run(*command.split(), "--help")


def test_every_alert_is_tripped_in_the_rules_test() -> None:
    assert {rule["alert"] for rule in alerts()} <= set(re.findall(r'alertname="(\w+)"', RULES_TEST.read_text()))


def test_panels_do_not_overlap_and_have_a_title_and_a_description() -> None:
    taken: dict[tuple[int, int], str] = {}
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"].endswith(".")
        for x in range(place["x"], place["x"] + place["w"]):
            assert x < 24
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def promtool(*arguments: str, folder: Path = RULES.parent) -> str:
    command = [program("promtool"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "rules", RULES.name)


def test_each_alert_comes_when_it_should_and_not_before() -> None:
    assert "SUCCESS" in promtool("test", "rules", RULES_TEST.name)


def test_the_autoscaler_leaves_out_lanes_that_no_worker_could_help(tmp_path: Path) -> None:
    waits: dict[str, float] = {"inbox": 3, "crm": 40, "desk": 900, "shop": 800}
    series = {
        f'relay_oldest_due_seconds{{job="relay", instance="a", lane="{lane}"}}': age for lane, age in waits.items()
    }
    for name, held, limited in (("crm", 0, 0), ("desk", 1, 0), ("shop", 0, 1)):
        series[f'relay_paused{{job="relay", instance="a", connector="{name}", by="breaker"}}'] = held
        series[f'relay_limited{{job="relay", instance="a", connector="{name}"}}'] = limited
    expected = {"expr": scaling(), "eval_time": "1m", "exp_samples": [{"labels": "{}", "value": 40}]}
    inputs = [{"series": name, "values": f"{value}x5"} for name, value in series.items()]
    case = {"interval": "1m", "input_series": inputs, "promql_expr_test": [expected]}
    (tmp_path / "scaling.yml").write_text(yaml.safe_dump({"tests": [case]}))
    assert "SUCCESS" in promtool("test", "rules", "scaling.yml", folder=tmp_path)


def test_promtool_takes_the_scrape_configuration(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(METRICS_TOKEN)
    copy = tmp_path / CONFIG.name
    copy.write_text(CONFIG.read_text().replace("/etc/prometheus/relay-metrics-token", str(token)))
    (tmp_path / RULES.name).write_text(RULES.read_text())
    assert "SUCCESS" in promtool("check", "config", CONFIG.name, folder=tmp_path)


def test_a_real_prometheus_reads_a_real_receiver_and_every_panel_shows_something(
    receiver: Stack, tmp_path: Path
) -> None:
    program("prometheus")
    with prometheus(tmp_path / "prometheus", CONFIG, METRICS_TOKEN, f"127.0.0.1:{receiver.port}") as there:
        until(lambda: there.ask('up{job="relay"} == 1'), what="a scrape")
        for number in range(1, 3):
            work(receiver.store, number, receiver.server.url)
            until(partial(seen, there, 4 * number), what="the counters")
        for panel, expression in targets():
            # Some are drawn only where there is anything to see, and are asked without that.
            assert there.ask(re.sub(r" > \d$", "", expression)), f"{panel}: {expression}"
        assert there.ask(scaling())
        assert {rule["health"] for rule in there.rules()} == {"ok"}
        # Nobody runs a worker here, and some things died.
        until(lambda: {"RelayNoWorker", "RelayDeadDeliveries"} <= there.raised(), what="the alerts")
        assert not {"RelayReceiverDown", "RelayStoreDown", "RelayStoreUnsafe"} & there.raised()


def seen(there: Prometheus, accepted: int) -> bool:
    found = there.ask('max(relay_received_total{status="accepted"})')
    return bool(found) and float(found[0]["value"][1]) >= accepted
