"""Text in what was said: looked for in the newest bodies of conversations. Only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from core.conversation import Conversation
from core.errors import PayloadError, StoreUnsafe
from core.ids import ConversationId
from core.smartsupp.parser import parse_conversation
from core.store.connection.client import Client, errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.summary import Summary, folded, line, searched, summary_of

#: Bytes of bodies that are held at the same time.
_AT_ONCE = 4 << 20


class Bodies(Base):
    """Raises StoreUnavailable when the server does not answer. What cannot be opened (vault.py) is passed over."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        #: Whether summaries are without names and words (vault.py), which only the bodies tell then.
        self.sealed = client.vault.seals

    def saying(self, text: str, conversations: Mapping[int, ConversationId], *, said: bool = True) -> set[int]:
        """The keys of the conversations in whose newest body somebody `said` or noted it; where bodies are sealed, also
        in name, email and ids. Case does not matter."""
        words = [_spellings(word) for word in text.split()] if not self.sealed else []
        whole = folded(text)
        found = set()
        for number, account, body in self._newest(conversations):
            low = body.lower() if words else b""
            # Cheap, and true of nearly all: no JSON is read that cannot be it.
            if all(word.search(low) for word in words) and _says(body, account, whole, names=self.sealed, said=said):
                found.add(number)
        return found

    def summaries(self, conversations: Sequence[ConversationId]) -> dict[ConversationId, Summary]:
        """Made anew from the newest bodies, where these can be read."""
        found = {}
        for number, account, body in self._newest(dict(enumerate(conversations))):
            with suppress(PayloadError):
                found[conversations[number]] = summary_of(line(parse_conversation(body, account)))
        return found

    def _newest(self, conversations: Mapping[int, ConversationId]) -> Iterator[tuple[int, str, bytes]]:
        """Number, account of its token, bytes."""
        if not conversations:
            return
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one in conversations.values():
                pipe.zrange(key("revisions", one), 0, 0, desc=True)
            payloads = [found[0].decode() if found else "" for found in pipe.execute()]
            for payload in payloads:
                pipe.hmget(key("payload", payload), "size", "account")
            about = pipe.execute()
        sizes = [int(size or 0) for size, _ in about]
        rows = list(zip(conversations, payloads, about, strict=True))
        for start, end in _parts(sizes):
            with errors():
                bodies = self._redis.mget([key("raw", payload) for _, payload, _ in rows[start:end]])
            for (number, _, (_, account)), body in zip(rows[start:end], bodies, strict=True):
                with suppress(StoreUnsafe):
                    yield number, (account or b"").decode(), self._vault.open(body or b"")


def _parts(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = held = 0
    for index, size in enumerate(sizes):
        if index > start and held + size > _AT_ONCE:
            yield start, index
            start, held = index, 0
        held += size
    yield start, len(sizes)


def _says(body: bytes, account: str, wanted: bytes, *, names: bool, said: bool) -> bool:
    """Whether a person's words hold it; `visitor` and `content` stand in every body, as names of fields."""
    try:
        conversation = parse_conversation(body, account)
    except PayloadError:  # it could be read once; that it holds the words is all that can be said of it now
        return wanted in folded(body.decode(errors="replace"))
    if names and wanted in searched(line(conversation)):
        return True
    return said and wanted in folded("\n".join(_words(conversation)))


def _words(conversation: Conversation) -> Iterator[str]:
    visitor = conversation.visitor
    yield from (message.content for message in conversation.messages if message.type != "system")
    yield from (visitor.note, visitor.group, conversation.rating_desc)
    yield from (str(one.value) for one in visitor.variables.values())
    yield from (part for page in conversation.paths for part in (page.title, page.url))


def _spellings(word: str) -> re.Pattern[bytes]:
    """However JSON may spell a word, in the lower case of bytes.lower(), which knows A to Z only: each letter in any
    case, as it is or escaped."""
    return re.compile(b"".join(_letter(letter) for letter in word))


def _letter(letter: str) -> bytes:
    forms = {
        json.dumps(case, ensure_ascii=ascii_only)[1:-1]
        for case in (letter, letter.lower(), letter.upper())
        for ascii_only in (True, False)
    }
    if letter == "/":
        forms.add("\\/")  # as PHP does
    spelt = sorted({re.escape(form.encode("utf-8", "replace").lower()) for form in forms})
    return spelt[0] if len(spelt) == 1 else b"(?:" + b"|".join(spelt) + b")"
