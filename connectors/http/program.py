"""A document made ready to run. Whatever in it cannot work is said here, all at once, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jmespath
from pydantic import AnyHttpUrl, BaseModel, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from connectors.http.attachments import ReadyAttachments
from connectors.http.declared import mentioned, taken
from connectors.http.document import HttpDocument, LookRequest, StepOf
from connectors.http.looking import Looking
from connectors.http.names import ALWAYS, PartNames, of_settings, of_step, of_steps
from connectors.http.requests.compiler import Compiler, Render
from connectors.http.requests.offering import Offering, OwnerList, wrong_settings
from connectors.http.requests.ready import Ready
from connectors.kit.text.formats import FORMS, Form
from connectors.kit.text.parts import Layout, octets, utf16
from connectors.kit.work.owner import OWNER
from core.config.mistakes.model import KeyPath
from core.templates.scope import Scope, is_template

_COUNTS = {"characters": len, "bytes": octets, "utf16": utf16}
_URL = TypeAdapter(AnyHttpUrl)


def mistakes_at(wrong: Iterable[tuple[KeyPath, str]]) -> ValidationError:
    """An error of what is wrong at places of a connector."""
    details = [
        # Braces in the text would be filled in.
        InitErrorDetails(type=PydanticCustomError("value_error", "{said}", {"said": text}), loc=place, input=None)
        for place, text in wrong
    ]
    return ValidationError.from_exception_data("connector", details)


@dataclass(frozen=True)
class Own:
    """What a document has of its own besides the chat: `secrets` in relay.yaml, `settings` in a recipe.

    `types` has all of them, `public` those that are no secrets. `values` are None until they are known.
    """

    name: str
    types: Mapping[str, Any]
    public: Mapping[str, Any]
    values: Mapping[str, Any] | None = None
    #: The texts of `auth` are templates, too.
    fills_auth: bool = False

    def scope(self, *, chat: bool = False, public: bool = False, **more: Any) -> Scope:
        return Scope({self.name: self._seen if public else self._all, **more}, chat=chat)

    @cached_property
    def names(self) -> dict[str, Any]:
        return {self.name: self._all(**(self.values or {}))}

    @cached_property
    def _all(self) -> type[BaseModel]:
        return of_settings(self.name, self.types)

    @cached_property
    def _seen(self) -> type[BaseModel]:
        return of_settings(self.name, self.public)


@dataclass(frozen=True)
class Action:
    """A step that can be done."""

    name: str
    step: StepOf
    when: Render
    find: Looking | None
    create: Ready | None
    update: Ready | None
    kept: Render
    missing: Render
    #: Its create names whose the record is to be.
    owned: bool


@dataclass(frozen=True)
class Proof:
    """What a check proves."""

    look: Looking
    expects: Any
    when: Render
    says: Render
    missing: Render
    remedy: Render


class Program:
    """A document that can be run. Raises ValidationError with everything that is wrong in it."""

    def __init__(self, document: HttpDocument, own: Own, proves: Callable[[str], object] = str) -> None:
        """`proves` raises ValueError for a template that names what the rest of the configuration does not have."""
        self.document, self.own = document, own
        self._wrong: list[tuple[KeyPath, str]] = []
        self._compiler = Compiler(lambda place, text: self._wrong.append((place, text)), own.name, proves)
        #: The type of what each step takes, and of all that there is after it.
        self.takes = {name: of_step(name, step) for name, step in document.steps.items()}
        self._after = [of_steps(dict([*self.takes.items()][:count])) for count in range(len(self.takes) + 1)]
        self._identities = tuple(name for name, step in document.steps.items() if step.identity)
        static = own.scope()
        self._base = self._compiler.text(static, document.base_url, ("base_url",))
        self._compiler.secrets(document.headers, ("headers",))
        self.headers = {
            name: self._compiler.text(static, text, ("headers", name)) for name, text in document.headers.items()
        }
        self._auth = {
            place: self._compiler.text(static, text, ("auth", *place))
            for place, text in (document.auth.texts() if document.auth and own.fills_auth else ())
        }
        self._format = self._compiler.text(static, document.transcript.format, ("transcript", "format"))
        self.actions = [self._action(name, step) for name, step in document.steps.items()]
        # What people see has no secret in it.
        seen = own.scope(chat=True, public=True, **ALWAYS, steps=self.steps)
        self.record = self._compiler.text(seen, document.reference.id, ("reference", "id"))
        self.page = self._compiler.text(seen, document.reference.url, ("reference", "url"))
        self.proofs = [self._proof(look, index) for index, look in enumerate(document.check)]
        self.offerings = [
            Offering(one, one.settings, static, ("choices", index), self._compiler)
            for index, one in enumerate(document.choices)
        ]
        self.owners = OwnerList(document.owners, static, self._compiler) if document.owners else None
        self.attachments = (
            ReadyAttachments(
                document.attachments, partial(own.scope, chat=True, **ALWAYS, steps=self.steps), self._compiler
            )
            if document.attachments
            else None
        )
        self._shape()
        if not self._wrong and own.values is not None:
            self._addresses()
        if self._wrong:
            raise mistakes_at(self._wrong)

    @property
    def steps(self) -> type[BaseModel]:
        """The type of `steps` when all are done."""
        return self._after[-1]

    # --- what it comes to with its settings --------------------------------------------

    @property
    def base(self) -> str:
        return str(self._base(self.own.names)).rstrip("/")

    @property
    def layout(self) -> Layout:
        own = self.document.transcript
        overwritten = any(step.each and step.mode == "overwrite" for step in self.document.steps.values())
        mark = own.mark or ("[{key} {part}]" if overwritten else "[{key} {revision}.{part}]")
        return Layout(
            own.longest,
            _COUNTS[own.count],
            self.form,
            mark=lambda key, revision, part: mark.format(key=key, revision=revision, part=part),
            shown=own.shown,
            linked=own.linked,
        )

    @property
    def form(self) -> Form:
        return FORMS[self._format(self.own.names)]

    def fill(self, source: str) -> str:
        """A text of `auth`, filled in. In relay.yaml it is the secret itself."""
        return str(self.own.scope().text(source)(self.own.names)) if self.own.fills_auth else source

    # --- parts -------------------------------------------------------------------------

    def _action(self, name: str, step: StepOf) -> Action:
        place, index = ("steps", name), [*self.takes].index(name)
        earlier = {**ALWAYS, "steps": self._after[index]}
        own = {**earlier, "part": PartNames} if step.each or self._has_text(name) else earlier
        scope = self.own.scope(chat=True, **own)
        # An update names what it changes.
        changing = self.own.scope(chat=True, **{**own, "steps": self._after[index + 1]})
        # Whose a record is, is said once: it may have been given to somebody else since.
        making = self.own.scope(chat=True, **{**own, **({OWNER: None} if self.document.owners else {})})

        def ready(kind: str, scope: Scope, takes: Mapping[str, str] | None) -> Ready | None:
            request = getattr(step, kind)
            return request and Ready(request, scope, (*place, kind), self._compiler, self._identities, takes=takes)

        return Action(
            name,
            step,
            self._compiler.condition(scope, step.when, (*place, "when")),
            Looking(step.find, scope, (*place, "find"), self._compiler, self._identities) if step.find else None,
            ready("create", making, None),
            ready("update", changing, {}),
            self._compiler.condition(changing, step.kept, (*place, "kept")),
            self._compiler.text(scope, step.missing, (*place, "missing")),
            owned=bool(self.document.owners and step.create and mentioned(step.create, OWNER)),
        )

    def _has_text(self, name: str) -> bool:
        return any(step.first_in == name for step in self.document.steps.values())

    def _proof(self, look: LookRequest, index: int) -> Proof:
        place, static = ("check", index), self.own.scope()
        seen = self.own.scope(public=True, answer=None)
        return Proof(
            Looking(look.model_copy(update={"expect": None}), static, place, self._compiler, ()),
            jmespath.compile(look.expect) if look.expect else None,
            self._compiler.condition(static, look.when, (*place, "when")),
            self._compiler.text(seen, look.says, (*place, "says")),
            self._compiler.text(seen, look.missing, (*place, "missing")),
            self._compiler.text(seen, look.remedy, (*place, "remedy")),
        )

    # --- what fits together ------------------------------------------------------------

    def _shape(self) -> None:
        steps, wrong = self.document.steps, self._wrong
        texts = [name for name, step in steps.items() if step.each]
        wrong += [
            (("steps", name, "each"), f"'{texts[0]}' has the parts already; one step brings the transcript")
            for name in texts[1:]
        ]
        if self.document.owners:
            self._owner_shape()
        for name, step in steps.items():
            earlier = [*steps][: [*steps].index(name)]
            parent = step.first_in
            if parent and (parent not in earlier or not steps[parent].create or steps[parent].each):
                wrong.append((("steps", name, "first_in"), f"'{parent}' must be an earlier step that creates a record"))
            elif parent and steps[parent].repeatable in ("idempotent", "idempotency_key"):
                said = f"'{parent}' is created without find: nobody knows which text it has then; add find with text_at"
                wrong.append((("steps", name, "first_in"), said))
            if step.find and step.find.text_at and not self._has_text(name):
                said = "is for a step that creates a record with the first part of the transcript; remove it"
                wrong.append((("steps", name, "find", "text_at"), said))
            if step.find and step.find.marked and not step.each and not self._has_text(name):
                said = "is for the parts of the transcript; add each: part, or first_in in a later step, or use where"
                wrong.append((("steps", name, "find", "marked"), said))
            requests = {kind: getattr(step, kind) for kind in ("find", "create", "update") if getattr(step, kind)}
            for kind, request in requests.items():
                known = {*earlier, name, *((OWNER,) if kind == "create" and self.document.owners else ())}
                wrong += [
                    (("steps", name, kind, "cases", index, "steps"), f"there is no step '{one}' up to here")
                    for index, case in enumerate(request.cases)
                    for one in case.steps
                    if one not in known
                ]
                if kind != "update" and taken(request) and not self.document.verdicts.json_answers:
                    wrong.append((("steps", name, kind, "take"), "answers are no JSON; write take: {}"))
        secret = {name: name not in self.own.public for name in self.own.types if self.own.name == "settings"}
        for index, one in enumerate(self.document.choices):
            wrong += [(("choices", index, "settings"), text) for text in wrong_settings(one, secret)]
        self._mark_shape()
        if not is_template(self.document.transcript.format) and self.document.transcript.format not in FORMS:
            wrong.append((("transcript", "format"), f"must be one of: {', '.join(FORMS)}"))

    def _owner_shape(self) -> None:
        if not any(action.owned for action in self.actions):
            self._wrong.append((("owners",), "no step gives anything to anybody; name {{ owner }} in a create"))
        if OWNER in self.document.steps:
            said = "has the name of whose a record is; give it another one"
            self._wrong.append((("steps", OWNER), said))

    def _mark_shape(self) -> None:
        mark, steps = self.document.transcript.mark, self.document.steps
        wrong = self._wrong
        overwritten = any(step.each and step.mode == "overwrite" for step in steps.values())
        wanted = ["{key}", "{part}"] if overwritten else ["{key}", "{revision}"]
        try:
            mark.format(key="", revision=1, part=1)
        except (LookupError, ValueError, AttributeError):
            wrong.append((("transcript", "mark"), "may have {key}, {revision} and {part} in it, and no other braces"))
        if missing := [one for one in (*wanted, "{part}") if mark and one not in mark]:
            wrong.append((("transcript", "mark"), f"needs {missing[0]}, or two texts would have the same mark"))
        if "{revision}" in mark and "{revision}" not in wanted:
            wrong.append((("transcript", "mark"), "must be the same for every revision; remove {revision}"))

    def _addresses(self) -> None:
        try:
            url = _URL.validate_python(self.base)
        except ValidationError:
            self._wrong.append((("base_url",), "must be a whole address that begins with https://"))
            return
        if url.username or url.password:
            self._wrong.append((("base_url",), "is shown to people; write the credentials under auth: basic:"))
