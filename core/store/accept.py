"""What the receiver does to the store: a body is kept. Each method is one atomic step, a Lua script."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import copy_context

from core.delivery import PayloadStatus
from core.errors import LostLease, StoreUnavailable
from core.ids import PayloadId
from core.smartsupp.api.body import lasting
from core.store.claims import Accepted, Received
from core.store.protocol.base import Base
from core.store.protocol.constants import INBOX
from core.store.protocol.identity import fresh
from core.store.protocol.scripts import Argument

#: Bodies, and their bytes, of one journey: a server that takes no more than that at once answers in its time.
JOURNEY_BODIES, JOURNEY_BYTES = 64, 4 * 1024 * 1024


class Acceptance(Base):
    """Every method raises StoreUnavailable when the server cannot take a write now."""

    def accept(self, body: bytes, account: str = "", content_type: str = "", origin: str = "") -> Accepted:
        """Keep a body and give it its place in the inbox, in one step, unless the same body is there already."""
        [found] = self.accept_each([Received(body, account, content_type, origin)])
        if isinstance(found, StoreUnavailable):
            raise found
        return found

    def accept_each(self, bodies: Sequence[Received], *, holder: str = "") -> list[Accepted | StoreUnavailable]:
        """The same for several, in one journey and one wait for the disk; each is a step of its own, and what the
        server did not take of one says nothing about the others. `holder`: the token of whoever brings them out of a
        catch-up. Raises LostLease when that is not the lease's any more."""
        calls: list[dict[str, Argument]] = [
            {
                # Made here, so that a repeat after a lost reply is known for one.
                "id": fresh(),
                "body": self._vault.seal(one.body),
                "digest": self._vault.digest(_whose(one), lasting(one.body)),
                "account": one.account,
                "content_type": one.content_type[:100],
                "size": len(one.body),
                "origin": one.origin,
                "only": one.only,
                "holder": holder,
            }
            for one in bodies
        ]
        replies = self._try_each("accept", calls)
        if any(reply == [] for reply in replies):
            raise LostLease("a catch-up")
        for one, reply in zip(bodies, replies, strict=True):
            if not isinstance(reply, StoreUnavailable) and reply[2]:
                (one.context or copy_context()).run(self._wake_up, INBOX)
        return [
            one if isinstance(one, StoreUnavailable) else Accepted(PayloadId(one[0].decode()), bool(one[1]))
            for one in replies
        ]

    def divert(self, payload: PayloadId, status: PayloadStatus, error: str = "", *, token: str = "") -> bool:
        """Take a body without a conversation out of the inbox. False: somebody else has dealt with it.

        Without a token it is the receiver that says so, right after `accept`.
        """
        return bool(self._run("divert", id=payload, token=token, status=status, reason=self._sealed(error)))


def _whose(one: Received) -> str:
    """What bodies may be equal in: nobody who knows a token can send beforehand what is to come by a signed webhook."""
    return f"{one.account}\0{one.origin}" if one.origin else one.account
