"""Persons whom Pipedrive is asked to delete."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.kit.connector import Somebody
from connectors.pipedrive.api import NONE
from connectors.pipedrive.checks import PipedriveChecks
from connectors.pipedrive.persons import PERSONS, PersonDirectory


class PipedriveErasing(PipedriveChecks):
    """The part of the connector that removes somebody."""

    erases = "Pipedrive marks the person as deleted and removes them for good after 30 days; leads and deals stay"

    def find_persons(self, email: str) -> Iterator[Somebody]:
        for one in PersonDirectory(self).find("email", email):
            name = " ".join(one.values("called"))
            yield Somebody(str(one.id), f"{name} <{email}>", f"{self.base}/person/{one.id}")

    def erase_person(self, person: Somebody) -> None:
        # https://developers.pipedrive.com/docs/api/v1/Persons#deletePerson
        self.http.request("DELETE", f"{self.base}{PERSONS}/{person.id}", repeatable=True, judge=self.when(NONE))
