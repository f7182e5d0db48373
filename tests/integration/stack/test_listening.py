"""A port that is listened on from its choice on."""

import socket

import pytest

from stack.errors import StackError
from stack.ports import LOOPBACK, listen


def test_a_listening_socket_is_ours_from_its_choice_on() -> None:
    with listen(20_000, None, ()) as first, listen(20_000, None, ()) as second:
        assert first.getsockname()[1] != second.getsockname()[1]
        with socket.create_connection(first.getsockname(), timeout=5):
            pass  # it waits until the server behind the socket is there


def test_the_remembered_port_is_listened_on_again() -> None:
    with listen(20_000, None, ()) as first:
        port = first.getsockname()[1]
    with listen(20_100, port, ()) as again:
        assert again.getsockname() == (LOOPBACK, port)
    with listen(20_100, port, {port}) as other:
        assert other.getsockname()[1] != port


def test_a_port_that_was_asked_for_and_is_taken_is_an_error_that_names_it() -> None:
    with listen(20_000, None, ()) as held:
        port = held.getsockname()[1]
        with pytest.raises(StackError, match=f"Port {port} is in use by another program"):
            listen(20_000, None, (), wanted=port)
