"""The store and a model of it (tests/support/store_model.py) do the same at random, and agree after every step."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from core.delivery import Attempt, Exchange, Outcome, PayloadStatus, Reference
from core.errors import InUse, LostLease, NotFound
from core.ids import ConversationId, DeliveryId, PayloadId
from core.store import INBOX, Claim, Store, connect
from core.store.claims import ClaimRequest, Quiet, Reading
from core.store.protocol import identity, scripts
from core.store.protocol.constants import BATCH, FATAL_ALONE, LEASE_MS, SLOW_CRASHES
from core.store.protocol.identity import fresh
from core.store.protocol.keys import key
from tests.conftest import Clock
from tests.support.made import control
from tests.support.server import Server
from tests.support.store_model import Body, Closed, Errand, Model, Taken

CONNECTORS = ("crm", "desk")
LANES = (INBOX, *CONNECTORS)
CONVERSATIONS = ("1:a", "1:b")

#: Times as many runs as in a short test.
LONGER = int(os.environ.get("MODEL_TIMES", "1"))

lanes = st.sampled_from(LANES)
connectors = st.sampled_from(CONNECTORS)
#: Few enough that the same come again; each belongs to the same conversation every time.
bodies = st.integers(0, 7)
hows = st.sampled_from(("answer", "stay", "leave"))
fingerprints = st.sampled_from(("old", "new"))
outcomes = st.sampled_from([one for one in Outcome if one not in (Outcome.CRASHED, Outcome.DISCARDED)])

names = st.sets(connectors)
crashes = st.sampled_from((1, 2, SLOW_CRASHES))
delays = st.sampled_from((0, 500, 30_000))
#: Connectors that want a chat to be quiet, some at the first delivery, too; and most of the time none.
waits = st.sampled_from(
    ({}, {}, {"crm": Quiet(2_000, 5_000)}, {"crm": Quiet(2_000, 2_500, first=True), "desk": Quiet(60_000, 60_000)})
)

Held = tuple[Claim, Taken]


def typed(identity: str) -> PayloadId | DeliveryId:
    return DeliveryId(identity) if ":" in identity else PayloadId(identity)


class Machine(RuleBasedStateMachine):
    """Every rule does the same to both and compares what they return; `agree` compares all that they hold."""

    inbox: Bundle[Held] = Bundle("inbox")  # claims, also those that were settled or lost since
    outbox: Bundle[Held] = Bundle("outbox")

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.ended = False
        server = self.server
        server.client.flushall()
        # Raw, for looking: whatever the store's own reading makes of it.
        self.redis: Any = server.client
        self.clock = Clock()
        self.woken: list[str] = []
        self.store = Store(connect(server.url, wake_up=self.woken.append), self.clock)
        self.model = Model()
        # Some worker was heard of, or crashes would seldom count.
        self.redis.set(key("steady"), "1", px=3000)
        self.model.steady = True
        self.tokens = 0
        # What is equally due goes by its id; so that a run can be repeated, these are no real dice.
        ids = (number * 0x9E3779B97F4A7C15 % 2**64 for number in count(1))
        self.dice = mock.patch.object(identity._chance, "getrandbits", side_effect=lambda _: next(ids))
        self.dice.start()

    def teardown(self) -> None:
        self.dice.stop()

    @property
    def now(self) -> int:
        return self.clock.now

    def heard(self) -> set[str]:
        """The lanes for which the workers were woken since this was asked last."""
        found, self.woken[:] = set(self.woken), ()
        return found

    # --- the receiver -----------------------------------------------------------

    @rule(number=bodies, account=st.sampled_from(("", "1")))
    def accept(self, number: int, account: str) -> None:
        self._accept(number, account)

    @rule(number=bodies, status=st.sampled_from((PayloadStatus.SET_ASIDE, PayloadStatus.QUARANTINED)))
    def accept_what_holds_no_conversation(self, number: int, status: PayloadStatus) -> None:
        identity, known = self._accept(number, "")
        if not known:
            assert self.store.divert(PayloadId(identity), status, "no") == self.model.divert(identity, status, "")

    def _accept(self, number: int, account: str) -> tuple[str, bool]:
        self.heard()
        found = self.store.accept(b"%d" % number, account)
        expected = self.model.accept(self.now, b"%d" % number, account, found.id)
        assert (found.id, found.known, self.heard() == {INBOX}) == expected
        return found.id, found.known

    # --- workers ------------------------------------------------------------------

    @rule(target=inbox, how=hows, times=st.integers(1, 3))
    def claim_bodies(self, how: Any, times: int) -> MultipleResults[Held]:
        return multiple(*(held for _ in range(times) for held in self._claim(INBOX, how)))

    @rule(target=inbox, how=hows)
    def claim_all_bodies(self, how: Any) -> MultipleResults[Held]:
        self.tokens += 1
        token = f"token-{self.tokens}"
        return multiple(*self._all_taken(INBOX, token, self.store.claim_bodies(token, how), how))

    @rule(target=outbox, lane=connectors, how=hows)
    def claim_a_delivery(self, lane: str, how: Any) -> MultipleResults[Held]:
        return multiple(*self._claim(lane, how))

    @initialize(number=bodies, names=names, waits=waits)
    def begin(self, number: int, names: set[str], waits: Mapping[str, Quiet]) -> None:
        """Each run leaves many rules out; most of the others find something to do then."""
        self.take_in(number, names, waits)

    @rule(number=bodies, names=names, waits=waits)
    def take_in(self, number: int, names: set[str], waits: Mapping[str, Quiet]) -> None:
        """All that a worker does with a body; without this, few deliveries would be reached by chance."""
        self._accept(number, "")
        for held in self._claim(INBOX, "leave"):
            self._fan_out(held, names, waits)

    @rule(target=outbox, lane=connectors, outcome=outcomes, delay=delays, fingerprint=fingerprints, asked=st.booleans())
    def deliver(self, lane: str, outcome: Outcome, delay: int, fingerprint: str, asked: bool) -> MultipleResults[Held]:
        found = self._claim(lane, "leave")
        for held in found:
            self._settle(held, outcome, delay, fingerprint, asked=asked)
        return multiple(*found)

    @rule(times=crashes)
    def read_a_body_and_vanish(self, times: int) -> None:
        for _ in range(times):
            self._claim(INBOX, "leave")
            self.clock.now += LEASE_MS + 1

    @rule(target=outbox, lane=connectors, times=crashes, wanted=st.booleans())
    def try_a_delivery_and_vanish(self, lane: str, times: int, wanted: bool) -> MultipleResults[Held]:
        found = []
        for _ in range(times):
            found += self._claim(lane, "leave")
            if found and wanted:  # asked for while it is in flight
                self._replay(found[-1][0].id)
            self.clock.now += LEASE_MS + 1
        return multiple(*found)

    def _claim(self, lane: str, how: Any) -> list[Held]:
        self.tokens += 1
        token = f"token-{self.tokens}"
        self.heard()
        found, expected = self.store.claim(lane, token, how), self.model.claim(self.now, lane, token, how)
        assert self.heard() == ({lane} if found and found.more else set())
        return self._taken(lane, token, found, expected)

    def _taken(self, lane: str, token: str, found: Claim | None, expected: Taken | None) -> list[Held]:
        assert (found is None) == (expected is None)
        if found is None or expected is None:
            return []
        assert (found.lane, found.token) == (lane, token)
        about = (found.crashes, found.tries, found.waited, found.steps)
        assert Taken(found.id, found.payload, found.revision, *about, found.more) == expected
        return [(found, expected)]

    @rule(target=inbox, held=inbox, names=names, waits=waits, more=st.booleans())
    def fan_out(self, held: Held, names: set[str], waits: Mapping[str, Quiet], more: bool) -> MultipleResults[Held]:
        return multiple(*self._fan_out(held, names, waits, more))

    def _fan_out(self, held: Held, names: set[str], waits: Mapping[str, Quiet], more: bool = False) -> list[Held]:
        claim, _ = held
        conversation = CONVERSATIONS[int(claim.body) % len(CONVERSATIONS)]
        request = self._request(more)
        found: list[Claim] = []
        self.same(
            lambda: self._fanned(Reading(claim, ConversationId(conversation), tuple(names)), request, waits, found),
            lambda: self.model.fan_out(self.now, claim.id, claim.token, conversation, names, waits),
        )
        return self._followed(claim.lane, request, found)

    def _fanned(
        self, reading: Reading, request: ClaimRequest | None, waits: Mapping[str, Quiet], found: list[Claim]
    ) -> set[str]:
        self.heard()
        done = self.store.fan_out_each([reading], request, waits)
        if done.held == [False]:
            raise LostLease
        found += done.following or ()
        self.ended = True
        return self.heard() - {INBOX}

    def _request(self, more: bool) -> ClaimRequest | None:
        self.ended = False
        return ClaimRequest(fresh()) if more else None

    def _followed(self, lane: str, request: ClaimRequest | None, found: Sequence[Claim]) -> list[Held]:
        """The next items, where the lease was not lost and some were wanted."""
        return self._all_taken(lane, request.token, found, "stay") if request and self.ended else []

    def _all_taken(self, lane: str, token: str, found: Sequence[Claim], how: Any) -> list[Held]:
        """What one claim gave: of the inbox several."""
        expected = self.model.claim_several(self.now, lane, token, how, BATCH if lane == INBOX else 1)
        assert len(found) == len(expected)
        return [held for pair in zip(found, expected, strict=True) for held in self._taken(lane, token, *pair)]

    @rule(held=inbox, status=st.sampled_from((PayloadStatus.SET_ASIDE, PayloadStatus.QUARANTINED)))
    def divert(self, held: Held, status: PayloadStatus) -> None:
        claim, _ = held
        self.same(
            lambda: self.store.divert(claim.payload, status, "no", token=claim.token),
            lambda: self.model.divert(claim.id, status, claim.token),
        )

    @rule(
        target=outbox,
        held=outbox,
        outcome=outcomes,
        delay=delays,
        fingerprint=fingerprints,
        more=st.booleans(),
        asked=st.booleans(),
    )
    def settle(
        self, held: Held, outcome: Outcome, delay: int, fingerprint: str, more: bool, asked: bool
    ) -> MultipleResults[Held]:
        return multiple(*self._settle(held, outcome, delay, fingerprint, more, asked=asked))

    def _settle(
        self, held: Held, outcome: Outcome, delay: int, fingerprint: str, more: bool = False, *, asked: bool
    ) -> list[Held]:
        claim, taken = held
        error = "" if outcome is Outcome.DELIVERED else "no"
        requests = (Exchange("POST", "https://crm.example.com", 200, 1),) if asked else ()
        attempt = Attempt(self.now, 1, outcome, claim.revision, error=error, requests=requests)
        made = Reference(f"record-{claim.token}") if outcome is Outcome.DELIVERED else None
        instead = replace(attempt, outcome=Outcome.RETRY) if outcome is Outcome.EXHAUSTED else None
        request = self._request(more)
        found: list[Claim] = []

        def settle() -> tuple[str, bool]:
            settled = self.store.settle(
                claim,
                attempt,
                delay_ms=delay,
                reference=made,
                fingerprint=fingerprint,
                instead=instead,
                request=request,
            )
            found.extend(settled.following or ())
            self.ended = True
            return settled.gate, settled.spared

        self.same(
            settle,
            lambda: self.model.settle(
                self.now,
                taken,
                claim.lane,
                claim.token,
                outcome,
                delay,
                f"record-{claim.token}",
                fingerprint,
                asked=asked,
            ),
        )
        return self._followed(claim.lane, request, found)

    @rule(held=outbox, step=st.sampled_from(("person", "ticket")), value=st.integers(0, 3))
    def remember(self, held: Held, step: str, value: int) -> None:
        claim, _ = held
        self.same(
            lambda: self.store.remember(claim, step, value),
            lambda: self.model.remember(claim.id, claim.token, step, value),
        )

    @rule(held=st.lists(inbox | outbox, min_size=1, max_size=4))
    def renew(self, held: list[Held]) -> None:
        ours = [(claim.lane, claim.id, claim.token) for claim, _ in held]
        assert self.store.renew([claim for claim, _ in held]) == self.model.renew(self.now, ours)

    @rule(held=inbox | outbox)
    def release(self, held: Held) -> None:
        claim, _ = held
        self.store.release(claim)
        self.model.release(self.now, claim.lane, claim.id, claim.token)

    @rule(held=inbox | outbox)
    def crashed(self, held: Held) -> None:
        self._crashed(held)

    @rule(target=outbox, lane=lanes, times=st.integers(1, FATAL_ALONE), wanted=st.booleans())
    def end_processes_of_its_own(self, lane: str, times: int, wanted: bool) -> MultipleResults[Held]:
        found = []
        for _ in range(times):
            for held in self._claim(lane, "leave"):
                if wanted:
                    self._replay(held[0].id)
                self._crashed(held)
                found += [held] if lane != INBOX else []
            self.clock.now += 3_600_001
        return multiple(*found)

    def _crashed(self, held: Held) -> None:
        claim, _ = held
        found = self.store.crashed(claim)
        assert found == self.model.crashed(self.now, claim.lane, claim.id, claim.token)

    @rule(held=inbox | outbox, lane=lanes, its_own=st.booleans())
    def disown(self, held: Held, lane: str, its_own: bool) -> None:
        claim, _ = held
        lane = claim.lane if its_own else lane
        self.store.disown(lane, claim.token)
        self.model.disown(self.now, lane, claim.token)

    # --- time ---------------------------------------------------------------------

    @rule(ms=st.sampled_from((1, 400, 1_000, LEASE_MS - 1, LEASE_MS + 1, 31_000, 3_600_001)))
    def time_passes(self, ms: int) -> None:
        self.clock.now += ms

    @rule()
    def beat(self) -> None:
        self.store.beat("worker")
        self.model.beat()

    @rule()
    def leases_count_again(self) -> None:
        self.redis.delete(key("settling"))
        self.model.settling = False

    @rule()
    def all_is_quiet(self) -> None:
        self.redis.delete(key("settling"), key("steady"))
        self.model.settling = self.model.steady = False

    @rule()
    def tick(self) -> None:
        self.redis.delete(key("tick"))
        self.heard()
        assert set(self.store.tick(1000, LANES)) == self.model.tick(self.now, LANES) == self.heard()
        assert self.store.tick(1000, LANES) == []
        assert not self.heard()

    # --- people ---------------------------------------------------------------------

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        self._replay(data.draw(self.identities()))

    def _replay(self, identity: str) -> None:
        self.same(lambda: self._replayed(identity), lambda: self.model.replay(self.now, identity))

    def _replayed(self, identity: str) -> tuple[str, bool]:
        self.heard()
        lane = control(self.store).replay(typed(identity))
        return lane, self.heard() == {lane}

    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        identity = data.draw(self.identities())
        self.same(lambda: control(self.store).discard(typed(identity), "enough"), lambda: self.model.discard(identity))

    @rule(connector=connectors)
    def pause(self, connector: str) -> None:
        control(self.store).pause(connector, "by hand")
        self.model.pause(connector)

    @rule(connector=connectors)
    def resume(self, connector: str) -> None:
        self.heard()
        opened = control(self.store).resume(connector)
        assert (opened, self.heard() == {connector}) == self.model.resume(self.now, connector, "")

    @rule(connector=connectors, fingerprint=fingerprints)
    def the_config_changes(self, connector: str, fingerprint: str) -> None:
        self.heard()
        opened = control(self.store).resume(connector, changed_to=fingerprint)
        assert (opened, self.heard() == {connector}) == self.model.resume(self.now, connector, fingerprint)

    @rule(connector=connectors)
    def send_ahead(self, connector: str) -> None:
        self.heard()
        closed = control(self.store).send_ahead(connector)
        assert (closed, self.heard() == {connector}) == self.model.send_ahead(connector)

    def identities(self) -> st.SearchStrategy[str]:
        there = [*sorted(self.model.errands), *self.model.bodies]
        return st.sampled_from([*there, "crm:1:a", "0123456789abcdef"])

    # --- comparing -------------------------------------------------------------------

    def same(self, real: Callable[[], Any], modelled: Callable[[], Any]) -> None:
        """Both return the same, or raise the same."""
        assert _result(real) == _result(modelled)

    @invariant()
    def agree(self) -> None:
        found, expected = Found(self.redis), self.model.state()
        assert found.state() == expected
        found.holds_together()
        # These two go by the server's own clock; here they stay until a rule ends them.
        for name, stands in (("steady", self.model.steady), ("settling", self.model.settling)):
            if stands:
                self.redis.set(key(name), "1", px=3000)


#: Every key with its type and all that is in it, in one journey.
DUMP = """
local reads = {
  string = {'GET'}, hash = {'HGETALL'}, set = {'SMEMBERS'}, list = {'LRANGE', 0, -1},
  zset = {'ZRANGE', 0, -1, 'WITHSCORES'},
}
local found = {}
for _, name in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local kind = redis.call('TYPE', name).ok
  local read = reads[kind]
  found[#found + 1] = {string.sub(name, #ARGV[1] + 1), kind, redis.call(read[1], name, unpack(read, 2))}
end
return found
"""


class Found:
    """What is in the server, key by key, without the store's own reading."""

    def __init__(self, client: Any) -> None:
        self.keys = {name.decode(): _read(kind, value) for name, kind, value in client.eval(DUMP, 0, key(""))}
        self.lanes = {lane: self.get("lane", lane) for lane in LANES}
        self.leases = {lane: self.get("leases", lane) for lane in LANES}
        self.bodies = {one: self.body(one) for one in self.called("payload")}
        self.errands = {one: self.errand(one) for one in self.called("delivery")}
        self.revisions = {one: list(self.get("revisions", one)) for one in self.called("revisions")}

    def called(self, kind: str) -> list[str]:
        return sorted(name.removeprefix(f"{kind}:") for name in self.keys if name.startswith(f"{kind}:"))

    def get(self, *parts: str) -> Any:
        return self.keys.get(":".join(parts), {})

    def body(self, identity: str) -> Body:
        row = self.get("payload", identity)
        return Body(
            identity,
            row["status"],
            due=self.lanes[INBOX].get(identity),
            token=self.leases[INBOX].get(identity),
            crashes=int(row.get("crashes", 0)),
            alone=int(row.get("alone", 0)),
            sequence=int(row["sequence"]) - 1,
            conversation=row.get("conversation", ""),
            duplicates=int(row.get("duplicates", 0)),
            received=int(row["received"]),
        )

    def errand(self, identity: str) -> Errand:
        row = self.get("delivery", identity)
        return Errand(
            identity,
            row["status"],
            due=self.lanes[row["connector"]].get(identity),
            token=self.leases[row["connector"]].get(identity),
            crashes=int(row.get("crashes", 0)),
            alone=int(row.get("alone", 0)),
            connector=row["connector"],
            conversation=row["conversation"],
            tries=int(row.get("tries", 0)),
            waited=int(row.get("waited", 0)),
            wanted="again" in row,
            quiet_until=int(row["quiet_until"]) if "quiet_until" in row else None,
            quiet_since=int(row["quiet_since"]) if "quiet_since" in row else None,
            delivered=row.get("delivered", ""),
            revision=int(row.get("revision", 0)),
            reference=row.get("ref", ""),
            attempts=len(self.get("attempts", identity)),
            steps={name: json.loads(value) for name, value in self.get("steps", identity).items()},
        )

    def gate(self, name: str) -> Closed:
        row = self.get("gate", name)
        return Closed(
            row["by"],
            row.get("fingerprint", ""),
            "ahead" in row,
            row.get("probe", ""),
            tuple(json.loads(row.get("caused", "[]"))),
        )

    def state(self) -> dict[str, Any]:
        return {
            "bodies": {name: vars(one) for name, one in self.bodies.items()},
            "errands": {name: vars(one) for name, one in self.errands.items()},
            "revisions": self.revisions,
            "undelivered": set(self.get("undelivered")),
            "gates": {name: vars(self.gate(name)) for name in self.called("gate")},
            "knocks": set(self.called("knock")),
        }

    def holds_together(self) -> None:
        """What must be true of any store, whatever was done to it."""
        in_lists = {status: set(self.get("payloads", status)) for status in map(str, PayloadStatus)}
        by_status = Counter(one.status for one in self.bodies.values())
        assert {name: len(members) for name, members in in_lists.items() if members} == dict(by_status)
        assert sum(by_status.values()) == int(self.get("sequence") or 0)  # accepted = the sum of all
        for name, one in self.bodies.items():
            assert name in in_lists[one.status]
            assert self.get("raw", name)
            assert (one.status == "received") == (one.due is not None)
            if one.status in ("routed", "unrouted"):
                assert name in self.revisions[one.conversation]
        for conversation, revisions in self.revisions.items():
            given = self.get("deliveries-of", conversation) or set()
            assert given == {one.connector for one in self.errands.values() if one.conversation == conversation}
            assert given or all(self.bodies[one].status != "routed" for one in revisions)
        for name, errand in self.errands.items():
            assert (errand.status in ("waiting", "retrying")) == (errand.due is not None)
            assert name in self.get("deliveries", errand.connector, errand.status)
        assert sum(len(self.get("deliveries", name)) for name in self.called("deliveries")) == len(self.errands)
        for lane in LANES:
            assert self.leases[lane].keys() <= self.lanes[lane].keys()
            assert self.lanes[lane].keys() <= (self.bodies if lane == INBOX else self.errands).keys()


def _read(kind: bytes, value: Any) -> Any:
    """A key's value with text for bytes: str, dict, set or list; of a sorted set, member to score in its order."""
    if kind == b"string":
        return value.decode()
    texts = [one.decode() for one in value]
    match kind:
        case b"hash":
            return dict(zip(texts[::2], texts[1::2], strict=True))
        case b"zset":
            return {member: int(score) for member, score in zip(texts[::2], texts[1::2], strict=True)}
        case b"set":
            return set(texts)
    return texts


def _result(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (LostLease, NotFound, InUse) as error:
        return type(error)


def run(server: Server, examples: int, **options: Any) -> None:
    # Nothing here is about the disk.
    server.client.config_set("appendfsync", "no")
    try:
        run_state_machine_as_test(
            type("Machine", (Machine,), {"server": server}),
            settings=settings(
                max_examples=examples,
                stateful_step_count=40,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                **options,
            ),
        )
    finally:
        server.client.config_set("appendfsync", "always")


def test_the_store_and_its_model_agree(server: Server) -> None:
    run(server, 60 * LONGER)


#: One line of one script, and what a mistake would make of it.
MISTAKES = {
    "two arguments of a script are swapped": ("fan_out", "local now, id, token,", "local now, token, id,"),
    "two results of a delivery are swapped": ("settle", "ref, url, revision", "url, ref, revision"),
    "a crash is not counted": ("claim", "redis.call('HINCRBY', key, 'crashes', 1)", "0"),
    "one process of its own is enough to give an item up": ("crashed", "if alone >= 3 then", "if alone >= 1 then"),
    "the order is that of reading": (
        "fan_out",
        "redis.call('ZADD', revisions, got[1], id)",
        "redis.call('ZADD', revisions, now, id)",
    ),
    "a revision during an attempt is forgotten": (
        "fan_out",
        "redis.call('HSET', delivery_key(delivery), 'again', 1,",
        "redis.call('HSET', delivery_key(delivery), 'updated', now,",
    ),
    "what waits for quiet is claimed with what came before it": (
        "fan_out",
        "redis.call('ZADD', lane_key(connector), waits and quiet_until or now, id)",
        "redis.call('ZADD', lane_key(connector), now, id)",
    ),
    "each revision begins the longest wait anew": ("fan_out", "'quiet_since') or came)", "'quiet') or came)"),
    "a gate that was closed by hand opens by itself": ("resume", "got[1] == Closer.ADMIN or ", ""),
    "a lost lease is not noticed": ("settle", "if not holds(connector, id, token) then return {} end", ""),
    "a dead delivery stays in its lane": (
        "settle",
        "else redis.call('ZREM', lane, id) end",
        "elseif status ~= DeliveryStatus.DEAD then redis.call('ZREM', lane, id) end",
    ),
    "what was interrupted waits behind all that came meanwhile": (
        "tick",
        "if lapsed and lapsed <= now and lapsed > first",
        "if false",
    ),
    "a lease of another is renewed": ("renew", "if holds(lane, ids[i], tokens[i]) then", "if true then"),
}
#: Of these, so many in a short test: the ones that are found within a second or two.
SHORT = 5


@pytest.fixture
def broken_script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, str], None]]:
    """Puts something else in the place of a part of a script."""
    source = scripts.source

    def mistake(script: str, right: str, wrong: str) -> None:
        assert right in source(script), f"{script}.lua has changed: this test needs another mistake"
        monkeypatch.setattr(
            scripts, "source", lambda name: source(name).replace(right, wrong) if name == script else source(name)
        )
        scripts._sha.cache_clear()

    yield mistake
    monkeypatch.undo()
    scripts._sha.cache_clear()


@pytest.mark.parametrize("name", list(MISTAKES)[: None if LONGER > 1 else SHORT])
def test_a_mistake_in_the_store_is_found(
    server: Server, broken_script: Callable[[str, str, str], None], name: str
) -> None:
    broken_script(*MISTAKES[name])
    with pytest.raises(AssertionError):
        run(server, 400, derandomize=True, phases=[Phase.generate], print_blob=False)
