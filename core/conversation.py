"""A conversation as the rest of the project sees it: frozen, without I/O, whatever the source called its fields.

Names follow Smartsupp's own (https://docs.smartsupp.com/chat-box/post-hook/), in snake case. A text that was
missing, null or empty is ""; a number or a time that was missing is None. Ids are text, always.
"""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PrivateAttr

from core.ids import ConversationId


class ConversationPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Variable(ConversationPart):
    """What the shop's page told about its visitor: a label for people and a value."""

    label: str = ""
    value: str | int | float | bool | None = None


class Page(ConversationPart):
    """A page that the visitor saw. Only Smartsupp's API says when."""

    url: str = ""
    title: str = ""
    seen_at: AwareDatetime | None = None


class Agent(ConversationPart):
    """Somebody of the shop. In a text it is the name, else the email."""

    id: str = ""
    name: str = ""
    email: str = ""

    def __str__(self) -> str:
        return self.name or self.email


class ChatFile(ConversationPart):
    """What came with a message. `type` is a media type as it was declared; the address works until `expires_at`."""

    name: str = ""
    type: str = ""
    size: int | None = None
    url: str = ""
    expires_at: AwareDatetime | None = None


class InternalNote(ConversationPart):
    """What agents wrote for each other. It is no message, so that no transcript shows it to a visitor."""

    agent: Agent = Agent()
    content: str = ""
    written_at: AwareDatetime | None = None


class Message(ConversationPart):
    """One line of the chat. `sender` is `agent:3`, `visitor:mx…`, `bot` or `system`; `type` is visitor, agent or
    system.

    `content` of a system message is a code such as `agent.join`.
    """

    type: str = ""
    name: str = ""
    sender: str = ""
    content: str = ""
    sent_at: AwareDatetime | None = None
    triggered_by: str = ""
    files: tuple[ChatFile, ...] = ()


class Visitor(ConversationPart):
    """Who wrote. `city` and `country` are as sent, and Smartsupp swaps them: trust `country_code` alone."""

    id: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    note: str = ""
    group: str = ""
    ip_address: str = ""
    city: str = ""
    country_code: str = ""
    country: str = ""
    user_agent: str = ""
    platform: str = ""
    referer: str = ""
    variables: dict[str, Variable] = Field(default_factory=dict)


class Conversation(ConversationPart):
    """A finished, missed or offline conversation. (account, id) names it.

    Flags are as sent: they cannot be worked out from the messages, and contradict them in Smartsupp's own
    sample. `duration`, `avg_response` and `first_response` are seconds; `rating` is 5 good, 3 normal, 1 bad.
    What Smartsupp's API alone knows is empty for a chat that only its hook sent: the visitor's phone number, `tags`,
    `important`, `domain`, `channel` (`default` is the chat box on a page), `agents`, `internal_notes`, and files.
    `notes` says what was sent and could not be understood, each with its path; it is for people, and goes nowhere else.
    """

    account: str
    id: str
    begin_at: AwareDatetime | None = None
    end_at: AwareDatetime | None = None
    is_chat: bool = False
    is_missed: bool = False
    is_triggered: bool = False
    is_offline: bool = False
    is_completed: bool = False
    is_dropped: bool = False
    duration: int | None = None
    avg_response: int | None = None
    first_response: int | None = None
    messages_count: int | None = None
    words_count: int | None = None
    rating: int | None = None
    rating_desc: str = ""
    visitor: Visitor = Visitor()
    paths: tuple[Page, ...] = ()
    messages: tuple[Message, ...] = ()
    channel: str = ""
    domain: str = ""
    tags: tuple[str, ...] = ()
    important: bool = False
    agents: tuple[Agent, ...] = ()
    internal_notes: tuple[InternalNote, ...] = ()
    notes: tuple[str, ...] = Field(default=(), exclude=True)
    #: What it was before something was taken out of it (core/redaction/chat.py).
    _written: Conversation | None = PrivateAttr(default=None)

    @property
    def key(self) -> ConversationId:
        """The conversation's id in the store."""
        return ConversationId.of(self.account, self.id)

    @property
    def kind(self) -> str:
        """`offline`, `missed` or `chat`."""
        if self.is_offline:
            return "offline"
        return "missed" if self.is_missed else "chat"

    def span(self) -> tuple[int, int]:
        """The earliest and the latest time in it, in ms since 1970; zeros where it has none."""
        times = (self.begin_at, self.end_at, *[message.sent_at for message in self.messages])
        known = [time for time in times if time]
        if not known:
            return 0, 0
        return round(min(known).timestamp() * 1000), round(max(known).timestamp() * 1000)
