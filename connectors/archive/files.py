"""Files of a chat, fetched while their addresses work, and kept beside the transcript.

FOLDER/ACCOUNT/CHANNEL/files/3f9a1c20-invoice.pdf
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from connectors.kit.files.fetching import FETCH_TRIES, GIVEN_UP, UnwantedFile, fetch
from connectors.kit.files.rules import FileRules, Marks, harmless_name, marked_files, sent_at
from connectors.kit.http import Http
from connectors.kit.step import Step
from connectors.kit.transport.attempt import ATTEMPT_SECONDS
from core.conversation import ChatFile, Conversation
from core.errors import RetryLater


def named_files(conversation: Conversation) -> Iterator[tuple[ChatFile, str]]:
    """Every file with its name here: the same for the same file of a chat, whatever its address is by then; and none
    that means something to a system."""
    marks = Marks()
    for message in conversation.messages:
        for file in message.files:
            mark = marks.of(sent_at(message), message.sender, file.name, str(file.size))
            yield file, f"{mark}-{harmless_name(file.name)}"


def name_of(conversation: Conversation, wanted: str) -> str:
    """What a file is called here that has this mark at destinations, or ""."""
    named = zip(marked_files(conversation), named_files(conversation), strict=True)
    return next((name for (_, mark), (_, name) in named if mark == wanted), "")


def keep_files(
    conversation: Conversation,
    folder: Path,
    rules: FileRules,
    http: Http,
    step: Step,
    kept: Callable[[], None],
) -> None:
    """Fetch what is not there yet; `kept` is called when one is. Raises OSError, and RetryLater when a file is to be
    asked for again; what cannot be had is noted, without its name, which is the visitor's."""
    lacking: dict[str, str] = {}
    later: RetryLater | None = None
    wanted = [(file, name) for file, name in named_files(conversation) if not (folder / name).exists()]
    # What was slow, or failed, comes last: it takes no time from those that come at once.
    for file, name in sorted(wanted, key=lambda one: _tries(step, one[1])):
        place, before = folder / name, http.remaining()
        try:
            fetch(file, rules, http, place)
            kept()
        except UnwantedFile as unwanted:
            lacking[name] = str(unwanted)
        except RetryLater as error:
            tries = _tries(step, name)
            # Where those before it took the time, it was not asked for, or hardly: no try of its own.
            if before > ATTEMPT_SECONDS / 2 or http.remaining() > 0:
                tries += 1
                step.keep(_remembered(name), tries)
            if tries < FETCH_TRIES:
                later = error
            else:
                lacking[name] = GIVEN_UP
    counts = {why: [*lacking.values()].count(why) for why in lacking.values()}
    step.note("files", "; ".join(f"{number} not kept: {why}" for why, number in sorted(counts.items())))
    if later:
        raise later


def _tries(step: Step, name: str) -> int:
    """How often a file was asked for that did not come."""
    return int(step.recall(_remembered(name)) or 0)


def _remembered(name: str) -> str:
    return f"tries {name[:8]}"
