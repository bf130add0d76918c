"""The files of a chat, brought to its record in a text of their own, each once.

They are fetched before anything is sent, as their addresses expire, and attached after the transcript, which waits for
no file. Which are there is remembered by their marks; whoever cannot be sure looks for the marks at the destination.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from markupsafe import Markup

from connectors.kit.connector import Connector
from connectors.kit.files.fetching import FETCH_TRIES, GIVEN_UP, UnwantedFile, fetch
from connectors.kit.files.marks import files_mark, marks_in
from connectors.kit.files.rules import MIB, FileRules, harmless_name, marked_files
from connectors.kit.files.settings import FileLimits, FileSettings
from connectors.kit.files.streaming import Outgoing, media_type
from connectors.kit.files.waiting import WaitingFiles
from connectors.kit.http import Http
from connectors.kit.record import Mapping
from connectors.kit.step import Step
from connectors.kit.text.parts import Layout
from connectors.kit.transcript import inert, shortened, single_line
from core.config.mistakes.files import file_mistake
from core.conversation import ChatFile, Conversation
from core.errors import ConnectorRefused, Gone, RecordRefused, RetryLater
from core.redaction.text import redacted

T = TypeVar("T")

#: The step that remembers which files are at the destination: by mark, why one is only linked, or "".
_THERE = "files"
#: And of which nobody knows yet.
_BEGUN = "files?"
#: Seconds of an attempt in which files are fetched.
_PATIENCE = 20.0
#: So often a file is sent that the destination neither takes nor refuses: over about five hours.
SEND_TRIES = 7


@dataclass(frozen=True)
class FileNote:
    """A text that brings files: its body in the vendor's format, and the mark that is its last line, or stands where
    the vendor's marks do."""

    body: str
    mark: str
    files: tuple[Outgoing, ...]
    #: Of all that it brings, linked ones too.
    marks: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    mark: str
    file: ChatFile
    outgoing: Outgoing | None = None
    why: str = ""


class ChatFiles:
    """Those of one delivery. Made at its beginning; `add` when the record and its transcript are there."""

    def __init__(
        self, connector: Connector[Any], conversation: Conversation, step: Step, limits: FileLimits | None = None
    ) -> None:
        """Fetches what is wanted and not there yet."""
        self._settings: FileSettings = connector.settings
        self._connector, self._step, self._limits = connector, step, limits or FileLimits()
        self._waiting = WaitingFiles(connector.data_dir, conversation.key)
        self._later: RetryLater | None = None
        there = self._there
        wanted = [*marked_files(conversation)] if self._settings.files != "none" else []
        new = [(file, mark) for file, mark in wanted if mark not in there]
        self._entries = [*self._gathered(new)] if new else []
        self._may_wait = bool(wanted) and not self._pretends

    def add(
        self,
        words: Mapping,
        layout: Layout,
        *,
        write: Callable[[FileNote], object],
        texts: Callable[[], Iterable[str]],
    ) -> None:
        """Bring them. `texts` gives what a repeat is known by: what texts the record has, or their marks. Raises
        RetryLater, also where a file is to be fetched again; no file is a reason to refuse the chat."""
        todo = self._missing(lambda: marks_in(layout, words.key, texts()))
        # What failed comes last, so that it holds up no other file.
        for batch in self._batches(map(self._given_up, sorted(todo, key=self._sends))):
            try:
                self._bring(batch, words, layout, write)
            except RetryLater as error:
                # The look before it got through: what fails again and again is this text, and not the destination.
                if error.status != 429:
                    for one in batch:
                        if one.outgoing:
                            self._step.keep(_sends(one), self._sends(one) + 1)
                raise
        self._tell()
        if self._later:
            raise self._later
        if self._may_wait:
            # Also what an attempt left that died here. What cannot be removed now goes with what is old.
            with suppress(OSError):
                self._waiting.empty(*self._connector.names)

    def uploaded(
        self,
        file: Outgoing,
        upload: Callable[[Outgoing], T],
        *,
        find: Callable[[Outgoing], T | None] = lambda _: None,
        lasts: float = math.inf,
    ) -> T:
        """For a vendor that is first given a file and then told where it belongs: what `upload` returned, remembered
        for as many seconds as the vendor knows it. Whoever cannot be sure to be the first looks first, by `find`."""
        name, step = f"upload {file.mark}", self._step
        known = step.recall(name)
        if known is None or not 0 <= time.time() - known["at"] < lasts:
            got = None if step.first and not step.knows(f"{name}?") else find(file)
            step.begin(name)
            known = {"at": int(time.time()), "got": upload(file) if got is None else got}
            step.keep(name, known)
        return known["got"]  # type: ignore[no-any-return]  # what `upload` returned, now or then

    # --- what there is to bring ----------------------------------------------------------

    @property
    def _there(self) -> dict[str, str]:
        return dict(self._step.recall(_THERE) or {})

    @property
    def _pretends(self) -> bool:
        return self._connector.wire is not None and self._connector.wire.is_pretending

    def _gathered(self, new: Sequence[tuple[ChatFile, str]]) -> Iterator[_Entry]:
        own = self._settings
        if own.files == "link":
            yield from (_Entry(mark, file) for file, mark in new)
            return
        rules = FileRules(own.file_types, min(round(own.largest_file * MIB), self._limits.largest))
        # Without the connector's credentials: an address in a chat is a stranger's.
        http = Http(timeout=own.timeout, allow_networks=own.allow_networks, mask=self._connector.mask)
        ends = time.monotonic() + _PATIENCE
        got: dict[str, _Entry] = {}
        with http.attempt(_PATIENCE) as exchanges:
            # What was slow, or failed, comes last: it takes no time from those that come at once.
            for file, mark in sorted(new, key=lambda one: self._fetches(one[1])):
                if (entry := self._entry(file, mark, rules, http, ends)) is not None:
                    got[mark] = entry
        http.close()
        if self._connector.wire is not None:
            self._connector.wire.include(exchanges)
        yield from (got[mark] for _, mark in new if mark in got)

    def _entry(self, file: ChatFile, mark: str, rules: FileRules, http: Http, ends: float) -> _Entry | None:
        """None where it is to be fetched by a later attempt."""
        name = harmless_name(file.name)
        outgoing = Outgoing(
            mark, name, shortened(single_line(file.name)) or name, media_type(file.type), file.size or 0
        )
        if self._pretends:
            why = rules.refuses(file.type, file.size)
            return _Entry(mark, file, None if why else outgoing, why)
        place = self._waiting.place(mark, *self._connector.names)
        began = time.monotonic()
        try:
            if not place.exists():
                self._waiting.make_sure_of_room()
                fetch(file, rules, http, place)
            return _Entry(mark, file, replace(outgoing, size=place.stat().st_size, path=place))
        except UnwantedFile as unwanted:
            return _Entry(mark, file, why=str(unwanted))
        except (RetryLater, OSError) as error:  # a file that was there may have been swept away
            tries = self._fetches(mark)
            # Where those before it took the time, it was not asked for, or hardly: no try of its own.
            if ends - began > _PATIENCE / 2 or time.monotonic() < ends:
                tries += 1
                self._step.keep(f"tries {mark}", tries)
            if tries >= FETCH_TRIES:
                return _Entry(mark, file, why=GIVEN_UP)
            # With a status: it says nothing of the destination, whose circuit breaker has no part in this.
            why = file_mistake(error) if isinstance(error, OSError) else str(error)
            self._later = RetryLater(f"a file of the chat is to be fetched again: {why}", status=200)
            return None

    def _fetches(self, mark: str) -> int:
        """How often it was asked for and did not come."""
        return int(self._step.recall(f"tries {mark}") or 0)

    def _missing(self, seen: Callable[[], set[str]]) -> list[_Entry]:
        """Those that are not at the destination: whoever cannot be sure looks."""
        entries, begun = self._entries, set(self._step.recall(_BEGUN) or ()) - self._there.keys()
        if entries and (not self._step.first or begun.intersection(one.mark for one in entries)):
            found = seen()
            self._remember(one for one in entries if one.mark in found)
        there = self._there
        return [one for one in entries if one.mark not in there]

    def _sends(self, one: _Entry) -> int:
        """How often it was sent without an answer that says more than to try again."""
        return int(self._step.recall(_sends(one)) or 0)

    def _given_up(self, one: _Entry) -> _Entry:
        if one.outgoing is None or self._sends(one) < SEND_TRIES:
            return one
        return replace(one, outgoing=None, why=f"not taken by {self._connector.label}")

    def _batches(self, entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
        batch: list[_Entry] = []
        for one in entries:
            sizes = [other.outgoing.size for other in (*batch, one) if other.outgoing]
            # Which file of a text it is that fails shows when each comes alone.
            alone = any(self._sends(other) > 1 for other in (*batch, one))
            if batch and (alone or sum(sizes) > self._limits.together or len(batch) >= self._limits.count):
                yield batch
                batch = []
            batch.append(one)
        if batch:
            yield batch

    # --- one text ------------------------------------------------------------------------

    def _bring(
        self, batch: Sequence[_Entry], words: Mapping, layout: Layout, write: Callable[[FileNote], object]
    ) -> None:
        # Also what earlier texts began: it may have arrived, and what is at the destination may be forgotten.
        known = self._step.recall(_BEGUN) or ()
        self._step.keep(_BEGUN, sorted({*known, *(one.mark for one in batch)}))
        note = self._note(batch, words, layout)
        try:
            write(note)
        except Gone:
            raise
        except (RecordRefused, ConnectorRefused) as refused:
            # What is refused with a file may be the file; without one it is not.
            if not note.files or refused.status in (None, 401):
                raise
            if len(batch) > 1:
                for one in batch:
                    self._bring([one], words, layout, write)
                return
            linked = replace(batch[0], outgoing=None, why=f"refused by {self._connector.label} ({refused.status})")
            self._bring([linked], words, layout, write)
        else:
            self._remember(batch)

    def _note(self, batch: Sequence[_Entry], words: Mapping, layout: Layout) -> FileNote:
        say, lines = words.voice.say, [Markup("<b>{}</b>").format(words.voice.say("files"))]
        for one in batch:
            name = shortened(single_line(one.file.name)) or harmless_name("")
            if one.outgoing:
                lines.append(inert(name))
                continue
            why = f" ({say('not attached')})" if one.why else ""
            lines.append(inert(f"{name}{why}") + self._link(one, words))
        marks = tuple(one.mark for one in batch)
        mark, files = files_mark(words.key, marks), tuple(one.outgoing for one in batch if one.outgoing)
        return FileNote(
            layout.marked(str(Markup("<p>{}</p>").format(Markup("<br>").join(lines))), mark), mark, files, marks
        )

    def _link(self, one: _Entry, words: Mapping) -> Markup:
        """Its address: in the dashboard, where it is kept; else at Smartsupp, if that may be shown: it may have in it
        what was taken out of the name."""
        own, url, colon = self._settings._redact, one.file.url, words.voice.colon  # noqa: SLF001  # as in kit/connector.py
        keepers = self._settings._keepers  # noqa: SLF001
        if words.link and any(keeper.keeps_file(one.file.type, one.file.size) for keeper in keepers):
            url = f"{words.link}/files/{one.mark}"
        if not re.fullmatch(r"https?://[\w.\-~:/?#@!$&()*+,;=%]+", url, re.ASCII) or redacted(url, own)[1]:
            return Markup()
        link = Markup('{} <a href="{}" target="_blank" rel="noopener noreferrer nofollow">{}</a>')
        return link.format(colon, inert(url), inert(url))

    # --- what is remembered and said -------------------------------------------------------

    def _remember(self, entries: Iterable[_Entry]) -> None:
        self._step.keep(_THERE, self._there | {one.mark: one.why for one in entries})

    def _tell(self) -> None:
        """On the chat's page, without names, which are the visitor's."""
        whys = [why for why in self._there.values() if why]
        counts = {why: whys.count(why) for why in sorted(whys)}
        said = (f"{count} file{'s' * (count > 1)} not carried: {why}" for why, count in counts.items())
        self._step.note("files", "; ".join(said))


def _sends(one: _Entry) -> str:
    return f"sends {one.mark}"


def steps_of_files(step: Step) -> list[str]:
    """What is remembered of files that are at the destination, for who has to bring them to another record."""
    return [name for name in step.done if name == _THERE or (name.startswith("upload ") and not name.endswith("?"))]
