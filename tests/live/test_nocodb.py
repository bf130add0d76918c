"""The example for NocoDB against a real one: `relay web`, `relay worker`, Valkey, and NocoDB on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from tests.live.declared import DeclaredAtWork, Record
from tests.live.nocodb import MISSING, NocoDB, installed
from tests.live.postgres import Postgres

pytestmark = [pytest.mark.live, pytest.mark.skipif(not installed(), reason=MISSING)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NocoDB]:
    with Postgres() as database:
        server = NocoDB(tmp_path_factory.mktemp("nocodb") / "nocodb", database)
        try:
            yield server.start()
        finally:
            server.stop()


class TestNocoDB(DeclaredAtWork):
    example = "nocodb"
    secret = "NOCODB_TOKEN"
    refused = "401"
    proven = ("table of people is People", "table of chats is Chats", "table of transcripts is Transcript")
    missing = ("NOCODB_CHATS", "there is no table nothing-of-this-name for chats")
    is_written_over = True
    writes = 4

    def environment(self, system: NocoDB) -> Mapping[str, str]:
        tables = {f"NOCODB_{name.upper()}": table for name, table in system.tables.items()}
        return {"NOCODB_URL": system.url, "NOCODB_TOKEN": system.token, "NOCODB_BASE": system.base, **tables}

    def records(self, system: NocoDB, key: str) -> list[Record]:
        parts: dict[int, list[str]] = {}
        for one in system.rows("Transcript"):
            parts.setdefault(one["fields"]["chats_id"], []).append(one["fields"]["Text"])
        chats = [one for one in system.rows("Chats") if one["fields"]["Key"] == key]
        return [
            Record(one["id"], one["fields"]["People"]["fields"]["Email"], parts.get(one["id"], [])) for one in chats
        ]

    def delete(self, system: NocoDB, record: Record) -> None:
        system.delete("Chats", record.id)

    def has_one_person(self, system: NocoDB, email: str, keys: Sequence[str]) -> None:
        (person,) = [one["id"] for one in system.rows("People") if one["fields"]["Email"] == email]
        theirs = {one["fields"]["Key"] for one in system.rows("Chats") if one["fields"]["people_id"] == person}
        assert theirs == {*keys}

    def test_a_person_who_was_deleted_there_is_created_again_by_the_next_chat(self, system: NocoDB) -> None:
        made, email = self.connector(system), "gone@example.com"
        self.deliver(made, "gone-1", {}, "number 1", email=email)
        (person,) = [one["id"] for one in system.rows("People") if one["fields"]["Email"] == email]
        system.delete("People", person)
        self.deliver(made, "gone-2", {}, "number 2", email=email)
        self.has_one_person(system, email, ["smartsupp:1:gone-2"])

    def test_an_address_is_one_person_however_it_is_written(self, system: NocoDB) -> None:
        made = self.connector(system)
        self.deliver(made, "written-1", {}, "number 1", email="Iva.O'Hara+x@Example.com")
        self.deliver(made, "written-2", {}, "number 2", email="iva.o'hara+x@example.com")
        self.has_one_person(system, "iva.o'hara+x@example.com", ["smartsupp:1:written-1", "smartsupp:1:written-2"])
