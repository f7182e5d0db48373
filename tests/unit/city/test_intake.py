"""Numbers of public reports, and what their senders are told."""

from __future__ import annotations

import pytest

from city.incident import IncidentState
from city.intake import (
    ALPHABET,
    PlainState,
    ReportState,
    check_of,
    draw_code,
    plain_state,
    read_code,
    shown_code,
)


def test_a_number_is_read_as_it_is_shown_however_it_is_typed() -> None:
    code = draw_code()
    assert read_code(shown_code(code)) == code
    assert read_code(f" {code[:3].lower()} {code[3:]}- ") == code


def test_every_wrong_symbol_and_every_swap_is_noticed() -> None:
    code = "K7QF3M9XT"
    code += check_of(code)
    for at, right in enumerate(code):
        for symbol in ALPHABET:
            if symbol != right:
                assert read_code(code[:at] + symbol + code[at + 1 :]) is None
    for at in range(len(code) - 1):
        if code[at] != code[at + 1]:
            swapped = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
            assert read_code(swapped) is None


@pytest.mark.parametrize("text", ["", "ABC", "0" * 10, "K7QF3-M9XTÄ", "K" * 11])
def test_what_is_no_number_is_none(text: str) -> None:
    assert read_code(text) is None


def test_two_numbers_are_not_the_same() -> None:
    assert len({draw_code() for _ in range(1000)}) == 1000


def test_every_state_of_a_case_has_a_plain_one() -> None:
    told = {state: plain_state(ReportState.ACCEPTED, state) for state in IncidentState}
    assert told[IncidentState.CLOSED] is PlainState.DONE
    assert told[IncidentState.REJECTED] is PlainState.NOT_TAKEN
    assert told[IncidentState.ON_SITE] is PlainState.AT_WORK
    assert told[IncidentState.SUSPENDED] is PlainState.AT_WORK
    assert plain_state(ReportState.WAITING, None) is PlainState.WAITING
    assert plain_state(ReportState.SPAM, None) is plain_state(ReportState.REJECTED, None)
