"""Files of a chat, fetched while their addresses work, and kept beside the transcript.

FOLDER/ACCOUNT/CHANNEL/files/3f9a1c20-invoice.pdf
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from connectors.kit.files.fetching import FETCH_TRIES, GIVEN_UP, UnwantedFile, fetch
from connectors.kit.files.rules import FileRules, digest, harmless_name, sent_at
from connectors.kit.http import Http
from connectors.kit.step import Step
from core.conversation import ChatFile, Conversation, Message
from core.errors import RetryLater


def safe_name(file: ChatFile, message: Message) -> str:
    """The same for the same file of a chat, whatever its address is by then; and none that means something to a
    system."""
    mark = digest(sent_at(message), message.sender, file.name, str(file.size))
    return f"{mark}-{harmless_name(file.name)}"


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
    for file, name in _files(conversation):
        place = folder / name
        if place.exists():
            continue
        try:
            fetch(file, rules, http, place)
            kept()
        except UnwantedFile as unwanted:
            lacking[name] = str(unwanted)
        except RetryLater as error:
            tries = int(step.recall(f"tries {name[:8]}") or 0) + 1
            step.keep(f"tries {name[:8]}", tries)
            if tries < FETCH_TRIES:
                later = error
            else:
                lacking[name] = GIVEN_UP
    counts = {why: [*lacking.values()].count(why) for why in lacking.values()}
    step.note("files", "; ".join(f"{number} not kept: {why}" for why, number in sorted(counts.items())))
    if later:
        raise later


def _files(conversation: Conversation) -> Iterator[tuple[ChatFile, str]]:
    for message in conversation.messages:
        for file in message.files:
            yield file, safe_name(file, message)
