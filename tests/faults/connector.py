"""The connector for tests/faults/desk.py, written as one would write it for a help desk that can look up."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from pydantic import SecretStr

from connectors.kit.connector import Connector, HttpConnector, HttpSettings, Receipt, Step
from core.config.settings import ConnectorSettings
from core.conversation import Conversation
from core.delivery import Reference

#: The visitor whose conversation kills the process that touches it.
POISON = "poison"


class DeskSettings(HttpSettings):
    url: str
    key: SecretStr


class Desk(HttpConnector[DeskSettings]):
    label = "Desk"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        if conversation.visitor.name == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        key = conversation.key
        opened = {"key": key, "name": conversation.visitor.name}
        ticket = step.once("ticket", lambda: self._call("POST", "tickets", opened)["id"], find=lambda: self._find(key))
        said = {"text": conversation.messages[-1].content}
        step(f"text {receipt.revision.number}", lambda: self._call("PUT", f"tickets/{ticket}", said)["id"])
        return Reference(str(ticket))

    def _find(self, key: str) -> Any:
        found = self._call("GET", f"tickets?key={key}")
        return found[0]["id"] if found else None

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.settings.key.get_secret_value()}"}
        return self.http.json(method, f"{self.settings.url}/{path}", json=body, headers=headers)


class Slow(Connector[ConnectorSettings]):
    """Takes a second for its one step."""

    label = "Slow"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        return Reference(step("wait", _waited))


def _waited() -> str:
    time.sleep(1)
    return "done"
