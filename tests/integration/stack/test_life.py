"""Starting, stopping, being killed and starting again on one data folder."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from stack import StackError, running
from stack.processes import find
from stack.servers.every import SERVERS

WAIT_SECONDS = 60.0

# What `gridwarden up` does, as far as the servers are concerned.
PARENT = """
import sys, time
from pathlib import Path
from stack import running
with running(Path(sys.argv[1])) as endpoints:
    print(endpoints.postgres, flush=True)
    time.sleep(600)
"""


def start_parent(
    data_dir: Path, *, before: Callable[[], object] | None = None
) -> tuple[subprocess.Popen[str], str]:
    """A process that runs the stack, and the database's address."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def close(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    process.stdout.close()
    process.wait(WAIT_SECONDS)


def servers_of(data_dir: Path) -> set[str]:
    """Names of the server programs that run on a data folder."""
    inside = str(data_dir) + "/"
    names = {server.program for server in SERVERS.values()}
    found = find(lambda words: any(word.startswith(inside) for word in words[1:]))
    return {Path(f.words[0]).name for f in found} & names


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_a_second_start_keeps_data_and_ports(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        with psycopg.connect(first.postgres, autocommit=True) as conn:
            conn.execute("CREATE TABLE kept (n int)")
            conn.execute("INSERT INTO kept VALUES (7)")
        addresses = (first.postgres, first.mqtt, first.redis)
    assert servers_of(tmp_path) == set()
    with running(tmp_path) as second:
        assert (second.postgres, second.mqtt, second.redis) == addresses
        with psycopg.connect(second.postgres) as conn:
            assert conn.execute("SELECT n FROM kept").fetchone() == (7,)


def test_a_port_that_is_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        port = int(first.mqtt.rsplit(":", 1)[1])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with running(tmp_path) as second:
            assert second.mqtt != first.mqtt


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_servers_with_their_parent(
    tmp_path: Path, number: signal.Signals
) -> None:
    parent, _ = start_parent(tmp_path)
    assert servers_of(tmp_path) == {server.program for server in SERVERS.values()}
    parent.send_signal(number)
    close(parent)
    assert servers_of(tmp_path) == set()


def test_sigint_stops_the_servers_also_of_a_job_in_the_background_of_a_script(
    tmp_path: Path,
) -> None:
    parent, _ = start_parent(tmp_path, before=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    parent.send_signal(signal.SIGINT)
    close(parent)
    assert servers_of(tmp_path) == set()


def test_a_killed_parent_leaves_servers_that_the_next_start_ends(tmp_path: Path) -> None:
    parent, address = start_parent(tmp_path)
    with psycopg.connect(address, autocommit=True) as conn:
        conn.execute("CREATE TABLE kept (n int)")
    parent.kill()
    close(parent)
    left = servers_of(tmp_path)
    assert left == {server.program for server in SERVERS.values()}
    said: list[str] = []
    with running(tmp_path, progress=said.append) as again:
        assert again.postgres == address
        with psycopg.connect(again.postgres) as conn:
            assert conn.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    assert len([line for line in said if "of an earlier start" in line]) == len(left)
    assert servers_of(tmp_path) == set()


def test_a_stranger_that_reads_our_files_is_left_alone(tmp_path: Path) -> None:
    parent, _ = start_parent(tmp_path)
    with subprocess.Popen(["tail", "-f", str(tmp_path / "redis" / "redis.conf")]) as stranger:
        parent.kill()
        close(parent)
        with running(tmp_path):
            assert stranger.poll() is None
        stranger.terminate()


def test_two_starts_on_one_folder_do_not_mix(tmp_path: Path) -> None:
    parent, _ = start_parent(tmp_path)
    with (
        pytest.raises(StackError, match=rf"already runs on .*process {parent.pid}\b"),
        running(tmp_path),
    ):
        pass
    parent.terminate()
    close(parent)


def test_a_server_that_cannot_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "postgres" / "global" / "pg_control").unlink()
    with (
        pytest.raises(StackError, match=r"postgres ended at its start: .*pg_control"),
        running(tmp_path),
    ):
        pass
    assert servers_of(tmp_path) == set()
