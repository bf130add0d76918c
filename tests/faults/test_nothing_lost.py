"""What was answered with 2xx arrives, once and in order, whatever happens to whom."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import asdict

import pytest

from core.delivery import DeliveryStatus
from tests.faults import books
from tests.faults.account import LONG, PROPERTY, Account
from tests.faults.conftest import Rigs
from tests.faults.load import Load
from tests.faults.rig import Rig
from tests.faults.rows import DIED, ROWS, Row
from tests.support.stack import until

#: Seconds until interrupted work has to go on: on a machine of its own, as for the table; in the long form on any
#: machine; and where other tests run beside it.
LIMIT = 10.0 if os.environ.get("RELAY_FAULTS_WRITE") else 20.0 if LONG else 30.0


def slug(row: Row) -> str:
    return re.sub(r"\W+", "-", row.name).strip("-")


@pytest.mark.parametrize("row", [row for row in ROWS if row.rounds[LONG]], ids=slug)
def test_nothing_is_lost(row: Row, rigs: Rigs, record_property: Callable[[str, object], None]) -> None:
    rig = rigs.ready()
    try:
        account, load = carried_out(row, rig)
        record_property(PROPERTY, asdict(account))
        assert_right(row, rig, account, {f"1:{conversation}" for conversation in load.poisonous})
        rig.clear()
    except BaseException:
        rigs.discard()
        raise


def carried_out(row: Row, rig: Rig) -> tuple[Account, Load]:
    rounds = row.rounds[LONG]
    ledger = rig.relay.ledger
    with Load(rig.relay.hook, "c") as load:
        until(lambda: load.accepted() >= 10 and len(rig.desk.received) >= 10, what="work going on")
        row.do(rig, load, rounds)
        with rig.still():
            halfway = books.read(ledger, "desk")
    assert not halfway.missing
    resumed = rig.watch.longest()
    rig.until_settled(row.step)
    desk, hook = books.read(ledger, "desk"), books.read(ledger, "hook")
    expected = books.posted(load.posts) if row.forgets else books.newest(ledger, desk, load.posts)
    absent, disordered, duplicates = books.at_desk(rig.desk, ledger, expected, rewound=row.rewinds)
    absent_too, disordered_too, repeats = books.at_hook(rig.hook, expected, rewound=row.rewinds)
    known = [] if row.forgets else load.posts
    lost = [*books.lost(desk, known), *books.lost(hook, known), *absent, *absent_too, *rig.astray]
    print("lost", lost, "double", rig.twice, "out of order", disordered, disordered_too, sep="\n")  # noqa: T201  # pytest shows it on failure
    account = Account(
        fault=row.name,
        rounds=rounds,
        posts=len(load.posts),
        accepted=len({one.id for one in load.posts if one.accepted}),
        kept=desk.kept,
        delivered=desk.classes["delivered"],
        dead=desk.classes["dead"],
        quarantined=desk.classes["quarantined"],
        halfway=halfway.classes["waiting"],
        interrupted=rig.watch.interrupted,
        lost=len(lost),
        duplicates=duplicates + len(rig.twice),
        disordered=len(disordered) + len(disordered_too),
        resumed=resumed if rig.watch.took else None,
        repeats=repeats,
        note=rig.note,
    )
    return account, load


def assert_right(row: Row, rig: Rig, account: Account, poison: set[str]) -> None:
    """`poison` are the conversations that kill."""
    assert account.lost == 0
    assert account.duplicates == 0
    assert account.disordered == 0
    assert account.kept == account.delivered + account.dead + account.quarantined
    # No body appears from nowhere: beside the accepted ones there are only those whose senders got no answer.
    assert account.kept <= account.posts
    assert account.kept < account.accepted if row.forgets else account.kept >= account.accepted
    assert account.resumed is None or account.resumed <= LIMIT
    # Of a few kills each may meet nobody at work.
    assert account.interrupted or not (LONG and row.interrupts)
    # Dead is only who should be.
    innocent = [
        one
        for one in rig.relay.ledger.deliveries(DeliveryStatus.DEAD, limit=books.ALL)
        if not (one.connector == "desk" and ("422" in one.error or (one.error == DIED and one.conversation in poison)))
    ]
    assert innocent == []
    assert (rig.fallen > 0) == row.fallen, rig.relay.logs()[-3000:]
