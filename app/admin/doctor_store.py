"""What may be wrong with the server, and what the store says of workers, connectors and what waits."""

from __future__ import annotations

import time
from collections.abc import Iterator

from app.admin.append_only.faults import failed_to_load, last_words, look
from app.admin.attention.lines import Attention
from app.admin.connector_state import State, connector_state
from app.admin.doctor import Diagnosis, doubt, right, wrong
from app.formatting import duration
from core.config.environment import Environment
from core.config.mistakes.files import file_mistake
from core.config.settings import Settings
from core.delivery import PayloadStatus
from core.errors import NotFound, StoreLoading, StoreUnavailable, StoreUnsafe
from core.store import INBOX, Access, Client, Ledger, check_server, connected
from core.store.connection.condition import FILLING, FULL, StoreCondition, store_condition
from core.store.sources.queues import fetch_queues

_MIB = 1024 * 1024
#: Milliseconds that two clocks may differ. Signatures of webhooks are good for five minutes.
_SKEW, _WRONG = 2_000, 120_000
#: Milliseconds after which what is due should have been taken.
_SLOW, _STUCK = 60_000, 600_000


def server(env: Environment, settings: Settings | None) -> Iterator[Diagnosis]:
    """Everything that needs the server."""
    client = connected(env)
    try:
        yield from _server(client)
        yield from _password(env, client)
        yield _sealing(env, Ledger(client))
        yield from _lanes(client, env, settings)
    except StoreUnavailable as error:
        yield away(env, error)


def away(env: Environment, error: StoreUnavailable) -> Diagnosis:
    """Why the server does not answer, as far as that can be seen from here."""
    if isinstance(error, StoreLoading):
        return doubt("store", "is loading its append-only file", "wait; a large store takes a minute or more")
    if not env.embedded:
        remedy = "start it, or correct its address and password in RELAY_REDIS_URL, here and where the relay runs"
        return wrong("store", f"does not respond: {error}", remedy)
    words = last_words(env)
    try:
        fault = look(env, thorough=failed_to_load(words))
    except OSError as unreadable:
        text = f"does not respond, and its files cannot be read: {file_mistake(unreadable)}"
        return wrong("store", text, "run this as the user who runs the relay")
    if fault and not fault.harmless:
        return wrong("store", f"cannot start: {fault.text}", fault.remedy)
    said = f"; its log ends with: {words}" if words else ""
    remedy = "start it with relay up, and set the same RELAY_DATA_DIR here"
    return wrong("store", f"does not respond: {error}{said}", remedy)


def _server(client: Client) -> Iterator[Diagnosis]:
    verdict = check_server(client)
    yield right("store", f"{verdict.version} responds")
    for text in verdict.wrong:
        what, _, remedy = text.partition(": ")
        yield wrong("store", what, remedy or "use another server; see docs/adr")
    for text in verdict.doubts:
        yield doubt("store", text, "CONFIG SET appendfsync always, and write it into the server's config file")
    before = time.time()
    found = store_condition(client)
    after = time.time()
    yield from _memory(found)
    if not found.rewritten:
        yield wrong(
            "append-only file",
            "its last rewrite failed, so it keeps growing",
            "check the server's log and disk",
        )
    elif found.file:
        yield right("append-only file", f"{found.file / _MIB:,.1f} MiB")
    yield _clock(before, found.clock, after)


def _memory(found: StoreCondition) -> Iterator[Diagnosis]:
    text = f"{found.used / _MIB:,.0f} MiB used"
    if found.evicted:
        remedy = "CONFIG SET maxmemory-policy noeviction; the dropped chats are lost"
        yield wrong("memory", f"the server dropped {found.evicted:,} keys since it started", remedy)
    whole = found.limit or found.machine
    if not whole:
        yield right("memory", text)
        return
    share = found.used / whole
    text += f", {share:.0%} of {'maxmemory' if found.limit else 'the machine'}"
    remedy = "give it more memory or shorten retention.settled_days; when it is full, chats are refused"
    if share >= FULL:
        yield wrong("memory", text, remedy)
    elif share >= FILLING:
        yield doubt("memory", text, remedy)
    else:
        yield right("memory", text)


def _clock(before: float, there: int, after: float) -> Diagnosis:
    """`there` was read between the other two, which are in seconds."""
    off = round(max(before * 1000 - there, there - after * 1000, 0))
    if off < _SKEW:
        return right("clock", f"within {duration(max(off, round((after - before) * 1000), 1))} of the server's clock")
    text = f"{duration(off)} off the server's clock"
    remedy = "synchronize both clocks (chrony, systemd-timesyncd)"
    return wrong("clock", text, remedy) if off >= _WRONG else doubt("clock", text, remedy)


def _password(env: Environment, client: Client) -> Iterator[Diagnosis]:
    try:
        found = Access(client).password()
    except StoreUnsafe as error:
        yield wrong(
            "dashboard",
            f"nobody can log in: the password cannot be decrypted: {error}",
            "put the key back into RELAY_ENCRYPTION_KEYS, or run: relay admin set-password",
        )
        return
    if found:
        yield right("dashboard", "a password is set")
    elif env.user_header:
        yield right("dashboard", f"the proxy names users in {env.user_header}")
    else:
        yield doubt("dashboard", "no password is set, so nobody can log in", "run: relay admin set-password")


def _sealing(env: Environment, ledger: Ledger) -> Diagnosis:
    """Whether what is kept can be read, by the newest body."""
    newest = [one for status in PayloadStatus for one in ledger.payloads(status, 1)]
    try:
        for one in sorted(newest, key=lambda payload: -payload.received)[:1]:
            ledger.payload(one.id)
    except StoreUnsafe as error:
        remedy = "set the same RELAY_ENCRYPTION_KEYS here and where the relay runs"
        return wrong("encryption", f"the newest payload cannot be decrypted: {error}", remedy)
    except NotFound:
        pass  # gone meanwhile
    number = len(env.encryption_keys)
    what = f"encrypted with the first of {number} keys" if number > 1 else "encrypted" if number else "not encrypted"
    return right("encryption", f"payloads are {what}")


#: Of these the doctor has its own measures above, or has told when it read the configuration.
_MEASURED = frozenset({"unsafe", "full", "filling", "backlog", "unrouted", "doubt", "past"})


def _lanes(client: Client, env: Environment, settings: Settings | None) -> Iterator[Diagnosis]:
    ledger = Ledger(client)
    if workers := ledger.workers():
        yield right("workers", f"{len(workers)} alive: {', '.join(workers)}")
    yield _waiting("inbox", ledger.lane(INBOX).oldest_due)
    names = sorted({*ledger.connectors(), *(settings.connectors if settings else ())})
    lanes = {name: ledger.lane(name) for name in names}
    for name, lane in lanes.items():
        if connector_state(settings, name, lane).state in (State.ON, State.NO_ROUTE, State.UNKNOWN):
            yield _waiting(f"connector {name}", lane.oldest_due)
    for queue in fetch_queues(ledger, settings) if settings else ():
        if not queue.since:
            yield _waiting(f"source {queue.name}", queue.oldest_due)
    for line in Attention(client, env.disk).lines(settings, lanes):
        if line.kind not in _MEASURED:
            left = (line.next_test or 0) - ledger.now()
            test = f" Next test delivery in {duration(left)}." if left > 0 else ""
            remedy = line.remedy + (f" ({' · '.join(line.commands)})" if line.commands else "")
            about = f"connector {line.about}" if line.about in lanes else line.about
            yield (wrong if line.is_grave else doubt)(about, f"{line.sentences}{test}", remedy)


def _waiting(about: str, oldest: int) -> Diagnosis:
    if oldest < _SLOW:
        return right(about, "nothing is overdue")
    text = f"the oldest delivery has been due for {duration(oldest)}"
    remedy = "add workers, or check their log"
    return wrong(about, text, remedy) if oldest >= _STUCK else doubt(about, text, remedy)
