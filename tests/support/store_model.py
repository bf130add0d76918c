"""What the store promises, said once more in dictionaries: no server, no Lua, no keys.

`Model` has a method for each of the store's, with the same results, and `state()` for all that can be seen of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import InUse, LostLease, NotFound
from core.store import INBOX
from core.store.claims import Quiet
from core.store.protocol.constants import (
    FATAL_ALONE,
    FIRST_CRASH_WAIT_MS,
    LEASE_MS,
    LONGEST_CRASH_WAIT_MS,
    SLOW_CRASHES,
    SUSPECT,
)

#: How long an item is left to its holder where the server, not the holder, was away.
SETTLING_MS = 1_000


@dataclass
class Item:
    """Something that a lane holds while `due` is set; `token` is its holder's."""

    id: str
    status: str
    due: int | None = None
    token: str | None = None
    crashes: int = 0
    alone: int = 0


@dataclass
class Body(Item):
    sequence: int = 0
    conversation: str = ""
    duplicates: int = 0
    received: int = 0


@dataclass
class Errand(Item):
    """A delivery. `wanted` was asked for while it was in flight; `waited` is for how long it was to wait between its
    failed tries. `quiet_until`: it waits for its chat to be quiet, and has done so since `quiet_since`."""

    connector: str = ""
    conversation: str = ""
    tries: int = 0
    waited: int = 0
    wanted: bool = False
    quiet_until: int | None = None
    quiet_since: int | None = None
    delivered: str = ""
    revision: int = 0
    reference: str = ""
    attempts: int = 0
    steps: dict[str, Any] = field(default_factory=dict)


@dataclass
class Closed:
    """A gate. `ahead`: the next claim may pass; `probe` is the token of the one that did; `caused`: who was refused."""

    by: str
    fingerprint: str = ""
    ahead: bool = False
    probe: str = ""
    caused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taken:
    """What a claim must return. `crashes` and `tries` are those before it, with `waited` ms between the tries."""

    id: str
    payload: str
    revision: int
    crashes: int
    tries: int
    waited: int
    steps: dict[str, Any]
    more: bool = False


class Model:
    def __init__(self) -> None:
        self.bodies: dict[str, Body] = {}
        self.known: dict[tuple[str, bytes], str] = {}
        self.errands: dict[str, Errand] = {}
        self.revisions: dict[str, list[str]] = {}
        self.gates: dict[str, Closed] = {}
        self.knocks: set[str] = set()
        self.undelivered: set[str] = set()
        self.steady = self.settling = False

    # --- the receiver ---------------------------------------------------------

    def accept(self, now: int, body: bytes, account: str, identity: str) -> tuple[str, bool, bool]:
        """Returns its id, whether it was known, and whether to knock; `identity` is the one that a new body has got."""
        if found := self.known.get((account, body)):
            self.bodies[found].duplicates += 1
            return found, True, False
        self.known[account, body] = identity
        self.bodies[identity] = Body(identity, "received", due=now, sequence=len(self.bodies), received=now)
        return identity, False, self.knock(INBOX)

    def divert(self, identity: str, status: str, token: str) -> bool:
        body = self.bodies[identity]
        if body.status != "received" or (token and body.token != token):
            return False
        body.status, body.due, body.token = status, None, None
        return True

    # --- workers ----------------------------------------------------------------

    def claim(self, now: int, lane: str, token: str, how: str) -> Taken | None:
        return next(iter(self.claim_several(now, lane, token, how, 1)), None)

    def claim_several(self, now: int, lane: str, token: str, how: str, many: int) -> list[Taken]:
        """One that a process has died on ends it; only then is anybody knocked up for the rest."""
        found: list[Taken] = []
        while one := self._claim(now, lane, token, how):
            found.append(one)
            how = "stay"
            more = any(other.due is not None and other.due <= now for other in self.lane(lane))
            if not more or len(found) == many or one.crashes:
                found[-1] = replace(one, more=more and self.knock(lane))
                break
        return found

    def _claim(self, now: int, lane: str, token: str, how: str) -> Taken | None:
        gate = self.gates.get(lane)
        if gate and not gate.ahead:
            return None
        if how == "answer":
            self.knocks.discard(lane)
        while due := sorted((one.due, one.id) for one in self.lane(lane) if one.due is not None and one.due <= now):
            item = self.item(lane, due[0][1])
            if item.token and (self.settling or not self.steady):
                item.due = now + SETTLING_MS
                continue
            if item.token:
                self._crash(item)
                if item.crashes >= SLOW_CRASHES:
                    self._hold_off(now, item)
                    continue
            return self._take(now, item, lane, token, gate)
        if how == "stay":
            self.knock(lane)
        else:
            self.knocks.discard(lane)
        return None

    def _crash(self, item: Item) -> None:
        item.token, item.crashes = None, item.crashes + 1
        if isinstance(item, Errand):
            item.attempts += 1

    def _hold_off(self, now: int, item: Item) -> int:
        wait: int = min(LONGEST_CRASH_WAIT_MS, FIRST_CRASH_WAIT_MS * 2 ** max(0, item.crashes - SLOW_CRASHES))
        item.due = now + wait
        return wait

    def _mark_dead(self, item: Item) -> None:
        item.due = None
        item.status = "dead" if isinstance(item, Errand) else "quarantined"

    def _take(self, now: int, item: Item, lane: str, token: str, gate: Closed | None) -> Taken:
        if gate:
            gate.ahead, gate.probe = False, token
        item.token, item.due = token, now + LEASE_MS
        if not isinstance(item, Errand):
            return Taken(item.id, item.id, 0, item.crashes, 0, 0, {})
        item.wanted, item.quiet_until, item.quiet_since = False, None, None
        newest = self.revisions[item.conversation]
        about = (item.crashes, item.tries, item.waited, dict(item.steps))
        return Taken(item.id, newest[-1], len(newest), *about)

    def fan_out(
        self,
        now: int,
        identity: str,
        token: str,
        conversation: str,
        connectors: Iterable[str],
        waits: Mapping[str, Quiet],
    ) -> set[str]:
        """Returns the lanes to knock on."""
        body = self.bodies[identity]
        if body.token != token:
            raise LostLease
        body.due = body.token = None
        body.crashes = body.alone = 0
        body.conversation = conversation
        revisions = {*self.revisions.get(conversation, ()), identity}
        self.revisions[conversation] = sorted(revisions, key=lambda one: self.bodies[one].sequence)
        named = {*connectors, *(one.connector for one in self.errands.values() if one.conversation == conversation)}
        body.status = "routed" if named else "unrouted"
        if not named and self.bodies[self.revisions[conversation][-1]].status == "unrouted":
            self.undelivered.add(conversation)
        elif conversation in self.undelivered:
            self.undelivered.remove(conversation)
            for one in self.revisions[conversation] if named else ():
                if self.bodies[one].status == "unrouted":
                    self.bodies[one].status = "routed"
        knocks = set()
        for name in named:
            delivery = f"{name}:{conversation}"
            errand = self.errands.setdefault(delivery, Errand(delivery, "", connector=name, conversation=conversation))
            errand.wanted = errand.token is not None
            if errand.token or errand.delivered or (name in waits and waits[name].first):
                quiet = self._quiet(now, errand, waits.get(name))
            else:
                quiet = None
            if errand.token:
                if quiet:
                    errand.quiet_until, errand.quiet_since = quiet
            elif self._make_due(now, errand, quiet) and self.knock(name):
                knocks.add(name)
        return knocks

    def _quiet(self, now: int, errand: Errand, rule: Quiet | None) -> tuple[int, int] | None:
        """Until and since when it waits for its chat to be quiet."""
        if rule is None:
            return None
        came = self.bodies[self.revisions[errand.conversation][-1]].received
        since = came if errand.quiet_since is None else errand.quiet_since
        until = min(came + rule.quiet, since + rule.at_most)
        return (until, since) if until > now else None

    def settle(
        self,
        now: int,
        taken: Taken,
        lane: str,
        token: str,
        outcome: str,
        delay: int,
        reference: str,
        fingerprint: str,
        *,
        asked: bool,
    ) -> tuple[str, bool]:
        """`asked`: there were requests. Returns what became of the gate, and whether it was no time to give up."""
        errand = self.errands[taken.id]
        if errand.token != token:
            raise LostLease
        gate = self.gates.get(lane)
        ahead = gate is not None and gate.probe == token
        spared = outcome == "exhausted" and ahead
        outcome = "retry" if spared else outcome
        errand.token, errand.crashes, errand.alone, errand.attempts = None, 0, 0, errand.attempts + 1
        errand.due = None
        became = ""
        match outcome:
            case "delivered" | "skipped":
                errand.status, errand.tries, errand.waited = outcome, 0, 0
                if outcome == "delivered":
                    errand.delivered, errand.revision, errand.reference = taken.payload, taken.revision, reference
                if gate and ahead and outcome == "skipped" and not asked:
                    gate.ahead = True
                elif gate and ahead and gate.by == "relay":
                    del self.gates[lane]
                    self._put_last(now, gate)
                    became = "open"
            case "retry" if ahead:
                errand.status, errand.due = "retrying" if errand.tries else "waiting", now + delay
            case "retry":
                errand.status, errand.tries = "retrying", errand.tries + 1
                errand.waited, errand.due = errand.waited + delay, now + delay
            case "paused":
                if ahead or (gate and gate.by == "admin"):
                    errand.status, errand.due = "retrying" if errand.tries else "waiting", now
                else:
                    errand.status, errand.tries = "retrying", errand.tries + 1
                    errand.waited, errand.due = errand.waited + delay, now + delay
                became = self._close(lane, taken.id, ahead, fingerprint)
            case _:
                errand.status = "dead"
        if errand.wanted:
            until, since = errand.quiet_until, errand.quiet_since
            self._make_due(now, errand, (until, since) if until and since and errand.delivered else None)
        return became, spared

    def remember(self, identity: str, token: str, step: str, value: Any) -> None:
        if self.errands[identity].token != token:
            raise LostLease
        self.errands[identity].steps[step] = value

    def renew(self, now: int, held: Iterable[tuple[str, str, str]]) -> int:
        ours = [item for lane, identity, token in held if (item := self.item(lane, identity)).token == token]
        for item in ours:
            item.due = now + LEASE_MS
        return len(ours)

    def release(self, now: int, lane: str, identity: str, token: str) -> None:
        item = self.item(lane, identity)
        if item.token == token:
            item.token, item.due = None, now

    def crashed(self, now: int, lane: str, identity: str, token: str) -> int | None:
        """Returns how long it waits; 0: it was given up; None: it was somebody else's."""
        item = self.item(lane, identity)
        if item.token != token:
            return None
        self._crash(item)
        item.alone += 1
        wait = 0
        if item.alone < FATAL_ALONE:
            wait = self._hold_off(now, item)
        else:
            self._mark_dead(item)
        if isinstance(item, Errand) and item.wanted:
            self._make_due(now, item)
        return wait

    def disown(self, now: int, lane: str, token: str) -> None:
        for item in self.lane(lane):
            if item.token == token:
                item.token, item.due = None, now

    def beat(self) -> None:
        self.settling = self.settling or not self.steady
        self.steady = True

    def tick(self, now: int, lanes: Iterable[str]) -> set[str]:
        due = set()
        for lane in lanes:
            first = min((one.due for one in self.lane(lane) if one.due is not None), default=0)
            for item in self.lane(lane) if self.steady and not self.settling else ():
                if item.token and item.due is not None and first < item.due <= now:
                    item.due = first - 1
            gate = self.gates.get(lane)
            if (not gate or gate.ahead) and any(one.due is not None and one.due <= now for one in self.lane(lane)):
                due.add(lane)
        self.knocks |= due
        return due

    # --- people -------------------------------------------------------------------

    def replay(self, now: int, identity: str) -> tuple[str, bool]:
        """Returns the lane, and whether to knock."""
        if identity in self.bodies:
            body = self.bodies[identity]
            if body.token:  # it is being read at this moment
                return INBOX, False
            body.status, body.due = "received", now
            self._start_anew(body)
            return INBOX, self.knock(INBOX)
        if identity not in self.errands:
            raise NotFound
        errand = self.errands[identity]
        return errand.connector, self._again(now, errand) and self.knock(errand.connector)

    def discard(self, identity: str) -> None:
        if identity in self.bodies:
            if self.bodies[identity].status != "quarantined":
                raise InUse
            self.bodies[identity].status = "discarded"
            return
        if identity not in self.errands:
            raise NotFound
        errand = self.errands[identity]
        if errand.token or errand.status in ("delivered", "skipped", "discarded"):
            raise InUse
        errand.status, errand.due, errand.attempts = "discarded", None, errand.attempts + 1
        errand.quiet_until = errand.quiet_since = None

    def pause(self, connector: str) -> None:
        self.gates[connector] = Closed("admin")

    def resume(self, now: int, connector: str, changed_to: str) -> tuple[bool, bool]:
        gate = self.gates.get(connector)
        if not gate or (changed_to and (gate.by == "admin" or gate.fingerprint == changed_to)):
            return False, False
        del self.gates[connector]
        self._put_last(now, gate)
        return True, self.knock(connector)

    def _close(self, lane: str, refused: str, ahead: bool, fingerprint: str) -> str:
        gate = self.gates.get(lane)
        if gate and gate.by == "admin":
            return ""
        self.gates[lane] = Closed("relay", fingerprint, caused=(*(gate.caused if gate else ()), refused))
        return "held" if not gate else "still" if ahead else ""

    def _put_last(self, now: int, gate: Closed) -> None:
        for identity in gate.caused:
            errand = self.errands.get(identity)
            if errand and errand.due is not None and errand.token is None:
                errand.due = now

    def send_ahead(self, connector: str) -> tuple[bool, bool]:
        if connector not in self.gates:
            return False, False
        self.gates[connector].ahead = True
        return True, self.knock(connector)

    # --- what it is made of -----------------------------------------------------------

    def lane(self, name: str) -> list[Item]:
        if name == INBOX:
            return list(self.bodies.values())
        return [one for one in self.errands.values() if one.connector == name]

    def item(self, lane: str, identity: str) -> Item:
        return self.bodies[identity] if lane == INBOX else self.errands[identity]

    def knock(self, lane: str) -> bool:
        """One knock that nobody has answered is enough."""
        asked = lane in self.knocks
        self.knocks.add(lane)
        return not asked

    def _again(self, now: int, errand: Errand) -> bool:
        """Now, or after the attempt that is going on. Returns whether now."""
        if errand.token:
            errand.wanted, errand.quiet_until, errand.quiet_since = True, None, None
            return False
        self._make_due(now, errand)
        return True

    def _make_due(self, now: int, errand: Errand, quiet: tuple[int, int] | None = None) -> bool:
        """Returns whether now."""
        if quiet and quiet[0] <= now:
            quiet = None
        errand.quiet_until, errand.quiet_since = quiet or (None, None)
        errand.status, errand.due, errand.wanted = "waiting", quiet[0] if quiet else now, False
        errand.tries, errand.waited = 0, 0
        self._start_anew(errand)
        return not quiet

    def _start_anew(self, item: Item) -> None:
        """Of its crashes only the suspicion stays."""
        item.alone, item.crashes = 0, SUSPECT if item.crashes >= SUSPECT else 0

    def state(self) -> dict[str, Any]:
        return {
            "bodies": {one.id: vars(one) for one in self.bodies.values()},
            "errands": {one.id: vars(one) for one in self.errands.values()},
            "revisions": self.revisions,
            "undelivered": self.undelivered,
            "gates": {name: vars(gate) for name, gate in self.gates.items()},
            "knocks": self.knocks,
        }
