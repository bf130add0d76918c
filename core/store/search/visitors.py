"""Where a visitor is found in the store, by email, phone number or Smartsupp's id of the visitor. Only reads.

Every body that is kept is looked at: the summaries hold the newest revision's email alone, and a body that could not
be read has none.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import unquote_plus

from core.conversation import Visitor
from core.delivery import PayloadStatus
from core.errors import PayloadError, StoreUnsafe
from core.ids import ConversationId, PayloadId
from core.smartsupp.json_reader import clean
from core.smartsupp.parser import parse_conversation
from core.store.connection.client import Client, errors
from core.store.protocol.keys import key
from core.values.phone import number_in

#: Bodies that are held at the same time, and keys that the server looks at in one go.
_BATCH = 200
_KEYS = 2_000
#: An id of fewer characters stands in many bodies by accident: there it counts as the visitor's own id only.
_TELLING = 8

#: A body is the visitor's own, or only speaks of them.
Whose = Literal["own", "named"]


@dataclass(frozen=True)
class Traces:
    """Where a visitor is found: conversations of which one revision at least is theirs, and bodies that belong to no
    conversation.

    `named` are conversations and bodies of others in which the email is written; whether they go too is for a person
    to decide (`taking`). `closed` is how many bodies nobody could look into, because their key is not there. `at` is
    when the search began, in ms.
    """

    conversations: tuple[ConversationId, ...]
    payloads: tuple[PayloadId, ...]
    named: tuple[ConversationId | PayloadId, ...] = ()
    closed: int = 0
    at: int = 0
    remembered: int = 0

    def __bool__(self) -> bool:
        return bool(self.conversations or self.payloads or self.remembered)

    def joined(self, parts: Mapping[ConversationId, Whose]) -> Traces:
        """With what was found elsewhere: conversation -> whose it is."""
        own = {*self.conversations, *(one for one, part in parts.items() if part == "own")}
        return replace(self, conversations=tuple(sorted(own)), named=tuple(sorted({*self.named, *parts} - own)))

    def taking(self, chosen: Sequence[str]) -> Traces:
        """With those of `named` that were chosen among what is theirs."""
        taken = [one for one in self.named if one in set(chosen)]
        return replace(
            self,
            conversations=(*self.conversations, *conversations_of(taken)),
            payloads=(*self.payloads, *payloads_of(taken)),
            named=tuple(one for one in self.named if one not in taken),
        )


def conversations_of(found: Iterable[ConversationId | PayloadId]) -> list[ConversationId]:
    return [one for one in found if isinstance(one, ConversationId)]


def payloads_of(found: Iterable[ConversationId | PayloadId]) -> list[PayloadId]:
    return [one for one in found if isinstance(one, PayloadId)]


def find_visitor(client: Client, visitor: str, since: int | None = None) -> Traces:
    """Look in every body, or in those that were received at `since` (ms) or later. Raises StoreUnavailable."""
    # redis-py's types allow text for every reply; without decode_responses, which this is, all are bytes.
    server: Any = client
    with errors():
        seconds, micros = server.time()
    wanted = Wanted(visitor)
    # Dicts keep the order and each once; a conversation is its visitor's when any revision is.
    found: dict[Whose, dict[ConversationId | PayloadId, None]] = {"own": {}, "named": {}}
    closed = 0
    for identity, conversation, account, kept in _bodies(server, since) if wanted.text else ():
        try:
            body = client.vault.open(kept)
        except StoreUnsafe:
            closed += 1
            continue
        if part := wanted.part(body, account, whole=bool(conversation)):
            found[part][conversation or identity] = None
    own = sorted(found["own"])
    return Traces(
        tuple(conversations_of(own)),
        tuple(payloads_of(own)),
        tuple(sorted(found["named"].keys() - found["own"].keys())),
        closed,
        int(seconds) * 1000 + int(micros) // 1000,
    )


def visitors(client: Client, conversation: ConversationId) -> list[Visitor]:
    """The visitors of a conversation's revisions. Raises StoreUnavailable."""
    server: Any = client
    found = []
    with errors():
        revisions = [PayloadId(one.decode()) for one in server.zrange(key("revisions", conversation), 0, -1)]
    for _, _, account, kept in _kept(server, revisions):
        with suppress(StoreUnsafe, PayloadError):
            found.append(parse_conversation(client.vault.open(kept), account).visitor)
    return found


def comparable(text: str) -> str:
    """As emails, ids and names are compared."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def whole_word(name: str) -> re.Pattern[str]:
    """Finds a name in text that went through `same`, not inside another: ann@x.com is neither joann@x.com nor
    ann@x.com.au."""
    return re.compile(rf"(?<![\w.+-]){re.escape(comparable(name))}(?![\w-]|\.\w)")


def _bodies(server: Any, since: int | None) -> Iterator[tuple[PayloadId, ConversationId, str, bytes]]:
    for part in _identities(server, since):
        yield from _kept(server, part)


def _kept(server: Any, payloads: Sequence[PayloadId]) -> Iterator[tuple[PayloadId, ConversationId, str, bytes]]:
    """Payload, conversation or "", account of its token, what is kept."""
    with errors():
        pipe = server.pipeline(transaction=False)
        for one in payloads:
            pipe.hmget(key("payload", one), "conversation", "account")
            pipe.get(key("raw", one))
        replies = pipe.execute()
    for one, (conversation, account), body in zip(payloads, replies[::2], replies[1::2], strict=True):
        if body is not None:
            yield one, ConversationId((conversation or b"").decode()), (account or b"").decode(), body


def _identities(server: Any, since: int | None) -> Iterator[list[PayloadId]]:
    waiting: list[PayloadId] = []
    for one in _everyone(server) if since is None else _newer(server, since):
        waiting.append(one)
        if len(waiting) == _BATCH:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _everyone(server: Any) -> Iterator[PayloadId]:
    """Not by status: SCAN passes over nothing that is there all the time, though bodies change their status."""
    start = key("payload", "")
    with errors():
        for name in server.scan_iter(match=f"{start}*", count=_KEYS):
            yield PayloadId(name.decode().removeprefix(start))


def _newer(server: Any, since: int) -> Iterator[PayloadId]:
    with errors():
        pipe = server.pipeline()
        for status in PayloadStatus:
            pipe.zrangebyscore(key("payloads", status), since, "+inf")
        rows = pipe.execute()
    yield from (PayloadId(one.decode()) for row in rows for one in row)


class Wanted:
    """Whom we look for, and how to see quickly that a body is not about them."""

    def __init__(self, visitor: str) -> None:
        self.text = comparable(visitor)
        self._alone = whole_word(visitor)
        self._telling = "@" in self.text or len(self.text) >= _TELLING
        # Bytes decide only where JSON has one spelling, but for escapes of ASCII (rare) and other encodings (rarer).
        plain = self.text.isascii() and not set(self.text) & set('"\\/')
        self._plain = self.text.encode() if plain else None
        self._number = _spelled(visitor)

    def may_be_in(self, body: bytes) -> bool:
        """False: they are not in this JSON, nor in what it was made of. Quick."""
        return self._number is not None or not self._plain or self._plain in body.lower() or bool(_ODD.search(body))

    def part(self, body: bytes, account: str, *, whole: bool) -> Whose | None:
        """`whole`: the body is a revision of a conversation. Others may be anything: every spelling is tried."""
        if whole and not self.may_be_in(body):
            return None
        text = readable(body) if whole else _guessed(body)
        if self._number is not None:
            return _owner_of(self._number, text, body, account)
        if self.text not in text:
            return None
        visitor = _visitor_of(body, account)
        if visitor is not None:
            if self.text in visitor:
                return "own"
            return "named" if "@" in self.text and self._alone.search(text) else None
        return "own" if self._telling and self._alone.search(text) else None


def number_searched(text: str) -> str:
    """A number with the code of its country as it is remembered, such as +420777123456; "" for anything else."""
    return number_in(text, None)


def _spelled(text: str) -> re.Pattern[str] | None:
    """Finds a phone number however it is grouped, with and without its country; None for a text that is none."""
    if not number_searched(text):
        return None
    from phonenumbers import parse

    found = parse(text, None)
    gap = r"[\s().\-/\u00a0]{0,3}"
    own = gap.join(str(found.national_number))
    return re.compile(rf"(?<!\d)(?:(?:\+|00)?{gap.join(str(found.country_code))}{gap}(?:0{gap})?|0)?{own}(?!\d)")


def _owner_of(number: re.Pattern[str], text: str, body: bytes, account: str) -> Whose | None:
    """A number is the visitor's where a variable or field of a form has it; in a message it may be anybody's."""
    if not number.search(text):
        return None
    try:
        given = parse_conversation(body, account).visitor.variables.values()
    except PayloadError:
        return "named"
    return "own" if any(number.search(str(one.value)) for one in given) else "named"


_ODD = re.compile(rb"\\u00[0-7]|\0", re.IGNORECASE)
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|(["\\/bfnrt]))')
_SHORT = {"b": " ", "f": " ", "n": " ", "r": " ", "t": " "}


def readable(body: bytes, encoding: str = "") -> str:
    """A body as text to look in, JSON's escapes undone wherever they stand, so that it need not be whole."""
    text = body.decode(encoding or json.detect_encoding(body), "replace")
    if "\\" in text:
        text = clean(_ESCAPE.sub(lambda at: chr(int(at[1], 16)) if at[1] else _SHORT.get(at[2], at[2]), text))
    return comparable(text)


def _guessed(body: bytes) -> str:
    """A body of which nothing is known, in every way that it may be read."""
    encodings = ("utf-8", "utf-16-le", "utf-16-be") if b"\0" in body else ("utf-8",)
    texts = [readable(body, encoding) for encoding in encodings]
    return "\n".join([*texts, *(comparable(unquote_plus(text)) for text in texts if "%" in text or "+" in text)])


def _visitor_of(body: bytes, account: str) -> set[str] | None:
    """Email and id of the body's visitor; None where that cannot be told."""
    try:
        visitor = parse_conversation(body, account).visitor
    except PayloadError:
        return _looked_up(body)
    return {comparable(visitor.email), comparable(visitor.id)}


def _looked_up(body: bytes) -> set[str] | None:
    """The same of JSON that is no conversation."""
    try:
        visitor = json.loads(body, strict=False)["visitor"]
        found = {comparable(str(visitor[name])) for name in ("email", "id") if visitor.get(name) is not None}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    return found or None
