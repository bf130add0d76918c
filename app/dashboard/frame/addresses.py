"""Ids in addresses: `<conversation:identity>` and `<payload:identity>` give a page an id of that type."""

from __future__ import annotations

from werkzeug.routing import UnicodeConverter

from core.ids import ConversationId, PayloadId


class ConversationConverter(UnicodeConverter):
    def to_python(self, value: str) -> ConversationId:
        return ConversationId(value)


class PayloadConverter(UnicodeConverter):
    def to_python(self, value: str) -> PayloadId:
        return PayloadId(value)


CONVERTERS = {"conversation": ConversationConverter, "payload": PayloadConverter}
