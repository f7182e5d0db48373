"""The steps of the alarm engine, in one place for those who call them. Nothing else is public.

Each does one unit of work inside the caller's transaction: load, decide, save, append events.
"""

from __future__ import annotations

from alerts.actions import acknowledge, acknowledge_together, reset, shelve, unshelve
from alerts.evaluate import Evaluation, evaluate_waiting
from alerts.faults import look_at_clocks, look_for_stuck_values
from alerts.permits import add_permit, end_permit
from alerts.rule_versions import (
    apply_rules,
    put_in_force,
    retire_rule,
    write_retirement,
    write_rules,
)
from alerts.ticks import tick_by_district
from alerts.video.foresight import foresee_standings
from alerts.video.review import (
    leave,
    next_events,
    precision,
    review_video_event,
    show_held,
    take_back,
)
from alerts.video.snapshots import picture_for
from alerts.video.types import type_names
from db.rules import default_texts as default_rules

__all__ = [
    "Evaluation",
    "acknowledge",
    "acknowledge_together",
    "add_permit",
    "apply_rules",
    "default_rules",
    "end_permit",
    "evaluate_waiting",
    "foresee_standings",
    "leave",
    "look_at_clocks",
    "look_for_stuck_values",
    "next_events",
    "picture_for",
    "precision",
    "put_in_force",
    "reset",
    "retire_rule",
    "review_video_event",
    "shelve",
    "show_held",
    "take_back",
    "tick_by_district",
    "type_names",
    "unshelve",
    "write_retirement",
    "write_rules",
]
