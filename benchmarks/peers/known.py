"""The peers, one function each: what has to be started, and how it is told where to listen and where to deliver."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import requests

from benchmarks.child import ROOT
from benchmarks.peers.peer import Peer, Place, Programs, Started, answers, ports, run
from tests.support.server import Server
from tests.support.stack import until

PROGRAMS = Path(__file__).parent / "programs"


def _bin(place: Place, name: str) -> Path:
    return place.installed / "node_modules" / ".bin" / name


def _naive(place: Place, programs: Programs) -> Iterator[Started]:
    """The broker keeps to its defaults, as most leave them: nothing is on disk when it answers."""
    [port] = ports(1)
    server = Server(place.folder / "broker", "--appendonly", "no").start()
    try:
        variables = {
            "PEER_BROKER": f"redis+socket://{server.socket}",
            "PEER_TARGET": place.target,
            "PYTHONPATH": str(ROOT),
        }
        module = "benchmarks.peers.programs.naive"
        granian = ("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws", f"{module}:app")
        web = programs.start("web", [sys.executable, "-m", "granian", *granian], **variables)
        work = ["-A", f"{module}:celery", "worker", "--pool=prefork", "--loglevel=WARNING"]
        worker = programs.start("worker", [sys.executable, "-m", "celery", *work], **variables)
        answers(f"http://127.0.0.1:{port}/")
        yield Started(port, pids={"receiver": web, "worker": worker, "server": server.pid})
        programs.end()
    finally:
        server.stop()


def _node_red(place: Place, programs: Programs) -> Iterator[Started]:
    [port] = ports(1)
    shutil.copy(PROGRAMS / "node_red_flows.json", place.folder / "flows.json")
    settings = {
        "uiPort": port,
        "uiHost": "127.0.0.1",
        "flowFile": "flows.json",
        "functionExternalModules": True,
        "telemetry": {"enabled": False},
        "logging": {"console": {"level": "warn"}},
    }
    (place.folder / "settings.js").write_text(f"module.exports = {json.dumps(settings)}\n")
    node: list[str | Path] = [_bin(place, "node"), _bin(place, "node-red").resolve(), "--userDir", place.folder]
    pid = programs.start("node-red", [*node, "--settings", place.folder / "settings.js"], PEER_TARGET=place.target)
    answers(f"http://127.0.0.1:{port}/", 200)
    yield Started(port, pids={"node-red": pid})


def _restate(place: Place, programs: Programs) -> Iterator[Started]:
    port, admin, node, service = ports(4)
    # A module finds its packages beside or above itself.
    program = place.installed / "restate_service.mjs"
    shutil.copy(PROGRAMS / program.name, program)
    own = {"PEER_TARGET": place.target, "PEER_SERVICE_PORT": str(service)}
    worker = programs.start("service", [_bin(place, "node"), program], **own)
    server = programs.start(
        "server",
        [_bin(place, "restate-server")],
        RESTATE_BASE_DIR=str(place.folder / "data"),
        RESTATE_INGRESS__BIND_ADDRESS=f"127.0.0.1:{port}",
        RESTATE_ADMIN__BIND_ADDRESS=f"127.0.0.1:{admin}",
        RESTATE_BIND_ADDRESS=f"127.0.0.1:{node}",
        RESTATE_ADVERTISED_ADDRESS=f"http://127.0.0.1:{node}/",
        RESTATE_DISABLE_TELEMETRY="true",
        RUST_LOG="warn",
        PATH=f"{_bin(place, 'node').parent}:/usr/bin:/bin",
    )
    answers(f"http://127.0.0.1:{admin}/health", 200)

    def registered() -> bool:
        wanted = {"uri": f"http://127.0.0.1:{service}", "force": True}
        return requests.post(f"http://127.0.0.1:{admin}/deployments", json=wanted, timeout=20).ok

    until(registered, 60, "the service at Restate")
    yield Started(port, "/relay/deliver/send", {"server": server, "service": worker})


def _dbos(place: Place, programs: Programs) -> Iterator[Started]:
    """PostgreSQL as Debian has it, with its defaults: a commit is on disk."""
    port, database = ports(2)
    data = place.folder / "database"
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise LookupError("PostgreSQL is not installed; apt-get install postgresql")
    tools = found[-1]
    data.mkdir()
    # It refuses to run as root.
    shutil.chown(data, "postgres")
    as_owner: list[str | Path] = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    run(*as_owner, tools / "initdb", "-D", data, "--auth=trust", "--encoding=UTF8")
    listen = ("-h", "127.0.0.1", "-p", str(database), "-k", str(data))
    server = programs.start("database", [*as_owner, tools / "postgres", "-D", data, *listen])

    def up() -> bool:
        asked: list[str | Path] = [tools / "pg_isready", "-h", "127.0.0.1", "-p", str(database)]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    until(up, 60, "PostgreSQL")
    run(tools / "createdb", "-h", "127.0.0.1", "-p", str(database), "-U", "postgres", "peer")
    service = programs.start(
        "service",
        [place.installed / "bin" / "python", PROGRAMS / "dbos_service.py"],
        PEER_PORT=str(port),
        PEER_TARGET=place.target,
        PEER_DATABASE=f"postgresql://postgres@127.0.0.1:{database}/peer",
    )
    answers(f"http://127.0.0.1:{port}/")
    yield Started(port, pids={"server": server, "service": service})


PEERS = (
    Peer("naive", "nothing is on disk when it answers, and a kill loses what was being done", _naive),
    Peer("node-red", "nothing is on disk: all of it is in memory", _node_red, npm=("node-red@5.0.7",)),
    Peer(
        "restate",
        "on disk before it answers, each step in a journal",
        _restate,
        npm=("@restatedev/restate-server@1.7.12", "@restatedev/restate-sdk@1.17.2"),
    ),
    Peer(
        "dbos",
        "on disk before it answers, each step in PostgreSQL",
        _dbos,
        pip=("dbos==3.4.0", "requests==2.34.2"),
    ),
)
