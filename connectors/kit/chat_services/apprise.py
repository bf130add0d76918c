"""Messages by way of Apprise: one address names a service and what lets us in there.

https://github.com/caronc/apprise. It is imported when the first message goes out: it takes 20 MB of memory, which
nobody pays who does not use it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from connectors.kit.masking import MASK
from connectors.kit.responses import STATUS, words
from connectors.kit.ssrf_guard import addresses
from connectors.kit.transport.plain_wire import PlainWire
from core.config.environment import Network
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater, TimedOut

#: Services that are this machine's own; the relay's messages would end there.
_LOCAL = frozenset({"dbus", "qt", "kde", "gnome", "glib", "gio", "macosx", "windows", "syslog"})
#: Where a service's status stands in what Apprise logs.
_STATUS = re.compile(r"error=(\d{3})\b")


class AppriseWire(PlainWire):
    """One address. `url` is a secret as a whole."""

    def __init__(
        self, url: str, *, timeout: float, allow_networks: Sequence[Network] = (), mask: Callable[[str], str] = str
    ) -> None:
        pieces = _pieces(url)
        super().__init__(lambda text: _without(pieces, mask(text)))
        self._url, self._timeout, self._networks = url, timeout, tuple(allow_networks)

    @property
    def place(self) -> str:
        """The service, without what lets us in."""
        return f"{self._url.partition('://')[0]}://…"

    def send(self, title: str, text: str) -> None:
        """Raises RetryLater, RecordRefused, ConnectorRefused."""
        self._begin()
        self._once(title, text)

    def look(self) -> str:
        """The name of the service, as far as an address tells; nothing is sent. Raises ConnectorRefused."""
        return str(self._service().service_name)

    def _once(self, title: str, text: str) -> None:
        if self._pretended("NOTIFY", self.place, {"title": title, "text": text}):
            return
        started, problem, code = time.monotonic(), "", None
        try:
            self._notify(title, text)
        except DeliveryError as error:
            problem, code = str(error), error.status
            raise
        finally:
            self._note("NOTIFY", self.place, started, code, problem, f"{title}\n{text}")

    def _notify(self, title: str, text: str) -> None:
        import apprise  # noqa: PLC0415  # see above

        sender = apprise.Apprise()
        sender.add(self._service())
        seconds = min(self._timeout, self._clock.left())
        done = sender.notify(text, title, body_format="text", timeout=seconds, log_level=logging.WARNING)
        if not done:
            said = words(self._mask(" ".join(one.message for one in done.logs())))
            raise _meaning(said, late=done.timeout_count > 0)

    def _service(self) -> Any:
        """Apprise's plug-in for the address, which follows no redirect. Raises ConnectorRefused."""
        import apprise  # noqa: PLC0415  # see above

        scheme = self._url.partition("://")[0].lower()
        asset = apprise.AppriseAsset(http_redirects=False, app_id="Relay", app_desc="Relay for Smartsupp")
        made = apprise.Apprise.instantiate(self._url, asset=asset, suppress_exceptions=True)
        if made is None or scheme in _LOCAL:
            raise ConnectorRefused(
                f"'{words(scheme)}://…' is not an address that Apprise can send to; https://appriseit.com lists them"
            )
        made.overflow_mode = apprise.OverflowMode.SPLIT
        # Where the address names a server of the admin's own; the others go to their vendor's.
        if "host" in made.template_tokens and made.host:
            try:
                addresses(str(made.host), int(made.port or 443), self._networks, self._clock.left())
            except OSError as error:
                raise RetryLater(f"{made.host} cannot be looked up; check the address", untaken=True) from error
        return made


def _without(secrets: Sequence[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _pieces(url: str) -> list[str]:
    """What Apprise may quote of an address: a topic, which nobody else should know, looks like any word. The longest
    first: one may be part of another."""
    return sorted((one for one in re.split(r"[/:@?&=#,]+", url.partition("://")[2]) if len(one) >= 4), key=len)[::-1]


def _meaning(said: str, *, late: bool) -> DeliveryError:
    """What Apprise logged, as an error. Of a service that gave no status, nobody knows what it did."""
    text = f"Apprise: {said}" if said else "Apprise: the service did not take the message, and did not say why"
    if late:
        return TimedOut(text)
    found = _STATUS.search(said)
    if found is None:
        return RetryLater(text)
    status = int(found[1])
    # Nothing is followed: where an address has moved, it is so for every message.
    others = {3: ConnectorRefused, 4: RecordRefused}
    kind = STATUS.get(status) or others.get(status // 100, RetryLater)
    if kind is RetryLater:
        return RetryLater(text, status=status, untaken=status == 429)
    return kind(text, status=status)
