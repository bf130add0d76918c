"""Structured logs: one line an event, with the ids of what it is about and never its text.

An accepted body is a `payload`; read, it belongs to a `conversation`; each `delivery` of it goes to a `connector`. What
is logged while one of them is worked on has their ids (`about`), whoever logs it: so one conversation can be followed
through every process.
"""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from core.store import Claim


def configure(form: str = "console") -> None:
    """Send every log, ours and the libraries', to stderr in one form: `console` for people, `json` for machines.

    A line that cannot be written, to a full disk or a pipe that nobody reads any more, is dropped: it must change no
    answer and no delivery.
    """
    logging.raiseExceptions = False
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _place,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)

    def finish(logger: Any, method: str, event: structlog.typing.EventDict) -> Any:
        if method in _REPORTED:
            return structlog.stdlib.ProcessorFormatter.wrap_for_formatter(logger, method, event)
        return last(logger, method, _place(logger, method, event))

    structlog.configure(
        processors=[*shared, finish],
        logger_factory=lambda name="": _Logger(name, handler),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


#: What goes by way of the standard library, where Sentry listens. That takes longer than all the rest of a line.
_REPORTED = ("error", "critical")


class _Logger:
    """Where a line ends up: a rare and bad one with the standard library, another one at the same handler's stream."""

    def __init__(self, name: str, handler: logging.StreamHandler[Any]) -> None:
        self.name = name
        self._handler = handler
        reporting = logging.getLogger(name)
        self.error, self.critical = reporting.error, reporting.critical

    def warning(self, line: str) -> None:
        # ValueError: the stream is closed.
        with self._handler.lock, suppress(OSError, ValueError):  # type: ignore[union-attr]  # it has one from the start
            self._handler.stream.write(line + "\n")
            self._handler.stream.flush()

    info = warning


def about(claim: Claim) -> AbstractContextManager[None]:
    """While this lasts, every line of this thread has the ids of what was claimed."""
    if claim.conversation:
        return structlog.contextvars.bound_contextvars(
            conversation=claim.conversation, delivery=claim.id, payload=claim.payload, connector=claim.lane
        )
    return structlog.contextvars.bound_contextvars(payload=claim.payload)


def _place(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Where an exception came from, and its class. Not its message: that may quote a conversation, or a secret."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else None
    if given is True:
        error = sys.exc_info()[1]
    if error is not None:
        event["exception"] = "\n".join(_story(error))
    return event


def _story(error: BaseException) -> list[str]:
    """The exception and what it came from, the first cause first."""
    told: list[str] = []
    seen: list[BaseException] = []
    now: BaseException | None = error
    while now is not None and now not in seen:
        seen.append(now)
        name = f"{type(now).__module__}.{type(now).__qualname__}".removeprefix("builtins.")
        places = "".join(traceback.format_tb(now.__traceback__)).rstrip("\n")
        told = ["Traceback (most recent call last):", *([places] if places else []), name, *told]
        now = now.__cause__ or (None if now.__suppress_context__ else now.__context__)
    return told
