"""Video events that wait for a person: snapshot, place, and confirm or dismiss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from dash import html
from dash.development.base_component import Component

from dashboard.shell.components import extra, render_empty
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import day_and_clock

VERDICTS = (("confirmed", "video.confirm", "+"), ("dismissed", "video.dismiss", "-"))


def render_pending(t: Texts, events: Sequence[Mapping[str, Any]]) -> Component:
    """The list; the first one takes the keys."""
    if not events:
        return render_empty(t("video.empty"))
    return html.Ul(
        [render_event(t, event, keys=n == 0) for n, event in enumerate(events)],
        className="gw-videos",
        **extra({"data-count": str(len(events))}),
    )


def render_event(t: Texts, event: Mapping[str, Any], *, keys: bool) -> Component:
    """One event with its two buttons."""
    confidence = event.get("confidence")
    facts = [
        event.get("camera_name") or event["camera"],
        day_and_clock(event["start_at"]),
        t("video.confidence", pct=round(100 * confidence)) if confidence is not None else "",
    ]
    return html.Li(
        [
            *render_snapshot(t, snapshot_address(event)),
            html.Div(
                [
                    html.Strong(t.pick(event, "category") or t.word("video_type", event["type"])),
                    html.Small(" · ".join(str(fact) for fact in facts if fact)),
                    html.Div(
                        [
                            *(render_verdict(t, *verdict, keys=keys) for verdict in VERDICTS),
                            render_place(t, event),
                        ],
                        className="gw-actions",
                    ),
                ]
            ),
        ],
        **extra({"data-camera": str(event["camera"]), "data-event": str(event["event_id"])}),
    )


def render_verdict(t: Texts, verdict: str, label: str, key: str, *, keys: bool) -> Component:
    attributes: dict[str, str] = {"data-key": key, "aria-keyshortcuts": key} if keys else {}
    return html.Button(
        [t(label), *([html.Kbd(key)] if keys else [])],
        type="button",
        className="gw-button primary" if verdict == "confirmed" else "gw-button",
        **extra({"data-verdict": verdict, **attributes}),
    )


def render_place(t: Texts, event: Mapping[str, Any]) -> Component:
    """Shows the camera's place on the map."""
    place = {"data-show-lon": str(event["lon"]), "data-show-lat": str(event["lat"])}
    return html.Button(t("video.show"), type="button", className="gw-button", **extra(place))


def snapshot_address(event: Mapping[str, Any]) -> str:
    """Of the picture that is kept here, else what the camera said."""
    if event.get("snapshot_state") == "stored":
        name = f"{quote(event['camera'], safe='')}/{quote(event['event_id'], safe='')}"
        return f"/api/v1/video-events/{name}/snapshot"
    return str(event.get("snapshot") or "")


def render_snapshot(t: Texts, url: str) -> list[Component]:
    """The picture, if it is on this server: the page loads nothing from anywhere else."""
    if not url:
        return []
    if urlsplit(url).netloc:
        link = html.A(t("video.snapshot"), href=url, target="_blank", rel="noopener noreferrer")
        return [link] if urlsplit(url).scheme in ("http", "https") else []
    return [html.Img(src=url, alt=t("video.snapshot"))]
