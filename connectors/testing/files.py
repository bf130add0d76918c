"""What a connector must do whose vendor takes files.

    class TestZendesk(Contract, FileLaws):

The fake keeps what it is given: `attached` has each file of its records by name, with its content. Chats have their
files at the fake itself, in place of Smartsupp's storage, so that replies of these get lost as others do.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from connectors.kit.files.carrying import SEND_TRIES
from connectors.kit.files.fetching import FETCH_TRIES
from connectors.testing.bench import Bench
from connectors.testing.fake import Answer, Fake
from core.delivery import Reference
from core.errors import RetryLater
from core.ids import ConversationId
from core.smartsupp.api.body import FetchedConversation, as_body

#: Of the visitor: name, media type, content. No test meets the contents by chance, nor in another encoding.
KETTLE_PHOTO = ("photo of the kettle.png", "image/png", b"\x89PNG\r\n\x1a\n the-kettle-as-it-came " * 40)
KETTLE_INVOICE = ("faktura č. 7.pdf", "application/pdf", b"%PDF-1.7 the-invoice-of-the-kettle " * 40)
KETTLE_RECEIPT = ("receipt.pdf", "application/pdf", b"%PDF-1.7 the-receipt-that-came-later " * 40)

ChatFileOf = tuple[str, str, bytes]


def chat_with(vendor: Fake, *files: ChatFileOf, channel: str = "coKettle7") -> dict[str, Any]:
    """A chat as Smartsupp's API has it: the visitor says something, and sends a file with each further message."""
    messages: list[dict[str, Any]] = [{"content": {"type": "text", "text": "The lid is broken, see the picture."}}]
    for name, kind, content in files:
        path = f"{name.encode().hex()}"
        vendor.chat_files[path] = Answer(200, content, {"Content-Type": kind})
        about = {"file_name": name, "file_type": kind, "size": len(content), "url": vendor.address_of(path)}
        messages.append({"content": {"type": "upload", "data": about}})
    fetched = FetchedConversation(
        conversation={
            "id": channel,
            "created_at": "2015-03-27T15:33:00Z",
            "finished_at": "2015-03-27T15:40:00Z",
            "visitor_id": "viKettle7",
        },
        messages=[
            {**one, "sub_type": "contact", "visitor_id": "viKettle7", "created_at": f"2015-03-27T15:34:{second:02}Z"}
            for second, one in enumerate(messages)
        ],
        contact={"id": "ctKettle7", "name": "Ann Lee", "email": "ann.lee@example.org"},
    )
    found: dict[str, Any] = json.loads(as_body(fetched, "208"))
    return found


class FileLaws(Bench):
    def _attached(self, vendor: Fake) -> Counter[bytes]:
        return Counter(content for _, content in vendor.attached())

    def _in_the_end(self, vendor: Fake, payload: dict[str, Any], memory: dict[str, Any], number: int = 1) -> Reference:
        """As a lane tries: again and again."""
        for _ in range(6):
            try:
                return self.deliver(self.connector(vendor), payload, memory, number)
            except RetryLater:
                continue
        raise AssertionError("it does not get through")

    def _waits(self) -> list[Any]:
        return [one for one in (self.data_dir / "chat-files").rglob("*") if one.is_file()]

    def test_files_of_a_chat_are_attached_once_and_wait_nowhere(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        for _ in range(2):
            self.deliver(self.connector(vendor), chat_with(vendor, KETTLE_PHOTO, KETTLE_INVOICE), memory)
        assert self._attached(vendor) == {KETTLE_PHOTO[2]: 1, KETTLE_INVOICE[2]: 1}
        assert len(vendor.records()) == 1
        for name in (KETTLE_PHOTO[0], KETTLE_INVOICE[0]):
            assert self.spread(name) in self.arrived(vendor)
        assert all(name.isascii() and " " not in name for name, _ in vendor.attached())
        assert "note files" not in memory
        assert self._waits() == []

    def test_a_lost_reply_to_any_request_leaves_each_file_once(self) -> None:
        number = 0
        while True:
            with self.fake() as vendor:
                memory: dict[str, Any] = {}
                payload = chat_with(vendor, KETTLE_PHOTO, KETTLE_INVOICE)
                vendor.lose_reply_after = number
                self._in_the_end(vendor, payload, memory)
                assert self._attached(vendor) == {KETTLE_PHOTO[2]: 1, KETTLE_INVOICE[2]: 1}, f"request {number}"
                assert len(vendor.records()) == 1, f"request {number}"
                assert self.spread("(not attached)") not in self.arrived(vendor), f"request {number}"
                assert self._waits() == []
                if vendor.lose_reply_after is not None:  # there was no such request
                    break
            number += 1
        assert number > 2

    def test_a_revision_brings_only_the_file_that_is_new(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), chat_with(vendor, KETTLE_PHOTO, KETTLE_INVOICE), memory)
        vendor.chat_files.clear()
        self.deliver(self.connector(vendor), chat_with(vendor, KETTLE_PHOTO, KETTLE_INVOICE, KETTLE_RECEIPT), memory, 2)
        assert self._attached(vendor) == {KETTLE_PHOTO[2]: 1, KETTLE_INVOICE[2]: 1, KETTLE_RECEIPT[2]: 1}
        assert len(vendor.records()) == 1

    def test_a_store_that_has_forgotten_everything_attaches_no_file_again(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat_with(vendor, KETTLE_PHOTO), {})
        later = chat_with(vendor, KETTLE_PHOTO, KETTLE_RECEIPT)
        self.deliver(self.connector(vendor), later, {}, 1427470480, first=False)
        assert self._attached(vendor) == {KETTLE_PHOTO[2]: 1, KETTLE_RECEIPT[2]: 1}
        assert len(vendor.records()) == 1

    def test_what_cannot_be_carried_is_linked_and_said_and_the_rest_arrives(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        payload = chat_with(vendor, ("video.mp4", "video/mp4", b"the-video" * 300_000), KETTLE_PHOTO, KETTLE_INVOICE)
        vendor.chat_files[KETTLE_PHOTO[0].encode().hex()] = Answer(404, {"message": "gone"})
        self.deliver(self.connector(vendor, largest_file=1), payload, memory)
        assert self._attached(vendor) == {KETTLE_INVOICE[2]: 1}
        assert memory["note files"] == "1 file not carried: expired or refused; 1 file not carried: larger than 1 MB"
        arrived = self.arrived(vendor)
        assert self.spread("video.mp4 (not attached)") in arrived
        assert vendor.address_of(b"video.mp4".hex()) in arrived
        assert self.spread("The lid is broken") in arrived

    def test_a_file_that_does_not_come_holds_up_no_chat_and_is_given_up(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        payload = chat_with(vendor, KETTLE_PHOTO, KETTLE_INVOICE)
        vendor.chat_files[KETTLE_PHOTO[0].encode().hex()] = Answer(503, {"message": "later"})
        for _ in range(FETCH_TRIES - 1):
            with pytest.raises(RetryLater, match="fetched again"):
                self.deliver(self.connector(vendor), payload, memory)
            assert self.spread("The lid is broken") in self.arrived(vendor)
        self.deliver(self.connector(vendor), payload, memory)
        assert self._attached(vendor) == {KETTLE_INVOICE[2]: 1}
        assert memory["note files"] == "1 file not carried: not to be had"
        assert self.arrived(vendor).count(self.spread("The lid is broken")) == 1

    def test_a_file_that_the_vendor_refuses_is_linked_and_the_others_arrive(self) -> None:
        for status in (403, 413, 422):
            with self.fake() as vendor:
                memory: dict[str, Any] = {}
                payload = chat_with(vendor, KETTLE_PHOTO, KETTLE_INVOICE)
                vendor.refuses = {KETTLE_PHOTO[2][:60]: Answer(status, {"message": "no such files, please"})}
                self.deliver(self.connector(vendor), payload, memory)
                assert self._attached(vendor) == {KETTLE_INVOICE[2]: 1}, status
                assert memory["note files"].startswith("1 file not carried: refused by "), status
                assert self.spread(f"{KETTLE_PHOTO[0]} (not attached)") in self.arrived(vendor), status

    def test_a_file_that_the_vendor_fails_on_is_linked_in_the_end_and_the_others_arrive(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        payload = chat_with(vendor, KETTLE_PHOTO, KETTLE_INVOICE)
        vendor.refuses = {KETTLE_PHOTO[2][:60]: Answer(500, {"message": "internal error"})}
        for _ in range(SEND_TRIES):
            with pytest.raises(RetryLater):
                self.deliver(self.connector(vendor), payload, memory)
        assert self._attached(vendor) == {KETTLE_INVOICE[2]: 1}
        self.deliver(self.connector(vendor), payload, memory)
        assert self._attached(vendor) == {KETTLE_INVOICE[2]: 1}
        assert memory["note files"].startswith("1 file not carried: not taken by ")
        assert self.spread(f"{KETTLE_PHOTO[0]} (not attached)") in self.arrived(vendor)
        assert self._waits() == []

    def test_the_destination_being_down_loses_no_file_whose_address_expires(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        payload = chat_with(vendor, KETTLE_PHOTO)
        vendor.down = True
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), payload, memory)
        assert len(self._waits()) == 1
        vendor.down = False
        vendor.chat_files.clear()
        self.deliver(self.connector(vendor), payload, memory)
        assert self._attached(vendor) == {KETTLE_PHOTO[2]: 1}
        assert self._waits() == []

    def test_erasing_takes_the_files_that_wait(self, vendor: Fake) -> None:
        vendor.down = True
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), chat_with(vendor, KETTLE_PHOTO), {})
        chat = ConversationId("208:coKettle7")
        [waiting] = self._waits()
        assert waiting.stat().st_mode & 0o077 == 0
        connector = self.connector(vendor)
        assert [*connector.files(chat)] == [waiting]
        assert [*connector.erase(chat)] == [str(waiting)]
        assert self._waits() == []

    def test_links_and_names_alone_fetch_nothing(self) -> None:
        for choice in ("link", "none"):
            with self.fake() as vendor:
                memory: dict[str, Any] = {}
                self.deliver(self.connector(vendor, files=choice), chat_with(vendor, KETTLE_PHOTO), memory)
                assert vendor.attached() == []
                assert vendor.fetched == []
                assert "note files" not in memory
                linked = vendor.address_of(KETTLE_PHOTO[0].encode().hex()) in self.arrived(vendor)
                assert linked is (choice == "link")

    def test_a_preview_of_a_chat_with_files_shows_them_and_fetches_none(self, vendor: Fake) -> None:
        connector, payload = self.connector(vendor), chat_with(vendor, KETTLE_PHOTO)
        with connector.wire.pretending(connector.imagine) as preview:
            self.deliver(connector, payload, {})
        assert vendor.requests == vendor.fetched == []
        assert self._waits() == []
        golden = [
            {"request": f"{one.method} {one.url}", **({"body": one.body} if one.body is not None else {})}
            for one in preview
        ]
        text = json.dumps(golden, indent=2, ensure_ascii=False).replace(vendor.url, "https://vendor") + "\n"
        assert "photo_of_the_kettle.png" in text
        self.compare_golden(text, ".files")
