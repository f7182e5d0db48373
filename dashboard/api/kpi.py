"""`/kpi`: key figures of a period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response

from dashboard.api.answers import json_answer
from dashboard.api.params import parse_time, read_args
from dashboard.screens.kpi import load
from dashboard.screens.kpi.trend import find_trend
from dashboard.shell.auth import current_caller
from dashboard.shell.plain_json import as_plain

kpi = Blueprint("kpi", __name__)


@kpi.get("/kpi")
def get_kpi() -> Response:
    """Figures of a period; without `from` the last 24 hours, by district."""
    args = read_args(("from", "to", "by"))
    to = parse_time("to", args["to"]) if "to" in args else datetime.now(UTC)
    start = parse_time("from", args["from"]) if "from" in args else to - timedelta(days=1)
    return json_answer(load.kpi(current_caller(), start, to, args.get("by", "district")))


@kpi.get("/kpi/trend")
def get_trend() -> Response:
    """The last 400 days week by week, and cases by weekday, hour and street."""
    read_args(())
    return json_answer(as_plain(find_trend(current_caller(), datetime.now(UTC))))
