"""What a destination can do, for those who choose one: a row of docs/connectors/README.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Capabilities:
    """Said in a few words each, as people read them in a table. A recipe's are read from its steps
    (connectors/http/capabilities.py)."""

    #: How the visitor becomes a person there.
    person: str
    #: What happens when a chat continues.
    revision: str
    #: What keeps a repeated delivery from making a second record.
    idempotent: str
    #: What comes as a file.
    files: str = "none"
