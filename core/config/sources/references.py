"""`${NAME}`, `${file:/path}` and `${secret:NAME}` in the texts of relay.yaml, filled in; `$${` is `${` itself."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from core.config.mistakes.files import file_mistake
from core.config.mistakes.model import KeyPath
from core.config.sources.secret_store import BadSecret, SecretStore, is_name
from core.config.yaml_file import ConfigFile

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE, _SECRET = "file:", "secret:"
_NOT_SET = "{name} is not set. Write {name}=… into .env beside this file, or run relay secrets set {secret} and write "
_NOT_SET += "${{secret:{secret}}} here; neither needs a restart"


def is_reference(text: str) -> bool:
    """Whether a text is one of the three and nothing else."""
    found = _REFERENCE.fullmatch(text)
    return bool(found and found[1])


def secret_in(text: object) -> str:
    """The name in `${secret:NAME}`, where a text is that and nothing else; or ""."""
    found = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    return found[1].removeprefix(_SECRET) if found and found[1] and found[1].startswith(_SECRET) else ""


def secrets_in(text: str) -> set[str]:
    """The names of all sealed secrets that a file mentions, in comments too."""
    return {one.removeprefix(_SECRET) for one in _REFERENCE.findall(text) if one.startswith(_SECRET)}


def to_secret(name: str) -> str:
    return f"${{{_SECRET}{name}}}"


def not_set(text: str) -> list[str]:
    """The variables that mistakes of a file call not set."""
    return re.findall(r"\b([A-Za-z_][A-Za-z0-9_]*) is not set\. Write ", text)


class References:
    """Where the values are: `variables`, files below `folder`, sealed secrets. `read` raises OSError."""

    def __init__(
        self, variables: Mapping[str, str], folder: Path, read: Callable[[Path], bytes], secrets: SecretStore
    ) -> None:
        self._variables, self._folder, self._read, self._secrets = variables, folder, read, secrets

    def fill(self, value: str, path: KeyPath, file: ConfigFile) -> str:
        """The text with its references filled in; what cannot be is noted in `file`."""

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return "${"
            if name.startswith(_FILE):
                return self._from_file(self._folder / os.path.expanduser(name[len(_FILE) :]), path, file)
            if name.startswith(_SECRET):
                return self._sealed(name[len(_SECRET) :], path, file)
            if not _NAME.fullmatch(name):
                kinds = "${NAME}, ${file:/path} nor ${secret:NAME}"
                file.problem(path, f"'${{{name}}}' is neither {kinds}; write $${{ for the text ${{")
            elif name not in self._variables:
                file.problem(path, _NOT_SET.format(name=name, secret=name.lower().replace("_", "-").strip("-")))
            else:
                return self._variables[name]
            return ""

        return _REFERENCE.sub(replace, value)

    def _from_file(self, name: Path, path: KeyPath, file: ConfigFile) -> str:
        file.secret_files.append(name)
        try:
            if text := self._read(name).decode("utf-8-sig").strip():
                return text
            file.problem(path, f"{name} is empty; write the value into it")
        except (OSError, ValueError) as error:
            shown = name if str(name).isprintable() else "the file"
            file.problem(path, f"cannot read {shown}: {file_mistake(error)}")
        return ""

    def _sealed(self, name: str, path: KeyPath, file: ConfigFile) -> str:
        if not is_name(name):
            file.problem(path, f"'${{secret:{name}}}' has no name of a secret; relay secrets list has the names")
            return ""
        if self._secrets.file not in file.secret_files:
            file.secret_files.append(self._secrets.file)
        try:
            if (found := self._secrets.get(name)) is not None:
                return found
            file.problem(path, f"there is no secret '{name}'; set it with: relay secrets set {name}")
        except BadSecret as error:
            file.problem(path, str(error))
        except OSError as error:
            file.problem(path, f"cannot read {self._secrets.file}: {file_mistake(error)}")
        return ""
