"""What the broker, with our settings, keeps when nobody reads and it is killed or stopped."""

from __future__ import annotations

import re
import signal

import pytest

from bench.broker_restart import FILTER, SHARED_MESSAGES, kept_after, measure
from stack.servers.mosquitto import CONFIGURATION

# Our own lines, not a copy of them.
SAVING = "\n".join(re.findall(r"^autosave_.*$", CONFIGURATION, re.MULTILINE))
RATE = 200
SECONDS = 6
# Mosquitto saves when more than the interval of a second has passed on a clock of whole seconds.
SAVED_EVERY_S = 2.5


@pytest.mark.parametrize("reader", ["away", "frozen"])
def test_a_killed_broker_keeps_what_it_had_saved_and_what_came_after_its_return(
    reader: str,
) -> None:
    found = measure(SAVING, RATE, reader, signal.SIGKILL, SECONDS)
    assert found["accepted_before_save"] > RATE
    assert found["lost_before_save"] == 0
    assert found["accepted_after_restart"] > 0
    assert found["lost_after_restart"] == 0


@pytest.mark.parametrize("reader", ["away", "frozen"])
def test_a_killed_broker_had_saved_within_the_last_two_seconds(reader: str) -> None:
    found = measure(SAVING, RATE, reader, signal.SIGKILL, SECONDS)
    assert found["last_save_before_end_s"] < SAVED_EVERY_S


@pytest.mark.parametrize("reader", ["away", "frozen"])
def test_a_broker_that_is_stopped_keeps_everything_it_had_accepted(reader: str) -> None:
    found = measure(SAVING, RATE, reader, signal.SIGTERM, SECONDS)
    assert found["accepted_before_save"] + found["accepted_after_save"] > RATE * SECONDS / 2
    assert found["lost_before_save"] == found["lost_after_save"] == 0
    assert found["lost_after_restart"] == 0


@pytest.mark.parametrize("end", ["kill", "term"])
def test_a_plain_subscription_is_restored_by_the_broker_and_a_shared_one_is_not(end: str) -> None:
    """Why ingest holds one session with plain filters."""
    assert kept_after(end, FILTER) == SHARED_MESSAGES
    assert kept_after(end, f"$share/g/{FILTER}") == 0
