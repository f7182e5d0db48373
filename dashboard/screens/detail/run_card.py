"""The run card of a case: the plan, who goes, the checklist and what it blocks. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboard.shell.components import extra, number_text, value_text
from dashboard.shell.i18n import CHINESE, Texts
from dashboard.shell.i18n.times import day_and_clock

# While these last somebody is at work and answers.
ANSWERED_IN = frozenset({"dispatched", "acknowledged", "on_site", "handled", "checking"})


def render_card(t: Texts, incident: Mapping[str, Any]) -> Component:
    """Nothing where no card is about the case."""
    card = incident.get("card")
    if not card:
        return html.Div(hidden=True)
    at_work = incident["state"] in ANSWERED_IN
    plan = t.pick(card, "plan")
    return html.Section(
        [
            html.H3(t("card.title", name=t.pick(card, "title"))),
            html.P(send_text(t, card), className="gw-panel-note"),
            *([html.P(plan, className="gw-card-plan")] if plan else []),
            html.Ol(
                [render_step(t, step, at_work=at_work) for step in card["steps"]],
                className="gw-checklist",
            ),
            html.Small(t("card.version", code=card["code"], version=card["version"])),
        ],
        className="gw-run-card",
    )


def send_text(t: Texts, card: Mapping[str, Any]) -> str:
    """Who goes, in a line."""
    parts = [t("card.squads", n=one["squads"], what=squad_text(t, one)) for one in card["send"]]
    return t("card.send", what=("、" if t.lang == CHINESE else ", ").join(parts))


def squad_text(t: Texts, one: Mapping[str, Any]) -> str:
    kind = t.word("squad_kind", one["kind"]) if one["kind"] else ""
    return " ".join(part for part in (kind, t.word("skill", one["skill"])) if part)


def render_step(t: Texts, step: Mapping[str, Any], *, at_work: bool) -> Component:
    """A line of the checklist: done, open, or in the way of what comes next."""
    answer = step["answer"]
    state = "passed" if step["passed"] else "failed" if answer else "open"
    wants = [
        t("card.limits", metric=t.word("metric", m["metric"]), range=range_text(m))
        for m in step["measures"]
    ]
    notes = [html.Small(" · ".join(wants))] if wants else []
    if step["blocking"] and not step["passed"]:
        blocks = t("card.blocks", action=t.word("action", step["before"]))
        notes.append(html.Small(blocks, className="gw-doubt"))
    if answer:
        notes.append(html.Small(answer_text(t, answer, passed=step["passed"])))
    button = html.Button(
        t("card.again") if answer else t("card.answer"),
        type="button",
        className="gw-button",
        **extra(
            {
                "data-check-step": step["code"],
                "data-check-title": t.pick(step, "text"),
                "data-check-measures": json.dumps(step["measures"]),
            }
        ),
    )
    return html.Li(
        [
            html.Span("✓" if step["passed"] else "!" if answer else "○", className="gw-check-mark"),
            html.Div([html.Span(t.pick(step, "text")), *notes]),
            *([button] if at_work and not step["passed"] else []),
        ],
        **extra({"data-state": state}),
    )


def range_text(measure: Mapping[str, Any]) -> str:
    """The limits within which a value passes, with their unit."""
    low, high = measure["low"], measure["high"]
    if low is not None and high is not None:
        limits = f"{number_text(low)}–{number_text(high)}"
    elif low is not None:
        limits = f"≥ {number_text(low)}"
    else:
        limits = f"≤ {number_text(high)}" if high is not None else ""
    return f"{limits} {measure['unit']}".strip()


def answer_text(t: Texts, answer: Mapping[str, Any], *, passed: bool) -> str:
    """Who found what, and when."""
    found = [
        f"{t.word('metric', name)} {value_text(t, name, value)}"
        for name, value in answer["measured"].items()
    ]
    parts = [
        "" if passed else t("card.outside"), *found, answer["note"], answer["answered_by"],
        day_and_clock(answer["answered_at"]),
    ]  # fmt: skip
    return " · ".join(part for part in parts if part)
