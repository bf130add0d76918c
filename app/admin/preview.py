"""What a connector would send for a conversation, secrets masked. Nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.kit.connector import Connector, Receipt, Step
from connectors.kit.transport.preview import Sent
from core.conversation import Conversation
from core.delivery import Revision
from core.errors import DeliveryError, RelayError, Skipped
from core.ids import DeliveryId, PayloadId
from core.smartsupp.parser import parse_conversation
from core.values.chat import Values

#: Headers that say nothing about the record.
_PLAIN_HEADERS = {"user-agent", "accept-encoding", "accept", "connection", "content-length"}


class NoPreview(RelayError):
    """This connector cannot say what it would send, and why."""


@dataclass(frozen=True)
class ShownRequest:
    """A request that would be sent: `POST https://…`, its headers, its body as JSON or text, or None."""

    request: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Preview:
    """The requests in their order; `skipped` says why nothing more would be sent, or is "". `values` are what templates
    can name of this chat, as they name it; `notes` what the chat's page would say of the delivery."""

    requests: Sequence[ShownRequest] = field(default_factory=tuple)
    skipped: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = field(default_factory=tuple)


def preview_body(connector: Connector[Any], body: bytes, account: str = "") -> Preview:
    """The preview of a body that is in no store. Raises PayloadError, NoPreview."""
    now = round(datetime.now(UTC).timestamp() * 1000)
    return preview(
        connector, parse_conversation(body, account), [Revision(1, PayloadId("preview"), now, account, body)]
    )


def preview(connector: Connector[Any], conversation: Conversation, history: Sequence[Revision]) -> Preview:
    """What would be sent at the first try, as if the destination were empty. The last of `history` is the newest
    revision, from which `conversation` was read. Raises NoPreview."""
    if connector.wire is None:
        raise NoPreview(f"{connector.name} sends no requests")
    receipt = Receipt(DeliveryId.of(connector.name, conversation.key), history[-1], lambda: history)
    skipped, step = "", Step({}, _forget)
    with connector.attempt(), connector.wire.pretending(connector.imagine) as sent:
        try:
            connector.bring(conversation, receipt, step)
        except Skipped as reason:
            skipped = connector.mask(str(reason))
        except DeliveryError as error:
            raise NoPreview(f"{connector.name}: {connector.mask(str(error))}") from None
        except NotImplementedError as error:
            raise NoPreview(f"{connector.name}: {error}") from None
    shown = connector.redacted(conversation)
    values = Values(shown, connector.settings._values).spelled()  # noqa: SLF001  # as in connectors/kit/record.py
    masked = json.loads(connector.mask(json.dumps(values, ensure_ascii=False)))
    requests = tuple(_shown(connector, one) for one in sent)
    return Preview(requests, skipped, masked, step.notes)


def _forget(step: str, value: Any) -> None:
    """What a preview makes up is worth remembering to nobody."""


def _shown(connector: Connector[Any], sent: Sent) -> ShownRequest:
    headers = {name: value for name, value in sent.headers.items() if name.lower() not in _PLAIN_HEADERS}
    if "Authorization" in headers:  # Basic hides a secret from the mask
        headers["Authorization"] = headers["Authorization"].split()[0] + " **********"
    text = json.dumps({"headers": headers, "body": sent.body}, ensure_ascii=False)
    found = json.loads(connector.mask(text))
    return ShownRequest(connector.mask(f"{sent.method} {sent.url}"), found["headers"], found["body"])
