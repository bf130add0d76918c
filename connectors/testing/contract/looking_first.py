"""What looks before anything is sent: the check of the settings, and the preview."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest

from connectors.testing.bench import Bench
from connectors.testing.chats import SAMPLE
from connectors.testing.fake import Answer, Fake
from core.errors import ConnectorRefused, DeliveryError


class LookingFirst(Bench):
    def test_a_check_only_reads_and_finds_all_right(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        findings = list(connector.check())
        assert findings
        assert all(finding.right for finding in findings), [one for one in findings if not one.right]
        for request in vendor.writes():
            said = f"{request.method} {request.path}"
            assert any(re.match(pattern, said) for pattern in self.reading), said

    def test_a_check_with_refused_credentials_says_so(self, vendor: Fake) -> None:
        vendor.instead = [self.who] * 20
        with pytest.raises(ConnectorRefused):
            list(self.connector(vendor).check())

    def test_a_log_in_page_at_the_vendors_address_gets_no_tick(self, vendor: Fake) -> None:
        """A proxy or another program that answers everything with 200 is not the vendor."""
        vendor.instead = [Answer(200, "<!doctype html><title>Log in</title>")] * 40
        ticks = []
        with suppress(DeliveryError):
            for finding in self.connector(vendor).check():
                ticks += [finding.text] * finding.right
        assert vendor.requests
        assert not ticks

    def test_the_preview_is_what_is_sent(self, vendor: Fake) -> None:
        """And what is sent to an empty account is written down, for people to read and to compare."""
        self.deliver(self.connector(vendor), SAMPLE, {})
        sent = [(one.method, one.path) for one in vendor.requests]
        asked = len(vendor.requests)
        connector = self.connector(vendor)
        with connector.wire.pretending(connector.imagine) as preview:
            self.deliver(connector, SAMPLE, {})
        assert len(vendor.requests) == asked
        assert [(one.method, re.sub(r"^\w+://[^/]+", "", one.url).partition("?")[0]) for one in preview] == [
            (method, path) if index == 0 else (method, _any_id(path, preview[index].url))
            for index, (method, path) in enumerate(sent)
        ]
        golden = [
            {
                "request": f"{one.method} " + one.url.replace(vendor.url, "https://vendor"),
                **({"body": one.body} if one.body is not None else {}),
            }
            for one in preview
        ]
        self.compare_golden(
            json.dumps(golden, indent=2, ensure_ascii=False).replace(vendor.url, "https://vendor") + "\n"
        )


def _any_id(path: str, previewed: str) -> str:
    """A path of the fake with the ids that the preview made up, where only these differ."""
    other = re.sub(r"^\w+://[^/]+", "", previewed).partition("?")[0]
    mine, theirs = path.split("/"), other.split("/")
    if [re.sub(r"\d+", "1", one) for one in mine] == [re.sub(r"\d+", "1", one) for one in theirs]:
        return other
    return path
