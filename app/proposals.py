"""What would make a bad actor quieter, tried on the stored readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts import proposals
from alerts.backtest import WouldRaise, backtest
from alerts.known import load_rules
from alerts.limits import ReadingRule
from alerts.proposals import Outcome
from alerts.rules import Rule
from city.errors import Conflict, InvalidInput, NotFound
from city.person import Caller
from db import evaluation
from db.pool import Connection

# As far back as a person waits for the answer.
LONGEST = timedelta(days=7)


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
        proposals.compare(one, before, _of(device, _backtest(conn, one.rule, start, to)), to)
        for one in proposals.propose(found, evaluation.list_gas_categories(conn))
    ]


def _backtest(conn: Connection, rule: Rule, from_: datetime, to: datetime) -> list[WouldRaise]:
    return list(backtest(conn, rule, from_, to))


def _of(device: str, found: Sequence[WouldRaise]) -> list[WouldRaise]:
    return [one for one in found if not device or one.device == device]
