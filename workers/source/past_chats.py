"""Past chats, fetched one by one: which there are, which are gone, and which cannot be had. No Celery in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus

import structlog

from core.errors import ConnectorRefused, DeliveryError, NotFound, RetryLater, StoreError
from core.ids import ConversationId
from core.smartsupp.api.body import as_body
from core.smartsupp.api.client import SmartsuppApi
from core.store.sources.known_chats import Listed
from workers.source.api import still_answers

log = structlog.get_logger(__name__)

#: So often a conversation is asked for that Smartsupp cannot give.
_TRIES = 4


@dataclass
class FetchedChats:
    """Bodies, and what there is none of: deleted at Smartsupp, or not to be had."""

    bodies: dict[Listed, bytes] = field(default_factory=dict)
    gone: list[Listed] = field(default_factory=list)
    failed: list[Listed] = field(default_factory=list)


class ChatFetcher:
    """Asks for chats, and knows how often each of them has failed."""

    def __init__(self) -> None:
        self._tries: dict[str, int] = {}

    def fetch(self, api: SmartsuppApi, one: Listed, account: str, fetched: FetchedChats) -> None:
        """Raises DeliveryError where others would fare no better."""
        try:
            fetched.bodies[one] = as_body(api.conversation(one.id, visitor=True), account)
        except NotFound:
            fetched.gone.append(one)
        except ConnectorRefused as error:
            if error.status != HTTPStatus.FORBIDDEN or not still_answers(api):
                raise
            fetched.failed.append(one)  # this one alone is not for the token
        except DeliveryError as error:
            # One that is refused again and again must not keep the others from coming.
            tries = self._tries[one.id] = self._tries.get(one.id, 0) + 1
            if isinstance(error, RetryLater) and (error.status == 429 or tries < _TRIES):
                raise
            if isinstance(error, RetryLater) and error.status is None and not still_answers(api):
                raise  # nobody would get an answer
            del self._tries[one.id]
            fetched.failed.append(one)
        except (StoreError, MemoryError):  # neither says anything about the chat
            raise
        except Exception:  # what the API answered may have a shape that nobody thought of
            log.exception("internal error in a fetch", conversation=ConversationId.of(account, one.id))
            fetched.failed.append(one)
