"""`/kpi`: key figures of a period, and the periods that were published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response

from city.person import DUTY_CHIEFS
from city.requests import PublishRequest, RestateRequest
from dashboard.api.answers import json_answer, read_body, read_once, stored_answer
from dashboard.api.params import check_choice, parse_time, read_args, whole_number
from dashboard.screens.kpi import load, report
from dashboard.screens.kpi.trend import find_trend
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.i18n import texts
from dashboard.shell.plain_json import as_plain

kpi = Blueprint("kpi", __name__)
REPORT_ARGS = ("from", "to", "by", "format", "lang")


@kpi.get("/kpi")
def get_kpi() -> Response:
    """Figures of a period; without `from` the last 24 hours, by district."""
    args = read_args(("from", "to", "by", "edition"))
    to = parse_time("to", args["to"]) if "to" in args else datetime.now(UTC)
    start = parse_time("from", args["from"]) if "from" in args else to - timedelta(days=1)
    edition = whole_number("edition", args["edition"]) if "edition" in args else None
    by = args.get("by", "district")
    return json_answer(load.kpi(current_caller(), start, to, by, edition))


@kpi.get("/kpi/cases")
def list_cases() -> Response:
    """The cases behind a figure."""
    args = read_args(("from", "to", "by", "key", "figure"))
    to = parse_time("to", args["to"]) if "to" in args else datetime.now(UTC)
    start = parse_time("from", args["from"]) if "from" in args else to - timedelta(days=1)
    found = load.counted_cases(
        current_caller(), start, to, args.get("by", "district"), args.get("key"),
        args.get("figure", "opened"),
    )  # fmt: skip
    return json_answer({"items": found, "next": None})


@kpi.get("/kpi/report")
def get_report() -> Response:
    """The figures of a period as a table."""
    args = {"format": "xlsx", "by": "district", "lang": "zh", **read_args(REPORT_ARGS)}
    check_choice(args, "format", tuple(report.FORMATS))
    check_choice(args, "lang", ("zh", "en"))
    to = parse_time("to", args["to"]) if "to" in args else datetime.now(UTC)
    start = parse_time("from", args["from"]) if "from" in args else to - timedelta(days=1)
    found = load.kpi(current_caller(), start, to, args["by"])
    content = report.write_report(texts(args["lang"]), found, args["format"])
    response = Response(content, content_type=report.FORMATS[args["format"]])
    name = f"kpi-{start.astimezone():%Y%m%d}-{args['by']}.{args['format']}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@kpi.get("/kpi/publications")
def list_publications() -> Response:
    read_args(())
    return json_answer({"items": load.publications(current_caller()), "next": None})


@kpi.post("/kpi/publications")
@requires(*DUTY_CHIEFS)
def publish() -> Response:
    period = read_body(PublishRequest).period
    return stored_answer(load.publish(current_caller(), period, read_once()))


@kpi.post("/kpi/publications/<period>/restate")
@requires(*DUTY_CHIEFS)
def restate(period: str) -> Response:
    why = read_body(RestateRequest).why
    return stored_answer(load.restate(current_caller(), period, why, read_once()))


@kpi.get("/kpi/calibration")
def get_calibration() -> Response:
    """What was expected of the attempts of 90 days against what came."""
    read_args(())
    found = load.calibration(current_caller(), datetime.now(UTC))
    return json_answer({"items": as_plain(found), "next": None})


@kpi.get("/kpi/trend")
def get_trend() -> Response:
    """The last 400 days week by week, and cases by weekday, hour and street."""
    read_args(())
    return json_answer(as_plain(find_trend(current_caller(), datetime.now(UTC))))
