"""What every connector can leave out, and wait for: `only`, `min_visitor_messages` and `wait`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from core.config.sections.short_form import ShortForm
from core.config.types.duration import DURATION_SCHEMA, Duration, duration_text

#: Kinds of chats; core/values/presets.py says what each takes.
Preset = Literal["answered", "unanswered", "missed", "offline", "rated", "rated_good", "rated_normal", "rated_bad"]

_MILLISECOND = timedelta(milliseconds=1)
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=7)
#: A chat that never becomes quiet is sent after so many times the wait.
_PATIENCE = 6


def _in_bounds(length: timedelta) -> timedelta:
    if length < _SHORTEST:
        raise ValueError(f"is too short; at least {duration_text(_SHORTEST)}")
    if length > _LONGEST:
        raise ValueError(f"is too long; at most {duration_text(_LONGEST)}")
    return length


_Wait = Annotated[Duration, AfterValidator(_in_bounds)]


class QuietWait(ShortForm):
    """How long a chat must have been quiet; a duration alone will do."""

    short_form: ClassVar[str] = "quiet"
    short_schema: ClassVar[dict[str, Any]] = DURATION_SCHEMA
    short_types: ClassVar[tuple[type, ...]] = (str, int, float)

    quiet: _Wait = Field(description="How long no further revision may come before one is sent.")
    first: bool = Field(default=False, description="true: the first delivery of a chat waits, too.")
    at_most: _Wait | None = Field(
        default=None, description="After so long it is sent in any case; null: six times `quiet`."
    )

    @model_validator(mode="after")
    def _has_a_ceiling(self) -> Self:
        if self.at_most is not None and self.at_most < self.quiet:
            raise ValueError(f"'at_most' is shorter than 'quiet'; write {duration_text(self.quiet)} or more")
        return self

    @property
    def quiet_ms(self) -> int:
        return self.quiet // _MILLISECOND

    @property
    def at_most_ms(self) -> int:
        return (self.at_most or _PATIENCE * self.quiet) // _MILLISECOND
