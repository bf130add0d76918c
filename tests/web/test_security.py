"""Lines of the threat model (SECURITY.md) that no other test holds, and that the tests it names are there."""

from __future__ import annotations

import re
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml

from connectors.kit.http import Http
from core.errors import RetryLater
from tests.support.stack import TOKEN, Stack, chat, stack, until

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text())
    places = (ROOT / "tests", ROOT / "connectors" / "testing")
    written = "\n".join(file.read_text() for place in places for file in place.rglob("*.py"))
    assert len(named) > 40
    assert [name for name in named if f"def {name}(" not in written] == []


@pytest.mark.processes
def test_a_certificate_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run(
        [*command, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    came: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it that
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is what is tested
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        url = f"https://127.0.0.1:{server.server_address[1]}/"
        http = Http(timeout=5, allow_networks=[ip_network("127.0.0.0/8")])
        with pytest.raises(RetryLater, match="certificate is not from a trusted authority"), http.attempt():
            http.request("GET", url, repeatable=False)
        assert came == []
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
            trusting = Http(timeout=5, allow_networks=[ip_network("127.0.0.0/8")])
            assert trusting.request("GET", url).status_code == 204
        server.shutdown()


@pytest.mark.processes
def test_no_process_shows_a_secret_in_its_arguments(tmp_path: Path) -> None:
    with stack(tmp_path / "relay") as relay:  # in whose arguments the secrets would be
        shows_no_secret(relay)


def shows_no_secret(relay: Stack) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    relay.configure("connectors: {crm: {type: webhook, url: 'http://127.0.0.1:9/', secret: '${SECRET}'}}")
    relay.environment["SECRET"] = secret
    relay.web()
    relay.worker()
    relay.post(chat())
    until(relay.ledger.deliveries, what="a delivery")
    shown = [
        file.read_bytes()
        for file in (Path(f"/proc/{process.pid}/cmdline") for process in relay.processes)
        if file.exists()
    ]
    assert len(shown) == 2
    assert not any(one in line for line in shown for one in (TOKEN.encode(), secret.encode()))


def test_every_container_is_bounded() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
