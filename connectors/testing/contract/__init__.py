"""What every connector must do, whatever the vendor. A connector's tests inherit `Contract` and say four things.

    class TestZendesk(Contract):
        kind = "zendesk"
        secrets = ("key-0123456789",)

        def fake(self) -> Fake: ...
        def settings(self, url: str) -> dict[str, Any]: ...

Every test here runs the connector over real HTTP against a fake with a memory. Tests may import it, and nothing else.
"""

from __future__ import annotations

import pytest

from connectors.testing.bench import UPDATE_GOLDEN
from connectors.testing.contract.answers import Answers
from connectors.testing.contract.looking_first import LookingFirst
from connectors.testing.contract.one_record import OneRecord
from connectors.testing.contract.strangers import Strangers


def pytest_addoption(parser: pytest.Parser) -> None:
    """For a conftest.py that names this package among its `pytest_plugins`."""
    parser.addoption(UPDATE_GOLDEN, action="store_true", help="write the golden files of the connectors anew")


class Contract(OneRecord, Answers, Strangers, LookingFirst):
    """All of it."""
