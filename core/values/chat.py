"""The values of one chat, each worked out when somebody asks for it.

The type of each is what conditions and templates are checked by, its first line what the documentation says of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, get_type_hints
from urllib.parse import parse_qsl, urlsplit

from core.config.values import ValueSettings
from core.conversation import Agent, Conversation, ConversationPart, Variable
from core.redaction.chat import unredacted
from core.values import phone
from core.values.patterns import first

#: A variable or a mark of a campaign is no text of a visitor; what is longer than this is cut.
_LONGEST = 500
_RATINGS = {5: "good", 3: "normal", 1: "bad"}
_MARKS = ("source", "medium", "campaign", "term", "content")
#: `en`, `en-GB`, `en_GB`: the language alone.
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9-]+)*")
#: How pages name their language in an address.
_LANGUAGE_MARKS = ("lang", "language", "locale", "hl")


class Utm(ConversationPart):
    """The marks of a campaign. In a text they stand one after the other."""

    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""

    def __str__(self) -> str:
        return " / ".join(filter(None, (getattr(self, name) for name in _MARKS)))


class Values:
    """What can be known of a chat beside its own fields. What is not known is empty: "", an empty list, or None."""

    def __init__(self, conversation: Conversation, settings: ValueSettings | None = None) -> None:
        self.conversation = conversation
        #: What a shop asks for by name is worked out of what was written, not of what is left of it (docs/adr/0022).
        self._whole = unredacted(conversation)
        self._settings = settings or ValueSettings()

    @cached_property
    def kind(self) -> str:
        """`chat`, `missed` or `offline`."""
        return self.conversation.kind

    @cached_property
    def agent(self) -> Agent:
        """The last agent who wrote; automatic messages do not count."""
        return self.agents[-1] if self.agents else Agent()

    @cached_property
    def agents(self) -> tuple[Agent, ...]:
        """All agents who wrote, each once; the one who wrote last stands last."""
        names: dict[str, str] = {}
        for message in self.conversation.messages:
            kind, _, number = message.sender.partition("agent:")
            if message.type == "agent" and not kind and number and not message.triggered_by:
                known = names.pop(number, "")
                names[number] = message.name.strip() or known
        return tuple(self._agent(number, name) for number, name in names.items())

    @cached_property
    def answered(self) -> bool:
        """Whether an agent wrote."""
        return bool(self.agents)

    @cached_property
    def visitor_messages(self) -> int:
        """How many messages the visitor wrote."""
        return sum(1 for message in self.conversation.messages if message.type == "visitor")

    @cached_property
    def agent_messages(self) -> int:
        """How many messages agents wrote; automatic ones do not count."""
        return sum(
            1
            for message in self.conversation.messages
            if message.type == "agent" and message.sender.startswith("agent:") and not message.triggered_by
        )

    @cached_property
    def phone(self) -> str:
        """The visitor's phone number as `+420602123456`: from Smartsupp, `variables.phone`, a form or a message."""
        given = self._whole.visitor.variables
        named = [name for name, one in given.items() if phone.is_named(name, one)]
        country = phone.region(self._settings.country or self.conversation.visitor.country_code)
        if found := phone.number_in(self._whole.visitor.phone, country):
            return found
        for name in (self._settings.variables.phone, *named):
            if found := phone.number_in(self._variable(name), country):
                return found
        return phone.spoken(self._whole.messages, country, tuple(self.extracted.values()))

    @cached_property
    def customer_id(self) -> str:
        """What the shop knows the visitor by: the variable that `variables.customer_id` names."""
        return self._variable(self._settings.variables.customer_id)

    @cached_property
    def utm(self) -> Utm:
        """The marks of the campaign by which the visitor came, from the first page whose address has any."""
        variables = self.conversation.visitor.variables
        found = next((marks for _, marks in self._marked if marks != Utm()), None)
        return found or Utm(**{name: self._text(variables.get(f"utm_{name}")) for name in _MARKS})

    @cached_property
    def landing_page(self) -> str:
        """The address of the page with the campaign's marks; without any, of the first page that Smartsupp lists."""
        pages = self.conversation.paths
        return next((url for url, marks in self._marked if marks != Utm()), pages[0].url if pages else "")

    @cached_property
    def channel(self) -> str:
        """Where the chat came from: the variable that `variables.channel` names, Smartsupp's channel, or `web`."""
        visitor, known = self.conversation.visitor, self.conversation.channel
        seen = visitor.user_agent or self.conversation.paths
        web = "web" if seen or known else ""
        return self._variable(self._settings.variables.channel) or (web if known in ("", "default") else known)

    @cached_property
    def language(self) -> str:
        """The visitor's language as `cs`: the variable that `variables.language` names, or `lang=…` in an address."""
        marked = (marks.get(name, "") for marks in self._queries for name in _LANGUAGE_MARKS)
        for text in (self._variable(self._settings.variables.language), *marked):
            if found := _LANGUAGE.fullmatch(text):
                return found[1].lower()
        return ""

    @cached_property
    def csat(self) -> str:
        """How the visitor rated the chat: `good`, `normal` or `bad`."""
        return _RATINGS.get(self.conversation.rating or 0, "")

    @cached_property
    def csat_score(self) -> int | None:
        """The same as a number, as sent: 5, 3 or 1."""
        return self.conversation.rating

    @cached_property
    def extracted(self) -> dict[str, str]:
        """What the patterns under `extract` found, by their names."""
        written = [
            message.content.encode("utf-8", "replace").decode()  # a lone surrogate has no place in UTF-8
            for message in self._whole.messages
            if message.type == "visitor"
        ]
        return {name: first(pattern, written) for name, pattern in self._settings.extract.items()}

    def spelled(self) -> dict[str, str | int | bool | None]:
        """Every value by what a template calls it: `kind`, `agent.email`, `extracted.order_number`."""
        found: dict[str, str | int | bool | None] = {}
        for name in TYPES:
            value = getattr(self, name)
            if isinstance(value, ConversationPart | dict):
                parts = value if isinstance(value, dict) else value.model_dump()
                found |= {f"{name}.{part}": inner for part, inner in parts.items()}
            else:
                found[name] = ", ".join(map(str, value)) if isinstance(value, tuple) else value
        return found

    def _agent(self, number: str, name: str) -> Agent:
        sent = next((one for one in self.conversation.agents if one.id == number), Agent())
        known = self._settings.agents.get(number)
        if known is None:
            return Agent(id=number, name=name or sent.name, email=sent.email)
        return Agent(id=number, name=known.name or name or sent.name, email=known.email or sent.email)

    def _variable(self, name: str) -> str:
        return self._text(self._whole.visitor.variables.get(name) if name else None)

    def _text(self, found: Variable | None) -> str:
        if found is None or found.value is None or isinstance(found.value, bool):
            return ""
        value = found.value
        whole = isinstance(value, float) and value.is_integer()
        return " ".join(str(int(value) if whole else value).split())[:_LONGEST]

    @cached_property
    def _queries(self) -> list[dict[str, str]]:
        return [_query(page.url) for page in self.conversation.paths]

    @cached_property
    def _marked(self) -> list[tuple[str, Utm]]:
        return [
            (page.url, Utm(**{name: query.get(f"utm_{name}", "") for name in _MARKS}))
            for page, query in zip(self.conversation.paths, self._queries, strict=True)
        ]


def _query(url: str) -> dict[str, str]:
    """The first of each parameter of an address."""
    try:
        pairs = parse_qsl(urlsplit(url[:10_000]).query, max_num_fields=200)
    except ValueError:
        return {}
    return {name.lower(): " ".join(value.split())[:_LONGEST] for name, value in reversed(pairs)}


def _types() -> dict[str, Any]:
    computed = {name: one for name, one in vars(Values).items() if isinstance(one, cached_property)}
    types = {name: get_type_hints(one.func)["return"] for name, one in computed.items() if not name.startswith("_")}
    return {**types, "csat_score": int}


#: The name of each value, and its type where it has one.
TYPES: Mapping[str, Any] = _types()


def description(name: str) -> str:
    """What a value is, in a sentence."""
    return str(getattr(Values, name).func.__doc__).strip()
