"""A change of relay.yaml on a page: its difference is shown first, and just what was shown is saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from flask import request

from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import whose_hand
from app.dashboard.frame.sealed import form_mark
from core.config.doubts import Doubt, doubts
from core.config.editing.door import CannotWrite, Draft, EditedMeanwhile


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
