"""Persons at destinations: whom each keeps under an address, and what it says when it is asked to erase them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from connectors.kit.connector import Connector, Somebody
from core.config.mistakes.files import file_mistake
from core.errors import DeliveryError


@dataclass(frozen=True)
class PersonThere:
    """A person at a destination, whom it can be asked to erase. `error` is why it did not, or could not be asked at all
    (then there is no `person`); "" when it did, or was not asked yet. `kept` are those who were found and not wished
    to be erased."""

    connector: str
    #: What the destination does.
    does: str
    person: Somebody | None = None
    error: str = ""
    kept: bool = False

    @property
    def tick(self) -> str:
        """Names the person in a form."""
        return f"{self.connector}:{self.person.id}" if self.person else ""

    def __str__(self) -> str:
        who = f"{self.person.name} {self.person.url}".rstrip() if self.person else "cannot be asked"
        return f"{self.connector}: {who}"


def persons_there(
    email: str, connectors: Mapping[str, Connector[Any]], seconds: float | None = None
) -> list[PersonThere]:
    """Whom the destinations keep under an address; nothing is erased yet. `seconds` is for how long answers are waited
    for: who has not answered by then could not be asked."""

    def look(name: str) -> list[PersonThere]:
        connector = connectors[name]
        try:
            with connector.attempt():
                return [PersonThere(name, connector.erases, one) for one in connector.find_persons(email)]
        except Exception as error:  # noqa: BLE001  # a third party's connector fails as it likes
            return [PersonThere(name, connector.erases, None, connector.mask(_answer(error)))]

    def late(name: str) -> list[PersonThere]:
        return [PersonThere(name, connectors[name].erases, None, f"no answer within {seconds:g} seconds; search again")]

    return _from_each([name for name, one in connectors.items() if one.erases], look, late, seconds)


def erase_there(
    found: Iterable[PersonThere], connectors: Mapping[str, Connector[Any]], seconds: float | None = None
) -> tuple[PersonThere, ...]:
    """Ask the destinations to erase these persons: what each said. `seconds` as above."""
    at: dict[str, list[PersonThere]] = {}
    for one in found:
        at.setdefault(one.connector, []).append(one)

    def erase(name: str) -> list[PersonThere]:
        return [_erased(one, one.person, connectors[name]) if one.person and not one.kept else one for one in at[name]]

    def late(name: str) -> list[PersonThere]:
        unknown = f"no answer within {seconds:g} seconds, so it may have happened; search again"
        return [replace(one, error=unknown) if one.person and not one.kept else one for one in at[name]]

    return tuple(_from_each(at, erase, late, seconds))


def _erased(one: PersonThere, person: Somebody, connector: Connector[Any]) -> PersonThere:
    try:
        with connector.attempt():
            connector.erase_person(person)
    except Exception as error:  # noqa: BLE001  # as above
        return replace(one, error=connector.mask(_answer(error)))
    return one


def _from_each(
    names: Collection[str],
    ask: Callable[[str], list[PersonThere]],
    late: Callable[[str], list[PersonThere]],
    seconds: float | None,
) -> list[PersonThere]:
    """What each destination answers. All at once, so that one that is slow takes the time of no other."""
    if not names:
        return []
    pool = ThreadPoolExecutor(len(names), thread_name_prefix="destination")
    answers = {name: pool.submit(ask, name) for name in names}
    wait(answers.values(), seconds)
    # What is still asked ends by the limits of its requests; nobody reads its answer.
    pool.shutdown(wait=False)
    return [one for name, answer in answers.items() for one in (answer.result() if answer.done() else late(name))]


def _answer(error: Exception) -> str:
    return str(error) if isinstance(error, DeliveryError) else what_failed(error)


def what_failed(error: Exception) -> str:
    return file_mistake(error) if isinstance(error, OSError) else f"internal error: {type(error).__name__}: {error}"
