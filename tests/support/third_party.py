"""A connector as somebody else would write it."""

from __future__ import annotations

import os
import signal

from connectors.kit.connector import Connector, Receipt, Step
from core.config.settings import ConnectorSettings
from core.conversation import Conversation
from core.delivery import Reference


class MineSettings(ConnectorSettings):
    greeting: str
    only_for: str = ""


class Mine(Connector[MineSettings]):
    label = "Mine"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        if self.settings.greeting == "boom":
            return Reference(str(1 / 0))
        if self.settings.greeting == "die" and conversation.id == self.settings.only_for:
            os.kill(os.getpid(), signal.SIGKILL)
        greeting = step("greet", lambda: self.settings.greeting)
        return Reference(f"{greeting}, {conversation.visitor.name}")
