"""Microsoft Teams: a card in a channel or a chat, by the address of a workflow ("When a Teams webhook request is
received").

https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field
from requests import Response

from connectors.kit.capabilities import Capabilities
from connectors.kit.chat_services.short_message import MessageSettings, WhenContinued, is_told, messages, send_once
from connectors.kit.connector import Finding, HttpConnector, Receipt, Step
from connectors.kit.record import Mapping
from connectors.kit.text.formats import HTML, card
from connectors.kit.text.parts import Layout, octets
from connectors.kit.wire.verdicts import Verdicts
from core.config.types.secret_url import SecretUrl
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import DeliveryError

#: Bytes of HTML in a card: a message has 28 KB at most, and Markdown, in JSON, may be twice as long.
CARDS = Layout(12_000, octets, form=HTML, mark="{} {}.{}".format, shown=False)


class TeamsSettings(MessageSettings):
    """Settings of `type: teams`."""

    url: SecretUrl = Field(description="The address of the workflow, from Teams. Whoever knows it can write there.")
    on_revision: WhenContinued = Field(
        default="nothing",
        description="When the chat continues. nothing: the card stays; append: another card.",
    )


class Teams(HttpConnector[TeamsSettings]):
    label = "Microsoft Teams"
    makes = "a card in a channel, for chats that somebody has to look after"
    capabilities = Capabilities(
        person="in the text",
        revision="nothing, or another card",
        idempotent="nothing; what happens after a lost answer is a setting",
    )
    # A success has no body; its errors are JSON.
    verdicts = Verdicts(speaks_json=False)

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words, number = Mapping(self.settings, conversation), receipt.number
        _ = words.person  # raises Skipped where the admin wants that
        if not is_told(step, number, self.settings.on_revision):
            parts = messages(self.settings, CARDS, words, number)
            send_once(step, parts, self.settings.repeatable, lambda part: self._post(part.body))
        return Reference(words.key)

    def _post(self, html: str) -> bool:
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card(html)}
        body = {"type": "message", "attachments": [attachment]}
        self.http.request("POST", self.settings.url.get_secret_value(), json=body)
        return True

    def check(self) -> Iterator[Finding]:
        """That something answers there. A workflow says nothing more until it is sent a card, and none is sent."""
        answer = self.http.request("GET", self.settings.url.get_secret_value(), judge=self._judge_look)
        yield Finding(
            True, f"the address answers (HTTP {answer.status_code} to a request without a card); a card shows the rest"
        )

    def _judge_look(self, answer: Response) -> DeliveryError | None:
        return self.judge(answer) if answer.status_code >= 500 or answer.status_code == 429 else None

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """Nothing of an answer is read."""
