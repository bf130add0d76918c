"""`type: http`: a connector that is written in the configuration."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from connectors.testing.contract import Contract
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.desk import KEY, DeskVendor

PAGE = Path(__file__).parents[2] / "docs" / "connectors" / "http.md"
SHOWN = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
EXAMPLE: dict[str, Any] = yaml.safe_load(SHOWN[0])
DESK: dict[str, Any] = EXAMPLE["connectors"]["desk"]


def desk(url: str, **changes: Any) -> dict[str, Any]:
    """The settings of the page, for a fake."""
    made = copy.deepcopy(DESK)
    made |= {"base_url": f"{url}/api", "auth": {"bearer": KEY}}
    made["reference"] = {**made["reference"], "url": f"{url}/t/{{{{ steps.ticket.id }}}}"}
    return {**made, **changes}


class TestTheExampleOfThePage(Contract):
    kind = "http"
    secrets = (KEY,)
    answers: ClassVar[list[Any]] = [
        (400, {"error": {"code": "INVALID"}}, {}, RecordRefused),
        (403, {"error": {"code": "FORBIDDEN"}}, {}, ConnectorRefused),
        (404, {"error": {"code": "NOT_FOUND"}}, {}, ConnectorRefused),
        (404, "<html>a firewall</html>", {"Content-Type": "text/html"}, __import__("core.errors").errors.Intercepted),
        (200, {"maintenance": True}, {}, RetryLater),
    ]

    def fake(self) -> DeskVendor:
        return DeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return desk(url)
