"""The Lua scripts: put together once, run by their hash, their arguments given by name.

The head of each script declares what it is called with and which parts of lib/ it needs:

    --- args: now, lane, token, many:number, connectors...
    --- uses: keys, lease

An argument is a text, or of another kind: `number`; `number?`, nil in Lua where it is None here; `flag`, true or false;
`name...`, a list of texts. They become locals of the script. `now` is the time in ms (lib/time.lua). A part that reads
an argument of its scripts declares that, too, and which parts it needs itself.

Words and numbers that Python knows, too (constants.py), are put into the text as literals: a local that functions
share, and a function that nobody calls, take time in each call.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import redis
from redis.exceptions import NoScriptError, RedisError

from core.store.protocol.constants import KINDS, lua_literals

#: Scripts that only add to the store. The others must run when it is full, or it could never be emptied.
_ADDS = frozenset({"accept"})
#: Those that only read run on a server that can write nothing at all.
_READS = frozenset({"look", "look_in_blocks"})

Argument = str | bytes | int | float | bool | None | Sequence[str | bytes]

_DECLARED = re.compile(r"^--- (args|uses): (.+)$", re.MULTILINE)
_LITERALS = lua_literals()
_KNOWN = re.compile(rf"\b(?:{'|'.join(KINDS)})\.\w+|\b(?:{'|'.join(name for name in _LITERALS if '.' not in name)})\b")


def _text(value: Argument) -> str | bytes:
    if isinstance(value, str | bytes):
        return value
    raise TypeError(f"a text is wanted, not {value!r}")


def _number(value: Argument) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    raise TypeError(f"a number is wanted, not {value!r}")


def _number_or_none(value: Argument) -> str:
    return "" if value is None else _number(value)


def _flag(value: Argument) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    raise TypeError(f"True or False is wanted, not {value!r}")


#: Kind of an argument -> how it is sent, and how Lua reads it.
_SENT: Mapping[str, Callable[[Argument], str | bytes]] = {
    "text": _text,
    "number": _number,
    "number?": _number_or_none,
    "flag": _flag,
}
_READ = {"text": "{}", "number": "tonumber({})", "number?": "tonumber({})", "flag": "{} == '1'"}


@dataclass(frozen=True)
class Script:
    """A script, or a part of lib/: its arguments with their kinds (`list` for several), the parts that it needs."""

    name: str
    arguments: Mapping[str, str]
    uses: tuple[str, ...]
    text: str

    def spelled(self, given: Mapping[str, Argument]) -> list[str | bytes]:
        """ARGV. Raises TypeError for names that are missing or unknown, and for values of another kind."""
        if given.keys() != self.arguments.keys():
            wrong = {
                "missing": self.arguments.keys() - given.keys(),
                "unknown": given.keys() - self.arguments.keys(),
            }
            said = "; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in wrong.items() if names)
            raise TypeError(f"script '{self.name}': {said}")
        found: list[str | bytes] = []
        for name, kind in self.arguments.items():
            value = given[name]
            try:
                if kind == "list":
                    if not isinstance(value, list | tuple):
                        raise TypeError(f"a list is wanted, not {value!r}")
                    found.append(str(len(value)))
                    found.extend(_text(one) for one in value)
                else:
                    found.append(_SENT[kind](value))
            except TypeError as error:
                raise TypeError(f"script '{self.name}', {name}: {error}") from None
        return found

    def prologue(self) -> str:
        """Locals for the arguments. Lists come last, each after its length."""
        single = [(name, kind) for name, kind in self.arguments.items() if kind != "list"]
        lists = [name for name, kind in self.arguments.items() if kind == "list"]
        lines = []
        if single:
            values = ", ".join(_READ[kind].format(f"ARGV[{at}]") for at, (_, kind) in enumerate(single, 1))
            lines.append(f"local {', '.join(name for name, _ in single)} = {values}")
        if lists:
            lines.append(f"local {', '.join(lists)} = {', '.join('{}' for _ in lists)}")
            lines.append(f"do local at = {len(single) + 1}")
            lines += [
                f"for i = at + 1, at + ARGV[at] do {name}[#{name} + 1] = ARGV[i] end; at = at + 1 + ARGV[at]"
                for name in lists
            ]
            lines.append("end")
        return "\n".join(lines)


@cache
def _files() -> dict[str, Traversable]:
    """Each script by its name, the folders say who calls them; and the parts as `lib/NAME`."""
    folders = (resources.files("core.store") / "lua").iterdir()
    found = [(folder.name, file) for folder in folders for file in folder.iterdir()]
    return {("lib/" if name == "lib" else "") + file.name.removesuffix(".lua"): file for name, file in found}


def names() -> list[str]:
    """Every script, without the parts of lib/."""
    return sorted(name for name in _files() if not name.startswith("lib/"))


@cache
def script(name: str) -> Script:
    """Raises ValueError for a head, or a word, that nobody knows."""
    text = _files()[name].read_text()
    declared: dict[str, list[str]] = {"args": [], "uses": []}
    for what, said in _DECLARED.findall(text):
        declared[what] += [one.strip() for one in said.split(",")]
    arguments = dict(_argument(name, one) for one in declared["args"])
    if len(arguments) < len(declared["args"]):
        raise ValueError(f"{name}.lua: two arguments have one name")
    kinds = list(arguments.values())
    if "list" in kinds and set(kinds[kinds.index("list") :]) != {"list"}:
        raise ValueError(f"{name}.lua: lists come last")
    return Script(name, arguments, tuple(declared["uses"]), _KNOWN.sub(_literal, text))


def _argument(script_name: str, text: str) -> tuple[str, str]:
    if text.endswith("..."):
        return text.removesuffix("..."), "list"
    name, _, kind = text.partition(":")
    if (kind or "text") not in _SENT:
        raise ValueError(f"{script_name}.lua: there is no kind '{kind}' of arguments")
    return name, kind or "text"


def _literal(found: re.Match[str]) -> str:
    if found[0] not in _LITERALS:
        raise ValueError(f"constants.py has no {found[0]}")
    return _LITERALS[found[0]]


def parts(name: str) -> list[str]:
    """The parts of lib/ that a script needs, each after those that it needs itself."""
    found: dict[str, None] = {}
    for part in script(name).uses:
        found.update(dict.fromkeys(parts(f"lib/{part}")))
        found[part] = None
    return list(found)


@cache
def source(name: str) -> str:
    """The whole text of a script. The first line lets the server refuse it before it has written anything."""
    main = script(name)
    flags = "" if name in _ADDS else " flags=no-writes" if name in _READS else " flags=allow-oom"
    needed = [script(f"lib/{part}") for part in parts(name)]
    for part in needed:
        if missing := part.arguments.keys() - main.arguments.keys():
            raise ValueError(f"{name}.lua: {part.name}.lua needs its argument {', '.join(sorted(missing))}")
    return "\n".join((f"#!lua{flags}", main.prologue(), *(part.text for part in needed), main.text))


@cache
def _sha(name: str) -> str:
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()


def run_script(client: redis.Redis, name: str, /, **arguments: Argument) -> Any:
    """Run one script; a server that has forgotten it (a restart) is given it again."""
    spelled = script(name).spelled(arguments)
    try:
        return client.evalsha(_sha(name), 0, *spelled)
    except NoScriptError:
        return client.eval(source(name), 0, *spelled)


def run_each(client: redis.Redis, name: str, calls: Iterable[Mapping[str, Argument]]) -> list[Any]:
    """Run one script for each set of arguments, in one journey: one wait for the disk, and each still a step of its
    own. What was done before an error is done."""
    found = try_each(client, name, calls)
    for one in found:
        if isinstance(one, RedisError):
            raise one
    return found


def try_each(client: redis.Redis, name: str, calls: Iterable[Mapping[str, Argument]]) -> list[Any]:
    """The same, with the error in place of the reply where there was one. Raises only what ended the journey."""
    wanted = [script(name).spelled(arguments) for arguments in calls]

    def pipelined() -> list[Any]:
        pipe = client.pipeline(transaction=False)
        for spelled in wanted:
            pipe.evalsha(_sha(name), 0, *spelled)
        return pipe.execute(raise_on_error=False)

    found = pipelined()
    if any(isinstance(one, NoScriptError) for one in found):
        # The first call knows no script, and none of those after it: nothing was done.
        client.script_load(source(name))
        found = pipelined()
    return found
