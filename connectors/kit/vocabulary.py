"""What we say to people, in the languages of the shops: English here, the others in gettext catalogues beside it.

Ours are the words around a transcript: what the visitor and the agent wrote stays as it is. A catalogue is read as it
stands in the repository, when the first chat needs it; nothing has to be compiled, and nobody pays for other languages.
docs/contributing/language.md says how to change a word, and how to add one or a language.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

Language = Literal["en", "cs", "sk", "de", "pl", "hu", "fr", "es", "it", "nl", "ro"]


def gettext_noop(text: str) -> str:
    """Marks a text for the catalogues, and returns it."""
    return text


#: By the names that the code has for them. A comment that begins with "Translators:" stands in the catalogues.
ENGLISH: Mapping[str, str] = {
    # Translators: the subject of a record begins with one of these three, as in "Missed chat: Ann Lee".
    "chat": gettext_noop("Chat"),
    # Translators: a chat that no agent answered.
    "missed": gettext_noop("Missed chat"),
    # Translators: what a visitor left while no agent was there.
    "offline": gettext_noop("Offline message"),
    # Translators: stands for the name of somebody who gave none, as in "Chat: a visitor".
    "a visitor": gettext_noop("a visitor"),
    # Translators: from here on labels, as in "Conversation: 55039 (account 208), chat".
    "conversation": gettext_noop("Conversation"),
    # Translators: of a shop at Smartsupp, as in "Conversation: 55039 (account 208), chat".
    "account": gettext_noop("account {number}"),
    # Translators: a date and a time follow.
    "began": gettext_noop("Began"),
    # Translators: a date and a time follow.
    "ended": gettext_noop("Ended"),
    "visitor": gettext_noop("Visitor"),
    # Translators: what agents noted about the visitor.
    "note": gettext_noop("Note"),
    # Translators: the group of agents that the visitor wrote to.
    "group": gettext_noop("Group"),
    # Translators: a town and a country follow.
    "place": gettext_noop("Place"),
    # Translators: an IP address follows.
    "address": gettext_noop("Address"),
    "browser": gettext_noop("Browser"),
    # Translators: the address of the page that led the visitor to the shop (the referrer).
    "referer": gettext_noop("Came from"),
    # Translators: of the chat, by the visitor. One of the next three follows.
    "rating": gettext_noop("Rating"),
    # Translators: a rating; agrees with the word for "Rating".
    "good": gettext_noop("good"),
    # Translators: a rating between good and bad; agrees with the word for "Rating".
    "normal": gettext_noop("normal"),
    # Translators: a rating; agrees with the word for "Rating".
    "bad": gettext_noop("bad"),
    # Translators: a page that the visitor looked at; its title and address follow.
    "page": gettext_noop("Page"),
    # Translators: what stands behind a label and behind the name of who speaks, before the space.
    "colon": gettext_noop(":"),
    # Translators: a person of any gender, or an account such as "Support".
    "agent.join": gettext_noop("{name} joined"),
    # Translators: a person of any gender.
    "close.visitorClose": gettext_noop("{name} closed the chat"),
    # Translators: of a message that a rule of the shop sent, as in "Ann (automatic: Welcome)".
    "automatic": gettext_noop("automatic: {rule}"),
    # Translators: in front of a transcript that was sent before, and is longer now.
    "revised": gettext_noop("The conversation continued; this is all of it."),
    # Translators: in front of what is new, where the record has the rest.
    "continued": gettext_noop("The conversation continued."),
    # Translators: in a new ticket, which one it continues; its address.
    "follows": gettext_noop("Follows: {record}"),
    # Translators: a person is a contact in a CRM, or who asks in a help desk.
    "no person": gettext_noop("The email address {email} cannot be used, so this chat is not linked to a person."),
    # Translators: in an email whose transcript is too long for it; the name of a file follows.
    "attached": gettext_noop("The whole conversation is attached: {file}"),
    # Translators: above the names of files that came with the chat.
    "files": gettext_noop("Files"),
    # Translators: of a file that came with the chat, as in "photo.jpg (not attached)"; its web address may follow.
    "not attached": gettext_noop("not attached"),
    # Translators: stands in the place of what was taken out of a text before it was sent; so do the next three.
    "redacted password": gettext_noop("[password redacted]"),
    "redacted IBAN": gettext_noop("[IBAN redacted]"),
    # Translators: of a payment card.
    "redacted card number": gettext_noop("[card number redacted]"),
    # Translators: the number that a country gives to each person, such as a birth number or a tax number.
    "redacted national number": gettext_noop("[national number redacted]"),
    # Translators: of a transcript that is too long for one note.
    "part": gettext_noop("Part {number} of {total}"),
}


def translated(language: Language, word: str) -> str:
    """A word in a language; in English where a catalogue that is newer or older than this process has none."""
    english = ENGLISH[word]
    return english if language == "en" else _catalogue(language).get(english, english)


@cache
def _catalogue(language: Language) -> Mapping[str, str]:
    # Here, because a relay that speaks English needs no reader of catalogues. With it the first chat takes 15 ms more.
    from babel.messages.pofile import read_po  # noqa: PLC0415

    with (files(__package__) / "locale" / language / "LC_MESSAGES" / "transcript.po").open("rb") as file:
        messages = list(read_po(file, locale=language, abort_invalid=True))
    # The first is the catalogue's head, whose id is empty.
    return {str(one.id): str(one.string) for one in messages if one.id and one.string and not one.fuzzy}
