"""OpenTelemetry and Sentry with their real packages, to a collector on loopback; logs that follow a conversation."""

from __future__ import annotations

import gzip
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from core.log import configure
from tests.support.destination import Destination
from tests.support.stack import TOKEN, Stack, chat, until
from workers import telemetry

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE = ("Petronella", "petronella@example.com", "the parcel is lost", TOKEN, SECRET, "198.51.100.77")

BUGGY = """
from connectors.kit.connector import Connector
from core.config.settings import ConnectorSettings

class Buggy(Connector[ConnectorSettings]):
    label = "Buggy"

    def deliver(self, conversation, receipt, step):
        said = conversation.messages[0].content
        raise ValueError(f"cannot spell {said} of {conversation.visitor.email}")
"""


def petronella(number: int | str) -> bytes:
    visitor = {"id": 7, "name": PRIVATE[0], "email": PRIVATE[1], "ipAddress": PRIVATE[5]}
    said = {"type": "visitor", "from": "visitor:mx1", "content": PRIVATE[2], "sentAt": 1427470439703}
    return chat(number, visitor=visitor, messages=[said])


@pytest.fixture
def collector() -> Iterator[Destination]:
    with Destination() as there:
        yield there


def running(relay: Stack, destination: Destination, **environment: str) -> Stack:
    """Receiver and worker as processes, with a webhook and a connector that has a bug."""
    (relay.folder / "mine.py").write_text(BUGGY)
    desk = {"type": "webhook", "url": destination.url, "secret": SECRET, "allow_networks": ["127.0.0.0/8"]}
    relay.configure(json.dumps({"connectors": {"desk": desk, "buggy": {"type": "mine.Buggy"}}}))
    relay.environment |= {"RELAY_LOG": "json", "OTEL_BSP_SCHEDULE_DELAY": "200", **environment}
    relay.web()
    relay.worker()
    return relay


def came(collector: Destination) -> list[bytes]:
    """Everything that was sent, unpacked."""
    packed = [(one.body, one.headers.get("content-encoding")) for one in [*collector.received]]
    return [gzip.decompress(body) if how == "gzip" else body for body, how in packed]


def assert_nothing_private(collector: Destination) -> None:
    found = b"".join([*came(collector), *(f"{one.path} {one.headers}".encode() for one in [*collector.received])])
    assert len(found) > 1_000
    for private in PRIVATE:
        assert private.encode() not in found, private


def spans(collector: Destination) -> list[Span]:
    found = []
    for body in came(collector):
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        found += [span for part in request.resource_spans for scope in part.scope_spans for span in scope.spans]
    return found


def attributes(span: Span) -> dict[str, str]:
    return {one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes}


def named(collector: Destination, name: str, **about: str) -> list[Span]:
    """The spans that begin so and have these ids."""
    wanted = {f"relay.{one}": value for one, value in about.items()}.items()
    return [one for one in spans(collector) if one.name.startswith(name) and wanted <= attributes(one).items()]


def test_a_delivery_makes_spans_and_they_hold_nothing_private(
    relay: Stack, destination: Destination, collector: Destination
) -> None:
    running(relay, destination, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url.removesuffix("/hook"))
    assert relay.post(petronella("c1")).ok
    assert relay.post(b"x", params={"visitor": PRIVATE[1]}).ok
    (sent,) = until(lambda: named(collector, "POST", connector="desk"), what="the request of the connector")
    about = attributes(sent)
    assert about["relay.conversation"] == "1:c1"
    assert about["relay.delivery"] == "desk:1:c1"
    assert about["server.address"] == "127.0.0.1"
    assert about["http.status_code"] == "200"
    until(lambda: named(collector, "EVALSHA", delivery="desk:1:c1"), what="the store's")

    def traces(name: str) -> set[bytes]:
        return {one.trace_id for one in named(collector, name)}

    # From the receiver to the worker it is one trace.
    until(lambda: traces("POST /smartsupp/<token>") & traces("run/relay.drain"), what="one trace")
    until(lambda: relay.ledger.lane("buggy").counts["retrying"], what="the bug")
    assert {one.path for one in collector.received} == {"/v1/traces"}
    assert_nothing_private(collector)


def test_an_unknown_path_with_the_token_is_not_told(
    relay: Stack, destination: Destination, collector: Destination
) -> None:
    running(relay, destination, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url.removesuffix("/hook"))
    requests.post(f"{relay.hook}/more", params={"e": PRIVATE[1]}, data=b"x", timeout=10)
    requests.get(relay.hook, timeout=10)

    def of_the_receiver() -> list[Span]:
        return [one for one in spans(collector) if one.kind == Span.SPAN_KIND_SERVER]

    def statuses() -> set[str]:
        return {attributes(one)["http.status_code"] for one in of_the_receiver()}

    until(lambda: statuses() >= {"404", "405"}, what="both spans")
    assert {one.name for one in of_the_receiver()} == {"GET /healthz", "GET", "POST"}
    assert_nothing_private(collector)


def test_who_has_nothing_to_do_sends_nothing(relay: Stack, destination: Destination, collector: Destination) -> None:
    running(relay, destination, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url.removesuffix("/hook"))
    until(lambda: named(collector, "GET /healthz"), what="the first span")
    time.sleep(3)  # ticks, beats and looks
    assert {one.name for one in spans(collector) if not one.parent_span_id} == {"GET /healthz"}


def reports(collector: Destination) -> list[dict[str, Any]]:
    found = []
    for body in came(collector):
        lines = body.splitlines()
        found += [
            json.loads(what)
            for header, what in zip(lines[1::2], lines[2::2], strict=False)
            if json.loads(header).get("type") == "event"
        ]
    return found


def test_a_bug_is_reported_with_its_place_and_nothing_private(
    relay: Stack, destination: Destination, collector: Destination
) -> None:
    dsn = collector.url.replace("http://", "http://public@").replace("/hook", "/1")
    running(relay, destination, SENTRY_DSN=dsn)
    assert relay.post(petronella("c1")).ok
    (report,) = until(lambda: reports(collector), what="the report")
    assert report["logentry"]["message"] == "unhandled error in a connector"
    assert report["tags"]["delivery"] == "buggy:1:c1"
    (raised,) = report["exception"]["values"]
    assert raised["type"] == "ValueError"
    assert raised["stacktrace"]["frames"][-1]["function"] == "deliver"
    assert "vars" not in raised["stacktrace"]["frames"][-1]
    assert_nothing_private(collector)


def test_a_report_keeps_nothing_that_is_not_named() -> None:
    """Of a request to the hook that a library failed at, with everything that Sentry's integrations may collect."""
    frame = {"function": "f", "lineno": 3, "vars": {"body": "the parcel is lost"}}
    event = {
        "event_id": "1",
        "request": {"url": f"https://x/smartsupp/{TOKEN}", "data": "the parcel is lost", "method": "POST"},
        "user": {"ip_address": PRIVATE[5]},
        "breadcrumbs": {"values": [{"message": PRIVATE[0]}]},
        "extra": {"body": PRIVATE[2]},
        "contexts": {"runtime": {"name": "CPython"}, "celery-job": {"args": [TOKEN]}},
        "logentry": {"message": f"failed at {TOKEN}", "params": [TOKEN]},
        "exception": {"values": [{"type": "E", "value": PRIVATE[1], "stacktrace": {"frames": [frame]}}]},
    }
    told = telemetry.reported(event, {}, "library", "receiver")
    assert told == {
        "event_id": "1",
        "contexts": {"runtime": {"name": "CPython"}},
        "tags": {"role": "receiver"},
        "logentry": {"message": "an error in library"},
        "exception": {"values": [{"type": "E", "stacktrace": {"frames": [{"function": "f", "lineno": 3}]}}]},
    }


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"RELAY_OTEL": "1"}, True),
        ({"RELAY_OTEL": "on"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "RELAY_OTEL": "0"}, False),
    ],
)
def test_traces_are_off_unless_the_environment_asks(variables: dict[str, str], on: bool) -> None:
    assert telemetry._traced(variables) is on


@pytest.mark.processes
@pytest.mark.parametrize(
    ("variable", "value", "package", "extra"),
    [("RELAY_OTEL", "1", "opentelemetry", "otel"), ("SENTRY_DSN", "http://k@127.0.0.1:9/1", "sentry_sdk", "sentry")],
)
def test_without_its_packages_it_says_what_to_install_and_goes_on(
    variable: str, value: str, package: str, extra: str
) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from core.log import configure; configure('json')\n"
        f"from workers import telemetry; telemetry.start('worker', {{{variable!r}: {value!r}}}); print('went on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "went on\n"
    assert json.loads(done.stderr)["remedy"] == f"pip install '.[{extra}]' in the source folder"


@pytest.mark.processes
def test_nothing_is_imported_or_sent_when_nobody_asks() -> None:
    code = (
        "import sys; from workers import telemetry; telemetry.start('worker', {})\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('opentelemetry', 'sentry_sdk')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def lines(relay: Stack) -> list[dict[str, Any]]:
    return [json.loads(line) for line in relay.logs().splitlines() if line.startswith("{")]


def test_the_logs_of_all_processes_follow_one_conversation_without_its_text(
    relay: Stack, destination: Destination
) -> None:
    destination.behaviour = lambda handler, number: handler.answer(422 if number == 0 else 200, PRIVATE[2].encode())
    running(relay, destination)
    accepted = relay.post(petronella("c1")).json()["id"]
    broken = relay.post(petronella("c2").replace(b'"c2"', b'{"no": "id of %s"}' % PRIVATE[0].encode())).json()["id"]
    assert relay.post(petronella("c1")).json()["status"] == "duplicate"
    until(lambda: sum(line["event"] == "attempt" for line in lines(relay)) >= 2, what="both attempts")
    relay.cli("replay", "desk:1:c1")
    until(lambda: relay.ledger.lane("desk").counts["delivered"], what="the delivery")
    until(lambda: sum(line["event"] == "attempt" for line in lines(relay)) >= 3, what="the last attempt")
    found = lines(relay)
    of_payload = [line for line in found if line.get("payload") == accepted]
    story = [line["event"] for line in of_payload if line.get("connector", "desk") == "desk"]
    assert story[0] == "accepted"
    assert sorted(story) == sorted(["accepted", "duplicate", "routed", "attempt", "attempt"])
    routed = next(line for line in of_payload if line["event"] == "routed")
    assert routed["conversation"] == "1:c1"
    tries = [line for line in found if line.get("conversation") == "1:c1" and line["event"] == "attempt"]
    to_desk = [line for line in tries if line["connector"] == "desk"]
    assert [line["outcome"] for line in to_desk] == ["refused", "delivered"]
    assert {line["delivery"] for line in to_desk} == {"desk:1:c1"}
    (bug,) = [line for line in found if line["event"] == "unhandled error in a connector"]
    assert (bug["conversation"], bug["payload"], bug["delivery"]) == ("1:c1", accepted, "buggy:1:c1")
    assert "in deliver" in bug["exception"]
    assert bug["exception"].endswith("ValueError")
    # A worker may have been faster than the receiver's own look; then both say so.
    told = [line["status"] for line in found if line.get("payload") == broken and line["event"] == "accepted"]
    assert told == ["quarantined"]
    logs = relay.logs()
    assert all(line.startswith("{") for line in logs.splitlines() if line)
    for private in PRIVATE:
        assert private not in logs, private


def test_the_log_of_an_exception_has_its_causes_and_no_message(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    try:
        configure("json")
        try:
            try:
                raise KeyError("the parcel is lost")
            except KeyError as error:
                raise RuntimeError("of Petronella") from error
        except RuntimeError:
            structlog.get_logger("a").exception("bug in a test")
            logging.getLogger("library").exception("a library's %s", "own")
    finally:
        logging.getLogger().handlers[:] = before
        structlog.reset_defaults()
    written = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    for line in written:
        told = [part for part in line["exception"].splitlines() if not part.startswith(" ")]
        head = "Traceback (most recent call last):"
        assert told == [head, "KeyError", head, "RuntimeError"]
    assert [line["event"] for line in written] == ["bug in a test", "a library's own"]
