"""Writes into the connectors' pages what the sample chat looks like at the destination.

Run `python -m tests.support.sample_records` after a connector has changed. It is made of the golden files, and a test
compares it with the pages.
"""

from __future__ import annotations

import html
import json
import re
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "docs" / "connectors"
#: Where a page has the sample, between the line above and the end of the block.
FRAME = re.compile(r"(─+\n[^\n]+\n\n)(.*?)(\n```)", re.DOTALL)
#: Which request of a golden file brings the text, and where it stands there.
TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "freshdesk": ("/notes", ("body",)),
    "odoo": ("/message_post", ("body",)),
    "request-tracker": ("/REST/2.0/ticket", ("Content",)),
    "zendesk": ("/api/v2/tickets", ("ticket", "comment", "html_body")),
}


def text(kind: str) -> str:
    """The sample as people read it there."""
    path, keys = TEXTS[kind]
    sent = json.loads((ROOT / "tests" / "connectors" / "golden" / f"{kind}.json").read_text())
    body: Any = next(one["body"] for one in reversed(sent) if one["request"].endswith(path))
    for key in keys:
        body = body[key]
    lines = re.sub(r"<br>|</p>", "\n", str(body))
    plain = html.unescape(re.sub(r"<[^>]+>", "", lines))
    return "\n".join(textwrap.fill(line, 78, subsequent_indent="    ") for line in plain.splitlines() if line)


def page(kind: str) -> str:
    return FRAME.sub(lambda found: found[1] + text(kind) + found[3], (PAGES / f"{kind}.md").read_text(), count=1)


if __name__ == "__main__":
    for name in TEXTS:
        (PAGES / f"{name}.md").write_text(page(name))
