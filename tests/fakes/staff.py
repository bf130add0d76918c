"""Users to whom records can be given, for the fakes of destinations that have such."""

from __future__ import annotations

from functools import cached_property
from typing import Any


class Staff:
    """Beside a Fake. A number of `knows_owner` is the whole id, or what the vendor's id is made of (`spelled`)."""

    @cached_property
    def staff(self) -> dict[Any, dict[str, Any]]:
        """By id: email, and whether the user is active."""
        return {}

    @cached_property
    def refused(self) -> set[Any]:
        """Users who are listed, and to whom the vendor gives no record all the same."""
        return set()

    @cached_property
    def todo(self) -> list[dict[str, Any]]:
        """Tasks, in the order in which they were made: `of` a record, `owner`, `due` as the vendor keeps it."""
        return []

    def spelled(self, number: int) -> Any:
        """An id, as the vendor spells it."""
        return number

    def knows_owner(self, email: str, *, active: bool = True) -> Any:
        found = self.spelled(self.new_id())  # type: ignore[attr-defined]  # of the fake
        self.staff[found] = {"email": email, "active": active}
        return found

    def may_own(self, user: Any) -> bool:
        """Whether the vendor takes this user for an owner."""
        return user in self.staff and bool(self.staff[user]["active"]) and user not in self.refused

    def hired(self) -> list[tuple[Any, str, bool]]:
        return [(number, one["email"], one["active"]) for number, one in self.staff.items()]

    def due_of(self, record: Any) -> str:
        """Of the one task that is the record owner's."""
        found = [one for one in self.todo if one["of"] == self.id_of(record)]
        assert all(one["owner"] == self.owner_of(record) for one in found)
        assert len(found) < 2
        return str(found[0]["due"] or "") if found else ""

    def id_of(self, record: Any) -> Any:
        return record["id"]

    def owner_of(self, record: Any) -> Any:
        raise NotImplementedError
