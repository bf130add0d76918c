"""A real Request Tracker 5 on loopback: the Debian packages (install.sh), an SQLite file, and its own web server.

Everything is in one folder, and nothing outside of it is read or changed. It sends no mail: what it would send is
appended to a file.
"""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path
from typing import Any

import requests

from tests.support.stack import free_port, until

SERVER = Path("/usr/share/request-tracker5/libexec/rt-server")
#: What a mail server hands a mail to.
GATEWAY = Path("/usr/bin/rt-mailgate-5")
#: Not by PATH, where few but root have /usr/sbin.
SETUP = Path("/usr/sbin/rt-setup-database-5")
ADMIN = ("root", "password")
MISSING = "Request Tracker 5 is not installed here; make test-live installs it (Debian, as root) and runs this"

# https://docs.bestpractical.com/rt/latest/RT_Config.html
_CONFIG = """
Set($rtname, 'live');
Set($Organization, 'live.invalid');
Set($CorrespondAddress, 'rt@live.invalid');
Set($CommentAddress, 'rt-comment@live.invalid');
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '{folder}/rt.db');
Set($WebDomain, '127.0.0.1');
Set($WebPort, {port});
Set($WebPath, '');
Set($MasonDataDir, '{folder}/mason');
Set($MasonSessionDir, '{folder}/sessions');
Set($LogToSyslog, undef);
Set($LogToFile, 'info');
Set($LogDir, '{folder}');
Set($MailCommand, sub {{
    open(my $box, '>>', '{folder}/mail') or return 0;
    print $box $_[0]->stringify, "\\n\\f\\n";
    close $box;
    return 1;
}});
1;
"""

# https://docs.bestpractical.com/rt/latest/initialdata.html
# `relay` has the rights that docs/connectors/request-tracker.md names, and no others; `novice` lacks two of them, and
# `manager` may manage users besides.
# `Country` is in another queue too, and there it is older. Anybody may write to `Mail`.
_DATA = """
my %field = (Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket');
our @Queues = ({{ Name => 'Chats' }}, {{ Name => 'Elsewhere' }}, {{ Name => 'Mail' }});
our @CustomFields = (
    {{ %field, Name => 'Country', Queue => ['Elsewhere'] }},
    {{ %field, Name => 'ChatConversation', Queue => ['Chats'] }},
    {{ %field, Name => 'Country', Queue => ['Chats'] }},
    {{ Name => 'Customer', Type => 'FreeformSingle', LookupType => 'RT::User' }},
);
our @Users = (
    {{ Name => 'relay', EmailAddress => 'relay@live.invalid', Privileged => 1, Password => 'password-0123' }},
    {{ Name => 'novice', EmailAddress => 'novice@live.invalid', Privileged => 1, Password => 'password-0123' }},
    {{ Name => 'manager', EmailAddress => 'manager@live.invalid', Privileged => 1, Password => 'password-0123' }},
);
our @ACL = (
    (map {{ my $user = $_; map {{ {{ Right => $_, Queue => 'Chats', UserId => $user }} }}
        qw(SeeQueue CreateTicket ShowTicket ShowTicketComments CommentOnTicket SeeCustomField ModifyCustomField) }}
        qw(relay manager)),
    (map {{ {{ Right => $_, UserId => 'manager' }} }} qw(AdminUsers SeeCustomField ModifyCustomField)),
    (map {{ {{ Right => $_, Queue => 'Chats', UserId => 'novice' }} }}
        qw(SeeQueue CreateTicket ShowTicket CommentOnTicket SeeCustomField)),
    (map {{ {{ Right => $_, Queue => 'Mail', GroupDomain => 'SystemInternal', GroupType => 'Everyone' }} }}
        qw(CreateTicket ReplyToTicket)),
);
our @Final = (sub {{
    open(my $file, '>', '{folder}/tokens') or die $!;
    for my $name (qw(relay novice manager)) {{
        my $user = RT::User->new(RT->SystemUser);
        $user->Load($name);
        my ($id, $message, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->Id);
        die $message unless $id;
        print $file "$name $token\\n";
    }}
}});
1;
"""


def installed() -> bool:
    return SERVER.exists() and SETUP.exists() and GATEWAY.exists()


class RequestTracker:
    """Prepared once, then started and stopped at will; the port and what is in it stay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "empty").mkdir(parents=True)
        (folder / "mason").mkdir()
        (folder / "sessions").mkdir()
        self._config = folder / "RT_SiteConfig.pm"
        self._config.write_text(_CONFIG.format(folder=folder, port=self.port))
        data = folder / "initialdata"
        data.write_text("use utf8;\n" + _DATA.format(folder=folder))
        self._process: subprocess.Popen[bytes] | None = None
        self._set_up("--action", "init")
        self._set_up("--action", "insert", "--datafile", str(data))
        self.tokens = dict(line.split() for line in (folder / "tokens").read_text().splitlines())

    @property
    def _environment(self) -> dict[str, str]:
        # Both, or Debian's own settings would name another database.
        named = {"RT_SITE_CONFIG": str(self._config), "RT_SITE_CONFIG_DIR": str(self.folder / "empty")}
        return {**os.environ, **named}

    def _set_up(self, *arguments: str) -> None:
        done = subprocess.run(
            [str(SETUP), *arguments], env=self._environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> RequestTracker:
        place = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "2"]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(SERVER), "--server", "Starman", *place], env=self._environment, stdout=log, stderr=log
            )
        until(self._answers, 60, f"RT's answer (see {self.folder})")
        return self

    def stop(self) -> None:
        """End the server, and with it its workers, which it waits for."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "server.log").read_text()
        try:
            return requests.get(f"{self.url}/REST/2.0/rt", auth=ADMIN, timeout=30).ok
        except requests.ConnectionError:
            return False

    def take_mail(self, queue: str, mail: bytes) -> int:
        """As a mail server hands a mail over; returns the exit code, 75 for "try again"."""
        # https://docs.bestpractical.com/rt/latest/rt-mailgate.html
        given = ["--queue", queue, "--action", "correspond", "--url", self.url]
        return subprocess.run([str(GATEWAY), *given], input=mail, timeout=120, check=False).returncode

    # --- looking at it as its admin ------------------------------------------------------

    def rest(self, method: str, path: str, **options: Any) -> Any:
        answer = requests.request(method, f"{self.url}/REST/2.0/{path}", auth=ADMIN, timeout=30, **options)
        answer.raise_for_status()
        return answer.json()

    def tickets(self, key: str) -> list[dict[str, Any]]:
        """The tickets of a conversation, whole."""
        query = {"query": f"'CF.{{ChatConversation}}' = '{key}'"}
        return [self.rest("GET", f"ticket/{one['id']}") for one in self.rest("GET", "tickets", params=query)["items"]]

    def tickets_in(self, queue: str, subject: str) -> list[dict[str, Any]]:
        """The tickets of a queue that have a subject, whole, in the order in which they were made."""
        query = {"query": f"Queue = '{queue}' AND Subject = '{subject}'", "orderby": "id"}
        return [self.rest("GET", f"ticket/{one['id']}") for one in self.rest("GET", "tickets", params=query)["items"]]

    def values(self, ticket: dict[str, Any]) -> dict[str, list[str]]:
        return {field["name"]: field["values"] for field in ticket["CustomFields"]}

    def user(self, ticket: dict[str, Any]) -> dict[str, Any]:
        """The one requestor."""
        (requestor,) = ticket["Requestor"]
        found: dict[str, Any] = self.rest("GET", f"user/{requestor['id']}")
        return found

    def texts(self, ticket: int) -> list[tuple[str, str]]:
        """Type and HTML of what was written, in order; not what was mailed."""
        whole = {"per_page": 100, "fields": "Type"}
        kinds = {one["id"]: one["Type"] for one in self.rest("GET", f"ticket/{ticket}/history", params=whole)["items"]}
        whole["fields"] = "TransactionId,Content"
        found = self.rest("GET", f"ticket/{ticket}/attachments", params=whole)["items"]
        texts = [(kinds[one["TransactionId"]], one["Content"]) for one in found]
        return [(kind, text) for kind, text in texts if kind != "EmailRecord"]

    def files(self, ticket: int) -> list[tuple[str, bytes]]:
        """Name and content of each attachment that has a name, by name."""
        fields = {"per_page": 100, "fields": "Filename"}
        listed = self.rest("GET", f"ticket/{ticket}/attachments", params=fields)["items"]
        named = ((one["Filename"], self.rest("GET", f"attachment/{one['id']}")) for one in listed if one["Filename"])
        return sorted((name, base64.b64decode(one["Content"])) for name, one in named)

    def page(self, ticket: int) -> str:
        """The page with the ticket's history, as a browser gets it."""
        with requests.Session() as browser:
            login = {"user": ADMIN[0], "pass": ADMIN[1]}
            browser.post(f"{self.url}/NoAuth/Login.html", data=login, timeout=60).raise_for_status()
            shown = browser.get(f"{self.url}/Ticket/History.html", params={"id": ticket}, timeout=60)
            shown.raise_for_status()
            return shown.text

    def mails(self) -> list[str]:
        """What would have been sent."""
        box = self.folder / "mail"
        return box.read_text().split("\n\f\n")[:-1] if box.exists() else []
