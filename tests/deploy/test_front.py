"""The files that put Relay on the internet, with the programs that read them: nginx, Caddy and systemd-analyze, as
Debian has them, around a real receiver."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3

from app.admin.password import hashed
from core.store import Access, connect
from tests.support.admin import token_in
from tests.support.certificates import Authority
from tests.support.stack import RELAY, TOKEN, Stack, chat, free_port, stack, until

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "relay.example.com"
MISSING = "no nginx, caddy or systemd-analyze here: on Debian, apt install nginx-light caddy systemd"
PASSWORD = "a password for the tests"

pytestmark = pytest.mark.processes


def program(name: str) -> str:
    """Its path. Skips where it is not installed, which fails in CI (conftest)."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.skip(MISSING)
    return found


@dataclass
class Front:
    """A proxy that speaks TLS, and what is behind it."""

    relay: Stack
    port: int
    plain: int
    authority: Path

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> urllib3.BaseHTTPResponse:
        with urllib3.HTTPSConnectionPool(
            "127.0.0.1", self.port, ca_certs=str(self.authority), server_hostname=NAME, assert_hostname=NAME
        ) as pool:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            return pool.urlopen(method, path, body, {"Host": NAME, **names}, redirect=False, retries=False, timeout=90)


def _ready(front: Front) -> bool:
    """Whether it listens, has a certificate, and finds the receiver."""
    with suppress(urllib3.exceptions.HTTPError, OSError):
        return front.ask("GET", "/healthz").status == 200
    return False


def nginx(folder: Path, relay: Stack, port: int, plain: int) -> tuple[list[str], Path]:
    authority = Authority(folder / "authority")
    certificate, key = authority.issue("proxy", NAME)
    text = (DEPLOY / "nginx" / "relay.conf").read_text()
    for before, after in (
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen [::]:80;", ""),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        ("listen [::]:443 ssl http2;", ""),
        (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(certificate)),
        (f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(key)),
        ("127.0.0.1:8000", f"127.0.0.1:{relay.port}"),
    ):
        assert before in text, before
        text = text.replace(before, after)
    temporary = "".join(
        f"{one}_temp_path {folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = folder / "nginx.conf"
    whole.write_text(
        f"pid {folder}/pid; error_log {folder}/error.log; daemon off; user root; worker_processes 1;\n"
        f"events {{}}\nhttp {{ {temporary} access_log {folder}/access.log;\n{text}\n}}\n"
    )
    return [program("nginx"), "-c", str(whole), "-e", f"{folder}/error.log"], authority.file


def caddy(folder: Path, relay: Stack, port: int, plain: int) -> tuple[list[str], Path]:
    text = (DEPLOY / "caddy" / "Caddyfile").read_text()
    for before, after in (
        (f"\n{NAME} {{", f"\nhttps://{NAME}:{port} {{\n\ttls internal"),
        ("127.0.0.1:8000", f"127.0.0.1:{relay.port}"),
    ):
        assert before in text, before
        text = text.replace(before, after)
    whole = folder / "Caddyfile"
    whole.write_text(
        f"{{\n\tadmin off\n\thttp_port {plain}\n\thttps_port {port}\n\tskip_install_trust\n"
        f"\tstorage file_system {folder}/caddy\n}}\n{text}"
    )
    return [program("caddy"), "run", "--config", str(whole)], folder / "caddy/pki/authorities/local/root.crt"


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("front")
    with ExitStack() as ends:
        relay = ends.enter_context(stack(folder))
        relay.environment |= {"RELAY_PUBLIC_URL": f"https://{NAME}", "RELAY_TRUSTED_PROXIES": "127.0.0.1"}
        port, plain = free_port(), free_port()
        command, authority = request.param(folder, relay, port, plain)
        relay.web()
        environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        log = (folder / "front.log").open("wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        ends.callback(process.wait)
        ends.callback(process.terminate)
        made = Front(relay, port, plain, authority)
        until(lambda: _ready(made), what="the proxy")
        yield made


def test_a_chat_comes_in_and_no_log_has_its_token(front: Front) -> None:
    answer = front.ask("POST", f"/smartsupp/{TOKEN}", chat("front"))
    assert (answer.status, answer.json()["status"]) == (202, "accepted")
    for log in front.relay.folder.rglob("*.log"):
        assert TOKEN not in log.read_text(errors="replace"), log


def test_what_is_too_long_is_refused_by_relay_itself(front: Front) -> None:
    answer = front.ask("POST", f"/smartsupp/{TOKEN}", b"[" + b" " * (1 << 20))
    assert answer.status == 413
    assert "1 MiB" in answer.json()["error"]


def test_metrics_and_details_are_for_nobody_outside(front: Front) -> None:
    assert front.ask("GET", "/metrics").status == 404
    ready = front.ask("GET", "/readyz")
    assert ready.status == 200
    assert "valkey" not in ready.data.decode()


def test_an_admin_logs_in_and_the_cookie_is_for_tls_alone(front: Front) -> None:
    Access(connect(front.relay.server.url)).set_password(hashed(PASSWORD))
    page = front.ask("GET", "/login")
    assert page.headers["Strict-Transport-Security"]
    form = urlencode({"password": PASSWORD, "csrf_token": token_in(page.data.decode())}).encode()
    kept = "; ".join(one.split(";")[0] for one in page.headers.getlist("Set-Cookie"))
    answer = front.ask(
        "POST",
        "/login",
        form,
        Cookie=kept,
        Content_Type="application/x-www-form-urlencoded",
        Referer=f"https://{NAME}/",
    )
    assert answer.status == 303
    set_now = answer.headers.getlist("Set-Cookie")
    assert set_now
    assert all("Secure" in one for one in set_now)
    session = "; ".join(one.split(";")[0] for one in set_now)
    assert "Overview" in front.ask("GET", "/", Cookie=session).data.decode()


def test_what_a_client_says_of_its_own_address_counts_for_nothing(front: Front) -> None:
    for number in range(3):
        front.ask("POST", "/smartsupp/wrong-token-of-nobody", chat(), X_Forwarded_For=f"203.0.113.{number}")
    until(lambda: "unknown token" in front.relay.logs(), what="the line about it")
    assert "203.0.113." not in front.relay.logs()


def test_plain_http_leads_to_tls(front: Front) -> None:
    with urllib3.HTTPConnectionPool("127.0.0.1", front.plain) as pool:
        answer = pool.urlopen("GET", "/login", headers={"Host": NAME}, redirect=False, retries=False, timeout=90)
    assert answer.status in (301, 308)
    assert answer.headers["Location"].startswith(f"https://{NAME}")


UNITS = sorted((DEPLOY / "systemd").glob("*.*"))


@pytest.mark.parametrize(
    "unit", [one for one in UNITS if one.suffix in (".service", ".timer")], ids=lambda one: one.name
)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    # The commands are where an installation has them, which is not here.
    for one in UNITS:
        text = one.read_text().replace("/opt/relay/current/bin/relay", str(RELAY))
        (tmp_path / one.name).write_text(text)
    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", str(tmp_path / unit.name)],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        check=False,
    )
    # Other units of the machine are none of ours.
    assert [line for line in done.stderr.splitlines() if "relay" in line and "request-tracker" not in line] == []


@pytest.mark.parametrize("unit", [one for one in UNITS if one.suffix == ".service"], ids=lambda one: one.name)
def test_a_unit_gets_nothing_that_it_does_not_need(unit: Path) -> None:
    command = [program("systemd-analyze"), "security", "--offline=true", "--no-pager", "--threshold=20", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]


def test_a_relay_runs_without_memory_that_is_written_and_executed(tmp_path: Path) -> None:
    """As MemoryDenyWriteExecute= of the units has it."""
    deny = (
        "import ctypes, os, sys; libc = ctypes.CDLL(None); code = libc.prctl(65, 1, 0, 0, 0); "
        "print('denied' if code == 0 else 'not on this kernel', flush=True); os.execv(sys.argv[1], sys.argv[1:])"
    )
    with stack(tmp_path) as relay:
        relay.run("web", at=(sys.executable, "-c", deny))
        until(relay.answers, what="the receiver")
        worker = relay.run("worker", at=(sys.executable, "-c", deny))
        until(lambda: any(name.endswith(f":{worker.pid}") for name in relay.ledger.workers()), what="the worker")
        relay.post(chat("c1"))
        until(lambda: relay.ledger.lane("archive").counts["delivered"] == 1, what="the delivery")


def test_the_environment_file_names_what_is_read(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "relay.env").read_text()
    named = re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE)
    reference = (DEPLOY.parent / "docs" / "configuration.md").read_text()
    for name in named:
        assert f"`{name}`" in reference or name == "HUBSPOT_TOKEN", name
