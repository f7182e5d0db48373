"""The incident beside the queue: facts, reason, clocks, actions, squads, evidence, timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from city.alarm import AlarmState, Severity
from city.incident import FINAL_STATES, VOICE_TYPES, Action, IncidentState, Role
from dashboard.api.alarms import MAY_CHANGE
from dashboard.screens.detail.device_states import render_devices
from dashboard.screens.detail.run_card import render_card
from dashboard.screens.detail.told import render_told
from dashboard.screens.devices.load import CHANGERS
from dashboard.screens.operations.gateways_load import gateway_of
from dashboard.shell.components import (
    extra,
    number_text,
    reason_text,
    render_actions,
    render_attempts,
    render_clock,
    render_empty,
    render_facts,
    render_requests,
    render_severity,
    render_timeline,
)
from dashboard.shell.i18n import CHINESE, Texts
from dashboard.shell.i18n.times import day_and_clock, duration

# Squads offered with a key; the rest stand in the assign dialog.
OFFERED_SQUADS = 5
# Who may reset an alarm of gas; the alarm step itself has the last word.
GAS_RESET = frozenset({Role.ADMIN, Role.GAS_ENGINEER})
HELD = (AlarmState.LATCHED_UNACKNOWLEDGED, AlarmState.LATCHED)
STANDING = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
# Codes of the alarms that explain the silence of devices.
GATEWAY_REASONS = frozenset({"gateway_silent", "gateway_offline", "server_silent"})


def render_detail(
    t: Texts,
    incident: Mapping[str, Any],
    squads: Sequence[Mapping[str, Any]],
    stages: Sequence[str] = (),
    role: Role = Role.VIEWER,
    person: str = "",
) -> Component:
    """Everything about one incident, for the right-hand panel; `stages` are the photos that
    this person may add."""
    sections = [
        render_head(t, incident),
        *render_requests(t, incident),
        render_actions(t, incident),
        render_merged(t, incident),
        render_similar(t, incident),
        render_card(t, incident),
        render_alarms(t, incident, role),
        render_section(
            t("case_device.title"),
            render_devices(t, incident["devices"]),
            show=bool(incident["devices"]),
        ),
        render_squads(t, incident, squads),
        render_section(
            t("detail.clocks"),
            html.Ul([render_clock(t, clock) for clock in incident["clocks"]]),
            *render_attempts(t, incident),
            show=bool(incident["clocks"]),
        ),
        render_section(
            t("detail.evidence"), render_evidence(t, incident), *render_photo_buttons(t, stages)
        ),
        render_section(t("told.title"), *render_told(t, incident, person)),
        render_section(t("detail.timeline"), render_timeline(t, incident["events"])),
    ]
    return html.Article(
        sections,
        className="gw-incident",
        **extra(
            {
                "data-incident": str(incident["id"]),
                "data-version": str(incident["version"]),
                "data-title": t.pick(incident, "title"),
            }
        ),
    )


def render_section(title: str, *content: Component, show: bool = True) -> Component:
    return html.Section([html.H3(title), *content], hidden=not show)


def render_head(t: Texts, incident: Mapping[str, Any]) -> Component:
    """Title, state and facts."""
    facts = [
        (t("fact.number"), incident["number"]),
        (t("fact.category"), f"{t.pick(incident, 'category')} {incident['category']}"),
        (t("fact.source"), t.word("source", incident["source"])),
        (t("field.reporter"), incident.get("reporter")),
        (t("fact.place"), place_text(incident)),
        (t("fact.coordinates"), f"{incident['lon']:.6f}, {incident['lat']:.6f}"),
        (t("fact.unit_grid"), incident.get("unit_grid")),
        (t("fact.device"), incident.get("device")),
        (t("fact.squad"), t.pick(incident, "squad") or t("wall.unassigned")),
        (t("fact.opened"), day_and_clock(incident.get("opened_at"))),
        (t("fact.description"), incident.get("description")),
        (t("fact.needs"), closing_text(t, incident)),
    ]
    return html.Header(
        [
            html.Div(
                [
                    render_severity(t, incident["severity"]),
                    html.H2(t.pick(incident, "title")),
                ],
                className="gw-incident-title",
            ),
            html.P(
                [
                    html.Span(t.word("state", incident["state"]), className="gw-state"),
                    *([html.Span(t("demo.mark"), className="gw-demo")] if incident["demo"] else []),
                ],
                className="gw-incident-state",
            ),
            render_facts(facts),
        ]
    )


def closing_text(t: Texts, incident: Mapping[str, Any]) -> str:
    """What has to be there before it can be closed; ticked where it is."""
    have = {item["stage"] for item in incident["evidence"]}
    parts = []
    for need in incident["category_facts"]["closing_evidence"]:
        released = need == "gas_release" and incident.get("released_at")
        parts.append(("✓ " if need in have or released else "") + t.word("evidence", need))
    return " · ".join(parts)


def place_text(row: Mapping[str, Any]) -> str:
    return " ".join(str(row[k]) for k in ("street_name", "community_name") if row.get(k))


def render_merged(t: Texts, incident: Mapping[str, Any]) -> Component:
    """Incidents that were merged into this one: there a merge is taken back."""
    merged = incident.get("merged") or []
    links = [
        html.Li(
            html.Button(
                other["number"],
                type="button",
                className="gw-as-link",
                **extra({"data-select": str(other["id"])}),
            )
        )
        for other in merged
    ]
    return render_section(t("detail.merged"), html.Ul(links), show=bool(merged))


def render_similar(t: Texts, incident: Mapping[str, Any]) -> Component:
    """Incidents that may be the same matter; nobody but a person makes them one."""
    similar = incident.get("similar") or []
    may_merge = Action.MERGE.value in incident["actions"]
    return render_section(
        t("similar.title"),
        html.Ul(
            [render_similar_one(t, other, may_merge) for other in similar], className="gw-similar"
        ),
        show=bool(similar),
    )


def render_similar_one(t: Texts, other: Mapping[str, Any], may_merge: bool) -> Component:
    metres = number_text(round(other["distance_m"]))
    facts = (
        other["number"],
        t.word("state", other["state"]),
        t(f"similar.{other['because']}", metres=metres),
    )
    merge = html.Button(
        t("similar.merge"),
        type="button",
        className="gw-button",
        **extra(
            {
                "data-action": Action.MERGE.value,
                "data-fields": "into* reason*",
                "data-into": str(other["id"]),
                "data-note": f"→ {other['number']} {t.pick(other, 'title')}",
            }
        ),
    )
    is_open = IncidentState(other["state"]) not in FINAL_STATES
    return html.Li(
        [
            render_severity(t, other["severity"]),
            html.Div(
                [
                    html.Button(
                        t.pick(other, "title"),
                        type="button",
                        className="gw-as-link",
                        **extra({"data-select": str(other["id"])}),
                    ),
                    html.Small(" · ".join(facts)),
                ]
            ),
            *([merge] if may_merge and is_open else []),
        ],
        className="gw-alarm-line",
    )


def render_alarms(t: Texts, incident: Mapping[str, Any], role: Role) -> Component:
    """Why this exists: each alarm's reason in words, and the device's last hour."""
    alarms = incident.get("alarms") or []
    rows = [render_alarm(t, alarm, role) for alarm in alarms]
    return render_section(t("detail.reason"), html.Ul(rows), show=bool(alarms))


def render_alarm(t: Texts, alarm: Mapping[str, Any], role: Role) -> Component:
    reason = alarm.get("reason") or {}
    parts: list[Component] = [
        html.Div(
            [
                render_severity(t, alarm["severity"]),
                html.Div(
                    [
                        html.Strong(reason_text(t, reason)),
                        html.Small(
                            " · ".join(
                                [
                                    day_and_clock(alarm.get("raised_at")),
                                    t.word("alarm_state", alarm["state"]),
                                    rule_text(t, reason),
                                ]
                            )
                        ),
                        *render_explanation(t, alarm),
                        *render_shelving(t, alarm),
                        *render_latch(t, alarm),
                    ]
                ),
                *render_acknowledge(t, alarm),
            ],
            className="gw-alarm-line",
        ),
        *render_alarm_verbs(t, alarm, role),
        render_help(t, alarm.get("help")),
    ]
    if alarm.get("device") and reason.get("metric"):
        limit = reason.get("limit")
        parts.append(
            html.Div(
                className="gw-spark",
                **extra(
                    {
                        "data-spark": alarm["device"],
                        "data-metric": reason["metric"],
                        "data-limit": "" if limit is None else str(limit),
                    }
                ),
            )
        )
    return html.Li(parts)


def render_explanation(t: Texts, alarm: Mapping[str, Any]) -> list[Component]:
    """Which gateway's silence explains an alarm; and the way to what a gateway's alarm explains."""
    if alarm.get("inhibited_by"):
        return [html.Small(t("alarm.explained", gateway=gateway_of(alarm["inhibited_by"])))]
    if (alarm.get("reason") or {}).get("code") not in GATEWAY_REASONS:
        return []
    return [html.Small(html.A(t("alarm.explains"), href="/operations#gateways"))]


def render_shelving(t: Texts, alarm: Mapping[str, Any]) -> list[Component]:
    """Who muted the alarm, until when and why."""
    if not alarm.get("shelved_until"):
        return []
    until = day_and_clock(alarm["shelved_until"])
    who, why = alarm.get("shelved_by") or "", alarm.get("shelve_reason") or ""
    return [html.Small(t("alarm.shelved_until", who=who, until=until, why=why))]


def render_latch(t: Texts, alarm: Mapping[str, Any]) -> list[Component]:
    """From when on a latched alarm may be released, and by whom."""
    if not alarm.get("releasable_at"):
        return []
    who = t.word("role", alarm.get("release_role") or "")
    at = day_and_clock(alarm["releasable_at"])
    return [html.Small(t("alarms.releasable_from", at=at, who=who))]


def render_help(t: Texts, text: Mapping[str, Any] | None) -> Component:
    """What to do about an alarm, as its rule says it; that it says nothing, if so."""
    if not text:
        return html.P(t("help.none"), className="gw-panel-note")
    rows: list[Component] = []
    for part in ("action", "cause", "consequence"):
        rows += [html.Dt(t(f"help.{part}")), html.Dd(t.pick(text, part))]
    summary = html.Summary(t("help.minutes", n=text["minutes"]))
    return html.Details([summary, html.Dl(rows)], className="gw-help-text", open=True)


def alarm_verbs(alarm: Mapping[str, Any], role: Role) -> list[str]:
    """What this person may do about an alarm whose sensor is wrong, beside acknowledging it."""
    if role in MAY_CHANGE and alarm["state"] in HELD:
        return ["reset"] if role.value == alarm.get("release_role") else []
    if role not in MAY_CHANGE or alarm["state"] not in STANDING:
        return []
    verbs = ["unshelve" if alarm.get("shelved_until") else "shelve"]
    is_gas = str(alarm["condition"]).startswith("gas/")
    if alarm["state"] == AlarmState.ACKNOWLEDGED and (role in GAS_RESET or not is_gas):
        verbs.append("reset")
    return verbs


def is_red_gas(alarm: Mapping[str, Any]) -> bool:
    """Whether it takes a second person to mute it; the step itself has the last word."""
    return alarm["severity"] == Severity.RED and str(alarm["condition"]).startswith("gas/")


def render_alarm_verbs(t: Texts, alarm: Mapping[str, Any], role: Role) -> list[Component]:
    held = alarm["state"] in HELD
    buttons: list[Component] = [
        html.Button(
            t("alarm.release" if held else f"alarm.{verb}"),
            type="button",
            className="gw-button",
            **extra(
                {
                    "data-alarm-verb": verb,
                    "data-of": str(alarm["id"]),
                    "data-version": str(alarm["version"]),
                    **({"data-two": "yes"} if verb == "shelve" and is_red_gas(alarm) else {}),
                }
            ),
        )
        for verb in alarm_verbs(alarm, role)
    ]
    if role in CHANGERS and alarm.get("device"):
        link = f"/devices?device={alarm['device']}"
        buttons.append(html.A(t("alarms.take_out"), href=link, className="gw-button"))
    return [html.Div(buttons, className="gw-actions gw-section-tools")] if buttons else []


def rule_text(t: Texts, reason: Mapping[str, Any]) -> str:
    rule, version = reason.get("rule", ""), reason.get("rule_version", "")
    return t("detail.rule", rule=f"{rule} v{version}")


def render_acknowledge(t: Texts, alarm: Mapping[str, Any]) -> list[Component]:
    """A button while nobody has looked at the alarm."""
    if not str(alarm["state"]).endswith("unacknowledged"):
        return []
    return [
        html.Button(
            [t("alarm.acknowledge"), html.Kbd("L")],
            type="button",
            className="gw-button",
            **extra(
                {
                    "data-alarm": str(alarm["id"]),
                    "data-key": "l",
                    "aria-keyshortcuts": "l",
                }
            ),
        )
    ]


def can_dispatch(incident: Mapping[str, Any]) -> bool:
    """Whether a squad can be sent now, by this caller."""
    return Action.DISPATCH.value in incident["actions"]


def render_squads(
    t: Texts, incident: Mapping[str, Any], squads: Sequence[Mapping[str, Any]]
) -> Component:
    """Who should go, with the parts of each score; a press or a number key sends them."""
    may_send = can_dispatch(incident)
    rows = [
        render_squad(t, squad, rank if may_send else 0)
        for rank, squad in enumerate(squads[:OFFERED_SQUADS], start=1)
    ]
    return render_section(
        t("detail.squads"),
        html.Ol(rows, className="gw-squads") if rows else render_empty(t("detail.no_squads")),
        show=may_send,
    )


def call_text(t: Texts, squad: Mapping[str, Any]) -> str:
    """The same in the dialog that sends a squad."""
    called, phone = squad.get("called"), squad.get("phone")
    return " ".join(
        part for part in (t("squad.called", name=called) if called else "", phone) if part
    )


def render_call(t: Texts, squad: Mapping[str, Any]) -> list[Component]:
    """Who of it is on duty, and the number to call; nothing where neither is known."""
    called, phone = squad.get("called"), squad.get("phone")
    if not called and not phone:
        return []
    number = [html.A(phone, href=f"tel:{phone.replace(' ', '')}")] if phone else []
    name = t("squad.called", name=called) if called else t("squad.phone")
    return [html.Small([name, " ", *number], className="gw-squad-call")]


def is_plain_choice(squad: Mapping[str, Any], rank: int) -> bool:
    """Whether nobody asks why: it is the one that is recommended, and it is there."""
    return bool(squad["on_duty"]) and rank <= 1


def render_why_not(t: Texts, squad: Mapping[str, Any]) -> list[Component]:
    """What speaks against a squad, beside the one that comes first."""
    between = "、" if t.lang == CHINESE else ", "
    said = between.join(why[t.lang] for why in squad.get("why_not") or [])
    return [html.Small(t("squad.why_not", why=said), className="gw-why-not")] if said else []


def render_squad(t: Texts, squad: Mapping[str, Any], rank: int) -> Component:
    parts = squad.get("parts") or {}
    distance = squad.get("distance_m")
    facts = [
        t("squad.km", km=number_text(distance / 1000)) if distance is not None else "",
        t("squad.minutes", n=number_text(squad["travel_minutes"]))
        if squad.get("travel_minutes") is not None
        else "",
        t("squad.open_count", n=squad["open_incidents"]),
        "" if squad["on_duty"] else t("map.off_duty"),
        "" if squad["has_skill"] else t("squad.no_skill"),
        t("squad.owns_grid") if squad["owns_grid"] else "",
    ]
    scores = [
        html.Span(
            [t(f"score.{name}"), " ", html.B(number_text(points))],
            style={"--share": f"{min(100.0, float(points) * 2):.0f}%"},
        )
        for name, points in parts.items()
    ]
    button = html.Button(
        [t("squad.assign"), html.Kbd(str(rank))],
        type="button",
        className="gw-button primary" if squad["eligible"] else "gw-button",
        **extra(
            {
                "data-action": Action.DISPATCH.value,
                "data-fields": "squad*" if is_plain_choice(squad, rank) else "squad* note*",
                "data-squad": squad["squad"],
                "data-call": call_text(t, squad),
                "data-at_once": "1",
                "data-key": str(rank),
                "aria-keyshortcuts": str(rank),
            }
        ),
    )
    return html.Li(
        [
            html.Div(
                [
                    html.Strong([t.pick(squad, "name"), html.B(number_text(squad["score"]))]),
                    html.Small(" · ".join(fact for fact in facts if fact)),
                    *render_why_not(t, squad),
                    *render_call(t, squad),
                    html.Div(scores, className="gw-score-parts"),
                ]
            ),
            *([button] if rank else []),
        ],
        className="" if squad["eligible"] else "gw-unfit",
    )


def render_evidence(t: Texts, incident: Mapping[str, Any]) -> Component:
    """Thumbnails with stage, time and who took them; a click opens the picture."""
    figures = []
    for item in incident.get("evidence") or []:
        label = t.word("evidence", item["stage"])
        url = f"/api/v1/incidents/{incident['id']}/evidence/{item['id']}"
        when = day_and_clock(item.get("taken_at") or item["uploaded_at"])
        shown = f"{url}?shown=true" if item["has_shown"] else url
        figures.append(
            html.Figure(
                [
                    render_file(item["media_type"], shown, label),
                    html.Figcaption(
                        [
                            label,
                            html.Small(f"{when} {item['uploaded_by']}"),
                            *(
                                html.Strong(doubt_text(t, doubt), className="gw-doubt")
                                for doubt in item["doubts"]
                            ),
                        ]
                    ),
                ]
            )
        )
    return html.Div(figures, className="gw-photos") if figures else render_empty(t("detail.none"))


def render_file(media_type: str, url: str, label: str) -> Component:
    """A picture that opens, a film or voice that plays where it is, or the name of a document."""
    if media_type == "video/mp4":
        return html.Video(
            src=url, controls=True, preload="metadata", **extra({"aria-label": label})
        )
    if media_type in VOICE_TYPES:
        return html.Audio(src=url, controls=True, preload="none", **extra({"aria-label": label}))
    inside = html.Img(src=url, alt=label) if media_type.startswith("image/") else label
    return html.A(inside, href=url, target="_blank", rel="noopener")


def doubt_text(t: Texts, doubt: Mapping[str, Any]) -> str:
    """Why a file may not show this case as it is now."""
    minutes = doubt.get("minutes") or 0
    return t(
        f"doubt.{doubt['code']}",
        span=duration(t, minutes * 60),
        metres=number_text(doubt.get("metres")),
        cases="、".join(doubt.get("cases") or []),
    )


def render_photo_buttons(t: Texts, stages: Sequence[str]) -> list[Component]:
    """One button a kind of photo that this person may add."""
    buttons = [
        html.Button(
            t("detail.add", what=t.word("evidence", stage)),
            type="button",
            className="gw-button",
            **extra({"data-photo": stage}),
        )
        for stage in stages
    ]
    return [html.Div(buttons, className="gw-actions gw-section-tools")] if buttons else []
