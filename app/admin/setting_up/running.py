"""What a running relay lacks that is set here: a variable of one terminal is not known in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.config.environment import Environment
from core.config.sources import dotenv_file
from core.config.sources.references import not_set


def lacking(troubles: Iterable[str], variables: Mapping[str, str]) -> list[str]:
    """Of the variables here those that `troubles` (what running processes have against relay.yaml) call not set."""
    return sorted({name for text in troubles for name in not_set(text) if name in variables})


def lacks(env: Environment, names: Iterable[str]) -> str:
    """The sentence for them, or ""."""
    listed = ", ".join(names)
    if not listed:
        return ""
    return (
        f"The running relay does not have {listed}: it is set in this terminal only."
        f" Write it into {dotenv_file.beside(env.config)}, which needs no restart."
    )
