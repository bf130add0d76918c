"""The values of a chat: what can be known of it is right, and what cannot is empty; never an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from phonenumbers import PhoneNumberMatcher

from core.config.values import ValueSettings
from core.conversation import Agent, Conversation, Message, Page, Variable, Visitor
from core.templates.language import condition, extracts, wording
from core.values.chat import TYPES, Utm, Values, description
from core.values.patterns import compiled, first

WHEN = datetime(2026, 5, 1, 8, tzinfo=UTC)


def written(*texts: str) -> tuple[Message, ...]:
    """What a visitor wrote; a text that begins with "> " is an agent's."""
    return tuple(
        Message(type="agent", sender="agent:3", content=text[2:])
        if text.startswith("> ")
        else Message(type="visitor", sender="visitor:mx1", content=text)
        for text in texts
    )


def values(
    *texts: str,
    config: dict[str, Any] | None = None,
    country: str = "CZ",
    variables: dict[str, Any] | None = None,
    **fields: Any,
) -> Values:
    """Of a chat with these messages; a variable may be `(label, value)`."""
    made = {
        name: Variable(label=given[0], value=given[1])
        if isinstance(given, tuple)
        else Variable(label=name, value=given)
        for name, given in (variables or {}).items()
    }
    visitor = Visitor(country_code=country, variables=made)
    chat = Conversation(account="1", id="2", **{"visitor": visitor, "messages": written(*texts), **fields})
    return Values(chat, ValueSettings.model_validate(config or {}))


def test_what_is_not_known_is_empty() -> None:
    nothing = Values(Conversation(account="1", id="2"))
    assert {name: getattr(nothing, name) for name in TYPES} == {
        **dict.fromkeys(("phone", "customer_id", "landing_page", "channel", "language", "csat"), ""),
        "kind": "chat",
        "agent": Agent(),
        "agents": (),
        "answered": False,
        "visitor_messages": 0,
        "agent_messages": 0,
        "utm": Utm(),
        "csat_score": None,
        "extracted": {},
    }
    names = " ".join("{{ " + name + " }}" for name in TYPES)
    assert wording(names)(nothing, {}).split() == ["chat", "()", "False", "0", "0", "{}"]


def test_every_value_has_a_sentence_of_its_own() -> None:
    sentences = [description(name) for name in TYPES]
    assert all(one.endswith(".") and "\n" not in one for one in sentences)
    assert len(set(sentences)) == len(TYPES)


# --- agents ------------------------------------------------------------------


def said_by(sender: str, name: str = "", **more: Any) -> Message:
    return Message(**{"type": "agent", "sender": sender, "name": name, "content": "Hi", **more})


def test_the_agent_is_the_last_who_wrote() -> None:
    found = values(
        messages=(
            said_by("agent:3", "Ann"),
            said_by("agent:4", "Bob"),
            said_by("agent:3"),
            Message(type="system", sender="agent:5", content="agent.join", name="Eve"),
            said_by("agent:6", triggered_by="Greeting"),
            said_by("system", "Robot"),
            Message(type="visitor", sender="visitor:mx1", name="Vera", content="Bye"),
        )
    )
    assert found.agents == (Agent(id="4", name="Bob"), Agent(id="3", name="Ann"))
    assert found.agent == Agent(id="3", name="Ann")
    assert found.answered
    assert (found.visitor_messages, found.agent_messages) == (1, 3)


def test_an_automatic_message_is_no_answer() -> None:
    found = values(messages=(said_by("agent:3", "Ann", triggered_by="Greeting"), *written("Hello?")))
    assert not found.answered
    assert found.agent == Agent()


def test_the_file_says_who_an_agent_is_for_others() -> None:
    config = {"agents": {"3": "ann@shop.example", "4": {"name": "Robert", "email": "bob@shop.example"}}}
    messages = (said_by("agent:3", "Ann"), said_by("agent:4", "Bob"), said_by("agent:5", "Eve"))
    assert values(messages=messages, config=config).agents == (
        Agent(id="3", name="Ann", email="ann@shop.example"),
        Agent(id="4", name="Robert", email="bob@shop.example"),
        Agent(id="5", name="Eve"),
    )


# --- phone -------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["602 123 456", "+420 602 123 456", "00420602123456", 602123456, 420602123456, 602123456.0]
)
def test_a_phone_number_is_written_as_everybody_reads_it(value: Any) -> None:
    assert values(variables={"phone": value}).phone == "+420602123456"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("tel", ""),
        ("userPhone", ""),
        ("phone_number", ""),
        ("x", "Telefonní číslo"),
        ("x", "Telefón"),
        ("x", "Handynummer oder Mobil"),
        ("x", "Numer telefonu"),
        ("x", "Telefonszám"),
        ("x", "Téléphone"),
        ("x", "Teléfono móvil"),
        ("x", "Cellulare"),
        ("x", "Telefoonnummer"),
        ("gsm", ""),
    ],
)
def test_a_field_for_a_phone_is_known_by_its_name_or_label(name: str, label: str) -> None:
    assert values(variables={name: (label, "602123456")}).phone == "+420602123456"


@pytest.mark.parametrize("name", ["hotel", "order", "telegram", "customer_number", "title"])
def test_a_number_in_another_field_is_no_phone(name: str) -> None:
    assert values(variables={name: "602123456"}).phone == ""


@pytest.mark.parametrize(
    "value", ["", None, True, "none", "12", "123456789012345678", "602123456x99y", "\ud83d", "0" * 5000]
)
def test_what_is_no_number_is_none(value: Any) -> None:
    assert values(variables={"phone": value}).phone == ""


def test_the_country_of_the_file_counts_before_the_visitors() -> None:
    assert values(variables={"tel": "030 901820"}, country="DE").phone == "+4930901820"
    assert values(variables={"tel": "030 901820"}, country="DE", config={"country": "CZ"}).phone == ""
    assert values(variables={"tel": "602123456"}, country="").phone == ""
    assert values(variables={"tel": "602123456"}, country="??").phone == ""
    assert values(variables={"tel": "+420602123456"}, country="??").phone == "+420602123456"


def test_the_variable_that_is_named_counts_first_then_a_field_then_words() -> None:
    given = {"mobile": "602 123 457", "contact": "602 123 456"}
    text = "my phone is 602 123 458"
    named = {"variables": {"phone": "contact"}}
    assert values(text, variables=given, config=named).phone == "+420602123456"
    assert values(text, variables={**given, "contact": "soon"}, config=named).phone == "+420602123457"
    assert values(text, variables={"mobile": "soon"}).phone == "+420602123458"


@pytest.mark.parametrize(
    "texts",
    [
        ("Call me: 602 123 456",),
        ("zavolejte mi na 602123456 prosím",),
        ("> What is your phone number?", "602123456"),
        ("my tel.", "602-123-456"),
        ("+420 602 123 456",),
        ("write to 00420602123456 at 8",),
        ("mobil +420602123456 or +420602123457",),
    ],
)
def test_a_number_that_a_visitor_wrote_is_one_where_it_is_called_so(texts: tuple[str, ...]) -> None:
    assert values(*texts).phone == "+420602123456"


@pytest.mark.parametrize(
    "texts",
    [
        ("my order is 602123456",),
        ("602123456",),
        ("> What is your phone number?", "I do not know", "the order is 602123456"),
        ("> Call us: 602 123 456",),
        ("my phone is 602 123",),
        ("phone 4111 1111 1111 1111",),
        ("phone 2026-05-01 12:30",),
    ],
)
def test_a_number_that_might_be_another_is_no_phone(texts: tuple[str, ...]) -> None:
    assert values(*texts).phone == ""


def test_what_is_extracted_is_no_phone() -> None:
    text = "my phone is new, the order was 602123456, call 602 123 457"
    assert values(text).phone == "+420602123456"
    assert values(text, config={"extract": {"order": r"order was (\d+)"}}).phone == "+420602123457"


def test_a_chat_full_of_digits_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each message, and of all of them, only so much is looked at."""
    looked_at = []

    def matcher(text: str, country: str | None) -> Any:
        looked_at.append(len(text))
        return PhoneNumberMatcher(text, country)

    monkeypatch.setattr("phonenumbers.PhoneNumberMatcher", matcher)
    assert values(*(["call 1 " + "1 " * 50_000] * 200)).phone == ""
    assert max(looked_at) <= 2_000
    assert sum(looked_at) <= 22_000


# --- where it came from ------------------------------------------------------


def test_a_campaign_is_known_by_the_address_that_names_it() -> None:
    pages = (
        Page(url="https://shop.example/cart"),
        Page(url="https://shop.example/?UTM_SOURCE=news&utm_campaign=Spring+sale&utm_source=other"),
        Page(url="https://shop.example/?utm_source=last"),
    )
    found = values(paths=pages)
    assert found.utm == Utm(source="news", campaign="Spring sale")
    assert str(found.utm) == "news / Spring sale"
    assert found.landing_page == pages[1].url
    assert values(paths=pages[:1]).landing_page == pages[0].url
    assert values(variables={"utm_source": "app", "utm_medium": None}).utm == Utm(source="app")


@pytest.mark.parametrize(
    "url", ["http://[", "x?utm_source", "?" + "&".join("a=1" for _ in range(500)), "\ud83d?utm_source="]
)
def test_an_address_that_is_none_has_no_campaign(url: str) -> None:
    found = values(paths=(Page(url=url),))
    assert found.utm == Utm()
    assert found.landing_page == url


def test_the_channel_is_what_the_shop_calls_it_else_web_where_a_browser_was() -> None:
    named = {"variables": {"channel": "from"}}
    assert values(variables={"from": "app"}, config=named).channel == "app"
    assert values(paths=(Page(url="https://shop.example"),), config=named).channel == "web"
    assert values().channel == ""


@pytest.mark.parametrize(
    ("value", "language"), [("cs", "cs"), ("en-GB", "en"), ("SK_sk", "sk"), ("Czech language", ""), ("", ""), (7, "")]
)
def test_the_language_is_that_of_the_variable(value: Any, language: str) -> None:
    assert values(variables={"l": value}, config={"variables": {"language": "l"}}).language == language


def test_a_language_in_an_address_counts_and_a_folder_does_not() -> None:
    assert values(paths=(Page(url="https://shop.example/de/?lang=cs_CZ"),)).language == "cs"
    assert values(paths=(Page(url="https://shop.example/de/"),)).language == ""


def test_a_rating_has_a_name() -> None:
    assert [values(rating=rating).csat for rating in (5, 3, 1, 4, None)] == ["good", "normal", "bad", "", ""]
    assert values(rating=1).csat_score == 1
    assert values(is_missed=True).kind == "missed"
    assert values(is_missed=True, is_offline=True).kind == "offline"


def test_a_customer_id_is_text_whatever_was_sent() -> None:
    named = {"variables": {"customer_id": "customerId"}}
    for value, text in ((1042, "1042"), (1042.0, "1042"), (" C-1042\n", "C-1042"), (True, ""), ("x" * 9000, "x" * 500)):
        assert values(variables={"customerId": value}, config=named).customer_id == text


# --- patterns ----------------------------------------------------------------


def test_a_pattern_finds_the_first_match_in_what_the_visitor_wrote() -> None:
    extract = {"order": r"(?i)order\D{0,10}(\d{6,8})", "sku": r"SKU-\w+", "either": r"a=(\d)|b=(\d)"}
    found = values(
        "> order 99999999", "Hello", "my Order no. 20240001, b=7", "order 20240002 SKU-1x", config={"extract": extract}
    )
    assert found.extracted == {"order": "20240001", "sku": "SKU-1x", "either": "7"}
    assert condition("extracted.order == '20240001' and extracted['sku']")(found) is True
    assert values("Hello", config={"extract": extract}).extracted == {"order": "", "sku": "", "either": ""}


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|a)*b", r"(.*)(.*)(.*)(.*)(.*)=", r"(x+x+)+y", r"a?" * 100 + "a" * 100]
)
def test_a_pattern_that_would_never_end_elsewhere_ends(pattern: str) -> None:
    """Each would take Python's own engine longer than the world has been there."""
    assert len(first(pattern, ["a" * 100_000 + "!", "x" * 100_000])) <= 100_000


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(", "a ( is never closed"),
        (")", "a ) too many"),
        ("[a", "a [ is never closed"),
        ("a\\", "a \\ stands at the end"),
        ("*a", "nothing to repeat in front of *"),
        ("a**", "two signs of repetition follow each other **"),
        ("a{2000}", "more than 1,000 times"),
        ("[z-a]", "no such range or class as z-a"),
        ("(a)\\1", "no such escape as \\1"),
        ("(?=a)", "look ahead or behind cannot be used"),
        ("(?<!a)b", "look ahead or behind cannot be used"),
        ("(?P<x", "a name of a group is not complete"),
        ("\ud83d", "a character that is not one"),
        ("((x{100}){100}){100}", "more than 1,000 times"),
    ],
)
def test_what_is_no_pattern_is_refused_in_plain_words(pattern: str, text: str) -> None:
    with pytest.raises(ValueError, match="is not a pattern: ") as raised:
        compiled(pattern)
    assert text in str(raised.value)


def test_a_template_says_which_patterns_it_reads() -> None:
    assert extracts("{{ extracted.a }} {{ extracted['b'] }} {{ extracted.items() }}") == {"a", "b"}
    assert extracts("extracted.c == 'x' and extracted[visitor.name]") == {"c"}
    assert extracts("extracted") == extracts("{{ 'a }}") == extracts("visitor.name") == frozenset()


# --- whatever comes ----------------------------------------------------------

TEXT = some.text(max_size=60) | some.text("+0123456789 ()-/ext.tel", max_size=30)


@settings(max_examples=300, deadline=None)
@given(
    texts=some.lists(TEXT, max_size=4),
    sender=TEXT,
    urls=some.lists(TEXT.map(lambda text: f"https://a/?{text}") | TEXT, max_size=3),
    value=TEXT | some.integers() | some.floats() | some.booleans() | some.none(),
    country=some.sampled_from(("CZ", "DE", "", "xx", "US")) | TEXT,
)
def test_no_chat_makes_a_value_fail(texts: list[str], sender: str, urls: list[str], value: Any, country: str) -> None:
    config = {
        "variables": {"phone": "a", "customer_id": "a", "language": "a", "channel": "a"},
        "extract": {"any": r"(\d+)|\w*"},
        "agents": {"3": "ann@example.com"},
    }
    messages = (*written(*texts), said_by(sender, sender), said_by(f"agent:{sender}"))
    found = values(
        messages=messages,
        paths=tuple(Page(url=url) for url in urls),
        variables={"a": value, "phone": value},
        country=country,
        config=config,
    )
    spelled = found.spelled()
    assert {name.partition(".")[0] for name in spelled} == set(TYPES)
    assert found.phone == "" or found.phone.removeprefix("+").isdecimal()
    assert wording("{{ agent }}{{ utm }}{{ csat_score }}{{ phone }}{{ extracted.any }}")(found, {}) is not None
