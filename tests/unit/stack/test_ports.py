"""The choice of ports."""

import socket
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.ports import LOOPBACK, choose_port, listen, read_ports, write_ports


@pytest.mark.parametrize(
    ("remembered", "busy", "taken", "chosen"),
    [
        (None, set(), set(), 5432),  # the usual one
        (None, {5432}, set(), 5433),  # somebody has it
        (None, {5432}, {5433}, 5434),  # and a sibling has the next
        (6000, set(), set(), 6000),  # a restart keeps its port
        (6000, {6000}, set(), 5432),  # unless it is gone
        (6000, set(), {6000}, 5432),  # or a sibling's
    ],
)
def test_the_remembered_port_wins_then_the_usual_then_the_next_free(
    remembered: int | None, busy: set[int], taken: set[int], chosen: int
) -> None:
    assert choose_port(5432, remembered, taken, lambda port: port not in busy) == chosen


def test_no_free_port_is_said_with_a_way_to_find_out_who_has_them() -> None:
    with pytest.raises(StackError, match="ss -ltnp"):
        choose_port(5432, None, (), lambda _port: False)


def test_ports_are_remembered_and_a_damaged_memory_is_none(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    assert read_ports(path) == {}
    write_ports(path, {"postgres": 5433})
    assert read_ports(path) == {"postgres": 5433}
    path.write_text("{ half")
    assert read_ports(path) == {}


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
