"""The configuration as it is now: a change of the file reaches a running process; one that is broken or half-written
does not.

Between two good files lie many states: empty, cut, absent between delete and rename, a secret that is being written.
So a change is taken only when its files have been still for some looks, and never when it takes away all tokens or all
connectors, which is what such a state looks like: to switch a connector off, there is `enabled: false`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from core.config.editing.history import History
from core.config.environment import Environment
from core.config.last_good import LastGood
from core.config.loader import Models, load
from core.config.settings import Settings
from core.config.sources.file_state import ReadFiles, SeenFiles, file_state
from core.config.sources.plain_file import contents, contents_again
from core.config.sources.secret_store import BadSecret, SecretStore
from core.errors import ConfigError, Problem

log = structlog.get_logger(__name__)

#: Seconds between two looks at the files.
_PERIOD = 1.0
#: Seconds for which a change must have been still, and one that removes a token, a connector or a route's target.
STILL, REMOVAL_STILL = 2.0, 5.0
#: Seconds after which a refused change is tried again although no file changed: a plug-in may have been mended.
AGAIN = 30.0
#: Seconds that a start waits for a file that cannot be read and was written so lately that somebody may still be at it.
SETTLING = 3.0


class Watched:
    """Settings that follow their file, and the files that it draws secrets from.

    `trouble` is what is wrong with a change that was refused, or "". `on_change` is told of every new Settings, and may
    refuse them with ConfigError.
    """

    def __init__(
        self,
        env: Environment,
        models: Models,
        variables: Mapping[str, str],
        on_change: Callable[[Settings], None] | None = None,
        *,
        restarted: bool = False,
    ) -> None:
        """`restarted`: nobody has asked for this start, so it takes no change that a running process would refuse.

        Raises ConfigError: there is nothing to go on with, neither now nor from before.
        """
        self._env, self._models, self._variables = env, models, variables
        self._on_change = on_change
        self._lock = threading.Lock()
        self._following = False
        self.trouble = ""
        self._last_good, self._history, self._secrets = LastGood(env), History(env), SecretStore(env)
        self._settings, self._adopted = self._begun(restarted=restarted)
        self._keep()
        self._changed: SeenFiles = {}
        self._since = self._judged = self._looked = time.monotonic()
        self._named: set[Path] = set()
        self._refused: tuple[object, str] | None = None

    def follow(self, stopping: threading.Event | None = None) -> None:
        """Look from a thread of its own from now on: nobody who asks for the settings waits for a look, and a change is
        known before the first chat after it comes."""
        ended = stopping or threading.Event()
        self._following = True

        def run() -> None:
            while not ended.wait(_PERIOD):
                try:
                    with self._lock:
                        self._look()
                except Exception:  # whatever a plug-in raises, the settings of before stay in force
                    log.exception("unhandled error while reading the configuration")

        threading.Thread(target=run, name="configuration", daemon=True).start()

    def current(self) -> Settings:
        """The settings; where nobody follows the files, after a look at them if the last one is a second ago."""
        if not self._following and time.monotonic() - self._looked >= _PERIOD and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        return self._settings

    def refresh(self) -> None:
        """Take a change at once: whoever calls this has written the file, and whole."""
        with self._lock:
            for _ in range(2):  # a file that is named for the first time is known after the first
                self._look()
                if self._changed:
                    self._judge(self._changed, time.monotonic(), at_once=True)

    def _look(self) -> None:
        self._looked = now = time.monotonic()
        seen = {file: file_state(file) for file in {*self._adopted, *self._named}}
        if all(seen[file][3] == state[3] for file, state in self._adopted.items()):
            self._changed = {}
            if self.trouble:  # taken back
                self._accept("configuration: the rejected change was undone")
        elif seen != self._changed:
            self._changed, self._since, self._judged = seen, now, 0.0
        elif now - self._since >= STILL and (not self._judged or now - self._judged >= AGAIN):
            self._judge(seen, now)

    def _judge(self, seen: SeenFiles, now: float, *, at_once: bool = False) -> None:
        reads = ReadFiles(contents_again)
        try:
            settings = load(self._env, self._models, self._variables, reads)
            if not reads.seen.keys() <= seen.keys():  # named for the first time: they must be still as well
                self._named = set(reads.seen)
                return
            if any(seen[file][3] != state[3] for file, state in reads.seen.items()):
                return  # written a moment ago
            self._must_be_meant(self._settings, settings, self._adopted, reads.seen)
            if _removes(self._settings, settings) and not at_once and now - self._since < REMOVAL_STILL:
                return
            if self._on_change:
                self._on_change(settings)
        except ConfigError as error:
            self._judged = now
            self._named = set(reads.seen)
            self._refuse(error, tuple(seen[file][3] for file in sorted(seen)))
            return
        self._settings, self._adopted, self._changed = settings, reads.seen, {}
        self._keep()
        self._accept("configuration changed", source=settings.source, connectors=list(settings.enabled))

    def _refuse(self, error: ConfigError, contents: object) -> None:
        self.trouble = str(error)
        if self._refused != (contents, self.trouble):
            self._refused = (contents, self.trouble)
            log.warning(
                "configuration change rejected; still using the previous version",
                source=error.source,
                problems=[str(problem) for problem in error.problems],
                remedy="correct the file and save it; relay config check shows what is wrong",
            )

    def _accept(self, event: str, **about: object) -> None:
        self.trouble, self._refused, self._named = "", None, set()
        log.info(event, **about)

    def _must_be_meant(self, old: Settings, new: Settings, before: SeenFiles, after: SeenFiles) -> None:
        """Raises ConfigError for what no admin means, and a half-written file looks like."""
        if _text(before, self._env.config) and not _text(after, self._env.config):
            text = "the file is gone; put it back. To run without one, restart the relay"
            raise ConfigError(old.source, [Problem("", text)])
        must_lose_nothing(old, new)
        for file in after if _content(old) != _content(new) else ():
            if not _is_cut(_text(before, file), _text(after, file)):
                continue
            text = "the file ends in the middle of its previous version, as a save that was interrupted does"
            text += ". Save it again"
            if file != self._env.config:  # it may hold nothing but a password
                raise ConfigError(str(file), [Problem("", f"{text}; if that is meant, restart the relay")])
            if not self._history.wrote(_text(after, file)):
                text += "; if you removed its end on purpose, add a comment as its last line"
                raise ConfigError(new.source, [Problem("", text)])

    def _begun(self, *, restarted: bool) -> tuple[Settings, SeenFiles]:
        """A process may start in the middle of a save; and after one that was wrong."""
        until = time.monotonic() + SETTLING
        before = self._last_in_force()
        while True:
            reads = ReadFiles(contents)
            try:
                found = load(self._env, self._models, self._variables, reads), reads.seen
                if before and restarted:
                    self._must_be_meant(before[0], found[0], before[1], found[1])
                return found
            except ConfigError as error:
                newest = max((state[0] for state in reads.seen.values()), default=0)
                if time.monotonic() >= until or time.time() - newest / 1e9 > SETTLING:
                    if not before:
                        raise
                    self.trouble = str(error)
                    log.error(
                        "the configuration cannot be used; started with the last valid one",
                        source=error.source,
                        problems=[str(problem) for problem in error.problems],
                        remedy="correct the file and save it; relay config check shows what is wrong",
                    )
                    return before
            time.sleep(SETTLING / 10)

    def _last_in_force(self) -> tuple[Settings, SeenFiles] | None:
        kept = self._last_good.contents()

        def read(file: Path) -> bytes:
            if file not in kept:
                raise FileNotFoundError(file)
            return kept[file]

        try:
            settings = load(self._env, self._models, self._variables, read) if kept else None
        except ConfigError:  # another version of this program, or another environment
            return None
        return (settings, {file: (0, 0, 0, content) for file, content in kept.items()}) if settings else None

    def _keep(self) -> None:
        with suppress(BadSecret, OSError):  # whoever needs a secret says so
            self._secrets.seal_anew()
        self._last_good.keep({file: state[3] for file, state in self._adopted.items() if state[3] is not None})


def _text(seen: SeenFiles, file: Path) -> bytes:
    return (seen[file][3] or b"") if file in seen else b""


def _is_cut(before: bytes, after: bytes) -> bool:
    return bool(after.strip()) and len(after.rstrip()) < len(before.rstrip()) and before.startswith(after.rstrip())


def must_lose_nothing(old: Settings, new: Settings) -> None:
    """Raises ConfigError for what no admin means, and a half-written file looks like."""
    problems = []
    if old.tokens and not new.tokens:
        text = "no token is left, so every chat would be refused; put the tokens back, or restart with SMARTSUPP_TOKEN"
        problems.append(Problem("tokens", text))
    if old.connectors and not new.connectors:
        text = "no connector is left, so no chat would be delivered. To switch one off, write enabled: false below it"
        problems.append(Problem("connectors", text))
    if problems:
        raise ConfigError(new.source, problems)


def _content(settings: Settings) -> tuple[object, ...]:
    return (settings.tokens, settings.connectors, settings.routes, settings.retention, settings.alerts, settings.values)


def _removes(old: Settings, new: Settings) -> bool:
    """Whether something that chats came by or went to is missing from the new settings."""
    return any(
        set(of(old)) - set(of(new))
        for of in (
            lambda settings: [token.token.get_secret_value() for token in settings.tokens],
            lambda settings: settings.connectors,
            lambda settings: settings.enabled,
            lambda settings: [name for route in settings.routes for name in route.to],
        )
    )
