"""What an attempt notes while it goes on: steps that are done, and the person that it works for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.delivery import CONFLICTS, Conflict
from core.encryption import Vault
from core.errors import LostLease, StoreUnsafe
from core.store.claims import Claim
from core.store.protocol.base import Base
from core.store.protocol.records import from_record


class Steps(Base):
    """Every method raises StoreUnavailable when the server cannot take a write now."""

    def remember(self, claim: Claim, step: str, value: Any) -> None:
        """Keep what a step made (anything JSON can spell), for the next attempt. Raises LostLease."""
        kept = sealed_step(self._vault, value) if step == CONFLICTS else json.dumps(value)
        if not self._run("remember", connector=claim.lane, id=claim.id, token=claim.token, step=step, value=kept):
            raise LostLease(claim.id)

    def forget(self, claim: Claim, step: str) -> None:
        """Forget what a step made: it died at the destination. Raises LostLease."""
        if not self._run("forget", connector=claim.lane, id=claim.id, token=claim.token, step=step):
            raise LostLease(claim.id)

    def hold(self, claim: Claim, identity: str) -> bool:
        """Hold an identity for a delivery until it lets it go or ends; False: another one has it. Raises LostLease."""
        person = self._person(claim, identity)
        found = self._run("hold", connector=claim.lane, id=claim.id, token=claim.token, identity=person)
        if found < 0:
            raise LostLease(claim.id)
        return bool(found)

    def let_go(self, claim: Claim, identity: str) -> None:
        """Others may have it."""
        person = self._person(claim, identity)
        self._run("let_go", connector=claim.lane, id=claim.id, token=claim.token, identity=person)

    def _person(self, claim: Claim, identity: str) -> str:
        return self._vault.digest(claim.lane, identity.encode())


def sealed_step(vault: Vault, value: Any) -> str:
    """A step that quotes what a visitor wrote, as JSON that older versions can read."""
    return json.dumps({"sealed": vault.seal(json.dumps(value).encode()).decode("latin-1")} if vault.seals else value)


def conflicts_in(vault: Vault, steps: Mapping[str, Any]) -> tuple[Conflict, ...]:
    """Those that a delivery keeps among its steps. Of what was sealed with a key that is not there: none."""
    kept = steps.get(CONFLICTS) or []
    if isinstance(kept, dict):
        try:
            kept = json.loads(vault.open(kept["sealed"].encode("latin-1")))
        except StoreUnsafe:
            return ()
    return tuple(from_record(Conflict, one) for one in kept)
