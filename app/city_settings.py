"""The settings as the dashboard knows them: the steps of `founding` with what ships and who writes
rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from alerts import steps as alert_steps
from app.city_commands import put_rules, shipped
from city.datum import Datum
from city.person import Caller
from city.settings import AppliedSheet, HistoryItem, LimitEffect, PartItem, Sheet, SheetPlan
from db import districts
from db.pool import Connection
from db.users import draw_password
from founding import settings as steps
from founding.area_file import VIDEO, VIDEO_COLUMNS, read_areas, video_limit
from founding.excel import is_workbook, workbook_as_csv
from founding.parts import Shipped
from founding.sheets import read_lines

DEFAULT_ZONE = "Asia/Shanghai"
# What a change of these says of video events is foreseen.
VIDEO_PARTS = ("areas", "video")


@cache
def _shipped() -> Shipped:
    return shipped()


def list_parts(conn: Connection, caller: Caller, now: datetime) -> Sequence[PartItem]:
    district = districts.find_district(conn, caller.district)
    zone = district.timezone if district else DEFAULT_ZONE
    return steps.list_parts(conn, caller.district, now.astimezone(ZoneInfo(zone)).date())


def show(conn: Connection, caller: Caller, part: str) -> Sheet:
    return steps.show(conn, caller.district, part)


def write_file(conn: Connection, caller: Caller, part: str, kind: str) -> bytes:
    return steps.write_file(conn, caller.district, part, kind)


def plan_file(conn: Connection, caller: Caller, part: str, content: bytes) -> SheetPlan:
    """A file in the place of the present one, CSV or Excel, told apart by how it begins."""
    csv = workbook_as_csv(content) if is_workbook(content) else content
    edit = steps.Edit(content=csv)
    return _foreseen(
        conn, caller, steps.plan(conn, caller.district, caller.name, part, edit, _shipped(), None)
    )


def plan_row(
    conn: Connection,
    caller: Caller,
    part: str,
    *,
    put: Mapping[str, str] | None,
    key: str,
    remove: str,
    digest: str,
    seq: int,
) -> SheetPlan:
    """A row put in, in the place of the one with this key, or taken out."""
    edit = steps.Edit(put=put, key=key, remove=remove)
    seen = (digest, seq)
    return _foreseen(
        conn, caller, steps.plan(conn, caller.district, caller.name, part, edit, _shipped(), seen)
    )


def _foreseen(conn: Connection, caller: Caller, planned: SheetPlan) -> SheetPlan:
    """With what the change would have made of the video events of the last days."""
    if planned.faults or not planned.changes or planned.name not in VIDEO_PARTS:
        return planned
    content = planned.content.encode()
    if planned.name == "areas":
        entries = read_areas(content, Datum.WGS84, [])
        found = alert_steps.foresee_standings(
            conn, caller.district, areas_then=[entry.value for entry in entries]
        )
    else:
        lines = read_lines(VIDEO, content, *VIDEO_COLUMNS, [])
        limits = [video_limit(line) for line in lines]
        found = alert_steps.foresee_standings(conn, caller.district, limits_then=limits)
    effect = LimitEffect("video", str(found.events), "", "", keep=found.shown, get=found.held)
    return replace(planned, effects=[*planned.effects, effect])


def apply(
    conn: Connection,
    caller: Caller,
    part: str,
    *,
    content: str,
    digest: str,
    seq: int,
    why: str,
    now: datetime,
) -> AppliedSheet:
    return steps.apply(
        conn, caller.district, caller.name, part, content.encode(), (digest, seq), why, now,
        shipped=_shipped(), put_rules=put_rules, new_password=draw_password,
    )  # fmt: skip


def history(conn: Connection, caller: Caller, part: str, code: str) -> Sequence[HistoryItem]:
    return steps.history(conn, caller.district, part, code)
