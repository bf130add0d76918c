"""What may be wrong with the server, and what the store says of workers, connectors and what waits."""

from __future__ import annotations

import time
from collections.abc import Iterator

from app.admin.append_only import failed_to_load, last_words, look
from app.admin.doctor import Line, doubt, right, wrong
from app.formatting import duration
from core.config.doubts import gone_remedy
from core.config.environment import Environment
from core.config.settings import Settings
from core.delivery import DeliveryStatus, PayloadStatus
from core.errors import NotFound, StoreLoading, StoreUnavailable, StoreUnsafe
from core.store import INBOX, Access, Client, Ledger, check, connected
from core.store.connection.condition import FILLING, FULL, Condition, condition

_MIB = 1024 * 1024
#: Milliseconds that two clocks may differ. Signatures of webhooks are good for five minutes.
_SKEW, _WRONG = 2_000, 120_000
#: Milliseconds after which what is due should have been taken.
_SLOW, _STUCK = 60_000, 600_000


def server(env: Environment, settings: Settings | None) -> Iterator[Line]:
    """Everything that needs the server."""
    client = connected(env)
    try:
        yield from _server(client)
        yield from _password(env, client)
        yield _sealing(env, Ledger(client))
        yield from _lanes(Ledger(client), settings)
    except StoreUnavailable as error:
        yield away(env, error)


def away(env: Environment, error: StoreUnavailable) -> Line:
    """Why the server does not answer, as far as that can be seen from here."""
    if isinstance(error, StoreLoading):
        return doubt("server", "is loading its append-only file", "wait; a large store takes a minute or more")
    if not env.embedded:
        remedy = "start it, or put its address and password into RELAY_REDIS_URL, here and where the relay runs"
        return wrong("server", f"does not answer: {error}", remedy)
    words = last_words(env)
    try:
        fault = look(env, thorough=failed_to_load(words))
    except OSError as unreadable:
        text = f"does not answer, and its files cannot be read: {unreadable.strerror}"
        return wrong("server", text, "run this as the user who runs the relay")
    if fault and not fault.harmless:
        return wrong("server", f"cannot start: {fault.text}", fault.remedy)
    said = f"; the last words in its log are: {words}" if words else ""
    remedy = "start it with relay up, and set RELAY_DATA_DIR here as there"
    return wrong("server", f"does not answer: {error}{said}", remedy)


def _server(client: Client) -> Iterator[Line]:
    verdict = check(client)
    yield right("server", f"{verdict.version} answers")
    for text in verdict.wrong:
        what, _, remedy = text.partition(": ")
        yield wrong("server", what, remedy or "use another server; docs/adr has the reasons")
    for text in verdict.doubts:
        yield doubt("server", text, "CONFIG SET appendfsync always, and keep it in the server's config")
    before = time.time()
    found = condition(client)
    after = time.time()
    yield from _memory(found)
    if not found.rewritten:
        yield wrong(
            "append-only file", "its last rewrite failed, so it only grows", "look at the server's log and disk"
        )
    elif found.file:
        yield right("append-only file", f"{found.file / _MIB:,.1f} MiB")
    yield _clock(before, found.clock, after)


def _memory(found: Condition) -> Iterator[Line]:
    text = f"{found.used / _MIB:,.0f} MiB used"
    if found.evicted:
        remedy = "CONFIG SET maxmemory-policy noeviction; chats that were dropped are gone"
        yield wrong("memory", f"the server dropped {found.evicted:,} keys since it started", remedy)
    whole = found.limit or found.machine
    if not whole:
        yield right("memory", text)
        return
    share = found.used / whole
    text += f", {share:.0%} of {'maxmemory' if found.limit else 'the machine'}"
    remedy = "give it more memory, or shorten retention.settled_days; when it is full, chats are refused"
    if share >= FULL:
        yield wrong("memory", text, remedy)
    elif share >= FILLING:
        yield doubt("memory", text, remedy)
    else:
        yield right("memory", text)


def _clock(before: float, there: int, after: float) -> Line:
    """`there` was read between the other two, which are in seconds."""
    off = round(max(before * 1000 - there, there - after * 1000, 0))
    if off < _SKEW:
        return right("clock", f"within {duration(max(off, round((after - before) * 1000), 1))} of the server's")
    text = f"{duration(off)} away from the server's"
    remedy = "let both follow the time (chrony, systemd-timesyncd)"
    return wrong("clock", text, remedy) if off >= _WRONG else doubt("clock", text, remedy)


def _password(env: Environment, client: Client) -> Iterator[Line]:
    try:
        found = Access(client).password()
    except StoreUnsafe as error:
        yield wrong("dashboard", f"nobody can log in, for the password: {error}", "or relay admin set-password")
        return
    if found:
        yield right("dashboard", "a password is set")
    elif env.user_header:
        yield right("dashboard", f"{env.user_header} of the proxy says who it is")
    else:
        yield doubt("dashboard", "no password is set, so nobody can log in", "relay admin set-password")


def _sealing(env: Environment, ledger: Ledger) -> Line:
    """Whether what is kept can be read, by the newest body."""
    newest = [one for status in PayloadStatus for one in ledger.payloads(status, 1)]
    try:
        for one in sorted(newest, key=lambda payload: -payload.received)[:1]:
            ledger.payload(one.id)
    except StoreUnsafe as error:
        return wrong("encryption", f"the newest body cannot be read: {error}", "here and where the relay runs")
    except NotFound:
        pass  # gone meanwhile
    number = len(env.encryption_keys)
    what = f"sealed with the first of {number} keys" if number > 1 else "sealed" if number else "kept as they came"
    return right("encryption", f"bodies are {what}")


def _lanes(ledger: Ledger, settings: Settings | None) -> Iterator[Line]:
    workers = ledger.workers()
    if workers:
        yield right("workers", f"{len(workers)} alive: {', '.join(workers)}")
    else:
        yield wrong("workers", "none was heard of in the last minute", "start one: relay worker, or relay up for all")
    for worker, trouble in ledger.troubles().items():
        yield wrong(
            "workers",
            f"{worker} refused the changed configuration and still uses the previous version: {trouble}",
            "relay config check",
        )
    yield _waiting("inbox", ledger.lane(INBOX).oldest_due)
    for name in sorted({*ledger.connectors(), *(settings.connectors if settings else ())}):
        yield from _lane(ledger, name, settings)
    if number := ledger.undelivered():
        many = "chat was" if number == 1 else "chats were"
        remedy = "relay deliveries --status undelivered says why; put it right, then relay replay --status undelivered"
        yield doubt("inbox", f"{number:,} {many} not delivered anywhere", remedy)
    if number := ledger.payload_counts()["quarantined"]:
        yield doubt("inbox", f"{number:,} bodies hold no conversation", "relay payloads, then replay or discard each")


def _lane(ledger: Ledger, name: str, settings: Settings | None) -> Iterator[Line]:
    if settings is not None and name in settings.renames:
        return  # what is there still follows in a moment
    lane = ledger.lane(name)
    about = f"connector {name}"
    off = settings is not None and name not in settings.enabled
    if settings is not None and name not in settings.connectors:
        if lane.waiting:
            yield wrong(about, f"is not in relay.yaml, and {lane.waiting:,} deliveries wait for it", gone_remedy(name))
    elif lane.gate:
        by_itself = "; it is tried by itself again and again" if lane.gate.by == "breaker" else ""
        yield doubt(about, f"paused: {lane.gate.reason}", f"put it right, then relay resume {name}{by_itself}")
    elif off and lane.waiting:
        yield doubt(about, f"is off, and {lane.waiting:,} deliveries wait for it", "enable it, or discard them")
    elif not off:
        yield _waiting(about, lane.oldest_due)
    if number := lane.counts[DeliveryStatus.DEAD]:
        yield doubt(about, f"{number:,} dead deliveries", f"relay dead list --connector {name}")


def _waiting(about: str, oldest: int) -> Line:
    if oldest < _SLOW:
        return right(about, "nothing waits longer than it should")
    text = f"the oldest has been due for {duration(oldest)}"
    remedy = "more workers, or look at their log"
    return wrong(about, text, remedy) if oldest >= _STUCK else doubt(about, text, remedy)
