"""Words that several pages have for the same things: statuses, spans of time, themes; and those of the scripts."""

from __future__ import annotations

from collections.abc import Mapping

from app.dashboard.frame.theme import Theme
from app.dashboard.language.translation import for_reader
from core.delivery import DeliveryStatus
from core.store.statistics import Span
from core.wording.sentence import Sentence, say, say_n, to_be_counted

#: In the middle of a sentence, and by itself.
STATUS_WORDS: Mapping[DeliveryStatus, str] = {
    DeliveryStatus.WAITING: say("queued"),
    DeliveryStatus.RETRYING: say("retrying"),
    DeliveryStatus.DELIVERED: say("delivered"),
    DeliveryStatus.SKIPPED: say("skipped"),
    DeliveryStatus.DEAD: say("dead letter"),
    DeliveryStatus.DISCARDED: say("discarded"),
}
STATUS_LABELS: Mapping[DeliveryStatus, str] = {
    DeliveryStatus.WAITING: say("Queued"),
    DeliveryStatus.RETRYING: say("Retrying"),
    DeliveryStatus.DELIVERED: say("Delivered"),
    DeliveryStatus.SKIPPED: say("Skipped"),
    DeliveryStatus.DEAD: say("Dead letter"),
    DeliveryStatus.DISCARDED: say("Discarded"),
}
#: A number of deliveries, and of more of them than are named.
_COUNTED = {
    "dead": to_be_counted("%(count)s dead letter", "%(count)s dead letters"),
    "blocked": to_be_counted("%(count)s blocked", "%(count)s blocked"),
    "retrying": to_be_counted("%(count)s retrying", "%(count)s retrying"),
    "in-flight": to_be_counted("%(count)s in flight", "%(count)s in flight"),
    "waiting": to_be_counted("%(count)s queued", "%(count)s queued"),
    "discarded": to_be_counted("%(count)s discarded", "%(count)s discarded"),
    "skipped": to_be_counted("%(count)s skipped", "%(count)s skipped"),
    "delivered": to_be_counted("%(count)s delivered", "%(count)s delivered"),
}
_MORE = {
    "dead": to_be_counted("%(count)s more dead letter", "%(count)s more dead letters"),
    "blocked": to_be_counted("%(count)s more blocked", "%(count)s more blocked"),
    "retrying": to_be_counted("%(count)s more retrying", "%(count)s more retrying"),
}
RATING_LABELS: Mapping[str, str] = {
    "good": say("Good"),
    "normal": say("Normal"),
    "bad": say("Bad"),
    "none": say("None"),
}
SPAN_WORDS: Mapping[Span, str] = {"hour": say("Hour"), "day": say("Day"), "week": say("Week"), "month": say("Month")}
LAST_SPAN: Mapping[Span, str] = {
    "hour": say("in the last hour"),
    "day": say("in the last day"),
    "week": say("in the last week"),
    "month": say("in the last month"),
}
THEME_WORDS: Mapping[Theme, str] = {"system": say("System"), "light": say("Light"), "dark": say("Dark")}

#: By the names that static/*.js has for them; what a script puts in stands in braces.
_SCRIPTS: Mapping[str, str] = {
    "notLive": say("Not live: the relay does not respond. Trying again …"),
    "copy": say("Copy"),
    "copied": say("Copied"),
    "goTo": say("Go to"),
    "palette": say("Go to a page, or search chats"),
    "search": say("Search chats for “{words}”"),
    "savedFilters": say("Saved filters ({count})"),
    "saveFilter": say("Save this filter"),
    "remove": say("Remove"),
    "removeFilter": say("Remove the filter {name}"),
}


def counted_status(status: str, number: int, more: bool = False) -> str:
    """ "3 dead letters", "11 more dead letters"; of a status that a newer version knows its own name."""
    forms = (_MORE if more else {}).get(str(status)) or _COUNTED.get(str(status))
    return say_n(*forms, number) if forms else Sentence(f"{number} {status}")


def script_words() -> Mapping[str, str]:
    """What the scripts say, in the reader's language."""
    return {name: for_reader(text) for name, text in _SCRIPTS.items()}
