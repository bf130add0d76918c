"""A transcript in parts, each with a mark by which it is found again; added to a record, or written over.

A vendor says how long a text may be, counted how, in which format, and what a mark looks like. Then either

- every revision is added whole (`append`): notes or comments that nobody may change, or
- a revision is written over the one before (`overwrite`): as many texts as it takes, each made once.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from markupsafe import escape

from connectors.kit.record import Mapping
from connectors.kit.step import Step
from connectors.kit.text.formats import HTML, Form
from connectors.kit.text.packing import Size
from core.conversation import Conversation

T = TypeVar("T")

#: Part and revision numbers are no longer than this one's.
_LONG = 99_999_999_999


def octets(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode())


def utf16(text: str) -> int:
    """Characters as Java and JavaScript count them: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True)
class Part:
    """One text of a record: its place in the revision, from 1, its body in the vendor's format, and its mark."""

    number: int
    body: str
    mark: str
    revision: int


@dataclass(frozen=True)
class Layout:
    """How a vendor's texts are laid out. `mark` gives the mark of a key, a revision and a part; `shown` says that it is
    the last line of the body, where no chat can put one; else the vendor keeps it elsewhere.

    `linked` makes links of addresses, for a vendor that does not do so itself.
    """

    longest: int
    size: Size = len
    form: Form = HTML
    mark: Callable[[str, int, int], str] = "{} {}.{}".format
    shown: bool = True
    linked: bool = False

    def parts(
        self,
        words: Mapping,
        revision: int,
        *,
        revised: bool = False,
        heading: str = "",
        after: Conversation | None = None,
    ) -> list[Part]:
        """The whole of a revision. `revised` says in front that the conversation went on; `heading`, which is HTML,
        stands before the first part. `after`: only what is new since an earlier revision, if anything is."""
        room = self.longest - self._size(heading) - self._size(self._line(self.mark(words.key, _LONG, _LONG)))
        size = self.size if self.form is HTML else self._size
        bodies = words.bodies(room, size, revised=revised, linked=self.linked, after=after)
        if bodies:
            bodies[0] = heading + bodies[0]
        return [self._part(words.key, revision, number, body) for number, body in enumerate(bodies, 1)]

    def short(self, words: Mapping, revision: int) -> list[Part]:
        """The one text of a template that names no transcript."""
        room = self.longest - self._size(self._line(self.mark(words.key, _LONG, _LONG)))
        return [self._part(words.key, revision, 1, words.body(room, self._size))]

    def blank(self, words: Mapping, revision: int, number: int) -> Part:
        """What is written over a part that this revision does not need."""
        return self._part(words.key, revision, number, "<p>—</p>")

    def marked(self, body: str, mark: str) -> str:
        """A text of our own in the vendor's format, which ends with its mark where marks are shown."""
        return self.form.of(body + self._line(mark))

    def revision_in(self, body: str, key: str) -> int | None:
        """The revision in the mark of this key that a text ends with, plain or in the format; or None. 0: its marks
        name none."""
        mark = self.mark(key, _LONG, _LONG - 1)
        spelled = mark if self.form is HTML else self.form.of(f"<p>{escape(mark)}</p>")
        for one in {mark, spelled}:
            pattern = re.escape(one).replace(str(_LONG), r"(\d+)", 1).replace(str(_LONG), r"\d+")
            if found := ends_like(body, pattern.replace(str(_LONG - 1), r"\d+")):
                return int(next(iter(found.groups()), 0))
        return None

    def _part(self, key: str, revision: int, number: int, body: str) -> Part:
        mark = self.mark(key, revision, number)
        return Part(number, self.form.of(body + self._line(mark)), mark, revision)

    def _line(self, mark: str) -> str:
        return f"<p>{escape(mark)}</p>" if self.shown else ""

    def _size(self, text: str) -> int:
        return self.size(self.form.inline(text))


def append(
    step: Step,
    name: str,
    parts: Sequence[Part],
    *,
    write: Callable[[Part], T],
    look: Callable[[Part], T | None],
    after: Callable[[Part], object] = lambda _: None,
    newest_first: bool = False,
) -> list[T]:
    """Add each part once, as the step `NAME REVISION.PART`. Returns what `write` or `look` gave, in reading order.

    `after` is called when a part is there and remembered. `newest_first`: what is added last stands on top at the
    vendor's, so that the last part is added first.
    """
    made: list[T] = []
    for one in reversed(parts) if newest_first else parts:
        made.append(
            step.once(f"{name} {one.revision}.{one.number}", partial(write, one), find=partial(look, one)),
        )
        after(one)
    return made[::-1] if newest_first else made


def overwrite(
    step: Step,
    name: str,
    parts: Sequence[Part],
    *,
    write: Callable[[Part], Any],
    look: Callable[[Part], Any | None],
    change: Callable[[Any, Part], object],
    blank: Callable[[int], Part],
) -> list[Any]:
    """Make each part once, as the step `NAME PART`, and write a later revision over it. Returns the ids.

    A step remembers the revision that it was made with, so that what was made just now is not written again; what was
    found has one that nobody knows. What an earlier revision needed and this one does not is made blank.
    """
    wanted = list(parts)
    while step.knows(f"{name} {len(wanted) + 1}"):
        wanted.append(blank(len(wanted) + 1))
    return [_overwritten(step, name, one, write, look, change) for one in wanted]


def _overwritten(
    step: Step,
    name: str,
    part: Part,
    write: Callable[[Part], Any],
    look: Callable[[Part], Any | None],
    change: Callable[[Any, Part], object],
) -> Any:
    def find() -> Any:
        found = look(part)
        return None if found is None else {"id": found, "revision": 0}

    made = step.once(f"{name} {part.number}", lambda: {"id": write(part), "revision": part.revision}, find=find)
    if not isinstance(made, dict):  # as earlier versions remembered it
        made = {"id": made, "revision": 0}
    if made["revision"] != part.revision:
        step(f"{name} {part.number} of revision {part.revision}", lambda: bool(change(made["id"], part)) or True)
    return made["id"]


def ends_with(body: str, mark: str) -> bool:
    """Whether a text as a vendor gives it back, with or without HTML, ends with a mark."""
    return _plain(body).endswith(mark)


def ends_like(body: str, pattern: str) -> re.Match[str] | None:
    """The same for any of several marks: `pattern` is a regular expression of the end."""
    return re.search(rf"{pattern}\Z", _plain(body))


def has_text(body: str, text: str) -> bool:
    """Whether a text as a vendor gives it back ends with another, whatever became of its markup and line breaks."""
    return "".join(_plain(body).split()).endswith("".join(_plain(text).split()))


def _plain(body: str) -> str:
    return html.unescape(re.sub(r"<[^<>]*>", "", body)).rstrip()


def marked(found: Iterable[T], text: Callable[[T], str], mark: str) -> T | None:
    """The first whose text ends with a mark."""
    return next((one for one in found if ends_with(text(one), mark)), None)
