"""axe-core on a page: what people who cannot see or use a mouse would stumble over."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from playwright.sync_api import Page

#: The impacts that fail a page.
SERIOUS = frozenset({"serious", "critical"})

_RUN = """(rules) => axe.run(document, {rules, resultTypes: ["violations"], preload: false}).then(({violations}) =>
  violations.map((one) => ({
    id: one.id, impact: one.impact, help: one.help,
    nodes: one.nodes.map((node) => [node.target.join(" "), node.failureSummary]),
  })))"""


@cache
def _source() -> str:
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def findings(page: Page, *, contrast: bool = True) -> list[str]:
    """The serious and critical ones, one line each. Contrast takes longer than all other rules together."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_source())
    found: list[dict[str, Any]] = page.evaluate(_RUN, {"color-contrast": {"enabled": contrast}})
    return [
        f"{one['impact']}: {one['id']} ({one['help']}): {target}: {' '.join(why.split())}"
        for one in found
        if one["impact"] in SERIOUS
        for target, why in one["nodes"]
    ]
