"""Notifications by Apprise: a short message to any of a hundred chat and push services.

https://github.com/caronc/apprise
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from connectors.kit.capabilities import Capabilities
from connectors.kit.chat_services.apprise import AppriseWire
from connectors.kit.chat_services.short_message import is_told, messages, send_once
from connectors.kit.connector import Connector, Finding, Receipt, Step
from connectors.kit.record import Mapping
from connectors.kit.text.formats import PLAIN
from connectors.kit.text.parts import Layout, Part
from connectors.notify.settings import NotifySettings
from core.conversation import Conversation
from core.delivery import Reference

#: Services take between 140 characters and many thousands; Apprise splits what is too long for one.
TEXTS = Layout(8_000, form=PLAIN, mark="{} {}.{}".format, shown=False)
TITLE = 100


class Notify(Connector[NotifySettings]):
    label = "Notification (Apprise)"
    makes = "a short message by Telegram, ntfy, Discord, SMS and a hundred others, for chats to look after"
    capabilities = Capabilities(
        person="in the text",
        revision="nothing, or another message",
        idempotent="nothing; what happens after a lost answer is a setting",
    )

    def __init__(self, name: str, settings: NotifySettings, data_dir: Path) -> None:
        super().__init__(name, settings, data_dir)
        self._wire = AppriseWire(
            settings.url.get_secret_value(),
            timeout=settings.timeout,
            allow_networks=settings.allow_networks,
            mask=self.mask,
        )

    @property
    def wire(self) -> AppriseWire:
        return self._wire

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words, number = Mapping(self.settings, conversation), receipt.number
        _ = words.person  # raises Skipped where the admin wants that
        if not is_told(step, number, self.settings.on_revision):
            parts = messages(self.settings, TEXTS, words, number)
            send_once(step, parts, self.settings.repeatable, partial(self._send, words.subject(TITLE)))
        return Reference(words.key)

    def _send(self, title: str, part: Part) -> None:
        self._wire.send(title, part.body)

    def check(self) -> Iterator[Finding]:
        """What the address is; whether the service lets us in, only a message shows, and none is sent."""
        yield Finding(True, f"the address is one of {self._wire.look()}; a message shows the rest")

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """Nothing of an answer is read."""
