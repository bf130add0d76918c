"""What things are called. How an id is put together and taken apart is known here alone; everywhere else it is one of
these types, which is text for the server, for JSON and for people.

No part of an id has a colon: connectors' names are checked in core/config/settings.py, accounts and channels in
core/smartsupp/parser.py, and a payload's id is made in core/store/protocol/identity.py.
"""

from __future__ import annotations

from core.errors import NotFound

_MARK = ":"


class PayloadId(str):
    """One body as it came: `4f1c0a9be27d3386`."""

    __slots__ = ()


class ConversationId(str):
    """A conversation of Smartsupp: `account:channel`."""

    __slots__ = ()

    @classmethod
    def of(cls, account: str, channel: str) -> ConversationId:
        return cls(f"{account}{_MARK}{channel}")

    @property
    def account(self) -> str:
        return self.partition(_MARK)[0]

    @property
    def channel(self) -> str:
        return self.partition(_MARK)[2]


class DeliveryId(str):
    """One conversation × one connector: `connector:account:channel`."""

    __slots__ = ()

    @classmethod
    def of(cls, connector: str, conversation: ConversationId) -> DeliveryId:
        return cls(f"{connector}{_MARK}{conversation}")

    @property
    def connector(self) -> str:
        return self.partition(_MARK)[0]

    @property
    def conversation(self) -> ConversationId:
        return ConversationId(self.partition(_MARK)[2])


#: Of a record that belongs to no conversation, or of a search that is not about deliveries.
NO_CONVERSATION, NO_DELIVERY = ConversationId(""), DeliveryId("")


def identified(text: str) -> PayloadId | ConversationId | DeliveryId:
    """What somebody typed, by its shape. Raises NotFound for what can be none of them."""
    parts = text.split(_MARK)
    if not all(parts) or len(parts) > 3:
        raise NotFound(f"'{text}' is not an id: expected a payload's, account:channel, or connector:account:channel")
    return (PayloadId, ConversationId, DeliveryId)[len(parts) - 1](text)


def can_be_part(text: str) -> bool:
    """Whether a search for a text is for ids, too. Without a mark, an account would be all of its conversations."""
    return _MARK in text
