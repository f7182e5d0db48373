"""The devices of a case: their state, their newest values, how far these may be believed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboard.screens.devices.trust import age_text, words_text
from dashboard.shell.components import value_text
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import day_and_clock

# Values shown of a device: it is the state that matters here, the rest stands under Devices.
VALUES_SHOWN = 4


def render_devices(t: Texts, devices: Sequence[Mapping[str, Any]]) -> Component:
    """One block a device, with what has to be known before its values are believed on top."""
    return html.Ul([render_device(t, device) for device in devices], className="gw-case-devices")


def render_device(t: Texts, device: Mapping[str, Any]) -> Component:
    states = [
        html.Li(state_text(t, device, word), className="gw-doubt") for word in device["states"]
    ]
    values = [
        html.Li(
            [
                html.Span(t.word("metric", value["metric"])),
                html.B(value_text(t, value["metric"], value["value"])),
                html.Small(value_words(t, value)),
            ]
        )
        for value in device["latest"][:VALUES_SHOWN]
    ]
    return html.Li(
        [
            html.Div([html.Strong(device["code"]), html.Span(device["name"])]),
            *([html.Small(then)] if (then := then_text(t, device)) else []),
            *([html.Ul(states, className="gw-case-states")] if states else []),
            html.Ul(values, className="gw-case-values")
            if values
            else html.Small(t("case_device.no_values")),
        ]
    )


def state_text(t: Texts, device: Mapping[str, Any], word: str) -> str:
    """A state with its reason and its end, as far as somebody gave them."""
    if word == "retired":
        at, why = day_and_clock(device["retired_at"]), device["retired_reason"]
        return t("case_device.retired", at=at, why=why)
    if word == "out_of_service":
        why, due = device["out_of_service_reason"], device["return_due_at"]
        until = day_and_clock(due) if due else t("devices.no_due")
        return t("case_device.out_of_service", why=why or "—", until=until)
    return t(f"case_device.{word}")


def value_words(t: Texts, value: Mapping[str, Any]) -> str:
    """Its age, and what speaks against it."""
    words = words_text(t, value["trust"])
    return " · ".join(part for part in (age_text(t, value["age_s"]), words) if part)


def then_text(t: Texts, device: Mapping[str, Any]) -> str:
    """What was different of the device when the case opened; empty if nothing was."""
    then, parts = device["then"], []
    if then["name"] != device["name"]:
        parts.append(t("case_device.then_name", name=then["name"]))
    if then["model"] != device["model"]:
        parts.append(t("case_device.then_model", model=then["model"] or "—"))
    if (then["lon"], then["lat"]) != (device["lon"], device["lat"]):
        parts.append(t("case_device.then_place"))
    return t("case_device.then", what=" · ".join(parts)) if parts else ""
