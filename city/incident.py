"""Incidents (案件): one matter that people must finish, and what they may do to it."""

from __future__ import annotations

from enum import StrEnum


class IncidentState(StrEnum):
    REPORTED = "reported"
    VERIFYING = "verifying"
    FILED = "filed"
    DISPATCHED = "dispatched"
    ACKNOWLEDGED = "acknowledged"
    ON_SITE = "on_site"
    HANDLED = "handled"
    CHECKING = "checking"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    REJECTED = "rejected"  # not ours or not true, before filing
    CANCELLED = "cancelled"
    MERGED = "merged"


# States in which nothing more happens unless a person reopens the incident.
FINAL_STATES = frozenset(
    {IncidentState.CLOSED, IncidentState.REJECTED, IncidentState.CANCELLED, IncidentState.MERGED}
)


class Action(StrEnum):
    VERIFY = "verify"  # ask for verification
    FILE = "file"
    REJECT = "reject"
    DISPATCH = "dispatch"
    ACKNOWLEDGE = "acknowledge"
    RETURN_BACK = "return_back"
    ARRIVE = "arrive"
    HANDLE = "handle"
    CHECK = "check"  # take it for checking
    REWORK = "rework"
    RELEASE = "release"  # gas engineer: the site is gas-free
    CLOSE = "close"
    POSTPONE = "postpone"
    SUSPEND = "suspend"
    RESUME = "resume"
    MERGE = "merge"
    SPLIT = "split"
    REOPEN = "reopen"
    CANCEL = "cancel"
    COMMENT = "comment"


class Role(StrEnum):
    ADMIN = "admin"
    DISPATCHER = "dispatcher"
    SQUAD_LEADER = "squad_leader"
    CHECKER = "checker"
    GAS_ENGINEER = "gas_engineer"
    LEADER = "leader"
    VIEWER = "viewer"
    SYSTEM = "system"  # the engine itself; no person can hold it


class Source(StrEnum):
    """Where an incident came from; the comment is the eGova source code (domain.md 2.8)."""

    SENSOR = "sensor"
    VIDEO = "video"  # 34, 41
    PATROL = "patrol"  # 1
    HOTLINE = "hotline"  # 11
    LEADER = "leader"  # 36
    SPLIT = "split"
