"""What an attempt is given: where its conversation came from, and the memory of what was made for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from core.conversation import Conversation
from core.delivery import NOTE, Revision, says
from core.errors import Gone, RecordRefused
from core.ids import ConversationId
from core.smartsupp.parser import parse_conversation

T = TypeVar("T")

#: What was over for so long when it came is the past: nobody waits for an answer.
PAST_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Receipt:
    """Where the conversation of this attempt came from: the newest `revision` of it, and all that there are.

    `delivery` names the delivery and stays the same over retries, replays, revisions, and a renaming of the connector.
    `history` gives every revision, this one included, in the order of arrival: of those that came quickly after each
    other, only the last is delivered.

    `number` is what marks at the destination carry, so that each text arrives once: the revision's number; or, when
    the store may have forgotten earlier revisions, one that none of them can have had. Later ones have greater ones.
    `queued` is when this connector was given the conversation, if that is known. `continues`: the chat was
    delivered before. `redact` takes out of any revision what the destination must not see; the bodies have it still.
    """

    delivery: str
    revision: Revision
    history: Callable[[], Sequence[Revision]] = field(repr=False)
    number: int = 0
    began: datetime | None = None
    queued: datetime | None = None
    continues: bool = False
    redact: Callable[[Conversation], Conversation] = field(default=lambda whole: whole, repr=False)

    def read(self, revision: Revision) -> Conversation:
        """The conversation of a revision, as the destination may see it. Raises PayloadError."""
        return self.redact(parse_conversation(revision.body, revision.account))

    @property
    def since(self) -> datetime:
        """Nothing of this conversation can be older at the destination: when it began, or when the first body of it
        that is known came, whichever was earlier."""
        came = min(revision.received_at for revision in self.history())
        return min(came, self.began) if self.began else came

    def is_past(self, conversation: Conversation) -> bool:
        """Whether it had been over for more than a day when this connector was given it: it was imported, or is one of
        the past chats for a new connector. What an outage delays is not."""
        _, ends = conversation.span()
        given = self.queued or self.revision.received_at
        return 0 < ends < (given - PAST_AFTER).timestamp() * 1000

    def __post_init__(self) -> None:
        if not self.number:
            object.__setattr__(self, "number", self.revision.number)


@dataclass(frozen=True)
class Copy:
    """A revision in a file: its conversation, and what Smartsupp sent, as JSON."""

    conversation: ConversationId
    body: bytes = field(repr=False)


class Step:
    """Remembers what was made at the destination, the moment it is known.

    `step("ticket", create)` runs `create` once in the life of a delivery: a retry, a replay or a new revision gets the
    remembered value. The value is anything JSON can spell.

    `step.once("note", create, find=look)` is for a vendor that makes a second one when asked twice: whoever cannot be
    sure to be the first looks first. That is who comes back to a create that has begun (its reply was lost, or its
    process died), and who works for a store that may have forgotten. `look` returns what it found, or None. With
    `revision=` it is remembered of which one the create was begun (`begun`).

    `identity=` names the person that a step looks for or makes, such as an email address: one delivery at a time does
    that for one identity, over all workers. Where the destination refuses what follows, the step is forgotten and the
    delivery begins again, once in an attempt: the person may have been merged or deleted.
    """

    def __init__(
        self,
        known: Mapping[str, Any],
        remember: Callable[[str, Any], None],
        *,
        forget: Callable[[str], None] = lambda _: None,
        alone: Callable[[str], AbstractContextManager[object]] = lambda _: nullcontext(),
        first: bool = True,
    ) -> None:
        """`known` is what earlier attempts remembered; `remember` and `forget` change that. `alone` holds an identity
        for as long as its context lasts, and raises Occupied. `first`: nobody can have delivered this before."""
        self.first = first
        self._known = dict(known)
        self._remember = remember
        self._forget = forget
        self._alone = alone
        self._earlier = frozenset(known)
        #: What was remembered has died, so that the delivery began again: nothing else is to be believed unseen.
        self.healed = False
        self._identities: set[str] = set()

    def __call__(self, name: str, do: Callable[[], T], *, identity: str = "") -> T:
        return self._value(name, do, identity)

    def once(
        self,
        name: str,
        create: Callable[[], T],
        *,
        find: Callable[[], T | None],
        identity: str = "",
        revision: int | None = None,
    ) -> T:
        begun = f"{name}?"

        def do() -> T:
            found = None if self.first and begun not in self._known else find()
            if found is None:
                self._keep(begun, True if revision is None else revision)
                found = create()
            return found

        return self._value(name, do, identity)

    def begun(self, name: str) -> int | None:
        """The `revision` with which a create of `once` has begun: what is found after it was made of that one, as
        whoever began it had looked before. None where it did not begin, or nobody remembers."""
        kept = self._known.get(f"{name}?")
        return kept if isinstance(kept, int) and kept is not True else None

    def begin(self, *names: str) -> None:
        """Creates of `once` that another request makes, such as one that brings several texts: who cannot be sure that
        it got through looks for each."""
        for name in names:
            if not self.knows(name):
                self._keep(f"{name}?", True)

    def keep(self, name: str, value: Any) -> None:
        """Remember a value that changes: what was remembered before is replaced."""
        if self._known.get(name) != value:
            self._keep(name, value)

    def recall(self, name: str) -> Any:
        """What is remembered under a name, or None."""
        return self._known.get(name)

    def note(self, about: str, text: str) -> None:
        """Something that the chat's page and `relay show` say of this delivery, such as a setting that had to be left
        out; "" when there is nothing to say any more. No words of the visitor's: they are kept as they are."""
        if text:
            self.keep(f"{NOTE}{about}", text)
        else:
            self.forget(f"{NOTE}{about}")

    @property
    def notes(self) -> tuple[str, ...]:
        """What is noted."""
        return tuple(str(value) for name, value in sorted(self._known.items()) if says(name))

    @contextmanager
    def holding(self, identity: str) -> Iterator[None]:
        """One delivery at a time for an identity, over all workers, as for a step. Without one, nobody is kept out."""
        with self._alone(identity.lower()) if identity else nullcontext():
            yield

    @contextmanager
    def alone(self, name: str, identities: Iterable[str]) -> Iterator[None]:
        """As `identity=`, for a step that looks for a person by several identifiers: no other delivery looks for any of
        them meanwhile. Raises Occupied."""
        self._identities.add(name)
        with ExitStack() as held:
            # In one order for all, so that no two wait for each other.
            for one in sorted({one.lower() for one in identities}):
                held.enter_context(self._alone(one))
            yield

    def knows(self, name: str) -> bool:
        """Whether a step was done, by this attempt or an earlier one."""
        return name in self._known

    @property
    def done(self) -> frozenset[str]:
        """The names of all steps that were done or begun (`NAME?`), by this attempt or earlier ones."""
        return frozenset(self._known)

    def forget(self, *names: str) -> None:
        """Do these steps again."""
        for name in names:
            if name in self._known:
                self._forget(name)
                del self._known[name]

    def heals(self, refused: RecordRefused) -> bool:
        """Forget what may have died since an earlier attempt, if there is any: what `refused` names, else persons."""
        names = refused.steps if isinstance(refused, Gone) else tuple(self._identities)
        # Where there is a record, it is that which was refused.
        recorded = not isinstance(refused, Gone) and any(
            f"{name}?" in self._earlier for name in self._earlier - self._identities
        )
        if recorded or not self._earlier.intersection(names):
            return False
        self.forget(*names)
        self._earlier = frozenset()
        self.healed = True
        return True

    def _value(self, name: str, do: Callable[[], T], identity: str) -> T:
        if identity:
            self._identities.add(name)
        if name not in self._known:
            with self._alone(identity.lower()) if identity else nullcontext():
                self._keep(name, do())
        return self._known[name]  # type: ignore[no-any-return]  # what `do` returned, now or then

    def _keep(self, name: str, value: Any) -> None:
        self._remember(name, value)
        self._known[name] = value
