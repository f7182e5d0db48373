"""`/settings`: the tables of the city, what a change of one would do, and the change."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, request

from city.errors import InvalidInput
from city.incident import Role
from city.person import ADMINISTRATORS
from city.requests import SettingsApplyRequest, SettingsPlanRequest
from city.settings import AppliedSheet
from dashboard.api.answers import json_answer, read_body, stored_answer
from dashboard.api.bodies import check_text
from dashboard.api.params import check_choice, read_args
from dashboard.shell.auth import current_caller, require_role, requires
from dashboard.shell.changes import change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from dashboard.shell.ports import SettingsSteps
from db.pool import Connection, transaction

READERS = (*ADMINISTRATORS, Role.GAS_ENGINEER, Role.LEADER)
# Whose names and telephone numbers nobody else needs.
FOR_ADMINISTRATORS, OF_REGISTERS = ("people", "rosters"), "register-"
# A district of 100,000 cells of the unit grid.
FILE_MAX_BYTES = 12_000_000
FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "geojson": "application/geo+json",  # of what lies on the map
}

settings = Blueprint("settings", __name__)


@settings.get("/settings")
@requires(*READERS)
def list_parts() -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        found = _steps().list_parts(conn, current_caller(), datetime.now(UTC))
    return json_answer({"items": as_plain([p for p in found if _may_read(p.name)]), "next": None})


@settings.get("/settings/<part>")
@requires(*READERS)
def show(part: str) -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        return json_answer(as_plain(_steps().show(conn, current_caller(), _readable(part))))


@settings.get("/settings/<part>/file")
@requires(*READERS)
def download(part: str) -> Response:
    args = {"format": "csv", **read_args(("format",))}
    check_choice(args, "format", tuple(FORMATS))
    kind, name = args["format"], _readable(part)
    with transaction(parts().pool) as conn:
        content = _steps().write_file(conn, current_caller(), name, kind)
    response = Response(content, content_type=FORMATS[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


@settings.get("/settings/<part>/history")
@requires(*READERS)
def list_history(part: str) -> Response:
    args = read_args(("code",))
    code = check_text("code", args.get("code", ""))
    with transaction(parts().pool) as conn:
        found = _steps().history(conn, current_caller(), _readable(part), code)
    return json_answer({"items": as_plain(found), "next": None})


@settings.post("/settings/<part>/plan")
@requires(*ADMINISTRATORS)
def plan(part: str) -> Response:
    asked = read_body(SettingsPlanRequest, FILE_MAX_BYTES)
    name = check_text("part", part)
    if (asked.put is None) == (not asked.remove):
        raise InvalidInput("put", None, "is one of put and remove")
    put = {check_text("put", n): check_text(n, v) for n, v in (asked.put or {}).items()}
    with transaction(parts().pool) as conn:
        planned = _steps().plan_row(
            conn, current_caller(), name, put=None if asked.put is None else put,
            key=asked.key, remove=asked.remove, digest=asked.digest, seq=asked.seq,
        )  # fmt: skip
    return json_answer(as_plain(planned))


@settings.post("/settings/<part>/upload")
@requires(*ADMINISTRATORS)
def upload(part: str) -> Response:
    """multipart/form-data with `file`, a CSV file or an Excel workbook. Answers as a plan."""
    read_args(())
    name = check_text("part", part)
    file = request.files.get("file")
    if file is None:
        raise InvalidInput("file", None, "is missing: send multipart/form-data")
    content = file.read(FILE_MAX_BYTES + 1)
    if len(content) > FILE_MAX_BYTES:
        raise InvalidInput("file", None, f"must be at most {FILE_MAX_BYTES} bytes")
    with transaction(parts().pool) as conn:
        planned = _steps().plan_file(conn, current_caller(), name, content)
    return json_answer(as_plain(planned))


@settings.post("/settings/<part>/apply")
@requires(*ADMINISTRATORS)
def apply(part: str) -> Response:
    asked, caller = read_body(SettingsApplyRequest, FILE_MAX_BYTES), current_caller()
    name = check_text("part", part)

    def put_in_force(conn: Connection, now: datetime) -> AppliedSheet:
        return _steps().apply(
            conn, caller, name, content=asked.content, digest=asked.digest, seq=asked.seq,
            why=asked.why, now=now,
        )  # fmt: skip

    # The digest makes it once; answers under a key are kept, and this one may hold passwords.
    return stored_answer(change(caller, put_in_force))


def _steps() -> SettingsSteps:
    return parts().ports.settings


def _may_read(name: str) -> bool:
    return current_caller().role in ADMINISTRATORS or not (
        name in FOR_ADMINISTRATORS or name.startswith(OF_REGISTERS)
    )


def _readable(part: str) -> str:
    name = check_text("part", part)
    if not _may_read(name):
        require_role(current_caller(), ADMINISTRATORS)
    return name
