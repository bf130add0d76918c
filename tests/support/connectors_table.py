"""Writes the tables of connectors into docs/connectors/README.md: what each declares of itself, which settings it
takes, and which tests hold it against the vendor.

Run `make tables` after a connector has changed. A test compares them with the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors import registry
from connectors.kit.connector import Connector

_ROOT = Path(__file__).parent.parent.parent
PAGE = _ROOT / "docs" / "connectors" / "README.md"
#: Two tables, as a page has no room for nine columns: what becomes of a chat, and how far one can trust that.
_BECOMES = ("type", "what it makes", "the visitor", "when it continues")
_TRUST = ("type", "one record by", "files", "tasks", "owner", "tried against")
#: What has no vendor.
_OURS = {"archive": "itself", "webhook": "programs in our tests"}


def page() -> str:
    """The page as it should be."""
    types = {name: registry.find(name) for name in (*registry.BUILT_IN, *registry.recipes())}
    rows = [_cells(name, kind) for name, kind in sorted(types.items(), key=lambda one: one[1].label.lower())]
    text = PAGE.read_text()
    for columns in (_BECOMES, _TRUST):
        text = _with_table(text, columns, [[cells[name] for name in columns] for cells in rows])
    return text


def _with_table(text: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head, *lines = [f"| {' | '.join(cells)} |" for cells in (columns, *rows)]
    table = "\n".join([head, "|---" * len(columns) + "|", *lines, ""])
    found, number = re.subn(rf"^{re.escape(head)}\n\|[-|]+\n(?:\|.*\n)+", lambda _: table, text, flags=re.MULTILINE)
    if number != 1:
        raise LookupError(f"{PAGE.name} has no table '{head}'")
    return found


def _cells(name: str, kind: type[Connector[Any]]) -> dict[str, str]:
    own = kind.capabilities
    if own is None:
        raise LookupError(f"type '{name}' says no `capabilities` (connectors/kit/capabilities.py)")
    settings = kind.settings_model.model_fields
    return {
        "type": f"[`{name}`]({_page_of(name)})",
        "what it makes": kind.makes,
        "the visitor": own.person,
        "when it continues": own.revision,
        "one record by": own.idempotent,
        "files": own.files,
        "tasks": "yes" if "task" in settings else "no",
        "owner": "yes" if "owner" in settings else "no",
        "tried against": _OURS.get(name) or (_examples() if name == "http" else _tried(name)),
    }


def _page_of(name: str) -> str:
    return f"{name}.md" if (PAGE.parent / f"{name}.md").exists() else f"../configuration.md#type-{name}"


def _tried(name: str) -> str:
    """Against what our tests hold it: never more than there is a test for."""
    module = name.replace("-", "_")
    tried = []
    if _live(name):
        tried.append("a real one")
    documents = (one.read_text() for one in (_ROOT / "tests" / "documents").glob("test_*.py"))
    if any(f"from tests.connectors.test_{module} import" in one for one in documents):
        tried.append("OpenAPI")
    return ", ".join([*tried, "a fake"])


def _examples() -> str:
    """Of `type: http`: what the page shows, and whatever beside it runs against a real system."""
    files = sorted((PAGE.parent / "examples").glob("*.yaml"))
    real = [one for one in files if _live(one.stem)]
    links = ", ".join(f"[{one.stem}](examples/{one.name})" for one in real)
    return f"its example; real ones of {links}"


def _live(name: str) -> bool:
    return any((_ROOT / "tests" / "live").glob(f"test_{name.replace('-', '_')}*.py"))


if __name__ == "__main__":
    PAGE.write_text(page())
