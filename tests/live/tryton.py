"""A real Tryton on loopback: the packages of PyPI (install.sh), an SQLite file, and its own server.

Everything is in one folder, and nothing outside of it is read or changed. It sends no mail.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import requests

from tests.live import packages
from tests.support.stack import free_port, until

MISSING = "Tryton is not installed here; make test-live installs it (PyPI) and runs this"
ADMIN = ("admin", "password-0123")
DATABASE = "shop"

# https://docs.tryton.org/latest/server/topics/configuration.html
_CONFIG = """
[database]
uri = sqlite://
path = {folder}
[web]
listen = 127.0.0.1:{port}
"""


def installed() -> bool:
    return packages.has_python()


class Tryton:
    """Prepared once, then started and stopped at will; the port and what is in it stay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True)
        self._config = folder / "trytond.conf"
        self._config.write_text(_CONFIG.format(folder=folder, port=self.port))
        (folder / f"{DATABASE}.sqlite").touch()
        (folder / "password").write_text(ADMIN[1])
        self._process: subprocess.Popen[bytes] | None = None
        made = ["--update", "party", "--activate-dependencies", "--email", "admin@live.example", "--language", "en"]
        done = subprocess.run(
            [*self._program("trytond-admin"), *made],
            env={**os.environ, "TRYTONPASSFILE": str(folder / "password")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        # A password as a new user is sent one: it is compared with each request, without the slow hash of a chosen one.
        change = (
            "UPDATE res_user SET password_hash = NULL, password_reset = ?, "
            "password_reset_expire = '2999-01-01 00:00:00' WHERE login = ?"
        )
        with sqlite3.connect(folder / f"{DATABASE}.sqlite", timeout=20) as database:
            assert database.execute(change, (ADMIN[1], ADMIN[0])).rowcount == 1

    def _program(self, name: str) -> list[str]:
        script = str(packages.PYTHON.with_name(name))
        return [str(packages.PYTHON), script, "--config", str(self._config), "--database", DATABASE]

    def start(self) -> Tryton:
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(self._program("trytond"), stdout=log, stderr=log)
        until(self._answers, 300, f"Tryton's answer (see {self.folder})")
        return self

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "server.log").read_text()
        try:
            return bool(self.call("model.res.user.search", []))
        except requests.ConnectionError:
            return False

    # --- looking at it as its admin ------------------------------------------------------

    def call(self, method: str, *params: Any) -> Any:
        asked = {"id": 1, "method": method, "params": [*params, {"language": "en"}]}
        answer = requests.post(f"{self.url}/{DATABASE}/rpc/", json=asked, auth=ADMIN, timeout=60)
        answer.raise_for_status()
        body = answer.json()
        assert "error" not in body, (method, params, body)
        return body["result"]

    def notes(self) -> list[dict[str, Any]]:
        """Every note in order: whose it is, and its text."""
        found: list[dict[str, Any]] = self.call(
            "model.ir.note.search_read", [], 0, None, [["id", "ASC"]], ["resource", "message"]
        )
        return found

    def parties(self, email: str) -> list[int]:
        by_email = [["contact_mechanisms", "where", [["type", "=", "email"], ["value", "=", email]]]]
        found: list[int] = self.call("model.party.party.search", by_email)
        return found

    def emails(self, party: int) -> list[str]:
        of_party = [["party", "=", party], ["type", "=", "email"]]
        found = self.call("model.party.contact_mechanism.search_read", of_party, 0, None, None, ["value"])
        return [one["value"] for one in found]

    def delete(self, party: int) -> None:
        self.call("model.party.party.delete", [party])
