"""What conditions and templates read of `extracted`: names that are the admin's own, so the file says whether they are
right. Pure."""

from __future__ import annotations

from pydantic import ValidationInfo

from core.config.mistakes.values import did_you_mean
from core.templates.language import extracts


def only_extracted(source: str, info: ValidationInfo) -> str:
    """The source itself. Raises ValueError where it names what nobody extracts.

    The context is what the file holds; without one, as where a copy is read, nobody knows.
    """
    if info.context is None:
        return source
    section = info.context.get("extract")
    known = section if isinstance(section, dict) else {}
    for name in sorted(extracts(source)):
        if name not in known:
            hint = did_you_mean(name, known) or f"; add it under extract: '{name}: PATTERN'"
            raise ValueError(f"nothing is extracted as '{name}'{hint}")
    return source
