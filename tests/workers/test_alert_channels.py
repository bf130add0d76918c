"""Alerts where people talk: Slack, Teams, and whatever Apprise reaches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connectors.testing.fake import Answer, Fake
from core.config.alerts import CHANNELS, Alerts
from tests.connectors.test_notify import TOPIC, Service
from tests.fakes.slack import CHANNEL, TOKEN, SlackVendor
from tests.fakes.teams import PATH, SIGNATURE, TeamsVendor
from workers.alerts.channels import Channel, NotSent, channels
from workers.alerts.messages import test_message as message_of_a_test

LOCAL = {"allow_networks": ["127.0.0.0/8"]}
MESSAGE = message_of_a_test("4711", 1_700_000_000_000, "https://relay.example.com")


@pytest.fixture
def services() -> Iterator[dict[str, Fake]]:
    with ExitStack() as running:
        made: dict[str, Fake] = {"slack": SlackVendor(), "teams": TeamsVendor(), "notify": Service()}
        yield {name: running.enter_context(one) for name, one in made.items()}


def configured(services: dict[str, Fake]) -> dict[str, Channel]:
    slack, teams, notify = (services[name].url for name in ("slack", "teams", "notify"))
    settings: dict[str, Any] = {
        "slack": {"token": TOKEN, "channel": CHANNEL, "base_url": f"{slack}/api", **LOCAL},
        "teams": {"url": f"{teams}{PATH}?sig={SIGNATURE}", **LOCAL},
        "notify": {"url": f"{notify.replace('http', 'json')}/{TOPIC}", **LOCAL},
    }
    return channels(Alerts.model_validate(settings))


def test_an_alert_arrives_by_each(services: dict[str, Fake]) -> None:
    found = configured(services)
    assert list(found) == [name for name in CHANNELS if name in found] == ["slack", "teams", "notify"]
    assert [one.send(MESSAGE) for one in found.values()] == ["HTTP 200", "HTTP 202", "sent"]
    slack, teams, notify = services["slack"], services["teams"], services["notify"]
    assert "Nothing is wrong." in slack.texts()[0]
    assert "https://relay.example.com" in slack.texts()[0]
    assert teams.records()[0][0] == "This is a test."
    assert notify.requests[0].body["title"] == "[Relay] Test alert"
    assert notify.requests[0].body["message"] == MESSAGE.text


def test_what_was_refused_is_said_without_secrets(services: dict[str, Fake]) -> None:
    for name, status, body, said in (
        ("slack", 200, {"ok": False, "error": f"invalid_auth {TOKEN}"}, "invalid_auth"),
        ("teams", 401, {"error": f"no {SIGNATURE}"}, "HTTP 401"),
        ("notify", 403, None, "error=403"),
    ):
        services[name].instead = [Answer(status, body)] * 3
        with pytest.raises(NotSent, match=said) as raised:
            configured(services)[name].send(MESSAGE)
        for secret in (TOKEN, SIGNATURE, TOPIC):
            assert secret not in str(raised.value)


def test_a_private_address_is_reached_only_where_the_settings_allow_it(services: dict[str, Fake]) -> None:
    url = f"{services['teams'].url}{PATH}"
    with pytest.raises(NotSent, match="private address"):
        channels(Alerts.model_validate({"teams": {"url": url}}))["teams"].send(MESSAGE)
    assert services["teams"].requests == []
