"""The settings as the dashboard knows them: the steps of `founding` with what ships and who writes
rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from app.city_commands import put_rules, shipped
from city.person import Caller
from city.settings import AppliedSheet, HistoryItem, PartItem, Sheet, SheetPlan
from db import districts
from db.pool import Connection
from db.users import draw_password
from founding import settings as steps
from founding.excel import is_workbook, workbook_as_csv
from founding.parts import Shipped

DEFAULT_ZONE = "Asia/Shanghai"


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
    return steps.plan(conn, caller.district, caller.name, part, edit, _shipped(), None)


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
    return steps.plan(conn, caller.district, caller.name, part, edit, _shipped(), seen)


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
