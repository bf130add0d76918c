"""`relay demo`: a whole relay in a folder of its own, and a Smartsupp that sends it chats until somebody ends it."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from app.demo.shop import SHOP_ACCOUNT, MadeChat, made_chat, moments, ms
from app.demo.smartsupp import SmartsuppVendor
from app.hook_url import local_url
from app.process import PARENT, must_be_free
from app.supervisor.welcome import why_not_ready
from core.config.environment import Environment, environment
from core.store import Access, connected
from core.store.sources.catch_ups import CatchUps

#: Minutes for which the link is good that logs in.
_LINK_LIFE = 60
#: How long a made-up chat lasted at most.
_OVER = timedelta(minutes=12)
_YEAR = timedelta(days=365)
#: Every so many chats Smartsupp's hook forgets one, and somewhat later a comparison finds it.
_FORGETS, _COMPARES = 12, 15

_CONFIG = """\
# The demo's configuration. Everything here is made up; the connectors only write files.
source:
  account: "{account}"
  api:
    token: {token}
    base_url: {base_url}
    allow_networks: [127.0.0.0/8]  # the demo's Smartsupp runs on this machine
    rate: 50
connectors:
  crm:
    type: archive
    folder: crm
    files: true
    allow_networks: [127.0.0.0/8]
  helpdesk: {{type: archive, folder: helpdesk}}
routes:
  - to: [crm]
  - to: [helpdesk]
    when: conversation.is_missed or conversation.is_offline or conversation.rating == 1
"""


class Demo:
    """Enter it to start everything; `dashboard` is a link that logs in. What is written lies in `folder`."""

    def __init__(self, folder: Path, port: int, past: int) -> None:
        self._folder, self._past = folder, past
        self._token = secrets.token_urlsafe(24)
        self._stopping = threading.Event()
        self._next = past
        self._smartsupp = SmartsuppVendor()
        self._process: subprocess.Popen[bytes] | None = None
        self._variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RELAY_", "SMARTSUPP_"))},
            "RELAY_DATA_DIR": str(folder / "data"),
            "RELAY_CONFIG": str(folder / "relay.yaml"),
            "RELAY_PORT": str(port),
            "SMARTSUPP_TOKEN": f"{SHOP_ACCOUNT}:{self._token}",
        }
        self.dashboard = ""

    def __enter__(self) -> Demo:
        """Raises ConfigError where the port is taken, and RuntimeError, with why, when it does not start."""
        must_be_free(environment(self._variables))
        since, now = datetime.now(UTC) - _YEAR, datetime.now(UTC) - _OVER
        for number, began in enumerate(moments(since, now, self._past)):
            self._smartsupp.add(made_chat(number, began))
        self._smartsupp.__enter__()
        text = _CONFIG.format(account=SHOP_ACCOUNT, token=self._smartsupp.token, base_url=self._smartsupp.base_url)
        (self._folder / "relay.yaml").write_text(text, encoding="utf-8")
        with self.log.open("wb") as log:
            # It does not outlive this process, whatever ends it.
            command = [sys.executable, "-m", "app.process", sys.executable, "-m", "app.cli", "up"]
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env={**self._variables, PARENT: str(os.getpid())},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        env = environment(self._variables)
        if wrong := why_not_ready(f"{local_url(env)}/readyz", self._ended):
            self.__exit__()
            raise RuntimeError(f"{wrong}\n{self._last_words()}")
        self._begin(env, since)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
        self._smartsupp.__exit__()

    def _last_words(self) -> str:
        """The end of what it said: the folder is removed in a moment."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])

    @property
    def log(self) -> Path:
        return self._folder / "relay.log"

    def send_chats(self, a_minute: float, told: Callable[[MadeChat, bool], None]) -> None:
        """Post chats as Smartsupp does, one after the other, until `stop`. `told` hears of each, and whether it was
        posted: the hook forgets some."""
        dice = random.Random()  # noqa: S311  # made up is what they are
        while not self._stopping.is_set():
            chat = made_chat(self._next, datetime.now(UTC) - _OVER)
            self._next += 1
            self._smartsupp.add(chat)
            posted = self._next % _FORGETS != 0 and self._posted(chat)
            told(chat, posted)
            if self._next % _COMPARES == 0:
                self._compare()
            self._stopping.wait(dice.expovariate(a_minute / 60))

    def stop(self) -> None:
        self._stopping.set()

    def _posted(self, chat: MadeChat) -> bool:
        env = environment(self._variables)
        try:
            answer = requests.post(f"{local_url(env)}/smartsupp/{self._token}", json=chat.hook, timeout=30)
        except requests.RequestException:
            return False
        return answer.status_code == 202

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _compare(self) -> None:
        """What a relay does every hour, for those who do not stay as long."""
        client = connected(environment(self._variables), patient=True)
        now = datetime.now(UTC)
        since, until = ms(now - timedelta(hours=1)), ms(now - _OVER)
        CatchUps(client).start("reconcile", "main", SHOP_ACCOUNT, since, until, by="relay demo")

    def _begin(self, env: Environment, since: datetime) -> None:
        """Fetch the year that was, and let somebody in."""
        client = connected(env, patient=True)
        now = CatchUps(client).now()
        CatchUps(client).start("backfill", "main", SHOP_ACCOUNT, ms(since), now, by="relay demo", expected=self._past)
        access = Access(client)
        access.end_first_steps("hidden")
        link = access.make_login_link(_LINK_LIFE * 60_000)
        self.dashboard = f"{local_url(env)}/login/link/{link}"


def chat_line(chat: MadeChat, posted: bool) -> str:
    """A line about a chat."""
    said = next((one["content"] for one in chat.hook["messages"] if one["type"] == "visitor"), "")
    name = chat.hook["visitor"]["name"]
    forgotten = "" if posted else "   (the hook forgets it; the comparison with Smartsupp will find it)"
    return f"{name}: {json.dumps(said, ensure_ascii=False)}{forgotten}"
