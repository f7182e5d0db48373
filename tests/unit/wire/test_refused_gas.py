"""What a refused message says of gas, by whatever format and name it says it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from city.reading import Decoded, MessageClass
from wire import recognise
from wire.refused_gas import refused_gas

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
INVALID = Decoded("native", MessageClass.INVALID)


def said(topic: str, body: dict[str, Any]) -> str:
    payload = json.dumps(body).encode()
    found = recognise(topic, payload)
    assert found is not None
    return refused_gas(found.parse(topic, payload, NOW), payload)


@pytest.mark.parametrize(
    ("readings", "found"),
    [
        ({"ch4_pct_lel": 71.3}, "71.3 %LEL"),
        ({"ch4_pct_lel": 20}, "20 %LEL"),
        ({"ch4_pct_lel": 19.9}, ""),
        ({"ch4_pct_vol": 2.5, "ch4_pct_lel": 30}, "2.5 %vol"),  # half of the lower limit
        ({"gas_alarm": 1}, "gas_alarm"),
        ({"gas_alarm": 0}, ""),
        ({"temperature_c": 80}, ""),
    ],
)
def test_readings_over_the_lowest_limit_are_news(readings: dict[str, float], found: str) -> None:
    body = {"ts": int(NOW.timestamp() * 1000), "readings": readings}
    assert said("city/v1/460107/gas/NOBODY/telemetry", body) == found


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b'{"readings": {"ch4_pct_lel": 71.3,', "71.3 %LEL"),
        (b"GasLEL=55;unit=%", "55 %LEL"),
        (b'{"lel_alarm_threshold": 25, "lel": 3}', ""),
        (b'{"level": 80, "label": 90}', ""),
        (b"\xff\xfe\x00", ""),
    ],
)
def test_a_message_that_could_not_be_read_is_searched(payload: bytes, found: str) -> None:
    assert refused_gas(INVALID, payload) == found
