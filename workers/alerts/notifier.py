"""Sends alerts: one when an incident begins, one when it is over. No Celery in here.

One thread beside those that deliver; any number of workers and receivers may run one, and take turns. What goes wrong
here is logged and tried again; nothing waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from core.config.settings import Settings
from core.errors import StoreUnavailable
from core.store import Client, Store
from core.store import incidents as states
from core.store.incidents import Incidents
from workers.alerts.channels import Channel, NotSent, channels
from workers.alerts.detect import Look
from workers.alerts.messages import written

log = structlog.get_logger(__name__)

#: Seconds between two looks for incidents, over all who look; sending is tried as often.
_PERIOD = 5.0


class Notifier:
    """`settings` gives those of the moment, `public_url` is the dashboard's address or "". `disk`: a folder on the
    disk of the store, where that is here."""

    def __init__(
        self,
        client: Client,
        settings: Callable[[], Settings],
        public_url: str,
        stopping: threading.Event,
        disk: Path | None = None,
    ) -> None:
        self._settings, self._public_url, self._stopping = settings, public_url, stopping
        self._store, self._look, self._incidents = Store(client), Look(client, disk), Incidents(client)
        self._made: tuple[object, Mapping[str, Channel]] = (None, {})

    def start(self) -> None:
        threading.Thread(target=self._run, name="alerts", daemon=True).start()

    def _run(self) -> None:
        while not self._stopping.wait(_PERIOD):
            try:
                self.turn()
            except StoreUnavailable as error:
                log.warning("store unavailable", error=str(error))
            except Exception:  # whatever goes wrong with alerts, deliveries continue
                log.exception("unhandled error in alerts")

    def turn(self) -> None:
        """Look for incidents, unless somebody just has, and send what is to be sent. Raises StoreUnavailable."""
        settings = self._settings()
        names = settings.alerts.channels
        if not names:
            return
        if self._store.turn("troubles", round(_PERIOD * 1000)):
            self.look(settings)
        for name, channel in self._channels(settings).items():
            self._send(name, channel)

    def look(self, settings: Settings) -> None:
        self._incidents.compare(self._look.troubles(settings), settings.alerts.channels, states.CALM_MS)

    def _send(self, name: str, channel: Channel) -> None:
        while not self._stopping.is_set() and (notice := self._incidents.next(name)):
            about = {"channel": name, "incident": f"{notice.kind}:{notice.subject}", "event_type": notice.event}
            try:
                answer = channel.send(written(notice, self._public_url))
            except NotSent as error:
                wait = self._incidents.failed(notice)
                log.warning("alert not sent", **about, error=str(error), again_in=wait // 1000)
                return
            except Exception:  # one channel that fails in a way of its own keeps no other from telling
                self._incidents.failed(notice)
                log.exception("unhandled error in a channel of alerts", **about)
                return
            self._incidents.sent(notice)
            log.info("alert sent", **about, answer=answer)

    def _channels(self, settings: Settings) -> Mapping[str, Channel]:
        if self._made[0] is not settings.alerts:
            self._made = (settings.alerts, channels(settings.alerts))
        return self._made[1]
