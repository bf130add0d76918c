"""How a test runs a connector: as a worker does, against a fake."""

from __future__ import annotations

import html
import inspect
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from connectors import registry
from connectors.kit import http
from connectors.kit.connector import HttpConnector, Receipt, Step
from connectors.kit.transcript import plain
from connectors.testing.fake import Answer, Fake
from core.delivery import Reference, Revision
from core.errors import ConnectorRefused, DeliveryError, RetryLater
from core.ids import PayloadId
from core.smartsupp.parser import parse_conversation

#: An option of pytest: the golden files are written, not compared.
UPDATE_GOLDEN = "--update-golden"


#: When a past chat is given to a connector, in ms.
LATE = 1_700_000_000_000


# Most laws deliver the same chat.
_parsed = lru_cache(maxsize=64)(parse_conversation)


class Died(BaseException):
    """The process ended at this point; nothing that follows runs."""


class Bench:
    """What the tests of a connector say of it, and how they run it."""

    #: The connector's `type`.
    kind: ClassVar[str]
    #: What must never be seen: those in the settings.
    secrets: ClassVar[tuple[str, ...]]
    #: The vendor's own answers, and what they mean: status, body, headers, error. Added to the common ones.
    answers: ClassVar[list[tuple[int, Any, dict[str, str], type[DeliveryError]]]] = []
    #: Requests that only read although they are not GET: patterns of "METHOD /path".
    reading: ClassVar[tuple[str, ...]] = ()
    #: Whether a person without an email can be left out.
    needs_person: ClassVar[bool] = False
    #: Whether what the vendor is sent is HTML, and not plain text or Markdown.
    takes_html: ClassVar[bool] = True
    #: Whether the vendor has records of people at all: contacts, users, requesters.
    has_people: ClassVar[bool] = True
    #: Whether a record has a page that a person can open.
    has_pages: ClassVar[bool] = True
    #: What every vendor answers, as `answers`: HTTP's statuses, where it speaks HTTP.
    common_answers: ClassVar[list[tuple[int, Any, dict[str, str], type[DeliveryError]]]] = [
        (401, {"message": "who?"}, {}, ConnectorRefused),
        (429, {"message": "slow down"}, {"Retry-After": "77"}, RetryLater),
        (500, {"message": "oops"}, {}, RetryLater),
        (503, {"message": "away"}, {"Retry-After": "77"}, RetryLater),
    ]
    #: How it refuses credentials.
    who: ClassVar[Answer] = Answer(401, {"message": "who?"})

    #: The data folder; a test has one of its own.
    data_dir = Path()

    @cached_property
    def _revisions(self) -> dict[int, tuple[dict[int, Revision], dict[str, Any]]]:
        """The revisions that came with each memory, which is held so that its id stays its own."""
        return {}

    def fake(self) -> Fake:
        """For a vendor that speaks something else than HTTP: what does as a Fake does."""
        raise NotImplementedError

    def settings(self, url: str) -> dict[str, Any]:
        """The connector's settings, pointing at the fake."""
        raise NotImplementedError

    # --- tools -------------------------------------------------------------------

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config, tmp_path: Path) -> None:
        """The seconds between two tries of one request are not what is tested here."""
        self.data_dir = tmp_path
        self.updating = bool(pytestconfig.getoption(UPDATE_GOLDEN, False))
        monkeypatch.setattr(http, "_backoff", lambda state: 0.01)

    @pytest.fixture
    def vendor(self) -> Iterator[Fake]:
        with self.fake() as there:
            yield there

    def connector(self, vendor: Fake, **more: Any) -> HttpConnector[Any]:
        settings = {"type": self.kind, "allow_networks": ["127.0.0.0/8"], **self.settings(vendor.url), **more}
        found = registry.find(self.kind)
        made = found("shop", found.settings_model.model_validate(settings), self.data_dir)
        assert made.wire is not None
        # Of a connector that speaks something else, no law asks for more than its wire.
        return cast(HttpConnector[Any], made)

    def deliver(
        self,
        connector: HttpConnector[Any],
        payload: dict[str, Any],
        memory: dict[str, Any],
        number: int = 1,
        *,
        first: bool = True,
        alone: Callable[[str], AbstractContextManager[object]] = lambda identity: nullcontext(),
        past: bool = False,
    ) -> Reference:
        """One attempt, as a worker makes it. `memory` is what the store remembers of the steps, `first` whether nobody
        can have delivered this before, and `alone` holds an identity. The chat came a minute after its end, or with
        `past` years later; the store has the revisions that came with the same `memory` before."""
        body = json.dumps(payload).encode()
        conversation = _parsed(body)
        received = LATE if past else (conversation.span()[1] or LATE) + 60_000
        revision = Revision(number, PayloadId(f"payload{number}"), received, "", body)
        known, _ = self._revisions.setdefault(id(memory), ({}, memory))
        known[number] = revision
        receipt = Receipt(f"shop:{conversation.key}", revision, lambda: list(known.values()))
        step = Step(
            memory,
            memory.__setitem__,
            forget=memory.pop,
            alone=alone,
            first=first,
        )
        with connector.attempt():
            return connector.bring(conversation, receipt, step)

    def people(self, vendor: Fake) -> int:
        """How many persons there are; where the vendor has none, as many as every test expects: one."""
        return len(vendor.people()) if self.has_people else 1

    @property
    def golden(self) -> Path:
        """The requests of a first delivery, in a file beside the tests."""
        return Path(inspect.getfile(type(self))).parent / "golden" / f"{self.kind}.json"

    def compare_golden(self, text: str, of: str = "") -> None:
        """`of` stands behind the name of the file, for other requests than those of a first delivery."""
        file = self.golden.with_stem(self.golden.stem + of)
        if self.updating:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert file.exists(), f"no {file}: write it with pytest {UPDATE_GOLDEN}, and look at it before it is committed"
        assert text == file.read_text(encoding="utf-8")

    def spread(self, text: str) -> str:
        """A text as it can be looked for in what arrived: without markup, control characters and line breaks."""
        return "".join(plain(text).split())

    def arrived(self, vendor: Fake) -> str:
        """All that arrived, as a person would read it; a message may go on in the next part."""
        if not self.takes_html:
            return self.spread(re.sub(r"^Part \d+ of \d+$", "", "\n".join(vendor.texts()), flags=re.MULTILINE))
        whole = re.sub(r"<p><i>Part \d+ of \d+</i></p>", "", " ".join(vendor.texts()))
        return self.spread(html.unescape(re.sub(r"<[^<>]*>", "", whole)))
