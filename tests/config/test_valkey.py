from __future__ import annotations

from pathlib import Path

import pytest
import redis

from config.embedded.valkey import Valkey

pytestmark = pytest.mark.slow


def test_it_answers_on_a_private_socket_and_keeps_what_it_was_told(
    tmp_path: Path, own_sockets: Path
) -> None:
    server = Valkey(tmp_path / "valkey", own_sockets)
    server.spawn()
    server.wait_ready()
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.set("doorbell", "rung")
        assert client.config_get("port") == {"port": "0"}
    assert server.socket.stat().st_mode & 0o077 == 0
    server.stop()

    server.spawn()
    server.wait_ready()
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        assert client.get("doorbell") == b"rung"
    server.stop()
    assert server.process is not None
    assert server.process.returncode == 0
