"""What answers mean, as it is written in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from connectors.kit.person import LEFT_OUT
from connectors.kit.responses import Verdict
from connectors.kit.wire.verdicts import PAUSE, REFUSE, WAIT, Hint, Verdicts, When
from core.config.environment import Strict

VerdictWord = Literal["wait", "refuse", "pause"]
_VERDICTS: Mapping[str, Verdict] = {"wait": WAIT, "refuse": REFUSE, "pause": PAUSE}
Status = Annotated[int, Field(ge=200, le=599)]
#: A code as answers have it: text, or a number.
Code = Annotated[str, Field(coerce_numbers_to_str=True)]


class Case(Strict):
    """What some answers mean: those of these statuses, with one of these codes, or with one of these words."""

    statuses: tuple[Status, ...] = Field(min_length=1, description="The statuses that it is about.")
    codes: dict[str, tuple[Code, ...]] = Field(
        default_factory=dict, description="Path in the body, such as errors[].code, and the codes that it is about."
    )
    said: tuple[str, ...] = Field(default=(), description="One of these words stands in the body.")
    means: Literal["wait", "refuse", "pause", "success", "gone", "without_person"] = Field(
        description="wait: try again. refuse: this chat is a dead letter. pause: the connector pauses. success: it is "
        "one. gone: what `steps` made was deleted there; do them again. without_person: deliver without the visitor."
    )
    steps: tuple[str, ...] = Field(default=(), description="With gone: the steps to do again.")
    text: str = Field(default="", description="What to say in front of the destination's own words.")

    @model_validator(mode="after")
    def _names_steps(self) -> Case:
        if (self.means == "gone") != bool(self.steps):
            raise ValueError("means: gone needs steps, and nothing else has them")
        return self

    def when(self) -> When:
        return When(
            self.statuses,
            None if self.means == "success" else _VERDICTS.get(self.means, REFUSE),
            text=self.text,
            steps=(LEFT_OUT,) if self.means == "without_person" else self.steps,
            codes={path: frozenset(codes) for path, codes in self.codes.items()},
            said=[word.encode() for word in self.said],
        )


class Wait(Strict):
    """Where a destination says how long to wait, other than in Retry-After."""

    header: str = Field(default="", description="In this header.")
    path: str = Field(default="", description="At this path of the body.")
    unit: Literal["seconds", "milliseconds", "epoch", "epoch-ms", "date"] = Field(
        default="seconds", description="Seconds or milliseconds from now, or a time."
    )
    words: dict[str, float] = Field(default_factory=dict, description="A word that stands there, and its seconds.")
    always: float | None = Field(default=None, ge=0, description="So many seconds, whatever it says.")
    on: tuple[Status, ...] = Field(default=(), description="For answers of these statuses; without it, for all.")
    codes: dict[str, tuple[Code, ...]] = Field(
        default_factory=dict,
        description="For answers with one of these codes at a path of the body; they mean wait, whatever their status.",
    )
    first: bool = Field(default=False, description="It knows better than Retry-After.")

    @model_validator(mode="after")
    def _says_where(self) -> Wait:
        if [bool(self.header), bool(self.path), self.always is not None].count(True) != 1:
            raise ValueError("needs one of header, path and always")
        return self

    def hint(self) -> Hint:
        codes = {path: frozenset(known) for path, known in self.codes.items()}
        return Hint(self.header, self.path, self.unit, self.words, self.always, self.on, self.first, codes)


class Fails(Strict):
    """A success in which something says that it is none."""

    path: str = Field(min_length=1, description="Path in the body, such as ok or errors[].")
    values: tuple[Any, ...] = Field(default=(), description="The values that say so; without them, any.")


class Meanings(Strict):
    """What answers mean, where they mean something else than to all."""

    statuses: dict[Status, VerdictWord] = Field(default_factory=dict, description="By status.")
    codes: dict[str, dict[Code, VerdictWord]] = Field(
        default_factory=dict, description="By a code at a path of the body of an error."
    )
    in_success: dict[str, dict[Code, VerdictWord]] = Field(
        default_factory=dict, description="By a code at a path of the body of a 2xx."
    )
    fails: Fails | None = Field(default=None, description="What says that a 2xx is an error.")
    otherwise: VerdictWord = Field(default="refuse", description="What a 2xx means that fails with a code in no table.")
    waits: tuple[Wait, ...] = Field(default=(), description="Where it says how long to wait.")
    cases: tuple[Case, ...] = Field(default=(), description="What some answers to any request mean.")
    json_answers: bool = Field(
        default=True, alias="json", description="Every answer is JSON. What is not, a proxy wrote, and is tried again."
    )

    def verdicts(self) -> Verdicts:
        def table(codes: Mapping[str, Mapping[str, VerdictWord]]) -> dict[str, dict[str, Verdict]]:
            return {path: {code: _VERDICTS[word] for code, word in one.items()} for path, one in codes.items()}

        return Verdicts(
            statuses={status: _VERDICTS[word] for status, word in self.statuses.items()},
            codes=table(self.codes),
            in_success=table(self.in_success),
            fails=(self.fails.path, frozenset(self.fails.values)) if self.fails else None,
            else_=_VERDICTS[self.otherwise],
            hints=[one.hint() for one in self.waits],
            cases=[one.when() for one in self.cases],
            speaks_json=self.json_answers,
        )
