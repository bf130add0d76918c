"""The section `agents` as a form has it: who wrote in the last chats, and by which email others know them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.config.editing.door import Door, Draft
from core.config.editing.yaml_edit import Edit, Put, Remove
from core.conversation import Conversation
from core.errors import ConfigError, Problem
from core.values.chat import Values


@dataclass(frozen=True)
class AgentRow:
    """An agent by the id at Smartsupp. `email` and `name` as relay.yaml has them, or ""."""

    id: str
    email: str = ""
    name: str = ""


@dataclass(frozen=True)
class SeenAgents:
    """Of `looked` chats: the `names` that Smartsupp gives agents, and how many `chats` each wrote in, by id."""

    looked: int
    names: Mapping[str, str]
    chats: Mapping[str, int]

    def known(self, rows: Iterable[AgentRow]) -> int:
        """In how many cases of an agent in a chat these rows have an email."""
        return sum(self.chats.get(one.id, 0) for one in rows if one.email)

    @property
    def all(self) -> int:
        return sum(self.chats.values())


def seen_agents(chats: Iterable[Conversation]) -> SeenAgents:
    """Who wrote in these, the newest first: the newest name counts."""
    names: dict[str, str] = {}
    number: Counter[str] = Counter()
    looked = 0
    for chat in chats:
        looked += 1
        for agent in Values(chat).agents:
            names.setdefault(agent.id, agent.name)
            number[agent.id] += 1
    return SeenAgents(looked, names, number)


def written_agents(values: Mapping[str, Any]) -> list[AgentRow]:
    """Those of relay.yaml. Raises ConfigError for what is no such section."""
    section = values.get("agents") or {}
    if not isinstance(section, dict):
        raise ConfigError("relay.yaml", [Problem("agents", "is not a table of agents; correct it by hand")])
    return [_row(str(key), one) for key, one in section.items()]


def renamed_agents(door: Door, rows: Sequence[AgentRow]) -> Draft:
    """These and no others; one without email and name is left out. Raises ConfigError."""
    values = door.values()
    old = {one.id: one for one in written_agents(values)}
    # A file may have the number without quotes.
    keys = {str(key): key for key in values.get("agents") or {}}
    wanted = {one.id: one for one in rows if one.email or one.name}
    edits: list[Edit] = []
    if old and not wanted:
        edits.append(Remove(("agents",)))
    elif old:
        edits += [
            Put(("agents", keys.get(key, key)), _written(one)) for key, one in wanted.items() if one != old.get(key)
        ]
        edits += [Remove(("agents", keys[key])) for key in old if key not in wanted]
    elif wanted:
        edits.append(Put(("agents",), {key: _written(one) for key, one in wanted.items()}))
    return door.draft("Change the agents", *edits)


def _row(key: str, one: Any) -> AgentRow:
    if isinstance(one, str):
        return AgentRow(key, email=one)
    if isinstance(one, dict):
        return AgentRow(key, str(one.get("email") or ""), str(one.get("name") or ""))
    raise ConfigError("relay.yaml", [Problem(f"agents.{key}", "is not an agent; correct it by hand")])


def _written(row: AgentRow) -> Any:
    if not row.name:
        return row.email
    return {**({"email": row.email} if row.email else {}), "name": row.name}
