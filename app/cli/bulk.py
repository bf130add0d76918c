"""Doing the same to many: count, ask, and do it, with a bar that shows how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import click

from app.admin.replays import replay_refusal
from app.cli.options import ask, client_of, fail, ledger_of, require_connector, settings_of, whoever
from app.cli.output.records import print_json
from core.config.environment import Environment
from core.config.settings import Settings
from core.delivery import DeliveryStatus
from core.errors import NotFound, StoreUnavailable
from core.ids import ConversationId, DeliveryId, PayloadId, identified
from core.store import Aim, Backfill, Filter, Jobs, Search
from core.store.backfill import BackfillSize
from core.store.jobs import Job, JobKind

_VERBS: dict[JobKind, str] = {"replay": "Replay", "discard": "Discard"}
#: Seconds that counting may take before it says "at least".
_COUNTING = 10.0
#: What can be discarded. The rest is settled.
_OPEN = (DeliveryStatus.WAITING, DeliveryStatus.RETRYING, DeliveryStatus.DEAD)


class ProgressBar(Protocol):
    pos: int

    def update(self, n_steps: int) -> None: ...


@contextmanager
def bar(length: int | None, label: str) -> Iterator[ProgressBar]:
    """A progress bar beside the output, so that a pipe gets only that. Without a terminal or a length there is none."""
    hidden = length is None or not sys.stderr.isatty()
    shown: Any = click.progressbar(length=length or 1, label=label, file=sys.stderr, hidden=hidden)
    with shown:
        yield shown


def run_bulk(
    env: Environment,
    kind: JobKind,
    wanted: Filter,
    *,
    yes: bool,
    as_json: bool,
    reason: str = "",
    aim: Aim | None = None,
) -> None:
    """Do it to everything that matches, as a job that the workers finish if this process does not."""
    settings = settings_of(env)
    _refused(env, settings, kind, wanted)
    client = client_of(env)
    as_of = ledger_of(env).now()
    if aim:
        found = Backfill(client, lambda: settings).count(wanted.as_of(as_of), aim, _COUNTING)
        question, nothing = _question_of_past(aim, found), _nothing(aim, found)
    else:
        total, exact = Search(client).count(wanted.as_of(as_of), _COUNTING)
        question, nothing = _question(kind, wanted, total, exact=exact), "" if total else "nothing matches"
    if nothing:
        told = {"job": None, "matched": 0, "done": 0, "finished": True, "reason": nothing}
        print_json(told) if as_json else click.echo(nothing)
        return
    ask(question, yes)
    jobs = Jobs(client, lambda: settings)
    job = jobs.start(kind, wanted, reason=reason, by=whoever(), as_of=as_of, aim=aim)
    try:
        job = _watched(jobs, job)
    except KeyboardInterrupt:
        if as_json:
            print_json(_told(jobs.get(job.id)))
        fail(f"\nStopped watching. {_left(env, job)}")
    except StoreUnavailable:
        click.echo(f"Job {job.id} was started. {_left(None, job)}", err=True)
        raise
    _report(env, job, as_json=as_json)


def _refused(env: Environment, settings: Settings, kind: JobKind, wanted: Filter) -> None:
    """End the command where nothing can come of it."""
    if wanted.connector:
        require_connector(env, wanted.connector)
        if kind == "replay" and (why := replay_refusal(settings, wanted.connector)):
            fail(why)


def _report(env: Environment, job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json(_told(job))
    elif job.kind == "replay":
        click.echo(f"{job.done:,} queued; follow them with: relay status")
    else:
        click.echo(f"{job.done:,} discarded")
    if job.kind == "replay" and job.filter.undelivered and (left := ledger_of(env).undelivered()):
        still = "chat is" if left == 1 else "chats are"
        why = "see relay deliveries --status undelivered"
        click.echo(f"{left:,} {still} still not delivered anywhere: {why}", err=True)
    if job.kind == "replay" and job.found and not job.done:
        fail("nothing was queued: no connector in relay.yaml takes any of them; run relay config check")


def _question(kind: JobKind, wanted: Filter, total: int, *, exact: bool) -> str:
    what = ("delivery" if total == 1 else "deliveries") if wanted.about_deliveries else "chat"
    many, least = "" if total == 1 or wanted.about_deliveries else "s", "" if exact else "at least "
    if wanted.undelivered and kind == "replay":
        return f"Deliver {least}{total:,} {what}{many} by the current routes?"
    return f"{_VERBS[kind]} {least}{total:,} {what}{many}?"


def _question_of_past(aim: Aim, found: BackfillSize) -> str:
    many = "" if found.due == 1 else "s"
    return f"Deliver {'' if found.whole else 'at least '}{found.due:,} past chat{many} to {aim.connector}?"


def _nothing(aim: Aim, found: BackfillSize) -> str:
    """Why there is nothing to do, if that is so."""
    if found.due or not found.whole:
        return ""
    if not found.matched:
        return "nothing matches"
    had = "" if aim.repeat else f"{aim.connector} has received them before (--again repeats them)"
    routes = "" if aim.anyway else "no route sends them to it (--all ignores the routes)"
    return f"nothing to deliver: {found.matched:,} match, but {' or '.join(filter(None, (had, routes)))}"


def _watched(jobs: Jobs, job: Job) -> Job:
    with bar(job.total, "Replaying" if job.kind == "replay" else "Discarding") as shown:
        while job.finished is None:
            before = job.seen
            job = jobs.advance(job.id)
            shown.update(min(job.seen, job.total) - shown.pos)
            if job.seen == before:  # a worker has its turn
                time.sleep(0.05)
    return job


def _left(env: Environment | None, job: Job) -> str:
    alone = env is not None and not ledger_of(env).workers()
    return (
        f"The workers finish job {job.id}{' as soon as one runs' if alone else ''}; see its progress with: relay jobs"
    )


def _told(job: Job) -> dict[str, Any]:
    return {
        "job": job.id,
        "total": job.total,
        "matched": job.found,
        "seen": job.seen,
        "done": job.done,
        "finished": job.finished is not None,
    }


def deliveries_of(
    env: Environment, text: str, kind: JobKind
) -> Sequence[DeliveryId] | Sequence[PayloadId | ConversationId | DeliveryId]:
    """What an id stands for: itself, or the deliveries of a conversation, if it has any. Raises NotFound."""
    identity = identified(text)
    if not isinstance(identity, ConversationId):
        return [identity]
    found = ledger_of(env).conversation(identity).deliveries
    if not found:
        return [identity]
    if kind == "replay":
        return [delivery.id for delivery in found]
    if chosen := [delivery.id for delivery in found if delivery.status in _OPEN]:
        return chosen
    raise NotFound(f"chat {identity}: no delivery is queued, retrying or dead; nothing was discarded")
