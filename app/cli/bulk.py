"""Doing the same to many: count, ask, and do it, with a bar that shows how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import click

from app import show
from app.options import ask, fail, known, ledger_of, whoever
from core.delivery import DeliveryStatus
from core.environment import Environment
from core.errors import NotFound, StoreUnavailable
from core.store import Filter, Jobs, Search, connected
from core.store.jobs import Job, Kind
from workers.celery import create, knocker

_VERBS: dict[Kind, tuple[str, str]] = {"replay": ("Deliver", "again"), "discard": ("Discard", "for good")}
#: Seconds that counting may take before it says "at least".
_COUNTING = 10.0
#: What can be discarded. The rest is settled.
_OPEN = (DeliveryStatus.WAITING, DeliveryStatus.RETRYING, DeliveryStatus.DEAD)


class Bar(Protocol):
    pos: int

    def update(self, n_steps: int) -> None: ...


@contextmanager
def bar(length: int | None, label: str) -> Iterator[Bar]:
    """A progress bar beside the output, so that a pipe gets only that. Without a terminal or a length there is none."""
    hidden = length is None or not sys.stderr.isatty()
    shown: Any = click.progressbar(length=length or 1, label=label, file=sys.stderr, hidden=hidden)
    with shown:
        yield shown


def run(env: Environment, kind: Kind, wanted: Filter, *, yes: bool, as_json: bool, reason: str = "") -> None:
    """Do it to everything that matches, as a job that the workers finish if this process does not."""
    if wanted.connector:
        known(env, wanted.connector)
    client = connected(env)
    as_of = ledger_of(env).now()
    total, exact = Search(client).count(wanted.as_of(as_of), _COUNTING)
    if not total:
        show.print_json({"job": None, "matched": 0, "done": 0, "finished": True}) if as_json else click.echo(
            "nothing matches"
        )
        return
    what = ("delivery" if total == 1 else "deliveries") if wanted.about_deliveries else "conversation"
    many = "" if total == 1 or wanted.about_deliveries else "s"
    verb, after = _VERBS[kind]
    ask(f"{verb} {'' if exact else 'at least '}{total:,} {what}{many} {after}?", yes)
    jobs = Jobs(client, knocker(create(env)))
    job = jobs.start(kind, wanted, reason=reason, by=whoever(), as_of=as_of)
    try:
        job = _watched(jobs, job)
    except KeyboardInterrupt:
        if as_json:
            show.print_json(_told(jobs.get(job.id)))
        fail(f"\nStopped looking. {_left(env, job)}")
    except StoreUnavailable:
        click.echo(f"Job {job.id} was begun. {_left(None, job)}", err=True)
        raise
    if as_json:
        show.print_json(_told(job))
    elif kind == "replay":
        click.echo(f"{job.done:,} due now; see how they fare with: relay status")
    else:
        click.echo(f"{job.done:,} discarded")


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
    return f"The workers finish job {job.id}{', as soon as one runs' if alone else ''}; see how far it is: relay jobs"


def _told(job: Job) -> dict[str, Any]:
    return {
        "job": job.id,
        "total": job.total,
        "matched": job.found,
        "seen": job.seen,
        "done": job.done,
        "finished": job.finished is not None,
    }


def deliveries_of(env: Environment, identity: str, kind: Kind) -> Sequence[str]:
    """What an id stands for: itself, or the deliveries of a conversation. Raises NotFound."""
    if identity.count(":") != 1:
        return [identity]
    found = ledger_of(env).conversation(identity).deliveries
    if not found:
        raise NotFound(f"conversation {identity} has no deliveries; replay its payload instead")
    if kind == "replay":
        return [delivery.id for delivery in found]
    if chosen := [delivery.id for delivery in found if delivery.status in _OPEN]:
        return chosen
    raise NotFound(f"every delivery of conversation {identity} is settled; nothing was discarded")
