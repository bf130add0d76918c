"""A relay as an admin meets it: `relay web` and `relay worker`, two destinations that can be told how to behave, and a
password."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.admin.password import hashed
from core.delivery import DeliveryStatus
from core.errors import NotFound
from core.ids import DeliveryId
from core.store import Access, connect
from tests.support.destination import Destination
from tests.support.forked import forked
from tests.support.stack import Stack, stack, until

_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
_PASSWORD = "correct-horse-battery-staple"

Before = Callable[[Stack], None]


@dataclass(frozen=True)
class AdminsRelay:
    """Connectors: `crm` and `help-desk`, which are the two destinations, and `archive`."""

    stack: Stack
    crm: Destination
    help_desk: Destination
    password: str = _PASSWORD

    @property
    def home(self) -> str:
        return f"http://127.0.0.1:{self.stack.port}"

    def post(self, body: bytes) -> str:
        """Send a body; returns the payload's id."""
        answer = self.stack.post(body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def arrives_at(self, delivery: str, *statuses: DeliveryStatus) -> None:
        """Wait until a delivery (`connector:account:channel`) has one of these statuses."""
        until(lambda: self._status(delivery) in statuses, what=f"{delivery}: {' or '.join(statuses)}")

    def _status(self, delivery: str) -> DeliveryStatus | None:
        try:
            return self.stack.ledger.delivery(DeliveryId(delivery)).status
        except NotFound:
            return None


@contextmanager
def admins_relay(
    folder: Path, config: str = "", variables: Mapping[str, str] = {}, before: Before | None = None
) -> Iterator[AdminsRelay]:
    """`config` instead of those connectors; `before` is called when nothing but the server runs."""
    with ExitStack() as opened:
        made = opened.enter_context(stack(folder, forked))
        crm, help_desk = opened.enter_context(Destination()), opened.enter_context(Destination())
        hooks = "".join(
            f'  {name}: {{type: webhook, url: "{there.url}", secret: {_SECRET}, allow_networks: [127.0.0.0/8]}}\n'
            for name, there in (("crm", crm), ("help-desk", help_desk))
        )
        made.environment |= variables
        made.configure(config or f"connectors:\n  archive: {{type: archive}}\n{hooks}")
        Access(connect(made.server.url)).set_password(hashed(_PASSWORD))
        if before:
            before(made)
        made.web()
        made.worker()
        yield AdminsRelay(made, crm, help_desk)
