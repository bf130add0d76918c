"""A real Redmine on loopback: the Debian packages (install.sh), an SQLite file, and a web server of its own.

Everything is in one folder, and nothing outside of it is read or changed. It sends no mail.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import requests

from tests.support.stack import free_port, until

HOME = Path("/usr/share/redmine")
PUMA = Path("/usr/bin/puma")
PASSWORD = "password-0123"
MISSING = "Redmine is not installed here; make test-live installs it (Debian, as root) and runs this"

# Debian's list of what is needed, which names the database of Debian's own instance and no web server.
_GEMFILE = """
eval_gemfile '/usr/share/redmine/Gemfile'
gem 'sqlite3', '~> 1.4.0' unless dependencies.any? { |one| one.name == 'sqlite3' }
gem 'puma'
"""
_DATABASE = "production: {{ adapter: sqlite3, database: {folder}/redmine.db, timeout: 20000 }}\n"

# `relay` has the rights that docs/connectors/redmine.md names, and no others; `novice` may set no issue private, and
# does not see every field.
_DATA = """
Redmine::DefaultData::Loader.load('en')
Setting.rest_api_enabled = 1
Setting.text_formatting = 'markdown'
support = Project.create!(name: 'Support', identifier: 'support', is_public: false)
elsewhere = Project.create!(name: 'Elsewhere', identifier: 'elsewhere', is_public: false)
trackers = Tracker.where(name: %w[Support Bug]).to_a
[support, elsewhere].each { |one| one.trackers = trackers }
rights = %i[view_issues add_issues edit_issues add_issue_notes]
roles = {
  'relay' => Role.create!(name: 'Relay', permissions: rights + [:set_own_issues_private]),
  'novice' => Role.create!(name: 'Novice', permissions: rights),
}
fields = { 'Smartsupp chat' => {}, 'Country' => {}, 'Unsearchable' => { is_filter: false },
           'Unseen' => { visible: false, roles: [roles['relay']] } }
fields = fields.to_h do |name, more|
  made = IssueCustomField.create!(name: name, field_format: 'string', is_filter: true, trackers: trackers,
                                  projects: [support, elsewhere], **more)
  [name, made.id]
end
keys = roles.to_h do |login, role|
  user = User.new(firstname: login.capitalize, lastname: 'Live', mail: "#{login}@live.invalid")
  user.mail_notification = 'none'
  user.login = login
  user.password = ARGV.fetch(1)
  user.save!
  Member.create!(project: support, principal: user, roles: [role])
  [login, user.api_key]
end
admin = User.find_by!(login: 'admin')
admin.update!(must_change_passwd: false)
keys['admin'] = admin.api_key
made = { keys: keys, fields: fields, trackers: trackers.to_h { |one| [one.name, one.id] } }
File.write(ARGV.fetch(0), made.to_json)
"""


def installed() -> bool:
    return (HOME / "Gemfile").exists() and PUMA.exists()


class Redmine:
    """Prepared once, then started and stopped at will; the port and what is in it stay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for name in ("config", "log", "tmp", "files"):
            (folder / name).mkdir(parents=True)
        (folder / "Gemfile").write_text(_GEMFILE)
        (folder / "config" / "database.yml").write_text(_DATABASE.format(folder=folder))
        (folder / "config" / "secret_key.txt").write_text("0" * 64)
        (folder / "data.rb").write_text(_DATA)
        self._process: subprocess.Popen[bytes] | None = None
        self._set_up("rake", "db:migrate")
        made = folder / "made.json"
        self._set_up("ruby", "bin/rails", "runner", str(folder / "data.rb"), str(made), PASSWORD)
        found = json.loads(made.read_text())
        self.keys: dict[str, str] = found["keys"]
        self.fields: dict[str, int] = found["fields"]
        self.trackers: dict[str, int] = found["trackers"]

    @property
    def _environment(self) -> dict[str, str]:
        # Debian's Redmine looks for its instances in a folder of the system's. From there, four up is the root, with
        # the symbolic link that the folder is and without it.
        instance = f"../../../..{self.folder}"
        return {
            **os.environ,
            "REDMINE_INSTANCE": instance,
            "BUNDLE_GEMFILE": str(self.folder / "Gemfile"),
            "RAILS_ENV": "production",
            "SCHEMA": os.devnull,
        }

    def _set_up(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=HOME, env=self._environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> Redmine:
        serve = [str(PUMA), "--no-config", "--bind", f"tcp://127.0.0.1:{self.port}", "--threads", "0:4", "config.ru"]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(serve, cwd=HOME, env=self._environment, stdout=log, stderr=log)
        until(self._answers, 120, f"Redmine's answer (see {self.folder})")
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
            return bool(self.rest("GET", "users/current"))
        except requests.ConnectionError:
            return False

    def format(self, name: str) -> None:
        """How texts are shown from now on: textile, markdown or common_mark."""
        # What a process has read of the settings is stale as soon as one of them is newer.
        change = (
            "UPDATE settings SET value = ?, updated_on = datetime('now', '+1 second') WHERE name = 'text_formatting'"
        )
        with sqlite3.connect(self.folder / "redmine.db", timeout=20) as database:
            assert database.execute(change, (name,)).rowcount == 1

    # --- looking at it as its admin ------------------------------------------------------

    def rest(self, method: str, path: str, **options: Any) -> Any:
        as_admin = {"X-Redmine-API-Key": self.keys["admin"]}
        answer = requests.request(method, f"{self.url}/{path}.json", headers=as_admin, timeout=60, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def issues(self, key: str, field: str = "Smartsupp chat") -> list[dict[str, Any]]:
        """The issues of a conversation, whole: all are read, whatever the filter would say."""
        query: dict[str, Any] = {"status_id": "*", "limit": 100, "offset": 0, "sort": "id"}
        found: list[dict[str, Any]] = []
        while page := self.rest("GET", "issues", params=query)["issues"]:
            found += page
            query["offset"] += len(page)
        own = [one["id"] for one in found if self.values(one).get(field) == key]
        return [self.rest("GET", f"issues/{one}", params={"include": "journals"})["issue"] for one in own]

    @staticmethod
    def values(issue: dict[str, Any]) -> dict[str, str]:
        return {one["name"]: one["value"] for one in issue.get("custom_fields", [])}

    @staticmethod
    def texts(issue: dict[str, Any]) -> list[str]:
        """The description and each note, in order."""
        return [issue["description"], *(one["notes"] for one in issue["journals"] if one["notes"])]

    def files(self, issue: int) -> list[tuple[str, bytes]]:
        """Name and content of each file, by name."""
        as_admin = {"X-Redmine-API-Key": self.keys["admin"]}
        shown = self.rest("GET", f"issues/{issue}", params={"include": "attachments"})["issue"]["attachments"]
        return sorted(
            (one["filename"], requests.get(one["content_url"], headers=as_admin, timeout=60).content) for one in shown
        )

    def page(self, issue: int) -> str:
        """The page of an issue, as a browser gets it."""
        with requests.Session() as browser:
            token = re.search(
                r'name="authenticity_token" value="([^"]+)"', browser.get(f"{self.url}/login", timeout=60).text
            )
            assert token
            login = {"username": "relay", "password": PASSWORD, "authenticity_token": token[1]}
            browser.post(f"{self.url}/login", data=login, timeout=60).raise_for_status()
            shown = browser.get(f"{self.url}/issues/{issue}", timeout=60)
            shown.raise_for_status()
            return shown.text
