"""Why the store does not respond, in plain words: redis-py's own have numbers in them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from core.errors import StoreUnavailable
from core.store.connection.client import connect, errors


def reason(url: str) -> str:
    with pytest.raises(StoreUnavailable) as found, errors():
        connect(url).ping()
    return str(found.value)


def test_a_port_where_nothing_listens_is_said_in_a_sentence() -> None:
    with socket.socket() as taken:  # bound, and never listening
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert (
            reason(f"redis://127.0.0.1:{port}/0")
            == f"it refused the connection; check that it is running (127.0.0.1:{port})"
        )


def test_a_socket_that_does_not_exist_is_said_in_a_sentence(tmp_path: Path) -> None:
    assert reason(f"unix://{tmp_path}/none") == f"its socket does not exist; check that it is running ({tmp_path}/none)"


def test_a_server_that_stays_silent_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        client = connect(f"redis://127.0.0.1:{port}/0")
        client.connection_pool.connection_kwargs["socket_timeout"] = 0.05
        with pytest.raises(StoreUnavailable) as found, errors():
            client.ping()
        assert str(found.value) == "no response in time"
