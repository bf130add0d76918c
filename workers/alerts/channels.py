"""How an alert is sent. HTTP and SMTP are in a module of their own: who has set up no way needs nothing of them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from core.config.alerts import Alerts
from workers.alerts.messages import AlertMessage


class NotSent(Exception):
    """Why an alert was not sent, without secrets. It is tried again."""


class Channel(ABC):
    @abstractmethod
    def send(self, message: AlertMessage) -> str:
        """Returns what was answered. Raises NotSent."""


def channels(settings: Alerts) -> dict[str, Channel]:
    """Those of the configuration, by name."""
    if not settings.channels:
        return {}
    from workers.alerts.sending import CHANNEL_KINDS

    return {name: CHANNEL_KINDS[name](getattr(settings, name)) for name in settings.channels}
