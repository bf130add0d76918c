"""What the vendor answers means what it means by it, and no secret is in what is said of it."""

from __future__ import annotations

import pytest

from connectors.testing.bench import Bench
from connectors.testing.chats import SAMPLE
from connectors.testing.fake import Answer, Fake
from core.errors import DeliveryError, RetryLater


class Answers(Bench):
    def test_every_answer_means_what_the_vendor_means_by_it(self) -> None:
        for status, body, headers, error in [*self.common_answers, *self.answers]:
            with self.fake() as vendor:
                vendor.instead = [Answer(status, body, headers)] * 4
                with pytest.raises(error) as raised:
                    self.deliver(self.connector(vendor), SAMPLE, {})
                assert type(raised.value) is error, (status, body)
                if "Retry-After" in headers:
                    assert isinstance(raised.value, RetryLater)
                    assert raised.value.retry_after == float(headers["Retry-After"])

    def test_an_answer_that_is_no_json_is_tried_again(self, vendor: Fake) -> None:
        vendor.instead = [Answer(200, "<html>")] * 4
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), SAMPLE, {})

    def test_a_vendor_that_hangs_is_not_waited_for(self, vendor: Fake) -> None:
        vendor.hanging = True
        with pytest.raises(RetryLater, match="no response in time"):
            self.deliver(self.connector(vendor, timeout=0.05), SAMPLE, {})

    def test_secrets_are_in_no_repr_and_no_error(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        vendor.instead = [Answer(400, {"message": f"bad key {secret}"}) for secret in self.secrets] * 4
        with connector.attempt() as exchanges, pytest.raises(DeliveryError) as raised:
            self.deliver(connector, SAMPLE, {})
        seen = [repr(connector), repr(connector.settings), connector.mask(str(raised.value)), repr(exchanges)]
        for secret in self.secrets:
            assert not any(secret in text for text in seen)
