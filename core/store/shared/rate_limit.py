"""How often somebody may do something: token buckets that all processes share."""

from __future__ import annotations

from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key


class RateLimit(Base):
    """Every method raises StoreUnavailable when the server does not answer."""

    def take(self, bucket: str, capacity: float, per_second: float, cost: float = 1, counted: str = "") -> int:
        """Take `cost` tokens from a bucket that holds `capacity` and is refilled steadily. Returns 0, or the
        milliseconds after which they can be had; then nothing was taken. `counted`: under which total, if any."""
        if not 0 < cost <= capacity or per_second <= 0:
            raise ValueError("a bucket must be able to hold and to refill what is taken from it")
        return int(self._run("take", bucket=bucket, capacity=capacity, rate=per_second, cost=cost, counted=counted))

    def refill(self, bucket: str) -> None:
        with errors():
            self._redis.delete(key("bucket", bucket))
