"""Writes docs/connectors/requests.md: what each connector sends for the documented sample conversation.

Run `python -m tests.support.requests_table` after a connector has changed. It is made of the golden files, which
the contract compares with what is sent; `relay preview FILE --connector NAME` prints the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests" / "connectors" / "golden"
PAGE = ROOT / "docs" / "connectors" / "requests.md"

TITLES = {
    "bitrix24": "Bitrix24, record: lead",
    "dynamics-365": "Dynamics 365",
    "email": "Email",
    "espocrm": "EspoCRM",
    "freshdesk": "Freshdesk",
    "freshsales": "Freshsales",
    "front": "Front",
    "gitlab": "GitLab",
    "gorgias": "Gorgias",
    "helpscout": "Help Scout",
    "http": "HTTP, the example of its page",
    "hubspot": "HubSpot",
    "jira-service-management": "Jira Service Management",
    "intercom": "Intercom",
    "odoo": "Odoo 19 and later (JSON-2)",
    "odoo-json-rpc": "Odoo 14 to 18 (JSON-RPC)",
    "osticket": "osTicket",
    "pipedrive": "Pipedrive, record: note",
    "pipedrive-lead": "Pipedrive, record: lead",
    "pipedrive-deal": "Pipedrive, record: deal",
    "raynet": "Raynet",
    "redmine": "Redmine, formatting: markdown",
    "redmine-textile": "Redmine, formatting: textile",
    "request-tracker": "Request Tracker",
    "salesforce": "Salesforce",
    "slack": "Slack, with the whole transcript",
    "teams": "Microsoft Teams",
    "zammad": "Zammad",
    "zendesk": "Zendesk",
    "zoho-crm": "Zoho CRM",
    "zoho-desk": "Zoho Desk",
}

HEAD = """\
# What each connector sends

For the sample conversation of Smartsupp's documentation, to an empty account, with default settings; long texts are
shortened here. `relay preview FILE --connector NAME` prints the same for your own settings and your own chats, in full,
and sends nothing. This page is made by `python -m tests.support.requests_table`.
"""


def page() -> str:
    parts = [HEAD]
    for name, title in TITLES.items():
        sent = json.loads((GOLDEN / f"{name}.json").read_text())
        rows = [f"| {number} | `{_address(one)}` | {_body(one.get('body'))} |" for number, one in enumerate(sent, 1)]
        parts.append("\n".join([f"## {title}", "", "| | request | body |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _address(one: dict[str, Any]) -> str:
    return str(one["request"]).replace("https://vendor", "").replace("|", "%7C")


def _body(body: Any) -> str:
    if body is None:
        return ""
    text = json.dumps(_shortened(body), ensure_ascii=False)
    return f"`{text}`".replace("|", "\\|")


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return value if not isinstance(value, str) or len(value) <= 90 else value[:60] + " …"


if __name__ == "__main__":
    PAGE.write_text(page())
