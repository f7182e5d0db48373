"""The choice of ports."""

from pathlib import Path

import pytest

from stack.errors import StackError
from stack.ports import choose_port, read_ports, write_ports


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
