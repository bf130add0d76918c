"""What every connector can leave out, and wait for: `only`, `min_visitor_messages` and `wait`."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from core.config.sections.short_form import ShortForm

#: Kinds of chats; core/values/presets.py says what each takes.
Preset = Literal["answered", "unanswered", "missed", "offline", "rated", "rated_good", "rated_normal", "rated_bad"]

_UNITS_MS = {"s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([1-9]\d{0,5})(s|m|min|h|d)")
_LONGEST_MS = 7 * 86_400_000
#: A chat that never becomes quiet is sent after so many times the wait.
_PATIENCE = 6


def _duration(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"needs a unit; write {value}s for seconds or {value}m for minutes")
    text = value.strip() if isinstance(value, str) else ""
    if not _DURATION.fullmatch(text):
        raise ValueError("is not a duration; write a whole number with s, m, h or d, such as 10m")
    if milliseconds(text) > _LONGEST_MS:
        raise ValueError("is too long; at most 7d")
    return text


def milliseconds(duration: str) -> int:
    """Of a Duration."""
    number = duration.rstrip("smindh")
    return int(number) * _UNITS_MS[duration.removeprefix(number)]


_Duration = Annotated[str, BeforeValidator(_duration), Field(json_schema_extra={"pattern": f"^{_DURATION.pattern}$"})]


class QuietWait(ShortForm):
    """How long a chat must have been quiet; a duration alone will do."""

    short_form: ClassVar[str] = "quiet"
    short_schema: ClassVar[dict[str, Any]] = {"type": "string", "pattern": f"^{_DURATION.pattern}$"}
    short_types: ClassVar[tuple[type, ...]] = (str, int, float)

    quiet: _Duration = Field(description="How long no further revision may come before one is sent.")
    first: bool = Field(default=False, description="true: the first delivery of a chat waits, too.")
    at_most: _Duration | None = Field(
        default=None, description="After so long it is sent in any case; null: six times `quiet`."
    )

    @model_validator(mode="after")
    def _has_a_ceiling(self) -> Self:
        if self.at_most is not None and milliseconds(self.at_most) < self.quiet_ms:
            raise ValueError(f"'at_most' is shorter than 'quiet'; write {self.quiet} or more")
        return self

    @property
    def quiet_ms(self) -> int:
        return milliseconds(self.quiet)

    @property
    def at_most_ms(self) -> int:
        return milliseconds(self.at_most) if self.at_most else _PATIENCE * self.quiet_ms
