"""Whether a replay can lead anywhere, in the words of both faces: it is refused before it would wait for ever."""

from __future__ import annotations

from core.config.doubts import leads_to
from core.config.settings import Settings
from core.delivery import Nowhere, Payload, PayloadStatus
from core.routing import reason
from core.wording.sentence import say


def why_nowhere(payload: Payload) -> str:
    """Why a chat was not delivered anywhere, by its newest payload."""
    if payload.status is PayloadStatus.DISCARDED:
        return say("Discarded: %(reason)s", reason=payload.error)
    return reason(payload.why)


def still_nowhere(why: str) -> str:
    """Why the routes of today lead nowhere either, and what to do."""
    match why:
        case Nowhere.NO_ROUTE:
            return say("no route matches it; add one in relay.yaml (routes), then try again")
        case Nowhere.OFF:
            return say("all connectors of its routes are off; set enabled: true in relay.yaml, then try again")
        case Nowhere.NO_CONNECTOR:
            return say("no connector is configured; add one in relay.yaml, then try again")
        case Nowhere.MEANT:
            return say("a route with to: [] excludes it on purpose")
    return say("its newest payload cannot be read")


def replay_refusal(settings: Settings, connector: str) -> str:
    """Why nothing can be delivered to a connector, and what to do; or ""."""
    if connector in settings.connectors:
        return ""
    return say(
        "%(connector)s is not in relay.yaml, so nothing can be delivered to it. Put it back, then try again.",
        connector=connector,
    )


def refusal_of_past(settings: Settings, connector: str, *, anyway: bool) -> str:
    """The same for past chats; `anyway`: whatever the routes say."""
    if found := replay_refusal(settings, connector):
        return found
    if connector not in settings.enabled:
        return say("%(connector)s is off in relay.yaml. Set enabled: true, then try again.", connector=connector)
    if not anyway and not leads_to(settings, connector):
        return say("No route leads to %(name)s. Add it to a route in relay.yaml, then try again.", name=connector)
    return ""
