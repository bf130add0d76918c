"""A connector that is written in the configuration alone: `type: http`, and the recipes that are shipped.

Documentation: docs/connectors/http.md, docs/writing-a-recipe.md. A document says what is sent and what answers mean
(document.py); it is checked and made ready when the configuration is loaded (program.py), and run step by step
(running.py). Limits, masking, remembered steps and looking first are those of every connector.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property, partial
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import Field, SecretStr, ValidationInfo, model_validator
from requests import Response

from connectors.http.asking import Asking
from connectors.http.declared import Name
from connectors.http.document import HttpDocument
from connectors.http.made_anew import with_contents
from connectors.http.owning import owners_of, ownership_of
from connectors.http.program import Own, Program, Proof, mistakes_at
from connectors.http.requests.ready import value_at
from connectors.http.running import Running
from connectors.kit.auth.credentials import NOTHING, Credentials
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import Finding, HttpConnector, Receipt, Step
from connectors.kit.files.carrying import ChatFiles
from connectors.kit.files.settings import FileSettings
from connectors.kit.offered import ChoiceList
from connectors.kit.person import LEFT_OUT
from connectors.kit.record import Mapping, RecordSettings
from connectors.kit.transcript import single_line
from connectors.kit.work.choices import OWNER_SETTINGS
from connectors.kit.work.owner import Owners, OwnerSettings
from connectors.kit.work.task import WorkSettings
from core.config.extracted import only_extracted
from core.config.mistakes.model import KeyPath
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import DeliveryError, Gone, RecordRefused

S = TypeVar("S", bound=RecordSettings)


class Written(HttpConnector[S], Generic[S]):
    """A connector that runs a program."""

    label = "HTTP"
    makes = "whatever an HTTP API of yours can, in steps that you write"
    capabilities = Capabilities(
        person="as you write it",
        revision="as you write it",
        idempotent="as you write it, and refused without",
    )

    @cached_property
    @abstractmethod
    def program(self) -> Program:
        """What is run."""

    @property
    def base(self) -> str:
        return self._base

    @cached_property
    def _base(self) -> str:
        return self.program.base

    @cached_property
    def _asking(self) -> Asking:
        program = self.program
        return Asking(
            self.http,
            self._base,
            self.when,
            {name: str(render(program.own.names)) for name, render in program.headers.items()},
            speaks_json=program.document.verdicts.json_answers,
        )

    @cached_property
    def _meanings(self) -> Any:
        return self.program.document.verdicts.verdicts()

    def judge(self, answer: Response) -> DeliveryError | None:
        error: DeliveryError | None = self._meanings.judge(answer, self.mask)
        return error

    @cached_property
    def credentials(self) -> Credentials:
        auth = self.program.document.auth
        return NOTHING if auth is None else auth.credentials(self.program.fill, self.tokens)

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Mapping(self._with_person, conversation)
        words.left_out = step.knows(LEFT_OUT)
        attachments = self.program.attachments
        files = ChatFiles(self, conversation, step, attachments.limits) if attachments else None
        owned = ownership_of(self._owners, self.settings, words, conversation, receipt, step)
        running = partial(Running, self.program, self._asking, words, conversation, receipt, step, files, owned)
        try:
            return running().run()
        except Gone as refused:
            if LEFT_OUT not in refused.steps:
                raise with_contents(refused, self.program.actions, step) from refused
            if words.left_out or words.person is None:
                raise RecordRefused(str(refused), status=refused.status) from refused
        # The destination does not take the visitor: the chat comes without, and says so.
        step(LEFT_OUT, lambda: True)
        for action in self.program.actions:
            if action.step.identity:
                step.forget(action.name, f"{action.name}?")
        words.left_out = True
        return running().run()

    @cached_property
    def _owners(self) -> Owners[Any] | None:
        users = self.program.owners
        return owners_of(users, self._asking, self.program.own.names, self.cache) if users else None

    @cached_property
    def _with_person(self) -> S:
        """The settings. Where no record is without a person, the visitor gets a made-up address."""
        own = self.settings
        alone = self.program.document.needs_person and own.without_email == "nobody"
        return own.model_copy(update={"without_email": "placeholder"}) if alone else own

    # --- looking first -----------------------------------------------------------------

    def check(self) -> Iterator[Finding]:
        if not self.program.proofs and self._owners is None:
            yield Finding(True, "nothing was asked: its settings have no check")
        for proof in self.program.proofs:
            if proof.when(self.program.own.names):
                yield self._proven(proof)
        own = self.settings
        if self._owners is not None and isinstance(own, OwnerSettings):
            task = own.task if isinstance(own, WorkSettings) else None
            yield from self._owners.findings(own, task.owner if task else None)

    def _proven(self, proof: Proof) -> Finding:
        names = self.program.own.names
        answer = self._asking.entry(proof.look, names)
        right = answer is not None and (proof.expects is None or bool(value_at(proof.expects, answer)))
        seen = {**names, "answer": answer}
        said = single_line(str(proof.says(seen)))
        if right:
            return Finding(True, self.mask(said))
        missing = single_line(str(proof.missing(seen))) or f"not so: {said}"
        return Finding(False, self.mask(missing), single_line(str(proof.remedy(seen))))

    def choices(self) -> Iterator[ChoiceList]:
        names = self.program.own.names
        users = self.program.owners
        for one in (*self.program.offerings, *((users,) if users else ())):
            if one.when(names):
                yield ChoiceList(one.settings, partial(self._asking.offered, one, names), one.right)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """Nothing of it is read: what a step would take is made up (connectors/http/asking.py)."""
        return {}


class DeclaredSettings(OwnerSettings, WorkSettings, FileSettings, HttpDocument):
    """Settings of `type: http`."""

    secrets: dict[Name, SecretStr] = Field(
        default_factory=dict, description="Secrets that templates name as {{ secrets.NAME }}; they are shown nowhere."
    )

    account_settings: ClassVar[tuple[str, ...]] = ("base_url",)

    @property
    def own(self) -> Own:
        values = {name: secret.get_secret_value() for name, secret in self.secrets.items()}
        return Own("secrets", dict.fromkeys(values, str), {}, values)

    @model_validator(mode="after")
    def _can_run(self, info: ValidationInfo) -> Self:
        Program(self, self.own, lambda source: only_extracted(source, info))
        wrong: list[tuple[KeyPath, str]] = []
        if self.owners is None:
            said = "needs owners: how the users of the destination are listed"
            wrong += [((name,), said) for name in OWNER_SETTINGS if getattr(self, name) is not None]
        if self.task is not None and not self.makes_work:
            wrong.append((("task",), "no step is for it; write one with when: task, or {{ task.day }} in a create"))
        if wrong:
            raise mistakes_at(wrong)
        return self


class Declared(Written[DeclaredSettings]):
    """`type: http`."""

    @cached_property
    def program(self) -> Program:
        return Program(self.settings, self.settings.own)
