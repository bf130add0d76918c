"""Writes the table of connectors into docs/connectors/README.md: what each declares of itself, which settings it takes,
and which tests hold it against the vendor.

Run `make tables` after a connector has changed. A test compares it with the page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from connectors import registry
from connectors.kit.connector import Connector

_ROOT = Path(__file__).parent.parent.parent
PAGE = _ROOT / "docs" / "connectors" / "README.md"
_COLUMNS = (
    "type", "what it makes", "the visitor", "when it continues", "one record by", "files", "tasks", "owner",
    "tried against",
)  # fmt: skip
HEAD = f"| {' | '.join(_COLUMNS)} |"
_RULE = f"{'|---' * len(_COLUMNS)}|"
_TABLE = re.compile(rf"^{re.escape(HEAD)}\n\|[-|]+\n(?:\|.*\n)+", re.MULTILINE)
#: What has no vendor.
_OURS = {"archive": "itself", "webhook": "programs in our tests"}


def page() -> str:
    """The page as it should be."""
    types = {name: registry.find(name) for name in (*registry.BUILT_IN, *registry.recipes())}
    rows = [_row(name, kind) for name, kind in sorted(types.items(), key=lambda one: one[1].label.lower())]
    found, number = _TABLE.subn("\n".join([HEAD, _RULE, *rows, ""]).replace("\\", "\\\\"), PAGE.read_text())
    if number != 1:
        raise LookupError(f"{PAGE.name} has no table '{HEAD}'")
    return found


def _row(name: str, kind: type[Connector[Any]]) -> str:
    own = kind.capabilities
    if own is None:
        raise LookupError(f"type '{name}' says no `capabilities` (connectors/kit/capabilities.py)")
    settings = kind.settings_model.model_fields
    cells = [
        f"[`{name}`]({_page_of(name)})",
        kind.makes,
        own.person,
        own.revision,
        own.idempotent,
        own.files,
        "yes" if "task" in settings else "no",
        "yes" if "owner" in settings else "no",
        _OURS.get(name) or (_examples() if name == "http" else _tried(name)),
    ]
    return f"| {' | '.join(cells)} |"


def _page_of(name: str) -> str:
    return f"{name}.md" if (PAGE.parent / f"{name}.md").exists() else f"../configuration.md#type-{name}"


def _tried(name: str) -> str:
    """Against what our tests hold it: never more than there is a test for."""
    module = name.replace("-", "_")
    tried = []
    if _live(name):
        tried.append("a real one (`make test-live`)")
    documents = (one.read_text() for one in (_ROOT / "tests" / "documents").glob("test_*.py"))
    if any(f"from tests.connectors.test_{module} import" in one for one in documents):
        tried.append("its OpenAPI document")
    return ", ".join([*tried, "a fake"] if tried else ["a fake of its documentation"])


def _examples() -> str:
    """Of `type: http`: what the page shows, and whatever beside it runs against a real system."""
    files = sorted((PAGE.parent / "examples").glob("*.yaml"))
    real = [one for one in files if _live(one.stem)]
    links = ", ".join(f"[{one.stem}](examples/{one.name})" for one in real)
    return f"the example of its page; real ones of {links} (`make test-live`)"


def _live(name: str) -> bool:
    return any((_ROOT / "tests" / "live").glob(f"test_{name.replace('-', '_')}*.py"))


if __name__ == "__main__":
    PAGE.write_text(page())
