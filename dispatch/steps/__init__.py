"""The units of work of the incident core: load, decide, save, one transaction of the caller's.

Lock order everywhere: hand-over row, opening lock, incident rows by id, the rest, and the
event log last.
"""

from dispatch.machine import field_steps
from dispatch.steps.acting import act, act_approved, waits_for_duty_chief
from dispatch.steps.alarms import take_alarm_change
from dispatch.steps.checklist import answer_step
from dispatch.steps.evidence import add_evidence, take_late_picture
from dispatch.steps.forecasting import keep_forecasts, list_forecasts, read_calibration
from dispatch.steps.handing_over import add_note, draw_up, give_over, take_over
from dispatch.steps.intake import call_back, receive, reply
from dispatch.steps.lone_work import (
    acknowledge_call,
    begin_check_in,
    call_for_help,
    end_check_in,
    say_fine,
    tick_check_ins,
)
from dispatch.steps.looking import find_categories, find_places, list_around
from dispatch.steps.public_reports import accept_report, reject_report, send_report
from dispatch.steps.publishing import apply_formula, publish, publish_due, restate
from dispatch.steps.reporting import report
from dispatch.steps.searching import find_cases, write_case_texts
from dispatch.steps.ticking import tick_deadlines, watch_alarms
from dispatch.steps.viewing import rank_squads, view

__all__ = [
    "accept_report",
    "acknowledge_call",
    "act",
    "act_approved",
    "add_evidence",
    "add_note",
    "answer_step",
    "apply_formula",
    "begin_check_in",
    "call_back",
    "call_for_help",
    "draw_up",
    "end_check_in",
    "field_steps",
    "find_cases",
    "find_categories",
    "find_places",
    "give_over",
    "keep_forecasts",
    "list_around",
    "list_forecasts",
    "publish",
    "publish_due",
    "rank_squads",
    "read_calibration",
    "receive",
    "reject_report",
    "reply",
    "report",
    "restate",
    "say_fine",
    "send_report",
    "take_alarm_change",
    "take_late_picture",
    "take_over",
    "tick_check_ins",
    "tick_deadlines",
    "view",
    "waits_for_duty_chief",
    "watch_alarms",
    "write_case_texts",
]
