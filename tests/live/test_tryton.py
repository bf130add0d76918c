"""The example for Tryton against a real one: `relay web`, `relay worker`, Valkey, and Tryton."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from tests.live.declared import DeclaredAtWork, Record
from tests.live.tryton import ADMIN, DATABASE, MISSING, Tryton, installed

pytestmark = [pytest.mark.live, pytest.mark.skipif(not installed(), reason=MISSING)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tryton]:
    server = Tryton(tmp_path_factory.mktemp("tryton") / "tryton")
    try:
        yield server.start()
    finally:
        server.stop()


class TestTryton(DeclaredAtWork):
    example = "tryton"
    secret = "TRYTON_PASSWORD"
    refused = "401"
    proven = ("Tryton accepts this user", "this user may read parties and notes")
    is_written_over = False
    heals = True
    writes = 3

    def environment(self, system: Tryton) -> Mapping[str, str]:
        user, password = ADMIN
        return {
            "TRYTON_URL": system.url,
            "TRYTON_DATABASE": DATABASE,
            "TRYTON_USER": user,
            "TRYTON_PASSWORD": password,
        }

    def records(self, system: Tryton, key: str) -> list[Record]:
        """Notes of a chat by the party that they are on: one party, or it is two records."""
        texts: dict[int, list[str]] = {}
        for note in system.notes():
            if f"[{key} " in note["message"]:
                texts.setdefault(int(note["resource"].partition(",")[2]), []).append(note["message"])
        return [Record(party, ",".join(system.emails(party)), found) for party, found in texts.items()]

    def delete(self, system: Tryton, record: Record) -> None:
        system.delete(record.id)

    def has_one_person(self, system: Tryton, email: str, keys: Sequence[str]) -> None:
        (party,) = system.parties(email)
        assert {key for key in keys for one in self.records(system, key) if one.id == party} == {*keys}
