"""What would make a bad actor quieter, tried on the stored readings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts import proposals
from alerts.backtest import WouldRaise, backtest
from alerts.known import load_rules
from alerts.limits import ReadingRule
from alerts.proposals import Proposal
from alerts.rules import Rule
from city.errors import Conflict, InvalidInput, NotFound
from city.person import Caller
from db import evaluation
from db.pool import Connection

# As far back as a person waits for the answer.
LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a proposal would have made of the period; `told` counts announcements."""

    kind: str
    fields: dict[str, dict[str, Any]]
    alarms_before: int
    alarms_after: int
    told_before: int
    told_after: int
    gained: list[dict[str, Any]]
    lost: list[dict[str, Any]]


def propose(
    conn: Connection, caller: Caller, rule: str, device: str, from_: datetime, to: datetime
) -> Sequence[Outcome]:
    """Each proposal with the alarms of [from_, to) that it would have gained and lost; `device`
    "": all that the rule is about. At most the last seven days are tried."""
    if from_ >= to:
        raise InvalidInput("from", from_, f"must be before {to.isoformat()}")
    found = load_rules(conn, to).get(rule)
    if found is None:
        raise NotFound("rule in force", rule)
    if not isinstance(found, ReadingRule):
        raise Conflict(
            f"rule {rule} judges no readings: it has neither deadband nor limit to try",
            current={"rule": rule, "watch": found.watch},
        )
    start = max(from_, to - LONGEST)
    before = _of(device, _backtest(conn, found, start, to))
    return [
        compare(one, before, _of(device, _backtest(conn, one.rule, start, to)), to)
        for one in proposals.propose(found, evaluation.list_gas_categories(conn))
    ]


def _backtest(conn: Connection, rule: Rule, from_: datetime, to: datetime) -> list[WouldRaise]:
    return list(backtest(conn, rule, from_, to))


def _of(device: str, found: Sequence[WouldRaise]) -> list[WouldRaise]:
    return [one for one in found if not device or one.device == device]


def compare(
    proposal: Proposal, before: Sequence[WouldRaise], after: Sequence[WouldRaise], to: datetime
) -> Outcome:
    """Alarms of one device that stood at one time are the same alarm."""
    return Outcome(
        kind=proposal.kind,
        fields={n: {"now": a, "proposed": b} for n, (a, b) in proposal.fields.items()},
        alarms_before=len(before),
        alarms_after=len(after),
        told_before=sum(len(one.levels) for one in before),
        told_after=sum(len(one.levels) for one in after),
        gained=[_told(one) for one in after if not _is_among(one, before, to)],
        lost=[_told(one) for one in before if not _is_among(one, after, to)],
    )


def _is_among(one: WouldRaise, others: Iterable[WouldRaise], to: datetime) -> bool:
    return any(
        other.device == one.device
        and other.sensed_at <= (one.cleared_at or to)
        and one.sensed_at <= (other.cleared_at or to)
        for other in others
    )


def _told(one: WouldRaise) -> dict[str, Any]:
    return {
        "device": one.device,
        "severity": one.severity,
        "began": one.sensed_at.isoformat(),
        "ended": one.cleared_at.isoformat() if one.cleared_at else None,
    }
