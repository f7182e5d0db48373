"""Parts that several screens share, as pure functions of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from city.clock import LimitUnit
from city.incident import Action, Role
from city.reading import METRICS
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import MINUTE_S, day_and_clock, duration
from dashboard.shell.raw_text import SHORT_LINE_BYTES, Readable, hex_dump

# Fields that a step takes beside those the server says it needs.
OPTIONAL_FIELDS: dict[Action, tuple[str, ...]] = {
    Action.DISPATCH: ("note",),
    Action.HANDLE: ("photo_after",),
    Action.REWORK: ("check_photo",),
    Action.CLOSE: ("check_photo", "outcome", "note"),
}
# Evidence that is a file: an action that waits for nothing else asks for it in its own dialog.
FILE_STAGES = frozenset({"photo_before", "photo_after", "check_photo"})

# One key each, shown on the button; none is taken by the console's own keys (j k l m r v / ? .).
ACTION_KEYS: dict[Action, str] = {
    Action.VERIFY: "y",
    Action.FILE: "f",
    Action.REJECT: "x",
    Action.DISPATCH: "d",
    Action.ACKNOWLEDGE: "a",
    Action.RETURN_BACK: "b",
    Action.ARRIVE: "o",
    Action.HANDLE: "h",
    Action.CHECK: "c",
    Action.ASSIGN: "6",  # no letter is left
    Action.REWORK: "w",
    Action.RELEASE: "g",
    Action.CLOSE: "e",
    Action.POSTPONE: "p",
    Action.SUSPEND: "u",
    Action.RESUME: "i",
    Action.MERGE: "n",
    Action.UNMERGE: "0",
    Action.SPLIT: "s",
    Action.REOPEN: "q",
    Action.CANCEL: "z",
    Action.COMMENT: "t",
}

# Steps along the closed loop; everything else is off the main road and shown quieter.
MAIN_ACTIONS = frozenset(
    {
        Action.FILE,
        Action.DISPATCH,
        Action.ACKNOWLEDGE,
        Action.ARRIVE,
        Action.HANDLE,
        Action.CHECK,
        Action.CLOSE,
        Action.RELEASE,
    }
)


def extra(attributes: dict[str, str]) -> dict[str, Any]:
    """`data-…` and `aria-…` attributes of an element: Dash takes any, its type stubs do not."""
    return dict(attributes)


def number_text(value: float | None) -> str:
    """At most three figures after the point, none above a hundred; a dash for no value."""
    if value is None:
        return "—"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def value_text(t: Texts, metric: str, value: float | None) -> str:
    """A value with its unit; yes or no for a metric that knows nothing else."""
    known = METRICS.get(metric)
    unit = known.unit if known else ""
    if unit == "0/1" and value is not None:
        return t("value.yes") if value else t("value.no")
    return f"{number_text(value)} {unit}" if unit not in ("", "1", "0/1") else number_text(value)


def reason_text(t: Texts, reason: Mapping[str, Any] | None) -> str:
    """Why an alarm was raised, in words; the browser's `gw.reason` says the same."""
    if not reason or not reason.get("code"):
        return ""
    metric, facts = str(reason.get("metric") or ""), dict(reason.get("facts") or {})
    title = t.pick(facts, "title")
    facts |= {
        "metric": t.word("metric", metric),
        "value": value_text(t, metric, reason.get("value")),
        "limit": value_text(t, metric, reason.get("limit")),
        "title": title,
        "shown": t.pick(facts, "shown"),
        "count": number_text(reason.get("value")),
    }
    template = t.entries.get(f"reason.{reason['code']}")
    if template is None:
        return title or str(reason["code"])
    cause = t.entries.get(f"likely_cause.{facts.get('likely_cause')}", "")
    return template.format_map(_Gaps(facts)) + cause


class _Gaps(dict[str, Any]):
    """A fact that a rule did not give leaves a dash, not an error."""

    def __missing__(self, key: str) -> str:
        return "—"


def ratio_text(num: int, den: int) -> str:
    """A percentage, or a dash where there is nothing to divide by."""
    return f"{100 * num / den:.1f}%" if den else "—"


def render_severity(t: Texts, severity: int) -> Component:
    """The coloured mark with its letter: readable without telling colours apart."""
    return html.Span(
        t(f"severity_mark.{severity}"),
        className="gw-sev",
        title=t(f"severity.{severity}"),
        **extra({"data-severity": str(severity)}),
    )


def action_fields(incident: Mapping[str, Any], action: Mapping[str, Any]) -> list[str]:
    """What an action asks for, required ones with a star; missing files come first."""
    name = Action(action["action"])
    missing = [w["code"] for w in action.get("waiting_for", ()) if w["code"] in FILE_STAGES]
    if name is Action.CLOSE:
        have = {item["stage"] for item in incident["evidence"]}
        wanted = incident["category_facts"]["closing_evidence"]
        missing = [stage for stage in wanted if stage in FILE_STAGES and stage not in have]
    required = list(dict.fromkeys([*missing, *action["needs"]]))
    optional = [field for field in OPTIONAL_FIELDS.get(name, ()) if field not in required]
    return [f"{field}*" for field in required] + optional


def obstacles(action: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What stands in the way of an action that no dialog can supply."""
    return [w for w in action.get("waiting_for", ()) if w["code"] not in FILE_STAGES]


def render_actions(t: Texts, incident: Mapping[str, Any]) -> Component:
    """Buttons for what may be done now, the main road first; then what waits, and for what."""
    offered = [*incident["steps"], *incident["waiting"]]
    offered.sort(key=lambda a: (bool(obstacles(a)), Action(a["action"]) not in MAIN_ACTIONS))
    return html.Div(
        [render_action(t, incident, action) for action in offered],
        className="gw-actions",
    )


def render_action(t: Texts, incident: Mapping[str, Any], action: Mapping[str, Any]) -> Component:
    """One button; the browser reads from it what to ask for and what to send."""
    name, waits = Action(action["action"]), obstacles(action)
    label = t(f"action.{name}")
    if waits:
        return html.Span(
            [html.B(label), " ", t("action.waits", why=waiting_text(t, waits))],
            className="gw-waiting",
        )
    asks = {"data-note": t("action.asks_chief")} if action.get("duty_chief") else {}
    return html.Button(
        [label, html.Kbd(ACTION_KEYS[name].upper())],
        type="button",
        className="gw-button primary" if name in MAIN_ACTIONS else "gw-button",
        **extra(
            {
                "data-action": name.value,
                "data-fields": " ".join(action_fields(incident, action)),
                "data-key": ACTION_KEYS[name],
                "aria-keyshortcuts": ACTION_KEYS[name],
                **asks,
            }
        ),
    )


def render_requests(t: Texts, incident: Mapping[str, Any]) -> list[Component]:
    """What was asked for and waits for the duty chief."""
    return [
        html.P(
            t(
                "request.waits",
                action=t.word("action", asked["action"]),
                name=asked["asked_by"],
                time=day_and_clock(asked["asked_at"]),
                why=asked["why"],
            ),
            className="gw-waiting",
            **extra({"data-request": str(asked["id"])}),
        )
        for asked in incident.get("requests") or ()
    ]


def render_attempts(t: Texts, incident: Mapping[str, Any]) -> list[Component]:
    """What every squad that was sent made of its time; nothing where it was one and in time."""
    attempts = incident.get("attempts") or ()
    if len(attempts) < 2 and not any(attempt["missed"] for attempt in attempts):
        return []
    return [html.Ol([render_attempt(t, attempt) for attempt in attempts], className="gw-attempts")]


def render_attempt(t: Texts, attempt: Mapping[str, Any]) -> Component:
    used, limit = (
        duration(t, attempt[name] * MINUTE_S) for name in ("used_minutes", "limit_minutes")
    )
    ended = attempt["end"]
    how = t.word("action", ended) if ended not in ("running", "handled") else t(f"attempt.{ended}")
    return html.Li(
        [
            html.Span(
                t("attempt.line", squad=attempt["squad"], used=used, limit=limit), className="who"
            ),
            html.Small(
                " · ".join(part for part in (how, day_and_clock(attempt["ended_at"])) if part)
            ),
            *([html.B(t("attempt.missed"))] if attempt["missed"] else []),
        ],
        **extra({"data-missed": "yes" if attempt["missed"] else "no"}),
    )


def waiting_text(t: Texts, waits: Sequence[Mapping[str, Any]]) -> str:
    """Why an action has to wait, in words, with the time where there is one."""
    parts = []
    for wait in waits:
        text = refusal_text(t, wait)
        free_at = wait.get("free_at")
        parts.append(f"{text} ({day_and_clock(free_at)})" if free_at else text)
    return " · ".join(parts)


def refusal_text(t: Texts, wait: Mapping[str, Any]) -> str:
    """One thing that stands in the way; alarms by device and reason, as `gw.refusal` has them."""
    text = t.entries.get(f"refusal.{wait['code']}")
    if text is None:
        return t.word("evidence", wait["code"])
    latched = wait["code"] == "alarm_latched"
    named = [_named(t, alarm, latched=latched) for alarm in wait.get("alarms", ())]
    steps = "; ".join(t.pick(step, "text") for step in wait.get("steps", ()))
    return text.format_map(_Gaps(alarms="; ".join(named), steps=steps))


def _named(t: Texts, alarm: Mapping[str, Any], *, latched: bool) -> str:
    facts = {
        "device": alarm["device"] or alarm["condition"],
        "reason": reason_text(t, alarm["reason"]),
    }
    if not latched:
        return t("alarm.named", **facts)
    who = t.word("role", alarm["release_role"] or Role.GAS_ENGINEER)
    if alarm["releasable_at"] is None:
        return t("alarm.named_latched", who=who, **facts)
    at = day_and_clock(alarm["releasable_at"])
    return t("alarm.named_latched_from", who=who, at=at, **facts)


def render_facts(pairs: Sequence[tuple[str, Any]]) -> Component:
    """Label and value in two columns; empty values are left out."""
    rows: list[Component] = []
    for label, value in pairs:
        if value not in ("", None):
            rows += [html.Dt(label), html.Dd(value)]
    return html.Dl(rows, className="gw-facts")


def limit_text(t: Texts, limit: str) -> str:
    """`4 work_hour` in words; parts of an hour as minutes."""
    amount, _, unit = limit.partition(" ")
    if unit == LimitUnit.URGENT_HOUR and float(amount) < 1:
        return f"{round(float(amount) * 60)} {t.word('unit', 'minute')}"
    return f"{amount} {t.word('unit', unit)}"


def render_clock(t: Texts, clock: Mapping[str, Any]) -> Component:
    """One clock: which, how long was allowed, when it ends or ended, how it stands."""
    limit = limit_text(t, str(clock["limit"]))
    ended = clock.get("met_at") or clock.get("stopped_at")
    running = not ended and clock.get("standing") not in ("paused", "stopped")
    live: dict[str, str] = {"data-due": clock["due_at"]} if running else {}
    return html.Li(
        [
            html.Span(t.word("clock", clock["clock"]), className="gw-clock-name"),
            html.Span(limit, className="gw-clock-limit"),
            html.Span(day_and_clock(ended or clock["due_at"]), className="gw-clock-at"),
            html.Span(
                t.word("standing", clock.get("standing")),
                className="gw-standing",
                **extra({"data-standing": str(clock.get("standing") or ""), **live}),
            ),
        ],
        className="gw-clock",
    )


def render_timeline(t: Texts, events: Sequence[Mapping[str, Any]]) -> Component:
    """What happened, newest first: when, what, who, and what they wrote."""
    rows = []
    for event in reversed(events):
        said = event_note(t, event)
        rows.append(
            html.Li(
                [
                    html.Time(day_and_clock(event["at"]), dateTime=str(event["at"])),
                    html.Div(
                        [
                            html.Span(t.word("event", event["kind"]), className="gw-event-kind"),
                            html.Span(actor_text(t, event["actor"]), className="gw-event-who"),
                            *([html.P(said)] if said else []),
                        ]
                    ),
                ]
            )
        )
    return html.Ol(rows, className="gw-timeline")


def actor_text(t: Texts, actor: str) -> str:
    return t("actor.system") if actor == "system" else actor


# Why an alarm of a case ended though no reading and no person ended it (`alarms.orphans`).
ALARM_ENDED = ("rule_changed", "device_retired")


def event_note(t: Texts, event: Mapping[str, Any]) -> str:
    """The words a person or the system added to an event."""
    payload = event.get("payload") or {}
    parts = [
        t.pick(payload, "squad_name") or payload.get("squad"),
        t.word("cause", payload["reason"]) if isinstance(payload.get("reason"), str) else "",
        t.word("cause", payload["why"]) if payload.get("why") in ALARM_ENDED else "",
        payload.get("note"),
        t.word("evidence", payload.get("stage")),
        t.word("clock", payload.get("clock")),
        payload.get("device"),
        act_time_text(t, payload),
        t("similar.of", number=payload["similar_to"]) if payload.get("similar_to") else "",
        t("happened.instead_of", squad=payload["instead_of"]) if payload.get("instead_of") else "",
        t("happened.reason_missing") if payload.get("reason_missing") else "",
        t("happened.together", n=payload["together"]) if payload.get("together") else "",
    ]
    return " · ".join(str(part) for part in parts if part)


def act_time_text(t: Texts, payload: Mapping[str, Any]) -> str:
    """When it was done by the phone of whoever did it, or why that is not believed; the browser's
    `gw.actTime` says the same."""
    if not payload.get("acted_at"):
        return ""
    if payload.get("acted_at_doubt"):
        why = t.word("act_doubt", payload["acted_at_doubt"])
        return t("acted.doubt", said=day_and_clock(payload["acted_at_said"]), why=why)
    key = "acted.corrected" if payload.get("phone_clock_off_s") else "acted.at"
    return t(key, at=day_and_clock(payload["acted_at"]))


def render_raw(raw: bytes, shown: Readable, class_name: str = "") -> list[Component]:
    """A message as text; a dump also in short lines, which stand in its place on a phone."""
    if shown.kind != "bytes":
        return [html.Pre(shown.text, className=class_name, tabIndex="0")]
    return [
        html.Pre(shown.text, className=f"gw-hex-wide {class_name}", tabIndex="0"),
        html.Pre(
            hex_dump(raw, SHORT_LINE_BYTES), className=f"gw-hex-short {class_name}", tabIndex="0"
        ),
    ]


def render_empty(text: str) -> Component:
    return html.P(text, className="gw-empty")
