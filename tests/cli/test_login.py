"""`relay connectors login`: the code by way of the browser of this machine, or pasted; and what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from core.store import StoredState, connect
from tests.fakes.authorization import CLIENT, SECRET
from tests.fakes.zendesk import EMAIL, TOKEN, ZendeskVendor
from tests.support.command_line import CommandLine
from tests.support.server import Server
from tests.support.stack import free_port

CODE = "code-0123456789"


@pytest.fixture
def vendor() -> Iterator[ZendeskVendor]:
    with ZendeskVendor() as there:
        yield there


@pytest.fixture
def cli(tmp_path: Path, server: Server, vendor: ZendeskVendor) -> CommandLine:
    made = CommandLine(tmp_path, server)
    common = {"type": "zendesk", "base_url": vendor.url, "allow_networks": ["127.0.0.0/8"]}
    desk = {**common, "client_id": CLIENT, "client_secret": SECRET, "grant": "login"}
    old = {**common, "email": EMAIL, "api_token": TOKEN}
    made.config.write_text(json.dumps({"connectors": {"desk": desk, "old": old}}))
    return made


def asked(said: str) -> dict[str, str]:
    """What the page that people open is told."""
    found = re.search(r"http\S+/oauth/authorizations/new\?\S+", said)
    assert found, said
    return {name: values[0] for name, values in parse_qs(urlsplit(found[0]).query).items()}


def test_a_login_through_the_browser_of_this_machine(
    cli: CommandLine, server: Server, vendor: ZendeskVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    seen: list[dict[str, str]] = []

    def opened(text: str = "", **_: object) -> None:
        """A person opens the page, and the vendor sends the browser back."""
        if "authorizations/new" in text:
            seen.append(asked(text))
            there = f"http://127.0.0.1:{port}/"
            browser.submit(lambda: requests.get(there + "favicon.ico", timeout=5).status_code)
            answer = urlencode({"code": CODE, "state": seen[0]["state"]})
            browser.submit(lambda: requests.get(f"{there}?{answer}", timeout=5).status_code)

    with ThreadPoolExecutor(1) as browser:
        monkeypatch.setattr("app.cli.setup.login.click.echo", opened)
        cli.run("connectors", "login", "desk", "--port", str(port))
    [query] = seen
    assert query["redirect_uri"] == f"http://127.0.0.1:{port}/"
    assert (query["response_type"], query["client_id"], query["scope"]) == ("code", CLIENT, "read write")
    assert query["code_challenge_method"] == "S256"
    [exchange] = vendor.authorization.asked
    assert exchange["grant_type"] == "authorization_code"
    assert len(exchange["code_verifier"]) == 64
    assert exchange["redirect_uri"] == query["redirect_uri"]
    # The relay works with it from now on, and every process of it.
    monkeypatch.undo()
    assert "✓" in cli.run("connectors", "check", "desk")
    assert len(vendor.authorization.asked) == 1
    assert StoredState(connect(server.url), "desk").take_token("nobody", 0, "x", 1).version == 1


def test_the_address_is_pasted_where_the_browser_is_elsewhere(cli: CommandLine, vendor: ZendeskVendor) -> None:
    said = cli.run("connectors", "login", "desk", "--paste", given=CODE.encode() + b"\n")
    assert asked(said)["redirect_uri"] == "http://127.0.0.1:8765/"
    assert "desk: logged in" in said
    assert CODE not in said.replace(asked(said)["state"], "")
    assert vendor.authorization.asked[0]["code"] == CODE


@pytest.mark.parametrize(
    ("pasted", "why"),
    [
        ("http://127.0.0.1:8765/?code=c&state=another", "belongs to another login"),
        ("http://127.0.0.1:8765/?error=access_denied", "rejected the login: access_denied"),
        ("http://127.0.0.1:8765/", "no login code in it"),
        ("wrong-code", "invalid_grant"),
    ],
)
def test_what_is_no_answer_to_this_login(cli: CommandLine, pasted: str, why: str) -> None:
    assert why in cli.run("connectors", "login", "desk", "--paste", given=pasted.encode() + b"\n", code=1)


def test_nobody_logs_in_to_a_connector_whose_credentials_are_in_the_settings(cli: CommandLine) -> None:
    assert "old needs no login: its credentials are in relay.yaml" in cli.run(
        "connectors", "login", "old", "--paste", code=1
    )


def test_a_port_that_is_taken_is_said(cli: CommandLine, vendor: ZendeskVendor) -> None:
    taken = str(urlsplit(vendor.url).port)
    assert f"cannot listen on 127.0.0.1:{taken}: another program uses it" in cli.run(
        "connectors", "login", "desk", "--port", taken, code=1
    )


def test_nobody_comes_back(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.setup.login._PATIENCE", 0.2)
    assert "nobody logged in" in cli.run("connectors", "login", "desk", "--port", str(free_port()), code=1)


def test_check_says_that_nobody_has_logged_in(cli: CommandLine) -> None:
    assert "run: relay connectors login desk" in cli.run("connectors", "check", "desk", code=1)


def test_the_end_of_api_tokens_is_said_before_anything_is_asked(cli: CommandLine, vendor: ZendeskVendor) -> None:
    for command in (("config", "check"), ("doctor",), ("connectors", "check", "old")):
        said = cli.run(*command, code=1 if command == ("doctor",) else 0)
        assert "switches off all API tokens on 30 April 2027" in said
