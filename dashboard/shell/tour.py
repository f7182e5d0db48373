"""The tour after a city was founded: what it still needs, ticked by what the database has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, g, redirect, render_template, request

from city.person import ADMINISTRATORS, Caller
from city.settings import missing_year
from dashboard.shell import i18n, theme
from dashboard.shell.auth import CSRF_COOKIE, current_caller, requires
from dashboard.shell.gate import SessionKey
from dashboard.shell.parts import parts
from dashboard.shell.sign_in import LANGUAGES, THEMES, choice
from dashboard.shell.tour_texts import TEXTS
from db import calendars
from db.first_steps import FirstSteps, find_first_steps
from db.pool import Connection, transaction

PATH = "/welcome"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, where it is done, and whether it is."""

    name: str
    link: str
    done: bool


def add_tour(server: Flask) -> None:
    """`/welcome`, for administrators."""
    server.add_url_rule(PATH, "tour", requires(*ADMINISTRATORS)(tour), methods=["GET", "POST"])


def tour() -> Any:
    """The list; a press on “no more” puts it away for the district."""
    caller = current_caller()
    if request.method == "POST":
        with transaction(parts().pool) as conn:
            parts().ports.first_run.dismiss_tour(conn, caller, datetime.now(UTC))
        return redirect("/console", 303)
    with transaction(parts().pool) as conn:
        found = find_first_steps(conn, caller)
        steps = plan_steps(found, _missing_year(conn, caller))
    lang, shade = choice("lang", LANGUAGES), choice("theme", THEMES)
    page = render_template(
        "tour.html", t=TEXTS[lang], words=i18n.texts(lang), theme=shade,
        variables=theme.css_variables(shade), steps=steps, dismissed=found.dismissed,
        csrf_name=CSRF_COOKIE,
        csrf=parts().gate.csrf_token(g.key) if isinstance(g.key, SessionKey) else "",
    )  # fmt: skip
    response = Response(page, HTTPStatus.OK)
    response.headers["Cache-Control"] = "no-store"
    return response


def count_open_steps(conn: Connection, caller: Caller) -> int:
    """How many steps are left; none where an administrator has put the tour away, nor where the
    accounts are those of a demonstration."""
    found = find_first_steps(conn, caller)
    if found.dismissed or parts().demo_logins:
        return 0
    return sum(not step.done for step in plan_steps(found, _missing_year(conn, caller)))


def plan_steps(found: FirstSteps, year: int | None) -> list[Step]:
    """In the order in which they make sense; `year` is one whose working days are not known."""
    part = "/settings?part="
    return [
        Step("second_factor", f"/second-factor?next={PATH}", found.second_factor),
        Step("unit_grid", f"{part}unit-grid", found.unit_grid),
        Step("devices", "/devices", found.devices),
        Step("heard", "/operations", found.heard),
        Step("squads", f"{part}squads", found.squads),
        Step("people", "/people", found.people),
        Step("rules", "/rules", found.rules),
        Step("calendar", f"{part}calendar-{year}" if year else "/settings", year is None),
    ]


def _missing_year(conn: Connection, caller: Caller) -> int | None:
    calendar = calendars.calendar_of(conn, caller.district)
    today = datetime.now(ZoneInfo(calendar.timezone)).date()
    return missing_year(calendar.known_until, today)
