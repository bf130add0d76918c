"""A change of relay.yaml on a page: its difference is shown first, and just what was shown is saved."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flask import request

from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import whose_hand
from app.dashboard.frame.sealed import form_mark
from core.config.doubts import Doubt, doubts
from core.config.editing.door import CannotWrite, Draft, EditedMeanwhile
from core.conversation import Conversation
from core.errors import PayloadError
from core.smartsupp.parser import parse_conversation
from core.store import Filter, Search

#: The last chats on which a change is tried: how many, and the seconds that this may take.
_CHATS, _SECONDS = 100, 1.0


@dataclass(frozen=True)
class Review:
    """A draft that is shown. `mark` comes back when it is to be saved; `obstacle` says why it cannot be written, and
    `stale` that it is another one than was shown before; `doubts` are those that the change brings."""

    draft: Draft
    mark: str
    obstacle: str = ""
    stale: bool = False
    doubts: tuple[Doubt, ...] = ()

    @property
    def status(self) -> int:
        return 409 if self.stale or (self.obstacle and _saving()) else 200


def reviewed(site: Site, make: Callable[[], Draft]) -> Review | None:
    """Save it, where that is wished and this is what was shown: then None. Raises what `make` does, and BadSecret."""
    draft = make()
    stale = False
    if _saving():
        stale = request.form.get("seen") != _mark(draft)
        if not stale:
            try:
                site.config_door.save(draft, whose_hand())
            except EditedMeanwhile:
                draft, stale = make(), True
            except CannotWrite as error:
                return _review(site, draft, str(error))
            else:
                site.watched.refresh()
                return None
    return _review(site, draft, site.config_door.obstacle() if draft.difference else "", stale=stale)


def _review(site: Site, draft: Draft, obstacle: str, *, stale: bool = False) -> Review:
    known = doubts(site.watched.current())
    return Review(
        draft, _mark(draft), obstacle, stale, tuple(one for one in doubts(draft.settings) if one not in known)
    )


def _saving() -> bool:
    return request.method == "POST" and request.form.get("do") == "save"


def _mark(draft: Draft) -> str:
    """Tells this change of this file from any other."""
    told = [draft.fingerprint.encode(), draft.after, json.dumps(sorted(draft.secrets.items())).encode()]
    return form_mark(b"\0".join(told), "review")


def last_chats(site: Site) -> Iterator[Conversation]:
    """Those on which a change is tried, newest first, as far as they can be read and there is time. Raises
    StoreUnavailable."""
    ends = time.monotonic() + _SECONDS
    for row in Search(site.client).page(Filter(), limit=_CHATS).rows:
        history = site.store.revisions(row.id)
        try:
            if history:
                yield parse_conversation(history[-1].body, history[-1].account)
        except PayloadError:
            continue
        if time.monotonic() >= ends:
            return
