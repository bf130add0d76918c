"""The first steps from an empty relay to a real chat at its destination, and which of them are done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.admin import sample
from core.config.environment import Environment
from core.config.settings import Settings
from core.ids import ConversationId

#: Where a chat is kept, but nobody works with it.
_ARCHIVE = "archive"


@dataclass(frozen=True)
class FirstSteps:
    """`received`: a chat, if only a test. `connected`: the connectors that chats are for. `public`: the hook can be
    reached from outside, as far as can be seen from here. `real`: Smartsupp has sent a chat."""

    received: bool
    connected: Sequence[str]
    public: bool
    real: bool

    @property
    def done(self) -> bool:
        return bool(self.received and self.connected and self.public and self.real)

    @property
    def count(self) -> int:
        """Of the five."""
        return self.received + bool(self.connected) + self.public + 2 * self.real


def first_steps(
    env: Environment, settings: Settings, *, received: bool, newest: Sequence[ConversationId]
) -> FirstSteps:
    """`received`: whether anything came so far; `newest`: the newest chats."""
    real = any(one.account != str(sample.SAMPLE_ACCOUNT) for one in newest)
    connected = [name for name in settings.enabled if settings.connectors[name].type != _ARCHIVE]
    # Who has posted from outside has reached it, whatever the variable says.
    return FirstSteps(received, connected, real or env.public_url.startswith("https://"), real)
