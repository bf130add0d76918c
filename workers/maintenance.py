"""What workers do beside deliveries: bulk jobs, and removing what is old. No Celery in here."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from connectors.kit.files.waiting import sweep_files
from core.config.doubts import doubts, gone_remedy
from core.config.settings import Settings
from core.delivery import PayloadStatus
from core.errors import NotFound, StoreUnavailable
from core.ids import ConversationId, PayloadId
from core.store import Client, Eraser, Jobs, Ledger, Renames, Store
from core.store.backfill import Backfill
from core.store.causes import Causes
from core.store.search.blocks import SearchBlocks
from core.store.sources.stranded import StrandedOrders
from core.store.statistics import Counts

log = structlog.get_logger(__name__)

#: Seconds between two looks for bulk jobs, and that one turn at a job takes.
_LOOK = 1.0
#: How often what is old is removed, ms.
SWEEP_MS = 3_600_000
#: How often somebody looks for what was delivered nowhere by a version that keeps no list of it, ms.
RECOUNT_MS = 600_000
#: Seconds between two parts of a sweep, so that the server has time for others.
_BREATH = 0.01
_DAY_MS = 86_400_000

Id = TypeVar("Id", ConversationId, PayloadId)


class Chores:
    """One thread of a worker. Any number of workers take turns."""

    def __init__(
        self,
        client: Client,
        store: Store,
        settings: Callable[[], Settings],
        stopping: threading.Event,
        data_dir: Path | None = None,
    ) -> None:
        """Without a `data_dir` nothing waits on this machine's disk."""
        self._data_dir, self._swept_at = data_dir, -math.inf
        self._store, self._settings, self._stopping = store, settings, stopping
        self._jobs, self._eraser, self._ledger = Jobs(client, settings), Eraser(client), Ledger(client)
        self._backfill, self._causes = Backfill(client, settings), Causes(client)
        self._names, self._taken = Renames(client), set[str]()
        self._counts, self._blocks = Counts(client), SearchBlocks(client)
        self._stranded = StrandedOrders(client)
        self._reported: Settings | None = None
        self._noted = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="chores", daemon=True).start()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK):
            try:
                self.report()
                self.look_after_names()
                self.look_after_orders()
                self.note_beginnings()
                if self._store.turn("recount", RECOUNT_MS):
                    self._backfill.recount()
                    self._causes.sort(self._ledger.connectors())
                self.work_on_jobs()
                self._eraser.rewrite_if_due()
                self.sweep_disk()
                if self._store.turn("sweep", SWEEP_MS):
                    self.add_up_days()
                    self.sweep()
                    self.look_after_blocks()
            except StoreUnavailable as error:
                log.warning("store unavailable", error=str(error))
            except Exception:  # tomorrow's chores are to be done too
                log.exception("unhandled error in maintenance")

    def report(self) -> None:
        """Log once what is doubtful about a configuration: at the start, and when another one is there."""
        settings = self._settings()
        if settings is self._reported:
            return
        for one in doubts(settings):
            log.warning("configuration", problem=one.text, remedy=one.remedy)
        for lane in self._ledger.gone(settings.connectors):
            log.warning(
                "connector with queued deliveries is not in relay.yaml",
                connector=lane.name,
                queued=lane.waiting,
                remedy=gone_remedy(lane.name),
            )
        self._reported = settings

    def look_after_names(self) -> None:
        """Say that this configuration is in force, and bring what has an old name under its new one."""
        taken = self._names.keep(self._settings())
        for name in taken - self._taken:
            log.warning(
                "a connector has another name in another worker's relay.yaml; this worker delivers nothing to it",
                connector=name,
                remedy="give all workers the same relay.yaml; a new connector can have this name one minute after"
                " formerly no longer contains it",
            )
        self._taken = taken
        for old, new in self._names.finish(_LOOK):
            log.info("connector renamed: all deliveries moved", old=old, new=new)

    def look_after_orders(self) -> None:
        """What is to be fetched for an account goes on under the name that the account has today."""
        for old, new, moved in self._stranded.adopt(self._settings()):
            log.info("account has another name: its chats are fetched under that", old=old, new=new, chats=moved)

    def note_beginnings(self) -> None:
        """Where Smartsupp's API may give a chat once more: note when those began that a version without this has
        read, once."""
        if self._noted or not any(one.api for one in self._settings().accounts.values()):
            return
        if not self._store.beginnings_noted():
            cursor, first = 0, True
            while cursor or first:
                cursor, first = self._store.note_beginnings(cursor), False
                if self._stopping.wait(_BREATH):
                    return
            self._store.beginnings_noted(now=True)
        self._noted = True

    def work_on_jobs(self) -> None:
        """Advance every open job until it is finished, or another worker has its turn."""
        for identity in self._jobs.open():
            while not self._stopping.is_set() and self._store.turn("chore", round(_LOOK * 1000)):
                try:
                    job = self._jobs.advance(identity, _LOOK)
                except NotFound:  # erased a moment ago
                    break
                if job.finished:
                    log.info("bulk job finished", job=identity, kind=job.kind, done=job.done)
                    break

    def add_up_days(self) -> None:
        """So that pages need not read every hour of a year."""
        while self._counts.add_up() and not self._stopping.wait(_BREATH):
            pass

    def look_after_blocks(self) -> None:
        """So that a name is found among many chats in no time."""
        self._blocks.refresh()
        while self._blocks.build() and not self._stopping.wait(_BREATH):
            pass

    def sweep_disk(self) -> None:
        """Files of chats for which nobody waits any more go from this machine; others have disks of their own."""
        if self._data_dir is None or time.monotonic() < self._swept_at + SWEEP_MS / 1000:
            return
        self._swept_at = time.monotonic()
        if count := sweep_files(self._data_dir, known=self._store.knows):
            log.info("files of chats for which nothing waits any more were removed", files=count)

    def sweep(self) -> tuple[int, int]:
        """Remove what its time is over. Returns how many conversations and bodies went."""
        kept = self._settings().retention
        now = self._ledger.now()
        settled = _before(now, kept.settled_days)
        dead = _before(now, kept.dead_days)
        # What is never to go has an end before everything.
        ends = (settled or 0, dead or 0)
        conversations = self._removed(self._eraser.old(max(ends)), lambda part: self._eraser.settled(part, *ends))
        bodies = 0
        for status, before in (
            (PayloadStatus.SET_ASIDE, settled),
            (PayloadStatus.DISCARDED, settled),
            (PayloadStatus.QUARANTINED, dead),
        ):
            bodies += self._removed(self._eraser.old_payloads(status, before or 0), self._bodies(status, before or 0))
        if conversations or bodies:
            self._blocks.refresh()  # their names stand there, too, and are not to be in the file that is written now
            log.info("retention: removed old data", conversations=conversations, payloads=bodies)
            # A small shop's append-only file may not grow for years so far that the server rewrites it by itself.
            if self._store.turn("rewritten", _DAY_MS):
                self._eraser.rewrite()
        return conversations, bodies

    def _bodies(self, status: PayloadStatus, before: int) -> Callable[[Sequence[PayloadId]], int]:
        return lambda part: self._eraser.bodies(part, status, before)

    def _removed(self, found: Iterable[Sequence[Id]], remove: Callable[[Sequence[Id]], int]) -> int:
        count = 0
        for part in found:
            count += remove(part)
            if self._stopping.wait(_BREATH):
                break
            self.work_on_jobs()  # somebody may be watching one
        return count


def _before(now: int, days: float | None) -> int | None:
    return None if days is None else now - round(days * _DAY_MS)
