"""The faults, one a row. Each is done to a rig under load, for so many rounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from redis.exceptions import RedisError

from core.delivery import Attempt, DeliveryStatus, Outcome
from core.errors import NotFound
from core.ids import ConversationId, DeliveryId
from core.store.protocol.constants import LEASE_MS
from core.store.protocol.keys import key
from tests.faults import desk, disk, machine, versions
from tests.faults.load import Load
from tests.faults.rig import Process, Rig
from tests.faults.shop import backfill_and_workers_killed
from tests.support.made import control
from tests.support.stack import until

MINUTE, HOUR, DAY = 60, 3600, 86_400

#: What is said of a delivery that kills the process that touches it.
DIED = "it ended its process 3 times, alone in it each time"


@dataclass(frozen=True)
class Row:
    """`rounds` are those of the short form, which leaves out rows with 0, and of the long one. `interrupts`: it is done
    to somebody at work. `fallen`: processes end by themselves, as the fault is one that ends them. `step`: seconds that
    pass in each second afterwards, where deliveries were put off.
    """

    name: str
    do: Callable[[Rig, Load, int], None]
    rounds: tuple[int, int]
    interrupts: bool = False
    fallen: bool = False
    step: float = 0.0
    #: The store is set back: what was delivered may be delivered again, and the newest comes last.
    rewinds: bool = False
    #: The store forgets what was delivered.
    forgets: bool = False


def nothing(rig: Rig, load: Load, rounds: int) -> None:
    time.sleep(rounds)


def workers_killed(rig: Rig, load: Load, rounds: int) -> None:
    for _ in range(rounds):
        rig.until_busy()
        rig.kill_worker()


def rolling_restart(rig: Rig, load: Load, rounds: int) -> None:
    for _ in range(rounds):
        rig.until_alive()
        rig.add_worker()
        assert rig.stop_worker(rig.workers[0]) == 0


def receiver_killed(rig: Rig, load: Load, rounds: int) -> None:
    for _ in range(rounds):
        rig.kill_receiver(load)
        rig.until_answers()
        time.sleep(0.3)


def server_killed(rig: Rig, load: Load, rounds: int) -> None:
    for _ in range(rounds):
        until(rig.watch.in_flight, what="work in flight")
        rig.kill_server(load)
        rig.watch.longest()  # killed again before, nothing would go on


def worker_and_server_killed(rig: Rig, load: Load, rounds: int) -> None:
    for _ in range(rounds):
        rig.until_busy()
        rig.kill_server(load, rig.any_worker())
        rig.watch.longest()


def receiver_and_server_killed(rig: Rig, load: Load, rounds: int) -> None:
    for _ in range(rounds):
        rig.until_answers()
        until(rig.watch.in_flight, what="work in flight")
        rig.kill_server(load, receiver=True)
        rig.watch.longest()


def worker_cut_off(rig: Rig, load: Load, rounds: int) -> None:
    """One worker loses the server and keeps the vendors; the others take its work over."""
    rig.note = machine.HOW
    for _ in range(rounds):
        with rig.worker_elsewhere() as (far, worker):
            time.sleep(1)
            since = time.monotonic()
            far.cut()
            rig.watch.mark_work(since, rig.watch.in_flight())
            rig.watch.longest()
            until(lambda worker=worker: rig.silent(worker) > LEASE_MS / 1000, what="silence")  # type: ignore[misc]
            far.heal()
            until(lambda worker=worker: rig.silent(worker) < 2, what="the worker, back")  # type: ignore[misc]
            time.sleep(1)


def receiver_cut_off(rig: Rig, load: Load, rounds: int) -> None:
    rig.note = machine.HOW
    with rig.receiver_elsewhere() as far:
        for _ in range(rounds):
            load.until_accepted()
            far.cut()
            time.sleep(6)  # long enough that the receiver gives up and says so
            far.heal()
            rig.mark_all(load)
            rig.watch.longest()


def server_frozen(rig: Rig, load: Load, rounds: int) -> None:
    for _ in range(rounds):
        interrupted = rig.watch.in_flight()
        rig.server.freeze()
        time.sleep(6)
        rig.server.thaw()
        since = time.monotonic()
        rig.watch.mark_work(since, interrupted)
        rig.mark_accepting(since, load)
        rig.watch.longest()


def connections_cut(rig: Rig, load: Load, rounds: int) -> None:
    for _ in range(rounds):
        interrupted = rig.watch.in_flight()
        since = time.monotonic()
        for kind in ("normal", "pubsub"):
            rig.server.client.client_kill_filter(_type=kind, skipme=True)
        rig.watch.mark_work(since, interrupted)
        rig.mark_accepting(since, load)
        rig.watch.longest()


def server_full(rig: Rig, load: Load, rounds: int) -> None:
    client = rig.server.client
    for _ in range(rounds):
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 1000)
        time.sleep(1.5)
        client.config_set("maxmemory", 0)
        rig.mark_all(load)
        time.sleep(0.5)


def server_read_only(rig: Rig, load: Load, rounds: int) -> None:
    """A replica by mistake, and one that wants replicas it has not got, in turn."""
    client = rig.server.client
    for number in range(rounds):
        if number % 2 == 0:
            client.replicaof("127.0.0.1", "1")
        else:
            client.config_set("min-replicas-to-write", 1)
        time.sleep(1.5)
        client.replicaof("NO", "ONE")
        client.config_set("min-replicas-to-write", 0)
        rig.mark_all(load)
        time.sleep(0.5)


def disk_full(rig: Rig, load: Load, rounds: int) -> None:
    """With appendfsync always the server ends rather than say yes to what it cannot write; somebody restarts it."""
    rig.note = disk.HOW
    with disk.small(rig.server) as small:
        for _ in range(rounds):
            load.until_accepted()
            small.fill()
            until(lambda: not _answers(rig), what="the server to end")
            time.sleep(0.5)
            interrupted_since = time.monotonic()
            small.free()
            rig.server.start()
            rig.watch.mark_work(interrupted_since, rig.watch.in_flight())
            rig.mark_accepting(interrupted_since, load)
            rig.watch.longest()


def _answers(rig: Rig) -> bool:
    try:
        return bool(rig.server.client.set("relay:celery:probe", "x" * 1000))
    except RedisError:
        return False


def _unwell(mood: desk.Mood, seconds: float = 2.0) -> Callable[[Rig, Load, int], None]:
    """The desk is in a mood for a while; what was put off then is due once the desk is well again, without the wait."""

    def do(rig: Rig, load: Load, rounds: int) -> None:
        for _ in range(rounds):
            rig.desk.mood = mood
            time.sleep(seconds)
            rig.desk.mood = desk.healthy
            for _ in range(3):
                rig.pass_time(3 * MINUTE)
                time.sleep(0.5)

    return do


def down_for_days(rig: Rig, load: Load, rounds: int) -> None:
    """Nobody listens for two days and a half; each wait of the schedule passes, and everything is tried again."""
    rig.desk.stop()
    time.sleep(1)
    with load.held():
        for step in (33, 132, 11 * MINUTE, 33 * MINUTE, 66 * MINUTE, 198 * MINUTE, 7 * HOUR, *[13.2 * HOUR] * 3):
            rig.until_tried()
            rig.pass_time(step)
    rig.desk.start()


def down_for_too_long(rig: Rig, load: Load, rounds: int) -> None:
    """Nobody listens for four days, which is longer than anything is tried: the breaker holds it all back, and what it
    sends ahead, every second after half an hour, is not given up either."""
    rig.desk.stop()
    time.sleep(1)
    with load.held():
        until(lambda: rig.relay.ledger.lane("desk").gate, 60, what="the breaker")
        rig.pass_time(4 * DAY)
        for _ in range(10):
            rig.pass_time(30 * MINUTE)
            time.sleep(1)
    rig.desk.start()


def refused_credentials(rig: Rig, load: Load, rounds: int) -> None:
    for number in range(1, rounds + 1):
        rig.desk.key = f"key-of-the-desk-{number}"
        until(lambda: rig.relay.ledger.lane("desk").gate, what="the pause")
        time.sleep(0.5)
        interrupted = rig.watch.in_flight()
        since = time.monotonic()
        rig.configure()
        until(lambda: not rig.relay.ledger.lane("desk").gate, what="the end of the pause")
        rig.watch.mark_work(since, interrupted)
        waiting = len(rig.desk.received)
        rig.watch.mark(since, lambda waiting=waiting: len(rig.desk.received) > waiting)  # type: ignore[misc]
        rig.watch.longest()


def poison(rig: Rig, load: Load, rounds: int) -> None:
    """It is given up after it has ended three processes of its own."""
    for number in range(rounds):
        load.poison()
        until(lambda wanted=number + 1: _died_of(rig) == wanted, 90, "the poison found out")  # type: ignore[misc]


def _died_of(rig: Rig) -> int:
    """Between its tries it waits for a minute, which passes at once here."""
    rig.pass_time(61)
    dead = rig.relay.ledger.deliveries(DeliveryStatus.DEAD, "desk", limit=1000)
    return sum(one.error == DIED for one in dead)


def clock_jumps(rig: Rig, load: Load, rounds: int) -> None:
    """Ahead by an hour, and back by an hour; what was due before the jump back comes late by as much."""
    for _ in range(rounds):
        rig.jump(HOUR)
        time.sleep(1)
        rig.jump(-HOUR)
        since = time.monotonic()
        rig.mark_accepting(since, load)
        time.sleep(1)
        rig.jump(HOUR + 60)


def config_changes(rig: Rig, load: Load, rounds: int) -> None:
    """A right one, one that is no YAML, and one with a mistake in it, while deliveries are on their way."""
    for number in range(rounds):
        rig.configure(timeout=4 + number % 2)
        time.sleep(1.2)
        rig.relay.configure("connectors: [" if number % 2 else "connectors: {desk: {type: dsek}}")
        time.sleep(1.2)
    rig.configure(timeout=5)


def two_versions(rig: Rig, load: Load, rounds: int) -> None:
    """Workers and a receiver of another version beside today's workers."""
    _side_by_side(rig, load, versions.other(rig.relay.folder / "other"), rounds)


def other_records(rig: Rig, load: Load, rounds: int) -> None:
    """The same with one whose records have other fields, outcomes and statuses; tries fail, so that they occur."""
    _side_by_side(rig, load, versions.newer(rig.relay.folder / "newer"), rounds, _until_the_other_fails)


def _until_the_other_fails(rig: Rig, load: Load, rounds: int) -> None:
    """Which version makes the few tries before the circuit breaker opens is left to chance."""
    for _ in range(20):
        _unwell(desk.failing, 1.5)(rig, load, rounds)
        if any(made.outcome not in tuple(Outcome) for made in _attempts(rig)):
            return
    raise AssertionError("no try of the other version failed")


def _has_tried(rig: Rig, worker: Process) -> bool:
    return any(made.worker.endswith(f":{worker.pid}") for made in _attempts(rig))


def _attempts(rig: Rig) -> list[Attempt]:
    """At the desk, of deliveries in whatever state."""
    names = rig.relay.server.client.scan_iter(key("attempts", "desk:*"), count=1000)
    deliveries = [DeliveryId(name.decode().removeprefix(key("attempts", ""))) for name in names]
    return [made for one in deliveries for made in rig.relay.ledger.delivery(one).attempts]


def _side_by_side(
    rig: Rig, load: Load, code: versions.Code, rounds: int, meanwhile: Callable[[Rig, Load, int], None] | None = None
) -> None:
    rig.note = f"the other version is {code.name}"
    for _ in range(rounds):
        worker = rig.add_worker(PYTHONPATH=code.path)
        with rig.another_receiver(PYTHONPATH=code.path):
            until(lambda worker=worker: rig.is_alive(worker), what="the other version")  # type: ignore[misc]
            if meanwhile:
                meanwhile(rig, load, 1)
            until(lambda worker=worker: _has_tried(rig, worker), what="a try of the other version")  # type: ignore[misc]
            assert rig.stop_worker(worker) == 0


def copy_restored(rig: Rig, load: Load, rounds: int) -> None:
    """A copy of the store comes back under load; of the chats since, somebody has a list."""
    for _ in range(rounds):
        _set_back(rig, load, 5)


def failover(rig: Rig, load: Load, rounds: int) -> None:
    """The server dies, and the one that takes over lacks its last writes: steps that were done, and bodies."""
    for _ in range(rounds):
        rig.until_busy()
        _set_back(rig, load, 0.5)


def _set_back(rig: Rig, load: Load, seconds: float) -> None:
    since, made = time.monotonic(), rig.desk.served["POST"]
    copy = rig.copy_store()
    time.sleep(seconds)
    until(lambda: rig.desk.served["POST"] > made, what="a ticket that the copy does not know")
    rig.server.kill()
    with load.held():
        rig.put_back(copy)
        rig.until_answers()
        load.post_again(since)
    rig.mark_accepting(time.monotonic(), load)


def retention(rig: Rig, load: Load, rounds: int) -> None:
    """What was delivered is removed after two seconds, and some of it goes on."""
    rig.configure(retention=2)
    for _ in range(rounds):
        time.sleep(1)
        _sweep(rig)
    until(lambda: _reopened(rig, load) or not _sweep(rig), what="a conversation that goes on after it was removed")
    rig.configure()


def _sweep(rig: Rig) -> bool:
    """Have a worker remove what is old, without the hour's wait."""
    return bool(rig.server.client.delete(key("sweep")))


def _reopened(rig: Rig, load: Load) -> bool:
    """Whether a conversation is there without the first body of it that was accepted."""
    first: dict[str, str] = {}
    for one in list(load.posts):
        if one.accepted and one.conversation:
            first.setdefault(f"1:{one.conversation}", one.id)
    there = {one.conversation for one in rig.relay.ledger.deliveries(connector="desk", limit=1000)}
    kept = {name: _payloads(rig, name) for name in first.keys() & there}
    return any(found and first[name] not in found for name, found in kept.items())


def _payloads(rig: Rig, conversation: str) -> list[str]:
    try:
        return [one.id for one in rig.relay.ledger.conversation(ConversationId(conversation)).payloads]
    except NotFound:  # removed a moment ago
        return []


def renamed(rig: Rig, load: Load, rounds: int) -> None:
    """The desk gets another name while deliveries wait for it, and its old one again."""
    for number in range(rounds):
        for old, new in (("desk", "crm"), ("crm", "desk")):
            control(rig.relay.store).pause(old, "it moves")
            until(lambda old=old: rig.relay.ledger.lane(old).waiting > 10, what="deliveries that wait")  # type: ignore[misc]
            if number % 2:
                rig.kill_worker()
            rig.configure(name=new, formerly=[old])
            until(lambda old=old: not _known(rig, old), 60, what="everything under the new name")  # type: ignore[misc]
            assert rig.relay.ledger.lane(new).waiting > 10
            control(rig.relay.store).resume(new)
            made = rig.desk.served["POST"]
            until(lambda made=made: rig.desk.served["POST"] > made, what="a delivery under it")  # type: ignore[misc]


def _known(rig: Rig, name: str) -> int:
    return sum(rig.relay.ledger.lane(name).counts.values())


#: The short form is a sample. What it leaves out takes long; most of that is tested without load in test_pipeline.py.
ROWS = (
    Row("nothing happens", nothing, (0, 5)),
    Row("a random worker killed (SIGKILL)", workers_killed, (3, 100), interrupts=True),
    Row("rolling restart of the workers (SIGTERM)", rolling_restart, (0, 20)),
    Row("the receiver killed (SIGKILL)", receiver_killed, (1, 10)),
    Row("the server killed (SIGKILL)", server_killed, (1, 10), interrupts=True),
    Row("a worker and the server killed at once", worker_and_server_killed, (0, 10), interrupts=True),
    Row("the receiver and the server killed at once", receiver_and_server_killed, (0, 5), interrupts=True),
    Row("a worker's machine cut off, then healed", worker_cut_off, (0, 2)),
    Row("the receiver's machine cut off, then healed", receiver_cut_off, (0, 2)),
    Row("the server frozen, then thawed", server_frozen, (0, 2)),
    Row("every connection cut (CLIENT KILL)", connections_cut, (1, 20)),
    Row("the server full, then freed", server_full, (0, 4)),
    Row("the server read-only, then healed", server_read_only, (0, 4)),
    Row("the server's disk full, then freed", disk_full, (0, 3)),
    Row("a copy of the store put back, the chats since posted again", copy_restored, (1, 3), rewinds=True),
    Row("a failover that lost the last writes", failover, (0, 5), rewinds=True),
    Row("retention removes chats, and they continue", retention, (3, 20), forgets=True),
    Row("the desk down for two days and a half", down_for_days, (0, 1), step=HOUR),
    Row("the desk down for four days", down_for_too_long, (0, 1), step=HOUR),
    Row("the desk answers 500, half of them after it acted", _unwell(desk.failing), (1, 3), step=3 * MINUTE),
    Row("the desk answers 429 with Retry-After", _unwell(desk.limiting), (0, 3), step=3 * MINUTE),
    Row("the desk hangs", _unwell(desk.hanging), (0, 3), step=3 * MINUTE),
    Row("the desk answers late", _unwell(desk.late), (0, 3), step=3 * MINUTE),
    Row("the desk's answers are cut short", _unwell(desk.cutting), (0, 3), step=3 * MINUTE),
    Row("the desk acts and does not answer", _unwell(desk.dropping), (1, 3), step=3 * MINUTE),
    Row("the desk refuses the credentials (401), then they change", refused_credentials, (0, 3)),
    Row("a body that kills the process that touches it", poison, (0, 2), fallen=True),
    Row("the server's clock jumps by an hour, ahead and back", clock_jumps, (0, 5), step=HOUR),
    Row("the configuration changes, rightly and wrongly", config_changes, (0, 6)),
    Row("a connector gets another name while deliveries wait", renamed, (1, 4)),
    Row(
        "workers killed during a backfill, while hook and webhooks bring the same chats",
        backfill_and_workers_killed,
        (2, 8),
        interrupts=True,
    ),
    Row("two versions of the code at once", two_versions, (0, 2)),
    Row("two versions with different records at once", other_records, (1, 2), step=3 * MINUTE),
)
