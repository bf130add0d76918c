"""A program at work for one conversation: its steps in their order, each remembered (connectors/kit/step.py)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from time import time as now
from typing import Any

from connectors.http.asking import Asking, FoundEntry
from connectors.http.made_anew import generation
from connectors.http.names import SUBJECT, of_chat, of_part
from connectors.http.owning import Ownership
from connectors.http.program import Action, Program
from connectors.kit.files.carrying import ChatFiles
from connectors.kit.record import Mapping as Words
from connectors.kit.step import Receipt, Step
from connectors.kit.text.parts import Part, append, ends_with, has_text, overwrite
from connectors.kit.text.revisions import tell, told
from connectors.kit.transcript import single_line
from connectors.kit.work.owner import OWNER
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, Gone, RecordRefused, RetryLater

#: What a step took, and the revision that it was made of.
_Made = dict[str, Any]
#: What is remembered: that the record is to be given to somebody.
_ASSIGNS = "to assign"


class Running:
    def __init__(
        self,
        program: Program,
        asking: Asking,
        words: Words,
        conversation: Conversation,
        receipt: Receipt,
        step: Step,
        files: ChatFiles | None,
        owned: Ownership,
    ) -> None:
        self._program, self._asking, self._step = program, asking, step
        self._words, self._number, self._files, self._owned = words, receipt.number, files, owned
        self._made: dict[str, _Made] = {}
        self._took: dict[str, Mapping[str, Any]] = {}
        self._layout, self._receipt = program.layout, receipt
        needs_person = program.document.needs_person
        chat = of_chat(words, conversation, receipt, needs_person=needs_person, task=owned.task)
        self._chat = {**chat, **program.own.names}
        if owned.task is not None:  # by it a task is found again, whatever the chat has become since
            self._chat["title"] = step("task title", lambda: chat["title"])

    def run(self) -> Reference:
        """Raises DeliveryError."""
        # What was made that nobody here remembers making, was made of the first revision that came here, or earlier.
        if self._step.first and not self._step.knows("oldest revision"):
            self._will_assign()
        self._oldest = self._step("oldest revision", lambda: self._number if self._step.first else 0)
        for action in self._program.actions:
            if action.step.assigns and not (self._owned.names_somebody and self._step.knows(_ASSIGNS)):
                continue
            if action.when(self._names(self._part_of(action))):
                self._texts(action) if action.step.each else self._record(action)
        names = self._names()
        if self._program.attachments is not None and self._files is not None:
            attachments, asking, files = self._program.attachments, self._asking, self._files
            write, texts = partial(attachments.write, asking, files, names), partial(attachments.texts, asking, names)
            files.add(self._words, self._layout, write=write, texts=texts)
        record, page = str(self._program.record(names)), single_line(str(self._program.page(names)))
        if not record:
            raise RecordRefused("reference.id is empty; name a step that is always done")
        return Reference(record, page if page.startswith(("https://", "http://")) else "")

    def _names(self, part: Part | None = None, /, **took: Mapping[str, Any]) -> dict[str, Any]:
        """What templates see now."""
        done = {name: self._program.takes[name](**values) for name, values in {**self._took, **took}.items()}
        return {**self._chat, "steps": self._program.steps(**done), "part": of_part(part) if part else None}

    def _will_assign(self) -> None:
        """What is made now is nobody's yet. What was found, or made before there was an owner, may be a colleague's."""
        if self._owned.names_somebody and any(one.step.assigns for one in self._program.actions):
            self._step.keep(_ASSIGNS, True)

    # --- a record ----------------------------------------------------------------------

    def _record(self, action: Action) -> None:
        own, part = action.step, self._part_of(action)
        label = f"{action.name} {self._number}" if own.mode == "append" else action.name

        def look() -> _Made | None:
            found = self._found(action, part, label)
            return None if found is None else {"value": found.took, "revision": self._revision_of(found, part, label)}

        def create() -> _Made:
            if action.find and not own.identity:
                self._will_assign()
            if part and own.look == "always":  # once() keeps it otherwise
                self._step.keep(f"{label}?", self._number)
            return {"value": self._create(action, label, part), "revision": self._number}

        person = self._chat["person"]
        identity = person.email.lower() if own.identity and person else ""
        if action.create is None:
            made = self._step(label, lambda: look() or self._miss(action))
        elif own.look == "always" or (own.identity and action.find):
            made = self._step(label, lambda: look() or create(), identity=identity)
        elif action.find:
            made = self._step.once(label, create, find=look, identity=identity, revision=self._number)
        else:
            unsure = partial(self._unsure, action, label, lambda: {**create(), "revision": self._oldest})
            made = self._step.once(label, create, find=unsure, identity=identity)
        self._made[action.name], self._took[action.name] = made, made["value"]
        # What a preview made up is of no kind that a condition could take.
        if not self._asking.is_pretending and not action.kept(self._names(part)):
            # It is remembered: whoever puts this right and resumes gets no second one.
            raise ConnectorRefused(self._said(action, "the destination did not keep all of it"))
        names = self._names(part)
        if action.update is not None and made["revision"] != self._number and not action.update.is_empty(names):
            send = partial(self._asking.send, action.update, names, repeatable=True)
            self._step(f"{action.name} of revision {self._number}", lambda: bool(send() is not None))

    def _revision_of(self, found: FoundEntry, part: Part | None, label: str) -> int:
        """The revision that a record which was found was made of, so that no text that stands there is written again:
        by the mark of its text, or the text; else the one that was begun here."""
        if part:
            marks = (self._layout.revision_in(text, self._words.key) for text in found.texts)
            if made := next(filter(None, marks), None):
                return made
            if any(has_text(text, part.body) for text in found.texts):
                return self._number
        begun = self._step.begun(label)
        return self._oldest if begun is None else begun

    def _part_of(self, action: Action) -> Part | None:
        """The first part, for the step that creates a record with it."""
        holds = any(one.step.first_in == action.name for one in self._program.actions)
        return self._parts[0] if holds else None

    @cached_property
    def _parts(self) -> list[Part]:
        return self._laid_out()

    def _laid_out(self, *, revised: bool = False, after: Conversation | None = None) -> list[Part]:
        heading = self._words.heading(SUBJECT) if self._program.document.transcript.headed and after is None else ""
        return self._layout.parts(self._words, self._number, revised=revised, heading=heading, after=after)

    def _miss(self, action: Action) -> _Made:
        raise ConnectorRefused(self._said(action, "nothing was found"))

    def _said(self, action: Action, otherwise: str) -> str:
        return str(action.missing(self._names())) or f"step '{action.name}': {otherwise}"

    # --- the transcript ----------------------------------------------------------------

    def _texts(self, action: Action) -> None:
        own, parts = action.step, self._parts
        first = f"{action.name} first"
        write = partial(self._write, action)
        look = partial(self._look_for, action)
        if own.mode == "overwrite":
            assert action.update is not None  # noqa: S101  # the document's shape says so
            update = action.update
            made = overwrite(
                self._step,
                action.name,
                parts,
                write=write,
                look=look,
                change=lambda took, part: (
                    self._asking.send(update, self._names(part, **{action.name: took}), repeatable=True) or True
                ),
                blank=partial(self._layout.blank, self._words, self._number),
            )
        else:
            if own.first_in:
                parent = self._made.get(own.first_in)
                revised = parent is None or parent["revision"] != self._number
                skipped = 0 if revised else 1
            else:
                revised, skipped = self._step.knows(first) and self._step(first, int) < self._number, 0
            if revised and own.mode == "nothing":
                return
            record = self._record_of(action)
            if revised:
                parts = self._laid_out(revised=True, after=told(self._step, self._receipt, record))
            newest_first = self._program.document.transcript.newest_first
            made = append(self._step, action.name, parts[skipped:], write=write, look=look, newest_first=newest_first)
            self._step(first, lambda: self._number)
            tell(self._step, self._receipt, record)
        if made or (made := self._earlier(action)):
            self._took[action.name] = made[0]

    def _earlier(self, action: Action) -> list[Mapping[str, Any]]:
        """What the text took that was added last, for a revision that adds none: later steps may name it."""
        pattern = re.compile(rf"{re.escape(action.name)} (\d+)\.1")
        numbers = [int(found[1]) for name in self._step.done if (found := pattern.fullmatch(name))]
        return [self._step.recall(f"{action.name} {max(numbers)}.1")] if numbers else []

    def _record_of(self, action: Action) -> str:
        """What the texts are on, by all that was taken of it: where it was made anew, the new one has none of them."""
        return json.dumps({**self._took, action.name: None}, sort_keys=True)

    def _write(self, action: Action, part: Part) -> Mapping[str, Any]:
        return self._create(action, f"{action.name} {part.revision}.{part.number}", part)

    def _look_for(self, action: Action, part: Part) -> Mapping[str, Any] | None:
        label = f"{action.name} {part.revision}.{part.number}"
        if action.step.mode == "overwrite":
            label = f"{action.name} {part.number}"
        if action.find:
            found = self._found(action, part, label)
            return None if found is None else found.took
        took: Mapping[str, Any] | None = self._unsure(action, label, partial(self._write, action, part))
        return took

    # --- what both do ------------------------------------------------------------------

    def _create(self, action: Action, label: str, part: Part | None) -> Mapping[str, Any]:
        assert action.create is not None  # noqa: S101  # who has none is not asked to
        if action.find and action.find.lags:
            self._step.keep(f"{label}?", now())  # that it has begun, and when
        way = action.step.repeatable
        headers = {}
        if way == "idempotency_key":
            said = f"{self._words.key} {action.name} {label}"
            if count := generation(action, self._step):
                said += f" {count}"
            headers[action.step.idempotency_header] = hashlib.sha256(said.encode()).hexdigest()[:40]
        safe = way in ("idempotent", "idempotency_key")

        def send(owner: Any = None) -> Mapping[str, Any]:
            assert action.create is not None  # noqa: S101  # as above
            if owner is None and action.step.assigns:
                return dict.fromkeys(action.create.taking)
            names = {**self._names(part), OWNER: owner}
            return self._asking.send(action.create, names, repeatable=safe, headers=headers)

        return self._owned.give(send) if action.owned else send()

    def _found(self, action: Action, part: Part | None, label: str) -> FoundEntry | None:
        assert action.find is not None  # noqa: S101  # who has none is not asked to
        is_marked = partial(self._is_marked, action, part) if part else None
        found = self._asking.look(action.find, self._names(part), is_marked, imagined=action.create is None)
        if found is None and action.find.lags and not self._asking.is_pretending:
            self._outwait(f"{label}?", action.find.lags)
        return found

    def _is_marked(self, action: Action, part: Part, said: str) -> bool:
        if not action.step.each:  # a record, which any text of its chat tells from others
            return self._layout.revision_in(said, self._words.key) is not None
        form = self._layout.form
        spelled = form.of(f"<p>{part.mark}</p>") if form.name != "HTML" else ""
        return ends_with(said, part.mark) or bool(spelled and said.rstrip().endswith(spelled))

    def _outwait(self, begun: str, lags: int) -> None:
        """Raises RetryLater while what was created may not be seen yet, so that nothing is created twice."""
        known = self._step.recall(begun)
        # Nobody knows when it was where that was forgotten: then it is now. True says only that it has begun.
        began = known if isinstance(known, int | float) and known is not True else now()
        self._step.keep(begun, began)
        if (left := began + lags - now()) > 0:
            said = "an earlier attempt may have created it, and the search lags"
            # With a status: the destination answers, and its circuit breaker has no part in this.
            raise RetryLater(said, status=200, retry_after=left)

    def _unsure(self, action: Action, label: str, create: Callable[[], Any]) -> Any:
        """What to do about a create of which nobody knows whether it was done, where nothing can be looked for."""
        way = action.step.repeatable
        if way in ("idempotent", "idempotency_key"):
            return create()
        if way == "again":
            return None
        self._step.forget(f"{label}?")  # so that a replay creates it
        # Gone, of no step: nothing of it is begun again by itself.
        raise Gone(
            f"nobody knows whether the step '{action.name}' was done before; if the destination has it, discard this "
            "delivery; if not, replay it"
        )
