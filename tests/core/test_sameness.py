"""The hook's chat and the API's: one conversation, or two? Two that are taken for one would show a stranger's chat."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from core.conversation import Conversation, Message, Visitor
from core.ids import ConversationId
from core.sameness import Traits, known_as, same_chat, says_no_more, traits, twin

BEGAN = 1_764_320_000_123
CHAT = Traits("208", BEGAN, "ann@example.com", "ann", "192.0.2.7", "hello", BEGAN + 4_000)
NOBODY = Traits("208", BEGAN, words="hello", said=BEGAN + 4_000)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (CHAT, CHAT),
        (CHAT, CHAT._replace(email="", address="")),  # the API's token may not read contacts
        (NOBODY, NOBODY),
        (CHAT, CHAT._replace(email="ann@corrected.example", name="ann b")),  # an agent has corrected the contact
        (CHAT._replace(words="", said=None), CHAT._replace(words="", said=None)),  # nobody wrote, the address is one
        (CHAT, CHAT._replace(began=BEGAN - 123, said=BEGAN + 3_877)),  # the API knows only seconds
        (
            NOBODY._replace(words="where is my order 12345678?"),
            NOBODY._replace(words="where is my order 12345678?", began=BEGAN - 123),
        ),
    ],
)
def test_one_chat_that_came_both_ways_is_one(one: Traits, other: Traits) -> None:
    assert same_chat(one, other)
    assert same_chat(other, one)


@pytest.mark.parametrize(
    "other",
    [
        CHAT._replace(account="209"),
        CHAT._replace(began=None),
        CHAT._replace(began=BEGAN + 1_001),
        CHAT._replace(began=BEGAN + 1),  # neither is a whole second
        CHAT._replace(words="hello?"),
        CHAT._replace(said=BEGAN + 5_001),
        CHAT._replace(email="bob@example.com", said=BEGAN + 4_001),
        CHAT._replace(email="", address="", name="", said=None),  # only "hello" speaks for it
        NOBODY._replace(began=BEGAN - 123),
        CHAT._replace(words="", email="", address=""),
    ],
)
def test_what_is_in_doubt_is_another_chat(other: Traits) -> None:
    assert not same_chat(CHAT, other)
    assert not same_chat(other, CHAT)


def test_of_two_that_could_be_it_none_is() -> None:
    first, second = ConversationId("208:1"), ConversationId("208:2")
    assert twin(CHAT, {first: CHAT, second: NOBODY._replace(words="bye")}) == first
    assert twin(CHAT, {first: CHAT, second: CHAT}) is None
    assert twin(CHAT, {}) is None


#: What visitors write first, mostly; the number is how often.
_OPENINGS = {"hello": 30, "hi": 20, "dobrý den": 30, "ahoj": 5, "?": 2, "": 10}


def _busy(chance: random.Random, number: int) -> Traits:
    """A chat of a shop with far more going on than any has: a thousand chats begin within a tenth of a second, and most
    visitors say the same, from a few shared addresses, without a name."""
    began = BEGAN + chance.randrange(100)
    words = chance.choices([*_OPENINGS, f"where is order {chance.randrange(10**8):08}"], [*_OPENINGS.values(), 10])[0]
    someone = chance.random() < 0.3
    return Traits(
        "208",
        began,
        f"visitor{number}@example.com" if someone else "",
        chance.choice(("jan", "petr", "eva")) if someone else "",
        f"192.0.2.{chance.randrange(200)}" if chance.random() < 0.8 else "",
        words,
        began + chance.randrange(2_000, 60_000) if words else None,
    )


def test_of_a_million_pairs_of_different_chats_none_is_taken_for_one() -> None:
    chance = random.Random(15)
    chats = [_busy(chance, number) for number in range(1_420)]
    pairs = list(combinations(chats, 2))
    assert len(pairs) > 1_000_000
    assert sum(1 for one, other in pairs if same_chat(one, other)) == 0
    # Nor if the API knew only seconds.
    seconds = [one._replace(began=BEGAN - BEGAN % 1_000) for one in chats[:500]]
    assert sum(1 for one in chats[500:] for other in seconds if same_chat(one, other)) == 0


def test_of_a_hundred_thousand_chats_that_came_both_ways_hardly_any_is_kept_twice() -> None:
    chance = random.Random(16)

    def fetched(one: Traits) -> Traits:
        """As the API would have it: sometimes without contact, sometimes corrected, sometimes without an address."""
        fate = chance.random()
        if fate < 0.05:
            return one._replace(email="", name="", address="")
        return one._replace(email="corrected@example.com") if fate < 0.08 and one.email else one

    missed = sum(1 for number in range(100_000) if not same_chat(one := _busy(chance, number), fetched(one)))
    # Those of whom nothing is known but when they began: no word, no email, no address.
    assert missed / 100_000 < 0.04


def _conversation(**changes: object) -> Conversation:
    said = Message(type="visitor", content="Hello  there", sent_at=datetime.fromtimestamp(BEGAN / 1000 + 4, UTC))
    return Conversation.model_validate(
        {
            "account": "208",
            "id": "55039",
            "begin_at": datetime.fromtimestamp(BEGAN / 1000, UTC),
            "end_at": datetime.fromtimestamp(BEGAN / 1000 + 60, UTC),
            "visitor": Visitor(email="Ann@Example.com", name="Ann", ip_address="192.0.2.7"),
            "messages": (Message(type="system", content="agent.join"), said),
            **changes,
        }
    )


def test_traits_are_those_of_the_first_thing_that_the_visitor_wrote() -> None:
    found = traits(_conversation())
    assert found == Traits("208", BEGAN, "ann@example.com", "ann", "192.0.2.7", "hello there", BEGAN + 4_000)
    assert traits(Conversation(account="208", id="1")) == Traits("208", None)


def test_a_conversation_is_known_by_the_id_that_it_came_by_first() -> None:
    found = known_as(_conversation(id="co1"), ConversationId("208:55039"))
    assert (found.key, found.visitor.name) == ("208:55039", "Ann")
    assert known_as(found, ConversationId("208:55039")) is found


def test_a_chat_says_no_more_when_all_its_messages_are_kept_already() -> None:
    kept, more = _conversation(), Message(type="visitor", content="Thanks")
    assert says_no_more(_conversation(messages=kept.messages[1:]), kept)
    assert not says_no_more(_conversation(messages=(*kept.messages, more)), kept)
    assert not says_no_more(_conversation(rating=5), kept)
    later = datetime.fromtimestamp(BEGAN / 1000, UTC) + timedelta(hours=1)
    assert not says_no_more(_conversation(end_at=later), kept)
