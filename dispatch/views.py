"""What a caller is shown of an incident, and its JSON. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from city.alarm import IncidentAlarm
from city.approval import CaseRequest
from city.category import Category
from city.clock import Deadline, PauseRow, Standing
from city.event import Event
from city.incident import Action, Evidence, Incident, IncidentState, ListedIncident, SimilarIncident
from dispatch.attempts import Attempt
from dispatch.gas import GasStanding
from dispatch.guard import Refusal
from dispatch.machine import Need


@dataclass(frozen=True)
class ActionView:
    """An action of the caller's role: possible now, or waiting for what `refusals` name."""

    action: Action
    to: IncidentState
    needs: tuple[Need, ...]
    duty_chief: bool  # it is asked for, and another person lets it happen
    refusals: tuple[Refusal, ...]

    @property
    def possible(self) -> bool:
        return not self.refusals

    def as_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "action": self.action.value,
            "to": self.to.value,
            "needs": [need.value for need in self.needs],
            "duty_chief": self.duty_chief,
        }
        if self.refusals:
            shown["waiting_for"] = [
                {"code": r.code, "text": r.text, **r.details} for r in self.refusals
            ]
        return shown


@dataclass(frozen=True)
class ClockView:
    """One attempt of a clock; `standing` is None where it was stopped unmet."""

    deadline: Deadline
    standing: Standing | None
    left: timedelta | None  # counted time, negative when overdue

    def as_dict(self) -> dict[str, Any]:
        d = self.deadline
        return {
            "clock": d.clock,
            "attempt": d.attempt,
            "limit": str(d.limit),
            "started_at": rfc3339(d.started_at),
            "due_at": rfc3339(d.due_at),
            "warn_at": rfc3339(d.warn_at),
            "standing": self.standing.value if self.standing else "stopped",
            "remaining_minutes": round(self.left.total_seconds() / 60, 2) if self.left else None,
            "overdue_at": rfc3339(d.overdue_at),
            "met_at": rfc3339(d.met_at),
            "paused_at": rfc3339(d.paused_at),
            "stopped_at": rfc3339(d.stopped_at),
            "card": d.escalated or None,
            "calendar": d.calendar,
            "calendar_version": d.calendar_version,
            "beyond_calendar": d.beyond_calendar,
            "counted": d.counted,
        }


@dataclass(frozen=True)
class IncidentView:
    """Everything one screen about one incident shows."""

    incident: Incident
    listed: ListedIncident
    category: Category
    actions: tuple[ActionView, ...]
    clocks: tuple[ClockView, ...]
    pauses: tuple[PauseRow, ...]
    gas: GasStanding
    alarms: tuple[IncidentAlarm, ...]
    evidence: tuple[Evidence, ...]
    requests: tuple[CaseRequest, ...]  # what waits for a duty chief
    attempts: tuple[Attempt, ...]
    merged: tuple[tuple[int, str], ...]  # incidents that were merged into it: id, number
    similar: tuple[SimilarIncident, ...]
    timeline: tuple[Event, ...]
    now: datetime

    def as_dict(self) -> dict[str, Any]:
        """JSON of `GET /incidents/{id}`; times are RFC 3339."""
        return {
            **_plain(asdict(self.incident)),
            **_names(self.listed),
            "category_facts": {
                "code_system": self.category.code_system,
                "filing_condition_zh": self.category.filing_condition_zh,
                "filing_condition_en": self.category.filing_condition_en,
                "handle_limit": str(self.category.limit),
                "closing_evidence": self.category.closing_evidence,
                "gas_free_minutes": self.category.gas_free_minutes,
                "skill": self.category.skill,
            },
            "actions": [a.as_dict() for a in self.actions if a.possible],
            "waiting": [a.as_dict() for a in self.actions if not a.possible],
            "clocks": [c.as_dict() for c in self.clocks],
            "pauses": [_plain(asdict(p)) for p in self.pauses],
            "gas": _plain(asdict(self.gas)) if self.gas.needed else None,
            "alarms": [_plain(asdict(a)) for a in self.alarms],
            "evidence": [_file(e) for e in self.evidence],
            "requests": [_plain(asdict(r)) for r in self.requests],
            "attempts": [_plain(asdict(a)) for a in self.attempts],
            "merged": [{"id": id, "number": number} for id, number in self.merged],
            "similar": [_plain(asdict(s)) for s in self.similar],
            "timeline": [
                {
                    "seq": e.seq,
                    "at": rfc3339(e.at),
                    "kind": e.kind,
                    "actor": e.actor,
                    "payload": e.payload,
                }
                for e in self.timeline
            ],
            "now": rfc3339(self.now),
        }


def rfc3339(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: rfc3339(v) if isinstance(v, datetime) else v for k, v in row.items()}


def _file(file: Evidence) -> dict[str, Any]:
    doubts = [
        {name: value for name, value in asdict(doubt).items() if value not in (None, [])}
        for doubt in file.doubts
    ]
    return {**_plain(asdict(file)), "sha256": file.sha256.hex(), "doubts": doubts}


def _names(listed: ListedIncident) -> dict[str, Any]:
    return {
        "family": listed.family,
        "category_zh": listed.category_zh,
        "category_en": listed.category_en,
        "street_name": listed.street_name,
        "community_name": listed.community_name,
        "squad_zh": listed.squad_zh,
        "squad_en": listed.squad_en,
        "device": listed.device,
        "clock": listed.clock,
        "due_at": rfc3339(listed.due_at),
    }
