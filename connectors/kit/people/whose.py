"""Whose chat it is: found, else created; blank fields filled, and what is there left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.kit.connector import HttpConnector, Step
from connectors.kit.people.company import company_domain
from connectors.kit.people.directory import Contact, Directory, best, same, same_name
from connectors.kit.people.memory import Memory
from connectors.kit.people.settings import Identifier, PeopleSettings, PersonSettings, Said, said_in
from connectors.kit.person import unless_refused
from connectors.kit.record import Mapping as Words
from core.delivery import CONFLICTS
from core.errors import Gone, RecordRefused

R = TypeVar("R")


@dataclass(frozen=True)
class People:
    """The persons of a connector, for one delivery. `name` is the step that remembers the person."""

    connector: HttpConnector[Any]  # whose settings are a PersonSettings
    directory: Directory
    name: str = "person"

    @property
    def settings(self) -> PersonSettings:
        settings: PersonSettings = self.connector.settings
        return settings

    @property
    def memory(self) -> Memory:
        connector = self.connector
        return Memory(lambda: connector.state, self.settings.remember_days, lambda: connector.http.is_pretending)

    def whose(self, step: Step, words: Words, make: Callable[[Any], R], *, made_up: bool = False) -> R:
        """`make(person)` with the id of the chat's person at the vendor's, or with None: there is none, and none is
        wanted. Where the vendor does not take the address, the body says so, and the person is nobody, or with
        `made_up` one with a made-up address. Raises Skipped."""

        refused: list[Any] = []

        def who() -> Any:
            # Called again, it is to find somebody else than whom the vendor has refused.
            for one in refused:
                self.memory.forget(one)
            person = _Search(self, step, said_in(words, self.settings, made_up=made_up), refused).person()
            refused.extend([person] if person is not None else [])
            return person

        return unless_refused(step, self.name, words, who, make)


class _Search:
    def __init__(self, people: People, step: Step, said: Said, refused: Sequence[Any]) -> None:
        self._settings, self._memory, self._directory = people.settings, people.memory, people.directory
        self._name, self._step, self._said, self._refused = people.name, step, said, refused
        #: Fields that the vendor did not take, and what the chat said there.
        self._untaken: dict[str, str] = {}

    def person(self) -> Any:
        contact: Contact | None = None
        if not self._step.knows(self._name):
            self._step.forget(f"{self._name} fields")  # of somebody who died meanwhile
            with self._step.alone(self._name, self._identities()):
                contact = self._found() or self._made()
                if contact is None:
                    return None
                self._step(self._name, lambda: contact.id)
                # Before others may look: the vendor's own search may not know the person yet.
                self._memory.note(contact.id, self._said.known_by)
        person = self._step(self._name, lambda: None)
        self._told(person, contact)
        return person

    def _identities(self) -> Iterable[str]:
        """What no two deliveries may look for at once."""
        nameless = "" if self._said.email else self._directory.nameless.lower()
        return [*self._said.identities, *([nameless] if nameless else [])]

    # --- who it is -----------------------------------------------------------------

    def _found(self) -> Contact | None:
        known_by, kinds = self._said.known_by, self._settings.match
        for kind in kinds:
            if kind in known_by and (found := best(self._having(kind, known_by[kind]))):
                return found
        return next(self._remembered(kinds), None) or self._same_browser()

    def _having(self, kind: Identifier, value: str) -> Iterator[Contact]:
        return (one for one in self._directory.find(kind, value) if one.id not in self._refused)

    def _remembered(self, kinds: Iterable[str]) -> Iterator[Contact]:
        for person in self._memory.recall(self._said.known_by, kinds):
            if found := self._directory.get(person):
                yield found
            else:
                self._memory.forget(person)

    def _same_browser(self) -> Contact | None:
        """Somebody with another address at the same computer is somebody else."""
        found = next(self._remembered(["visitor"]), None)
        if found and "email" in self._said.known_by and found.values(self._directory.email):
            return None
        return found

    def _made(self) -> Contact | None:
        said = self._said
        if not (said.email or self._directory.nameless):
            return None
        made: list[Contact] = []

        def create() -> Any:
            made.append(self._created())
            return made[0].id

        person = self._step.once(self._name, create, find=lambda: self._directory.made(said))
        return made[0] if made else self._directory.get(person) or Contact(person)

    def _created(self) -> Contact:
        own = {name: text for name, text in self._directory.own(self._said).items() if text}
        everything = {**own, **self._said.fields, **self._said.new}
        try:
            return self._directory.create(self._said, everything)
        except Gone:
            raise
        except RecordRefused:
            # An ill-formed field costs the field, not the person and not the chat.
            least = {
                name: text for name, text in own.items() if name in (*self._directory.names, self._directory.email)
            }
            if least == everything:
                raise
            made = self._directory.create(self._said, least)
            self._fill(made.id, {name: text for name, text in everything.items() if name not in least})
            return made

    # --- what is written ---------------------------------------------------------------

    def _told(self, person: Any, contact: Contact | None) -> None:
        """Fill what is blank, once for what a revision says, and list what the chat said otherwise."""
        told, digest = f"{self._name} fields", self._said.digest
        if self._step.knows(told) and self._step(told, str) == digest:
            return
        if contact is None:  # an attempt that ended here, or a revision that says something else
            contact = self._directory.get(person)
            if contact is None:
                raise Gone("the person was deleted at the destination", self._name)
            self._memory.note(contact.id, self._said.known_by)
        conflicts = [] if contact.fresh else self._filled(contact)
        self._belongs(contact)
        self._step.forget(told, CONFLICTS)
        conflicts += [_conflict(name, text, refused=True) for name, text in self._untaken.items()]
        if conflicts:
            self._step(CONFLICTS, lambda: conflicts)
        self._step(told, lambda: digest)

    def _filled(self, contact: Contact) -> list[dict[str, Any]]:
        names = self._directory.names
        wanted = {**self._directory.own(self._said), **self._said.fields}
        said = {name: text for name, text in wanted.items() if text and name not in names}
        blank = {name: text for name, text in said.items() if not contact.values(name)}
        named = [value for name in names for value in contact.values(name)]
        conflicts = [
            _conflict(name, text)
            for name, text in said.items()
            if name not in blank and not any(same(one, text) for one in contact.values(name))
        ]
        if not named:
            blank |= {name: wanted[name] for name in names if wanted.get(name)}
        elif not same_name(named, self._said.name):
            conflicts.insert(0, _conflict("name", self._said.name))
        if blank:
            self._fill(contact.id, blank)
        return conflicts

    def _fill(self, person: Any, blank: Mapping[str, str]) -> None:
        """Together; and one by one where the vendor does not take one of them."""
        try:
            self._directory.fill(person, blank)
        except Gone:
            raise
        except RecordRefused:
            if len(blank) == 1:
                self._untaken |= blank
                return
            for name, text in blank.items():
                self._fill(person, {name: text})

    def _belongs(self, contact: Contact) -> None:
        links = isinstance(self._settings, PeopleSettings) and self._settings.link_company
        domain = company_domain(self._said.known_by.get("email", "")) if links else ""
        if domain and not contact.company and (company := self._directory.company(domain)) is not None:
            self._directory.link(contact.id, company)


def _conflict(name: str, said: str, *, refused: bool = False) -> dict[str, Any]:
    return {"field": name, "said": said, **({"refused": True} if refused else {})}
