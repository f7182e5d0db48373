"""Telling our own servers from everybody else's."""

import os
import socket

import pytest

from stack.processes import find, listens, parse_cmdline, was_started_as

MARK = "/srv/gridwarden/.stack/data/postgres"


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (("/x/bin/postgres", "-D", MARK), True),
        (("/x/bin/postgres", "-D", MARK + "2"), False),  # a folder whose name starts like ours
        (("/usr/lib/postgresql/17/bin/postgres", "-D", "/var/lib/postgresql"), False),
        (("less", MARK), False),  # somebody reads our files
        (("postgres: checkpointer",), False),  # a worker, which ends with its server
        ((), False),
    ],
)
def test_a_server_is_ours_by_program_and_data_folder(words: tuple[str, ...], ours: bool) -> None:
    assert was_started_as(words, "postgres", MARK) is ours


def test_the_words_of_a_command_line_end_in_zeros() -> None:
    assert parse_cmdline(b"redis-server\0/data/redis.conf\0") == (
        "redis-server",
        "/data/redis.conf",
    )
    assert parse_cmdline(b"") == ()


def test_we_never_find_ourselves() -> None:
    assert os.getpid() not in [found.pid for found in find(lambda _words: True)]


def test_the_process_that_listens_is_told_from_one_that_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listens(os.getpid(), port)
        assert not listens(os.getppid(), port)
    assert not listens(os.getpid(), port)
