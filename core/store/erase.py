"""Taking things out of the store for good: a visitor's, because they ask; the old, because their time is over."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from redis.exceptions import ResponseError

from core.conversation import Visitor
from core.delivery import CONFLICTS, PayloadStatus, Reference
from core.errors import InUse
from core.ids import ConversationId, PayloadId
from core.store.connection.client import errors
from core.store.jobs import open_of
from core.store.protocol.base import Base
from core.store.protocol.keys import job_key, key
from core.store.protocol.scripts import Argument
from core.store.search import visitors
from core.store.search.blocks import SearchBlocks
from core.store.search.notes import AdminNote, AdminNotes
from core.store.search.visitors import Traces
from core.store.shared.persons import Persons

#: How many a sweep looks at in one journey to the server: some milliseconds of its time.
PART = 25
#: What stands instead of a reason that named somebody.
_GONE = "(the reason named a visitor who was erased)"


class Rewrite(StrEnum):
    """Whether the server forgets, in its append-only file too, what was removed."""

    BEGUN = "begun"
    LATER = "later"  # one is going on that began before; workers ask again
    REFUSED = "refused"  # a managed server: it rewrites the file by itself, in its own time
    NO_FILE = "no file"


@dataclass(frozen=True)
class Made:
    """What a delivery had made at its destination: a record, or before that the steps that were done."""

    connector: str
    reference: Reference | None
    steps: Mapping[str, Any]


@dataclass(frozen=True)
class Erased:
    """What went of a conversation: revisions and attempts by number, and what each of its deliveries had made."""

    revisions: int
    attempts: int
    deliveries: tuple[Made, ...]


class Eraser(Base):
    """Every method raises StoreUnavailable."""

    def traces(self, visitor: str, since: int | None = None) -> Traces:
        """Look for a visitor, by email, phone number or Smartsupp's id, in every body that is kept, or in those that
        were received at `since` (ms) or later."""
        known = {connector for connector, _ in Persons(self._redis).of_visitor([visitor])} if since is None else ()
        return replace(visitors.find_visitor(self._redis, visitor, since), remembered=len(known))

    def visitors(self, conversation: ConversationId) -> list[Visitor]:
        """Whose it is, by each of its revisions that can be read."""
        return visitors.visitors(self._redis, conversation)

    def persons(self, names: Collection[str]) -> int:
        """Remove what is remembered of which person at a vendor somebody is, by these emails and ids of theirs. Returns
        how many of their names went."""
        return Persons(self._redis).erase(names)

    def conversation(self, identity: ConversationId) -> Erased | None:
        """Remove a conversation and everything about it; None: there is none. Raises InUse while an attempt goes on."""
        reply = self._run("erase", conversation=identity, settled=None, dead=None)
        if reply[0] == 0:
            return None
        if reply[0] < 0:
            raise InUse(f"conversation {identity} is being worked on")
        SearchBlocks(self._redis).refresh()
        _, revisions, attempts, deliveries = reply
        return Erased(revisions, attempts, tuple(_made(*one) for one in deliveries))

    def payload(self, identity: PayloadId) -> bool:
        """Remove a body that belongs to no conversation; False: there is none. Raises InUse."""
        reply = self._run("erase_payload", id=identity, wanted="", before=None)
        if reply < 0:
            raise InUse(f"payload {identity} is being worked on, or belongs to a conversation")
        return bool(reply)

    def settled(self, conversations: Sequence[ConversationId], before: int, dead_before: int) -> int:
        """Remove those of them of which all was settled before a time (ms), and what is dead before another. 0 is
        before everything. Returns how many went."""
        calls: list[dict[str, Argument]] = [
            {"conversation": one, "settled": before, "dead": dead_before} for one in conversations
        ]
        replies = self._run_each("erase", calls)
        return sum(reply[0] == 1 for reply in replies)

    def bodies(self, payloads: Sequence[PayloadId], status: PayloadStatus, before: int) -> int:
        """Remove those of them that have had that status since before a time (ms). Returns how many went."""
        calls: list[dict[str, Argument]] = [{"id": one, "wanted": status, "before": before} for one in payloads]
        replies = self._run_each("erase_payload", calls)
        return sum(reply == 1 for reply in replies)

    def forget(self, names: Collection[str]) -> None:
        """Remove what is called by one of these names from where admins write: bulk jobs, and why lanes are paused and
        deliveries and bodies of others discarded.

        Every finished job that looked for a text goes: it may be something that the visitor said.
        """
        for note in AdminNotes(self._redis).naming(names):
            match note.kind:
                case "job":
                    with errors():
                        self._redis.delete(job_key(note.about))
                        self._redis.srem(open_of(note.about), note.about)
                        self._redis.lrem(key("jobs", "recent"), 0, note.about)
                case "pause":
                    self._reword("gate", note)
                case "payload":
                    self._reword("payload", note)
                case "delivery":
                    wanted = json.dumps(json.loads(note.kept) | {"error": _GONE})
                    self._run("reword_attempt", delivery=note.about, kept=note.kept, wanted=wanted)
                    self._reword("delivery", note)

    def _reword(self, what: str, note: AdminNote) -> None:
        self._run("reword", what=what, name=note.about, words=note.text, others=_GONE)

    def rewrite(self) -> Rewrite:
        """Ask the server to write its append-only file anew, without what was removed from the store. One that began
        before still has it; then workers ask again (`rewrite_if_due`)."""
        with errors():
            if not self._redis.info("persistence").get("aof_enabled"):
                return Rewrite.NO_FILE
            try:
                self._redis.bgrewriteaof()
            except ResponseError as refusal:
                if "in progress" not in str(refusal).lower():
                    return Rewrite.REFUSED
                self._redis.set(key("rewrite"), "1")
                return Rewrite.LATER
            self._redis.delete(key("rewrite"))
        return Rewrite.BEGUN

    def rewrite_if_due(self) -> None:
        """What `rewrite` left for later."""
        with errors():
            due = self._redis.exists(key("rewrite"))
        if due and self.rewrite() in (Rewrite.REFUSED, Rewrite.NO_FILE):
            with errors():
                self._redis.delete(key("rewrite"))

    def old(self, before: int) -> Iterator[list[ConversationId]]:
        """Conversations whose newest revision was read before a time (ms), oldest first, some at a time."""
        for part in self._older(key("conversations"), before):
            yield [ConversationId(one) for one in part]

    def old_payloads(self, status: PayloadStatus, before: int) -> Iterator[list[PayloadId]]:
        """Bodies of a status that were received before a time (ms), oldest first, some at a time."""
        for part in self._older(key("payloads", status), before):
            yield [PayloadId(one) for one in part]

    def _older(self, name: str, before: int) -> Iterator[list[str]]:
        """Each once. What goes meanwhile moves the rest forward, so what has stayed is stepped over, score by score."""
        low, offset = "-inf", 0
        while True:
            with errors():
                rows = self._redis.zrangebyscore(name, low, f"({before}", start=offset, num=PART, withscores=True)
            if not rows:
                return
            yield [member.decode() for member, _ in rows]
            last = f"{rows[-1][1]:.0f}"
            with errors():
                pipe = self._redis.pipeline(transaction=False)
                for member, score in rows:
                    if f"{score:.0f}" == last:
                        pipe.zscore(name, member)
                stayed = sum(score is not None for score in pipe.execute())
            low, offset = last, stayed + (offset if last == low else 0)


def _made(connector: bytes, ref: bytes, url: bytes, steps: list[bytes]) -> Made:
    reference = Reference(ref.decode(), url.decode()) if ref else None
    pairs = zip(steps[::2], steps[1::2], strict=True)
    made = {name.decode(): json.loads(value) for name, value in pairs}
    return Made(connector.decode(), reference, {name: value for name, value in made.items() if name != CONFLICTS})
