"""A conversation as people read it: text, or HTML in blocks that can be spread over several notes. Pure.

What a visitor wrote is complete, without control characters, and escaped for what it goes into.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from markupsafe import Markup, escape

from connectors.kit.vocabulary import Language, translated
from core.conversation import Conversation, Message

#: Control characters, and the marks that turn the direction of the text around them; line breaks and tabs stay.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

#: A web address in escaped text: no quotation mark, no bracket and no space is in it.
_WEB = re.compile(r"(https?://[\w.\-~:/?#@!$&()*+,;=%]+)", re.ASCII)

#: No-break spaces: HTML keeps them, and Markdown makes no code of them.
_INDENT = Markup("&nbsp;&nbsp;&nbsp;&nbsp;")

#: Characters of a name or a label in front of a text.
LONGEST_NAME = 100

#: Characters of what a visitor wrote that a summary quotes.
EXCERPT = 300

_RATINGS = {5: "good", 3: "normal", 1: "bad"}


@dataclass(frozen=True)
class Voice:
    """How we say it: the language of the words around, and the zone of the times."""

    language: Language = "en"
    zone: tzinfo = UTC

    def say(self, word: str, **values: object) -> str:
        return translated(self.language, word).format(**values)

    @property
    def colon(self) -> str:
        """Behind a label and behind a name; in French it stands apart."""
        return self.say("colon")

    def moment(self, time: datetime | None) -> str:
        if time is None:
            return ""
        local = time.astimezone(self.zone)
        if self.language == "en":  # for English there is no one way that all its readers read alike
            return local.strftime("%Y-%m-%d %H:%M:%S %Z")
        from babel.dates import format_datetime

        return f"{format_datetime(local, 'medium', locale=self.language)} {local:%Z}"

    def clock(self, time: datetime | None) -> str:
        return time.astimezone(self.zone).strftime("%H:%M:%S") if time else "--:--:--"


@dataclass(frozen=True)
class Line:
    """One message: when, who (None for a system line), and what, in lines without control characters."""

    clock: str
    who: str | None
    what: tuple[str, ...]


def plain(text: str) -> str:
    """Text without control characters."""
    return _CONTROL.sub("", text)


def single_line(text: str) -> str:
    return " ".join(plain(text).split())


def as_text(conversation: Conversation, voice: Voice | None = None) -> str:
    """The whole conversation: a head with what is known of the visitor, then the messages, a line each."""
    voice = voice or Voice()
    colon = voice.colon
    head = [f"{label}{colon} {value}" for label, value in _head(conversation, voice)]
    # Further lines are set in, so that no visitor can write what looks like somebody else's line.
    lines = [
        f"[{line.clock}] " + ("— " if line.who is None else f"{line.who}{colon} ") + "\n    ".join(line.what)
        for line in _lines(conversation, voice)
    ]
    return "\n".join([*head, "", *lines, ""])


def as_html(
    conversation: Conversation, voice: Voice, longest: int, *, linked: bool = False, after: Conversation | None = None
) -> list[Markup]:
    """The same as blocks of simple HTML, each at most `longest` characters (at least 1,000) and whole in itself.

    `linked` makes links of the addresses among the facts that a browser reported, never of what a visitor wrote.
    `after`: only what is new since an earlier revision, which this one continues (`continues`).
    """
    colon = voice.colon
    known = frozenset(_head(after, voice)) if after is not None else frozenset()
    reported = {voice.say("page"), voice.say("referer")} if linked else set()
    facts = [
        _linked(line) if label in reported else line
        for label, value in _head(conversation, voice)
        if (label, value) not in known
        for line in _fact(label, colon, value, longest // 4 if label in reported else longest // 2)
    ]
    blocks = list(_paragraphs(facts, longest))
    for line in list(_lines(conversation, voice))[len(after.messages) if after is not None else 0 :]:
        who = Markup("—") if line.who is None else Markup("<b>{}</b>{}").format(inert(shortened(line.who)), colon)
        opening = Markup("{} {}").format(line.clock, who)
        pieces = [inert(piece) for text in line.what for piece in _pieces(text, longest // 2)]
        first = Markup("{} {}").format(opening, pieces[0]) if pieces else opening
        blocks += _paragraphs([first, *map(_set_in, pieces[1:])], longest)
    return blocks


def summary(conversation: Conversation, phone: str, email: str, link: str, voice: Voice) -> Markup:
    """A few lines of HTML: what kind of chat, whose, how it was rated, and what the visitor wrote first."""
    visitor = conversation.visitor
    name = shortened(single_line(visitor.name) or email or voice.say("a visitor"))
    title = inert(f"{voice.say(conversation.kind)}{voice.colon} {name}")
    lines = [Markup('<b><a href="{}">{}</a></b>').format(link, title) if link else Markup("<b>{}</b>").format(title)]
    if reach := " · ".join(filter(None, (email, phone))):
        lines.append(inert(reach))
    if (rating := _RATINGS.get(conversation.rating or 0)) or conversation.rating_desc:
        said = [voice.say(rating) if rating else "", shortened(single_line(conversation.rating_desc), EXCERPT)]
        rated = " · ".join(filter(None, said))
        lines.append(inert(f"{voice.say('rating')}{voice.colon} {rated}"))
    wrote = (single_line(one.content) for one in conversation.messages if one.type == "visitor")
    if first := next(filter(None, wrote), ""):
        lines.append(Markup("<i>{}</i>").format(inert(shortened(first, EXCERPT))))
    return Markup("<p>{}</p>").format(Markup("<br>").join(lines))


def continues(conversation: Conversation, earlier: Conversation) -> bool:
    """Whether it begins with every message of an earlier revision, as these were."""
    return conversation.messages[: len(earlier.messages)] == earlier.messages


def packed(blocks: Sequence[Markup], room: Callable[[int], int], size: Callable[[str], int] = len) -> list[Markup]:
    """Blocks put together into as few parts as will do. `room(n)` is what part n (from 0) can hold, in `size`."""
    parts: list[list[Markup]] = [[]]
    used = 0
    for block in blocks:
        if parts[-1] and used + size(block) > room(len(parts) - 1):
            parts.append([])
            used = 0
        parts[-1].append(block)
        used += size(block)
    return [Markup().join(part) for part in parts]


def _fact(label: str, colon: str, value: str, longest: int) -> Iterator[Markup]:
    """A line of the head, or several of at most `longest` characters: a variable may have a long label, too."""
    if len(label) > LONGEST_NAME:
        first, *more = _pieces(f"{label}{colon} {value}", longest)
        yield inert(first)
    else:
        first, *more = _pieces(value, longest)
        yield Markup("<b>{}</b>{} {}").format(inert(label), colon, inert(first))
    yield from (_set_in(inert(piece)) for piece in more)


def _set_in(line: Markup) -> Markup:
    """A further line of a text, so that no visitor can write what looks like somebody else's line."""
    return _INDENT + line if line else line


def _linked(line: Markup) -> Markup:
    """A line, with its first web address as a link that tells nobody where it was clicked."""
    link = r'<a href="\1" target="_blank" rel="noopener noreferrer nofollow">\1</a>'
    return Markup(_WEB.sub(link, str(line), count=1))  # noqa: S704  # escaped before, and the pattern takes no markup


def shortened(text: str, longest: int = LONGEST_NAME) -> str:
    """A name or a title in front of a text, which has all of it."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _paragraphs(lines: Sequence[Markup], longest: int) -> Iterator[Markup]:
    """Lines in as few paragraphs as will do."""
    held: list[Markup] = []
    for line in lines:
        if held and sum(len(one) + 4 for one in held) + len(line) + 7 > longest:
            yield Markup("<p>{}</p>").format(Markup("<br>").join(held))
            held = []
        held.append(line)
    if held:
        yield Markup("<p>{}</p>").format(Markup("<br>").join(held))


def _pieces(text: str, longest: int) -> Iterator[str]:
    """A text in pieces that stay below `longest` when they are escaped: one character may become six."""
    step = max(1, longest // 6)
    if len(inert(text)) <= longest:
        yield text
        return
    for start in range(0, len(text), step):
        yield text[start : start + step]


def inert(text: str) -> Markup:
    """Escaped, also for vendors whose own templates (`{{ticket.id}}`) work in what they are sent."""
    return Markup(str(escape(text)).replace("{", "&#123;"))  # noqa: S704  # escaped one call further in


def _head(conversation: Conversation, voice: Voice) -> list[tuple[str, str]]:
    visitor = conversation.visitor
    rating = _RATINGS.get(conversation.rating or 0)
    facts = {
        "conversation": f"{conversation.id} ({voice.say('account', number=conversation.account)}), "
        + _kind_in_a_sentence(conversation, voice),
        "began": voice.moment(conversation.begin_at),
        "ended": voice.moment(conversation.end_at),
        "visitor": f"{visitor.name} <{visitor.email}>" if visitor.email else visitor.name,
        "note": visitor.note,
        "group": visitor.group,
        "place": ", ".join(filter(None, (visitor.city, visitor.country, visitor.country_code))),
        "address": visitor.ip_address,
        "browser": " · ".join(filter(None, (visitor.platform, visitor.user_agent))),
        "referer": visitor.referer,
        "rating": " · ".join(
            filter(None, (voice.say(rating) if rating else str(conversation.rating or ""), conversation.rating_desc))
        ),
    }
    found = [(voice.say(word), single_line(value)) for word, value in facts.items() if value.strip()]
    found += [(single_line(one.label), single_line(str(one.value))) for one in visitor.variables.values()]
    return found + [(voice.say("page"), single_line(f"{page.title} {page.url}")) for page in conversation.paths]


def _kind_in_a_sentence(conversation: Conversation, voice: Voice) -> str:
    text = voice.say(conversation.kind)
    return text if voice.language == "de" else text[0].lower() + text[1:]


def _lines(conversation: Conversation, voice: Voice) -> Iterator[Line]:
    for message in conversation.messages:
        yield _line(message, voice)


def _line(message: Message, voice: Voice) -> Line:
    clock = voice.clock(message.sent_at)
    name = single_line(message.name) or single_line(message.type) or single_line(message.sender)
    if message.type == "system":
        # Codes. Only two are documented; others are shown as they are.
        known = message.content in ("agent.join", "close.visitorClose")
        return Line(clock, None, (voice.say(message.content, name=name) if known else single_line(message.content),))
    if message.triggered_by:
        name = f"{name} ({voice.say('automatic', rule=single_line(message.triggered_by))})"
    return Line(clock, name, tuple(plain(line) for line in message.content.splitlines()))
