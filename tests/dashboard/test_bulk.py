"""Putting right all that match: asked first, then done once, with a bar that fills; on a real server."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from core.delivery import DeliveryStatus, Outcome
from core.ids import DeliveryId
from core.store import Filter, Jobs, Ledger, Store, connect
from core.store import jobs as jobs_module
from core.store.search import conversations as search_module
from tests.conftest import Clock
from tests.dashboard.test_conversations import CONFIG, listed, text_of
from tests.support import made
from tests.support.admin import Admin, admin
from tests.support.server import Server
from tests.support.stack import chat, until


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=CONFIG)


@pytest.fixture
def jobs(server: Server) -> Jobs:
    return Jobs(connect(server.url), lambda: made.settings("archive", "crm"))


def statuses(ledger: Ledger, connector: str = "crm") -> dict[str, int]:
    return {status: number for status, number in ledger.lane(connector).counts.items() if number}


def links(html: str) -> dict[str, str]:
    """Words -> address."""
    found = re.findall(r'<a [^>]*href="([^"]+)"[^>]*>(.*?)</a>', html, re.DOTALL)
    return {text_of(words): unescape(address) for address, words in found}


def hidden(html: str) -> dict[str, str]:
    """What the confirmation's form carries."""
    form = html.partition('action="/conversations/bulk"')[2].partition("</form>")[0]
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    return {name: unescape(value) for name, value in fields if name != "csrf_token"}


def test_from_the_dead_to_delivered_again(page: Admin, store: Store, ledger: Ledger) -> None:
    made.chats(store, 7, crm=Outcome.REFUSED)
    made.chats(store, 3, first=50, crm=Outcome.DELIVERED)
    listing = page.get("/conversations").text
    assert "7 dead letters" in listing
    asked = page.get(links(listing)["retry"])
    assert "7 deliveries" in text_of(asked.text)
    assert len(listed(asked.text)) == 5
    assert statuses(ledger) == {"dead": 7, "delivered": 3}
    answer = page.submit("/conversations/bulk", **hidden(asked.text))
    assert answer.status_code == 303
    assert statuses(ledger) == {"waiting": 7, "delivered": 3}
    done = page.get(answer.location).text
    assert "7 deliveries are queued" in done
    assert "7 of 7 deliveries processed, 7 matched, 7 queued" in text_of(done)
    assert "dead" not in page.get("/conversations").text.partition("<form")[0]


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_what_comes_after_the_page_was_shown_is_left_alone(
    page: Admin, server: Server, ledger: Ledger, action: str
) -> None:
    store = Store(connect(server.url))  # by the server's own clock
    made.chats(store, 2, crm=Outcome.REFUSED)
    asked = page.get(f"/conversations/bulk?action={action}&status=dead").text
    assert "2 deliveries" in text_of(asked)
    until(lambda: ledger.now() > int(hidden(asked)["as_of"]), what="the next millisecond")
    made.chats(store, 3, first=10, crm=Outcome.REFUSED)
    job = page.submit("/conversations/bulk", **hidden(asked), reason="why")
    assert "2 of 2 deliveries processed" in text_of(page.get(job.location).text)
    assert "To " not in text_of(page.get(job.location).text).partition("looked at")[0]
    assert statuses(ledger)["dead"] == 3


@pytest.mark.parametrize("given", ["", "x", "99999999999999999"])
def test_a_page_that_does_not_say_when_it_was_shown_means_now(
    page: Admin, store: Store, ledger: Ledger, given: str
) -> None:
    made.chats(store, 2, crm=Outcome.REFUSED)
    page.submit("/conversations/bulk", action="replay", status="dead", as_of=given)
    assert statuses(ledger) == {"waiting": 2}


def test_from_a_search_to_what_is_discarded(page: Admin, store: Store, ledger: Ledger) -> None:
    for number in range(4):
        name = "Spam Bot" if number % 2 else "Ann"
        made.conversation(store, chat(number, visitor={"name": name}), crm=Outcome.REFUSED, archive=Outcome.DELIVERED)
    listing = page.get("/conversations?q=spam").text
    asked = page.get(links(listing)["Discard all matching dead letters"]).text
    assert "2 deliveries" in text_of(asked)
    assert "Status Dead" in text_of(asked)
    refused = page.submit("/conversations/bulk", **hidden(asked), reason=" ")
    assert refused.status_code == 422
    assert "Enter a reason" in refused.text
    again, first = hidden(refused.text), hidden(asked)
    assert int(again.pop("as_of")) >= int(first.pop("as_of"))
    assert again == first == {"action": "discard", "q": "spam"}
    assert statuses(ledger) == {"dead": 4}
    answer = page.submit("/conversations/bulk", **hidden(asked), reason="an advertisement")
    assert statuses(ledger) == {"dead": 2, "discarded": 2}
    assert statuses(ledger, "archive") == {"delivered": 4}
    assert ledger.delivery(DeliveryId("crm:1:1")).error == "an advertisement"
    done = text_of(page.get(answer.location).text)
    assert "2 deliveries are discarded" in done
    assert "Reason an advertisement By admin" in done


def test_a_conversation_is_counted_with_a_warning_that_all_goes_again(
    page: Admin, store: Store, ledger: Ledger
) -> None:
    made.chats(store, 2, crm=Outcome.DELIVERED, archive=Outcome.REFUSED)
    asked = page.get(links(page.get("/conversations?q=ann").text)["Replay all that match"]).text
    assert "2 chats , with all their deliveries" in text_of(asked)
    assert "Delivered ones are sent again too" in asked
    page.submit("/conversations/bulk", **hidden(asked))
    assert statuses(ledger) == statuses(ledger, "archive") == {"waiting": 2}


def test_every_part_of_the_filter_goes_along(page: Admin, store: Store, clock: Clock, ledger: Ledger) -> None:
    made.conversation(store, chat(1, channel={"id": 1, "isMissed": True, "rating": 5}), crm=Outcome.REFUSED)
    made.conversation(store, chat(2, channel={"id": 2, "rating": 5}), crm=Outcome.REFUSED)
    query = {
        "q": "ann",
        "said": "1",
        "connector": "crm",
        "status": "dead",
        "account": "1",
        "missed": "1",
        "rating": "good",
        "from": "2023-11-14",
        "to": "2023-11-14",
    }
    listing = page.get("/conversations", query_string=query).text
    asked = page.get(links(listing)["Replay all that match"]).text
    found = hidden(asked)
    assert int(found.pop("as_of")) > 0
    assert found == {"action": "replay", **query}
    page.submit("/conversations/bulk", **hidden(asked))
    assert statuses(ledger) == {"waiting": 1, "dead": 1}


def test_a_count_that_takes_too_long_is_at_least_so_many(
    page: Admin, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.chats(store, 9, crm=Outcome.REFUSED)
    monkeypatch.setattr(search_module, "_BATCH", 4)
    monkeypatch.setattr("app.dashboard.pages.bulk._COUNTING", 0)
    assert "At least 4 deliveries" in text_of(page.get("/conversations/bulk?action=replay&status=dead&q=ann").text)


def test_where_nothing_matches_there_is_nothing_to_press(page: Admin) -> None:
    html = page.get("/conversations/bulk?action=discard&status=dead").text
    assert "Nothing matches" in html
    assert 'action="/conversations/bulk"' not in html


@pytest.mark.parametrize(
    "query", ["", "action=erase", "action=discard&status=delivered", "action=discard&status=skipped"]
)
def test_what_cannot_be_done_is_refused(page: Admin, store: Store, query: str) -> None:
    made.chats(store, 1, crm=Outcome.DELIVERED)
    assert page.get(f"/conversations/bulk?{query}").status_code == 400
    fields = dict(part.split("=") for part in query.split("&") if part)
    assert page.submit("/conversations/bulk", **fields, reason="x").status_code == 400


def test_a_list_of_what_is_settled_offers_no_discarding(page: Admin, store: Store) -> None:
    made.chats(store, 1, crm=Outcome.DELIVERED)
    assert "Discard all" not in page.get("/conversations?status=delivered").text
    assert "Replay all" in page.get("/conversations?status=delivered").text


def test_what_waits_is_discarded_when_it_is_asked_for(page: Admin, store: Store, ledger: Ledger) -> None:
    made.chats(store, 2, gone=None)
    made.chats(store, 1, first=9, gone=Outcome.REFUSED)
    asked = page.get(
        links(page.get("/conversations?status=waiting&connector=gone").text)["Discard all that match"]
    ).text
    page.submit("/conversations/bulk", **hidden(asked), reason="the connector is gone")
    assert statuses(ledger, "gone") == {"discarded": 2, "dead": 1}


def test_a_filter_that_cannot_be_read_does_nothing(page: Admin, store: Store, ledger: Ledger) -> None:
    made.chats(store, 2, crm=Outcome.REFUSED)
    asked = page.get("/conversations/bulk?action=replay&status=dead&from=never")
    assert asked.status_code == 422
    assert "Write a day as" in asked.text
    for field in ({"from": "never"}, {"status": "deed"}, {"connector": "nobody"}):
        fields = {"action": "replay", "status": "dead", **field}
        assert page.submit("/conversations/bulk", **fields).status_code == 422
    assert statuses(ledger) == {"dead": 2}
    assert "No bulk jobs yet" in page.get("/conversations/jobs").text


def test_a_long_job_fills_its_bar_by_hand_or_by_itself(
    page: Admin, store: Store, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, ledger: Ledger
) -> None:
    monkeypatch.setattr(jobs_module, "_PART", 4)
    monkeypatch.setattr("app.dashboard.pages.bulk._WORKING", 0)
    made.chats(store, 10, crm=Outcome.REFUSED)
    address = page.submit("/conversations/bulk", action="replay", status="dead").location
    first = page.get(address)
    assert '<progress value="4" max="10">' in first.text
    # Without scripts the page asks by itself.
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in first.text
    assert f'data-live="{address}/live"' in first.text
    assert page.submit(address).location == address
    live = page.get(f"{address}/live", headers={"X-Relay-Live": "1"})
    assert '<progress value="8" max="10">' in live.text
    assert "X-Relay-Done" not in live.headers
    assert "<html" not in live.text
    jobs.advance(address.rsplit("/", 1)[1])  # as a worker does
    live = page.get(f"{address}/live")
    assert '<progress value="10" max="10">' in live.text
    assert "X-Relay-Done" not in live.headers  # they have not arrived yet
    assert "10 deliveries are queued" in live.text
    done = page.get(address).text
    assert "http-equiv" in done
    assert "Continue now" not in done
    assert statuses(ledger) == {"waiting": 10}


def test_what_was_left_alone_is_said(page: Admin, store: Store) -> None:
    made.chats(store, 2, crm=None)
    made.claimed(store, "crm", "1:1")
    address = page.submit("/conversations/bulk", action="discard", status="waiting", reason="x").location
    text = text_of(page.get(address).text)
    assert "1 delivery is discarded" in text
    assert "1 was skipped" in text


def test_the_last_jobs_are_listed_in_words(page: Admin, store: Store, jobs: Jobs) -> None:
    made.chats(store, 1, crm=Outcome.REFUSED)
    page.submit("/conversations/bulk", action="discard", q="<b>ann</b>", reason="<i>why</i>")
    jobs.start("replay", Filter(status=DeliveryStatus.DEAD, connector="crm"), by="eve")
    html = page.get("/conversations/jobs").text
    assert "<b>ann" not in html
    assert "<i>why" not in html
    rows = text_of(html.partition("<tbody>")[2])
    assert "Replay Connector: crm ; Status: Dead letter" in rows
    assert "eve 0" in rows
    assert "Discard <i>why</i> Text: <b>ann</b> ; Status: Dead letter admin 0" in rows
    assert "Finished" in rows


def test_jobs_need_a_log_in_and_a_token(page: Admin, store: Store, ledger: Ledger, jobs: Jobs) -> None:
    made.chats(store, 1, crm=Outcome.REFUSED)
    job = jobs.start("replay", Filter(status=DeliveryStatus.DEAD))
    fields = {"action": "replay", "status": "dead"}
    assert page.client.post("/conversations/bulk", data=fields).status_code == 403
    assert page.client.post(f"/conversations/jobs/{job.id}").status_code == 403
    stranger = Admin(page.app)
    for address in ("/conversations/bulk?action=replay", "/conversations/jobs", f"/conversations/jobs/{job.id}"):
        assert stranger.get(address).status_code == 303
    assert statuses(ledger) == {"dead": 1}


@pytest.mark.parametrize("address", ["/conversations/jobs/none", "/conversations/jobs/none/live"])
def test_a_job_that_is_not_there_is_not_found(page: Admin, address: str) -> None:
    assert page.get(address).status_code == 404
    assert page.submit("/conversations/jobs/none").status_code == 404


@pytest.mark.parametrize("query", [{"status": "dead"}, {"status": "dead", "connector": "off"}])
def test_what_is_for_connectors_that_take_nothing_is_said_to_wait(
    server: Server, tmp_path: Path, store: Store, query: dict[str, str]
) -> None:
    page = admin(server, tmp_path, config="connectors: {crm: {type: archive}, off: {type: archive, enabled: false}}")
    made.chats(store, 2, off=Outcome.REFUSED, gone=Outcome.REFUSED, crm=Outcome.REFUSED)
    one = "off is off, or not in relay.yaml any more: deliveries to it stay queued until it is on again."
    both = "gone, off are off, or not in relay.yaml any more: deliveries to them stay queued until they are"
    said = one if "connector" in query else both
    asked = page.get("/conversations/bulk", query_string={"action": "replay", **query}).text
    assert said in text_of(asked)
    done = page.get(page.submit("/conversations/bulk", **hidden(asked)).location).text
    assert said in text_of(done)
    assert ("Workers deliver them" in done) is ("connector" not in query)
    for other in ({"action": "replay", "connector": "crm"}, {"action": "discard", **query}):
        assert "switched off" not in page.get("/conversations/bulk", query_string=other).text


def test_the_page_of_a_job_follows_its_deliveries_and_leads_to_exactly_those(page: Admin, server: Server) -> None:
    store = Store(connect(server.url))  # by the server's own clock, as the job
    ids = made.chats(store, 3, crm=Outcome.REFUSED)
    made.chats(store, 2, first=50, crm=Outcome.DELIVERED)
    job = page.submit("/conversations/bulk", action="replay", status="dead").location
    begun = page.get(job).text
    assert "0 of 3" in text_of(begun)
    assert "X-Relay-Done" not in page.get(f"{job}/live").headers
    assert {row.rpartition("/")[2] for row in listed(page.get(links(begun)["See them"]).text)} == {*ids}
    made.settle(store, made.claimed(store, "crm", ids[0]), Outcome.DELIVERED)
    made.settle(store, made.claimed(store, "crm", ids[1]), Outcome.REFUSED)
    later = page.get(f"{job}/live")
    assert "1 of 3" in text_of(later.text)
    assert "X-Relay-Done" not in later.headers
    assert [row.rpartition("/")[2] for row in listed(page.get(links(later.text)["1 delivered"]).text)] == [ids[0]]
    assert [row.rpartition("/")[2] for row in listed(page.get(links(later.text)["1 dead letter"]).text)] == [ids[1]]
    made.settle(store, made.claimed(store, "crm", ids[2]), Outcome.DELIVERED)
    assert "http-equiv" not in page.get(job).text
    over = page.get(f"{job}/live")
    assert "2 of 3" in text_of(over.text)
    assert "X-Relay-Done" in over.headers


def test_a_list_of_a_jobs_deliveries_says_so_and_keeps_to_it(page: Admin, store: Store) -> None:
    made.chats(store, 2, crm=Outcome.REFUSED)
    job = page.submit("/conversations/bulk", action="replay", status="dead").location.rpartition("/")[2]
    listing = page.get(f"/conversations?job={job}")
    assert "Only deliveries of the bulk job" in text_of(listing.text)
    assert f'<input type="hidden" name="job" value="{job}">' in listing.text
    assert f"job={job}" in links(listing.text)["Replay all that match"]
    wrong = page.get("/conversations?job=<b>")
    assert wrong.status_code == 422
    assert "There is no bulk job" in text_of(wrong.text)
    assert not listed(page.get("/conversations?job=0123456789ab").text)
