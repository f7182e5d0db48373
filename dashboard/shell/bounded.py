"""What is open to people and tokens that are bounded to divisions. Everything else is refused: a
new address or callback stays shut to them until it keeps to `Caller.scope` and stands here."""

from __future__ import annotations

from flask import request

from city.errors import Forbidden
from city.person import Caller
from dashboard.shell import ids

OPEN_SCREENS = frozenset(
    {
        "console", "alarms", "wall", "squad", "cases", "kpi", "devices", "intake", "tasks",
        "notify", "approvals", "lighting", "permits", "registers", "review", "rules",
    }
)  # fmt: skip
OPEN_ENDPOINTS = frozenset(
    {
        "alarms.acknowledge_alarms", "alarms.change_alarm", "alarms.get_alarm",
        "alarms.get_measures", "alarms.list_alarms", "alarms.shelve_alarm",
        "approvals.approve", "approvals.get_approval", "approvals.list_approvals",
        "approvals.refuse",
        "categories.list_categories",
        "devices.get_device", "devices.get_readings", "devices.list_devices",
        "events.get_events",
        "incidents.act", "incidents.add_evidence", "incidents.get_evidence",
        "incidents.get_incident", "incidents.list_evidence", "incidents.list_incidents",
        "incidents.recommend", "incidents.report_incident",
        "intake.call_back", "intake.find_categories", "intake.find_places", "intake.get_intake",
        "intake.list_around", "intake.list_intake", "intake.list_tasks", "intake.receive",
        "intake.reply",
        "kpi.get_kpi", "kpi.get_trend",
        "labels.scanned",
        "lighting.assign", "lighting.cancel_order", "lighting.get_lighting", "lighting.get_order",
        "lighting.give_order", "lighting.list_lamps", "lighting.list_nights",
        "lighting.list_orders", "lighting.list_programmes",
        "live.city_map", "live.follow", "live.snapshot",
        "message", "messages.acknowledge", "messages.add_browser", "messages.get_contact",
        "messages.list_channels", "messages.list_deliveries", "messages.remove_browser",
        "messages.send_test", "messages.set_contact",
        "permits.add", "permits.end", "permits.get_permit", "permits.list_permits",
        "registers.add_entry", "registers.change_entry", "registers.get_entry",
        "registers.get_label", "registers.get_register", "registers.inspect",
        "registers.list_draws", "registers.list_entries", "registers.list_labels",
        # First offences count wherever in the district they were.
        "registers.list_offences",
        "registers.list_registers", "registers.recuse", "registers.retire_entry",
        "registry.list_identities",
        "reports.accept", "reports.get_photo", "reports.list_reports", "reports.reject",
        "reports.spam",
        # Who calls for help is looked after by whoever sees it first.
        "lone_work.acknowledge", "lone_work.begin", "lone_work.call", "lone_work.end",
        "lone_work.fine", "lone_work.my_check_in",
        "phone", "phone_tasks",
        # Rules are the district's: read, and never changed.
        "rules.form", "rules.list_rules", "rules.show",
        "squads.list_squads",
        "video.leave", "video.list_precision", "video.list_video_events", "video.next_events",
        "video.queue", "video.review", "video.snapshot",
        "video.take_back",
        "second_factor", "sign_out",
    }
)  # fmt: skip
# Dash's own: the page around the screens, whose content is a callback.
PAGES = frozenset({"/", "/<path:path>", "/_dash-layout", "/_dash-dependencies", "/_reload-hash"})
CALLBACKS = "/_dash-update-component"
# By the first component that a callback writes.
OPEN_CALLBACKS = frozenset(
    {
        ids.CONTENT, ids.DETAIL, ids.VIDEO_LIST, ids.KPI_DATES_BOX, ids.KPI_BODY,
        ids.KPI_TREND, ids.DEVICES_TABLE, ids.DEVICES_OUT, f"{ids.DEVICES_COUNT}-registry",
    }
)  # fmt: skip


def check_open(caller: Caller) -> None:
    """Raises `Forbidden` where this request is for people of the whole district alone."""
    if caller.within is None or request.url_rule is None:
        return
    rule = request.url_rule.rule
    if rule == CALLBACKS:
        body = request.get_json(silent=True)
        output = str(body.get("output", "")) if isinstance(body, dict) else ""
        if first_written(output) in OPEN_CALLBACKS:
            return
    elif rule in PAGES or request.endpoint in OPEN_ENDPOINTS:
        return
    raise Forbidden(
        f"{request.path} is for people of the whole district; {caller.name} is bounded to "
        f"{caller.within}"
    )


def first_written(output: str) -> str:
    """Id of the first component in Dash's name for the outputs of a callback: `ID.PROPERTY`, or
    `..ID.PROPERTY...ID.PROPERTY..` of several."""
    return output.strip(".").partition(".")[0].partition("@")[0]
