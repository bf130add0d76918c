"""What becomes of a body that comes in: kept, one by one or several in one journey, or put aside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from core.delivery import PayloadStatus
from core.errors import StoreUnavailable
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.identity import fresh
from core.store.protocol.keys import key
from core.store.protocol.scripts import Argument


@dataclass(frozen=True)
class Received:
    """A body, whose account it is where the token says so, and what it was sent as."""

    body: bytes
    account: str = ""
    content_type: str = ""


@dataclass(frozen=True)
class Accepted:
    """What became of a body: `known` when it was there before, then `id` is the first one's. `knock`: tell a worker."""

    id: str
    known: bool
    knock: bool


class Receiving(Base):
    """Every method raises StoreUnavailable when the server cannot take a write now."""

    def accept(self, body: bytes, account: str = "", content_type: str = "") -> Accepted:
        """Keep a body and give it its place in the inbox, in one step, unless the same body is there already."""
        [found] = self.accept_each([Received(body, account, content_type)])
        if isinstance(found, StoreUnavailable):
            raise found
        return found

    def accept_each(self, bodies: Sequence[Received]) -> list[Accepted | StoreUnavailable]:
        """The same for several, in one journey and one wait for the disk; each is a step of its own, and what the
        server did not take of one says nothing about the others."""
        calls: list[dict[str, Argument]] = [
            {
                # Made here, so that a repeat after a lost reply is known for one.
                "id": fresh(),
                "body": self._vault.seal(one.body),
                "digest": self._vault.digest(one.account, one.body),
                "account": one.account,
                "content_type": one.content_type[:100],
                "size": len(one.body),
            }
            for one in bodies
        ]
        replies = self._try_each("accept", calls)
        return [_unavailable(one) if isinstance(one, RedisError) else _accepted(one) for one in replies]

    def known(self, conversations: Iterable[str]) -> set[str]:
        """Those of which anything is kept."""
        asked = list(conversations)
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one in asked:
                pipe.exists(key("revisions", one))
            return {one for one, there in zip(asked, pipe.execute(), strict=True) if there}

    def divert(self, payload: str, status: PayloadStatus, error: str = "", *, token: str = "") -> bool:
        """Take a body without a conversation out of the inbox. False: somebody else has dealt with it.

        Without a token it is the receiver that says so, right after `accept`.
        """
        reason = self._vault.seal(error.encode()) if error else b""
        return bool(self._run("divert", id=payload, token=token, status=status, reason=reason))


def _accepted(reply: tuple[bytes, int, int]) -> Accepted:
    found, known, knock = reply
    return Accepted(found.decode(), bool(known), bool(knock))


def _unavailable(error: RedisError) -> StoreUnavailable:
    """Raises what is a mistake of our own."""
    try:
        with errors():
            raise error
    except StoreUnavailable as unavailable:
        return unavailable
