"""One `relay up` that several tests look at: none of them stops it, or kills what runs under it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from app.process import must_be_free
from core.config.environment import environment
from core.errors import ConfigError
from core.store import connected
from tests.e2e.test_up import Up, brought_up, logged_in, needs_proc
from tests.support.forked import finished
from tests.support.stack import chat, free_port, until


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """With a log that is a file, in folders that were open to others, by somebody whose files are, too."""
    folder = tmp_path_factory.mktemp("up")
    (folder / "var" / "valkey").mkdir(parents=True)
    for place in (folder / "var" / "valkey", folder / "var"):
        place.chmod(0o755)
    with brought_up(folder) as made:
        mask = os.umask(0o022)
        try:
            made.start()
        finally:
            os.umask(mask)
        made.ready()
        yield made


def test_a_log_gets_neither_token_nor_password_and_says_how_to_get_them(running: Up) -> None:
    hook = running.ready()
    assert requests.post(hook, data=chat("c1"), timeout=10).status_code == 202
    said = running.said()
    assert running.token() not in said
    file = re.search(r"TOKEN +to read it: (?:docker exec -it \S+ )?cat (\S+)$", said, re.MULTILINE)
    assert file
    assert Path(file[1]).read_text().strip() == running.token()
    # Nobody would have seen one, so none was made; the command that it names makes one.
    assert re.search(
        r"^ *Password +none yet; to set one: (?:docker exec -it \S+ )?relay admin set-password$", said, re.MULTILINE
    )
    code, made, _ = finished(["admin", "set-password", "--generate"], running.environment, running.folder)
    assert code == 0
    assert logged_in(hook.partition("/smartsupp")[0], made.strip())


@needs_proc
def test_the_old_server_is_gone_before_a_new_one_takes_its_data(running: Up) -> None:
    running.ready()
    code, _, beside = finished(["up"], {**running.environment, "RELAY_PORT": str(free_port())}, running.folder)
    assert code == 2
    assert "another relay uses" in beside
    assert requests.post(running.ready(), data=chat(), timeout=10).status_code == 202


def test_another_relay_that_runs_is_not_waited_for(running: Up) -> None:
    running.ready()
    with pytest.raises(ConfigError, match="cannot listen"):
        must_be_free(environment(running.environment))
    code, _, beside = finished(["up"], running.environment, running.folder)
    assert code == 2
    assert "another relay uses" in beside


_LOOK = """
import os, sys
os.setuid(65534)
for root in sys.argv[1:]:
    for folder, _, files in os.walk(root, onerror=lambda error: None):
        for file in files:
            path = os.path.join(folder, file)
            try:
                open(path, "rb").close()
            except OSError:
                continue
            print("read", path)
    try:
        print(*os.listdir(root))
    except PermissionError:
        print("refused")
"""


def test_nobody_else_reads_or_enters_the_data_folder(running: Up) -> None:
    hook = running.ready()
    assert requests.post(hook, data=chat("c1"), timeout=10).status_code == 202
    data = running.folder / "var"
    until((data / "archive" / "1" / "c1" / "r1.json").exists)
    connected(environment({**running.environment, "RELAY_DATA_DIR": str(data)})).bgrewriteaof()
    until(lambda: list((data / "valkey" / "appendonlydir").glob("*.2.base.*")), what="a rewritten file")
    modes = {}
    for path in [data, *data.rglob("*")]:
        with suppress(FileNotFoundError):  # the file that was rewritten goes meanwhile
            modes[str(path.relative_to(data))] = oct(path.lstat().st_mode & 0o777)
    folders = {name for name in modes if (data / name).is_dir()}
    assert {mode for name, mode in modes.items() if name in folders} == {"0o700"}
    assert {mode for name, mode in modes.items() if name not in folders} <= {"0o600", "0o700"}, modes
    assert len(modes) > 12
    if os.geteuid() == 0:  # else there is no way to be somebody else
        for folder in (running.folder, *running.folder.parents[:-1]):
            if not folder.stat().st_mode & 0o005 and "pytest" in str(folder):
                folder.chmod(0o755)
        said = subprocess.run([sys.executable, "-c", _LOOK, str(data)], capture_output=True, text=True, check=True)
        assert said.stdout == "refused\n"


def test_a_folder_that_was_open_is_closed(running: Up) -> None:
    valkey = running.folder / "var" / "valkey"
    assert [oct(folder.stat().st_mode & 0o777) for folder in (valkey.parent, valkey)] == ["0o700", "0o700"]
