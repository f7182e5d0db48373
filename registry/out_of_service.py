"""Out of service until a time, and back: its readings raise no alarm meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta

from city.errors import Conflict
from city.requests import OutOfServiceRequest
from db import returns
from db.device_changes import update_out_of_service, update_returned
from db.events import append_events
from db.pool import Connection
from registry.changes import check_reason, claim_present, device_event, refused

# Out of service is always until a time; a longer one is another decision.
OUT_OF_SERVICE_MAX = timedelta(days=366)


def take_out_of_service(
    conn: Connection,
    actor: str,
    district: str,
    code: str,
    request: OutOfServiceRequest,
    now: datetime,
) -> None:
    """Until the day it is due back its readings raise no alarm; done again it moves that day."""
    reason, return_due_at = check_reason(request.reason), request.return_due_at
    if return_due_at <= now:
        raise refused("return_due_at", return_due_at, "return_past")
    if return_due_at > now + OUT_OF_SERVICE_MAX:
        raise refused("return_due_at", return_due_at, "return_far", days=OUT_OF_SERVICE_MAX.days)
    device = claim_present(conn, district, code, request.version)
    since = device.out_of_service_since or now
    update_out_of_service(conn, device.id, since, return_due_at, reason, actor)
    returns.judge_at(conn, [device.id], return_due_at)
    payload = {
        "since": since.isoformat(), "return_due_at": return_due_at.isoformat(), "reason": reason,
    }  # fmt: skip
    append_events(conn, [device_event(now, district, "out_of_service", code, actor, payload)])


def return_to_service(
    conn: Connection, actor: str, district: str, code: str, *, version: int | None, now: datetime
) -> None:
    """It counts again from now on, and is judged at once by what it said last."""
    device = claim_present(conn, district, code, version)
    if device.out_of_service_since is None:
        raise Conflict("the device is in service", current={"version": device.version})
    update_returned(conn, device.id)
    returns.judge_at(conn, [device.id], now)
    due = device.return_due_at
    payload = {
        "since": device.out_of_service_since.isoformat(),
        "return_due_at": due.isoformat() if due else None,
        "overdue": bool(due and due < now),
    }
    append_events(conn, [device_event(now, district, "returned_to_service", code, actor, payload)])
