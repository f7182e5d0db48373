"""What is expected of the attempts that run: shown in the queue, kept, and compared afterwards."""

from __future__ import annotations

from datetime import datetime

from city.forecast import Calibration, Forecast, Tables, calibrate, forecast
from city.scope import Scope
from db import districts, forecasts
from db.forecasts import RunningAttempt
from db.pool import Connection


def list_forecasts(conn: Connection, scope: Scope, now: datetime) -> dict[int, Forecast]:
    """By incident: how likely the squad that has it is late; nothing where history says too
    little."""
    tables = forecasts.read_tables(conn, scope.district)
    found = {}
    for attempt in forecasts.list_running(conn, scope):
        expected = _expect(tables, attempt, now)
        if expected is not None:
            found[attempt.incident_id] = expected
    return found


def keep_forecasts(conn: Connection, now: datetime) -> int:
    """What is expected of the attempts that have begun since; how many those are."""
    count = 0
    for code in districts.list_codes(conn):
        new = forecasts.list_running(conn, Scope(code), without_forecast=True)
        if not new:
            continue
        tables = forecasts.read_tables(conn, code)
        made = [(a, found.probability) for a in new if (found := _expect(tables, a, now))]
        forecasts.insert_forecasts(conn, made, now)
        count += len(made)
    return count


def read_calibration(conn: Connection, district: str, now: datetime) -> list[Calibration]:
    """What was expected of the attempts of the last 90 days against what came of them."""
    return calibrate(forecasts.list_outcomes(conn, district, now))


def _expect(tables: Tables, attempt: RunningAttempt, now: datetime) -> Forecast | None:
    return forecast(
        tables, attempt.category, attempt.squad, attempt.hour,
        (now - attempt.started_at).total_seconds(),
        (attempt.due_at - attempt.started_at).total_seconds(),
    )  # fmt: skip
