"""What pages and API are told of alarm rules: the list, one rule, a text as a form, a trial."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class RuleItem:
    """A rule in its newest version. `state` is in_force, planned or retired; `live` are alarms that
    it holds now, `lately` those that it raised in 30 days; `waits` is the number of the approval
    that would change it."""

    code: str
    version: int
    state: str
    title_zh: str
    title_en: str
    watch: str
    condition: str
    category: str
    kinds: list[str]
    metric: str
    levels: list[dict[str, Any]]
    gas: bool
    valid_from: datetime
    retired_at: datetime | None
    applied_by: str
    live: int
    lately: int
    waits: int | None


@dataclass(frozen=True, slots=True)
class RuleVersionItem:
    """One version: its text, and who put it in force when and why; of what ships nobody did."""

    version: int
    text: str
    valid_from: datetime
    retired_at: datetime | None
    applied_by: str
    at: datetime | None
    asked_by: str | None
    why: str
    approval: int | None


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """A rule with its versions, newest first; `retired` says who took it out of force and why."""

    rule: RuleItem
    versions: list[RuleVersionItem]
    retired: dict[str, Any] | None
    beside: list[str]
    may_change: bool


@dataclass(frozen=True, slots=True)
class FormAnswer:
    """A text as a form. `values` None: it is not TOML. `faults` name field, value and problem,
    `fault` is the first; `remarks` are what is odd about a text without a fault. `known` is the
    newest version in force under its code, `gas` whether it is gas safety."""

    text: str
    values: dict[str, Any] | None
    fields: list[dict[str, Any]]
    fault: dict[str, str] | None
    faults: list[dict[str, str]]
    remarks: list[dict[str, Any]]
    code: str
    known: int | None
    gas: bool


@dataclass(frozen=True, slots=True)
class TrialAnswer:
    """A change tried on the past. `state` is waiting, running, done, cancelled or failed, `share`
    how much of it is done; `result` holds alarms, remarks, ends, gas and four_eyes, while it runs
    the alarms of the shorter time only. `moved`: who changed the rules concerned since."""

    id: int
    state: str
    share: float
    asked_by: str
    asked_at: datetime
    put: dict[str, str]
    retire: list[str]
    result: dict[str, Any] | None
    problem: str
    moved: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class AppliedTrial:
    """What came of it: in force at once, or waiting as an approval."""

    rules: list[str]
    approval: int | None
