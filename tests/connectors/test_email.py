"""Email: what arrives at a mail server, as a desk or a person reads it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from connectors.email.settings import EmailSettings
from connectors.testing.chats import SAMPLE, chat
from connectors.testing.contract import Contract
from connectors.testing.fake import Answer
from connectors.testing.records import longer
from core.errors import ConnectorRefused, Gone, RecordRefused, RetryLater
from tests.fakes.mail import PASSWORD, USER, MailDesk, certified
from tests.support.certificates import Authority

DESK = "support@desk.example"
AT_GREETING, AT_AUTH, AT_MAIL, AT_RCPT = ({"at": place} for place in ("GREETING", "AUTH", "MAIL", "RCPT"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("mail"))


@pytest.fixture(scope="module")
def context(authority: Authority) -> ssl.SSLContext:
    return certified(authority)


@pytest.fixture(autouse=True)
def trust(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)


class TestEmail(Contract):
    kind = "email"
    secrets = (PASSWORD,)
    # A mail server does not say where its mail is read.
    has_pages = False
    common_answers: ClassVar[list[Any]] = []
    who = Answer(535, "5.7.8 authentication failed", AT_AUTH)
    answers: ClassVar[list[Any]] = [
        (421, "4.3.2 closing", AT_GREETING, RetryLater),
        (554, "5.7.1 you are on a list", AT_GREETING, ConnectorRefused),
        (454, "4.7.0 temporary failure", AT_AUTH, RetryLater),
        (535, "5.7.8 authentication failed", AT_AUTH, ConnectorRefused),
        (451, "4.3.0 later", AT_MAIL, RetryLater),
        (530, "5.7.0 authentication required", AT_MAIL, ConnectorRefused),
        (550, "5.7.1 not your address", AT_MAIL, ConnectorRefused),
        (552, "5.3.4 too large", AT_MAIL, RecordRefused),
        (450, "4.2.0 greylisted", AT_RCPT, RetryLater),
        (550, "5.1.1 no such user", AT_RCPT, ConnectorRefused),
        (421, "4.3.2 closing", {}, RetryLater),
        (452, "4.3.1 no room", {}, RetryLater),
        (552, "5.3.4 too large", {}, RecordRefused),
        (554, "5.7.1 looks like spam", {}, RecordRefused),
    ]

    @pytest.fixture(autouse=True)
    def _with(self, context: ssl.SSLContext) -> None:
        self.context = context

    def fake(self) -> MailDesk:
        return MailDesk(self.context)

    def settings(self, url: str) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": int(url.rpartition(":")[2]),
            "user": USER,
            "password": PASSWORD,
            "from_address": "relay@shop.example",
            "to": [DESK],
        }
