"""What a handover sheet says, out of what stands at a moment. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from city.alarm import Severity
from city.incident import FieldTask, IncidentState
from city.intake import ListedIntake
from city.squad import Squad

Row = dict[str, Any]


@dataclass(frozen=True)
class Standing:
    """Everything that a sheet is drawn up from; rows are as `db.handovers` reads them."""

    cases: Sequence[Row]
    muted: Sequence[Row]
    out_of_service: Sequence[Row]
    odd: Sequence[Row]
    owed: Sequence[ListedIntake]
    tasks: Sequence[FieldTask]
    squads: Sequence[Squad]
    phones: Mapping[str, str]
    counts: Mapping[str, int]


def write_sheet(standing: Standing, now: datetime, local: datetime) -> dict[str, list[Row] | Row]:
    """The parts of a sheet, each a list of plain rows with RFC 3339 times; a case stands in the
    first part that it belongs to and in `overdue` besides."""
    suspended = [c for c in standing.cases if c["state"] == IncidentState.SUSPENDED]
    running = [c for c in standing.cases if c["state"] != IncidentState.SUSPENDED]
    parts: dict[str, list[Row]] = {
        "red": [c for c in running if c["severity"] == Severity.RED],
        "overdue": [c for c in running if c["due_at"] is not None and c["due_at"] < now],
        "suspended": suspended,
        "muted": list(standing.muted),
        "out_of_service": list(standing.out_of_service),
        "odd": list(standing.odd),
        "owed": [_promise(intake, now) for intake in standing.owed],
        "tasks": [_task(task, now) for task in standing.tasks],
        "on_duty": [
            _on_duty(squad, standing.phones, local)
            for squad in standing.squads
            if squad.is_on_duty(local)
        ],
    }
    plain = {name: [_plain(row) for row in rows] for name, rows in parts.items()}
    return {**plain, "counts": {"open": len(standing.cases), **standing.counts}}


def _promise(intake: ListedIntake, now: datetime) -> Row:
    """The reply or call back that is due first; who called is not copied into a sheet."""
    owes_reply = intake.reply_due_at is not None and intake.replied_at is None
    due_at = intake.reply_due_at if owes_reply else intake.call_back_due_at
    return {
        "intake": intake.id,
        "incident": intake.incident_id,
        "number": intake.number,
        "title_zh": intake.title_zh,
        "title_en": intake.title_en,
        "channel": intake.channel,
        "external_number": intake.external_number,
        "what": "reply" if owes_reply else "call_back",
        "due_at": due_at,
        "late": due_at is not None and due_at < now,
    }


def _task(task: FieldTask, now: datetime) -> Row:
    return {
        "incident": task.incident_id,
        "number": task.number,
        "title_zh": task.title_zh,
        "title_en": task.title_en,
        "clock": task.clock,
        "collector": task.collector,
        "due_at": task.due_at,
        "late": task.due_at < now,
    }


def _on_duty(squad: Squad, phones: Mapping[str, str], local: datetime) -> Row:
    duty = squad.duty_at(local)
    return {
        "squad": squad.code,
        "name_zh": squad.name_zh,
        "name_en": squad.name_en,
        "called": (duty.called or duty.person) if duty else "",
        "phone": (duty.phone if duty else "") or phones.get(squad.code, ""),
        "open_incidents": squad.open_incidents,
    }


def _plain(row: Row) -> Row:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}
