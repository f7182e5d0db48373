"""`./run chaos` in short: a few of its faults on an installation of their own, under load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from bench.chaos.drill import Range, shooting_range
from bench.chaos.faults import ABSENT, FROZEN, KILL, STOP, TERM, Fault
from bench.chaos.table import render
from bench.installation import running_installation

RATE = 200.0
HOLD_S = 2.0
# Not the aims, which `./run chaos` holds against a machine that does nothing else.
NORMAL_WITHIN_S = 20.0


@pytest.fixture(scope="module")
def ground(browser: Browser) -> Iterator[Range]:
    with (
        running_installation("chaos") as installation,
        shooting_range(installation, browser, RATE, HOLD_S) as opened,
    ):
        yield opened


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize(
    "fault",
    [
        Fault("broker", KILL, FROZEN),
        Fault("broker", TERM, ABSENT),
        Fault("ingest", KILL),
        Fault("engine", STOP),
        Fault("serve", KILL),
        Fault("database", KILL),
    ],
    ids=lambda fault: fault.name,
)
def test_a_fault_loses_nothing_doubles_nothing_and_a_gas_alarm_in_it_is_one_incident(
    ground: Range, fault: Fault
) -> None:
    row = ground.drill(fault)
    assert row is not None
    print(render([row]))
    assert row.broken == []
    assert row.acknowledged > 0
    assert row.normal_s is not None
    assert row.normal_s < NORMAL_WITHIN_S
    assert row.wall
    assert row.readyz
