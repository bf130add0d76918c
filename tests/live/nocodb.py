"""A real NocoDB on loopback: the npm package (install.sh), a database of PostgreSQL, and three tables of chats."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import requests

from tests.live import packages, postgres
from tests.live.postgres import USER, Postgres
from tests.support.stack import free_port, until

MISSING = "NocoDB is not installed here; make test-live installs it (npm, PyPI and Debian) and runs this"
ADMIN = {"email": "admin@live.example", "password": "Password-0123"}

#: Of each table, its columns; the first names a row.
_TABLES = {
    "People": {"Email": "Email", "Name": "SingleLineText"},
    "Chats": {"Key": "SingleLineText", "Subject": "SingleLineText", "Kind": "SingleLineText", "Began": "DateTime"},
    "Transcript": {"Mark": "SingleLineText", "Text": "LongText"},
}
#: Whose rows have many of which.
_LINKS = (("People", "Chats"), ("Chats", "Transcript"))


def installed() -> bool:
    return packages.has_nocodb() and postgres.installed()


class NocoDB:
    """Prepared once, then started and stopped at will; the port and what is in it stay."""

    def __init__(self, folder: Path, database: Postgres) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.base = ""
        self.tables: dict[str, str] = {}
        self.token = ""
        self._http = requests.Session()
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **os.environ,
            "NODE_PATH": str(packages.NOCODB / "node_modules"),
            "NC_DB": f"pg://127.0.0.1:{database.port}?u={USER}&p=none&d=nocodb",
            "NC_TOOL_DIR": str(folder),
            "NC_ADMIN_EMAIL": ADMIN["email"],
            "NC_ADMIN_PASSWORD": ADMIN["password"],
            "NC_DISABLE_TELE": "true",
            "NC_DISABLE_ERR_REPORTS": "true",
        }

    def start(self) -> NocoDB:
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(packages.node()), str(packages.SERVE_NOCODB), str(self.port)],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        until(self._answers, 300, f"NocoDB's answer (see {self.folder})")
        if not self.base:
            self._set_up()
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
            return requests.get(f"{self.url}/api/v1/health", timeout=30).ok
        except requests.ConnectionError:
            return False

    def _set_up(self) -> None:
        # https://nocodb.com/apis/v2/meta
        self._http.headers["xc-auth"] = self.call("POST", "v1/auth/user/signin", json=ADMIN)["token"]
        self.base = self.call("POST", "v2/meta/bases", json={"title": "Support"})["id"]
        for title, columns in _TABLES.items():
            own = [{"title": one, "column_name": one.lower(), "uidt": kind} for one, kind in columns.items()]
            own[0]["pv"] = True  # type: ignore[assignment]  # the column that names a row
            table = {
                "title": title,
                "table_name": title.lower(),
                "columns": [{"title": "Id", "column_name": "id", "uidt": "ID"}, *own],
            }
            self.tables[title] = self.call("POST", f"v2/meta/bases/{self.base}/tables", json=table)["id"]
        for one, many in _LINKS:
            parent, child = self.tables[one], self.tables[many]
            link = {"title": many, "uidt": "Links", "type": "hm", "parentId": parent, "childId": child}
            self.call("POST", f"v2/meta/tables/{parent}/columns", json=link)
        named = {"description": "relay"}
        self.token = self.call("POST", f"v2/meta/bases/{self.base}/api-tokens", json=named)["token"]

    # --- looking at it as its admin ------------------------------------------------------

    def call(self, method: str, path: str, **options: Any) -> Any:
        answer = self._http.request(method, f"{self.url}/api/{path}", timeout=60, **options)
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json()

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row: its id, and its fields."""
        # https://nocodb.com/apis/v3/data
        query = {"pageSize": 200, "page": 1}
        found: list[dict[str, Any]] = []
        while True:
            page = self.call("GET", f"v3/data/{self.base}/{self.tables[table]}/records", params=query)
            found += page["records"]
            if not page.get("next"):
                return found
            query["page"] += 1

    def delete(self, table: str, row: int) -> None:
        self.call("DELETE", f"v3/data/{self.base}/{self.tables[table]}/records", json={"id": row})
