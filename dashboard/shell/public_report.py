"""`/report`: what anybody may send without signing in, and how it stands. Works without scripts,
keeps no cookie, and says nothing but plain states."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Flask, Response, redirect, render_template, request
from itsdangerous import BadData, URLSafeTimedSerializer

from city.errors import InvalidInput, Unavailable
from city.incident import IncidentState
from city.intake import PlainKind, PlainState, ReportState, plain_state, read_code, shown_code
from city.place import LonLat
from dashboard.api.bodies import check_text
from dashboard.shell import assets, i18n, theme
from dashboard.shell.auth import refuse_foreign_origin
from dashboard.shell.i18n.times import day_and_clock
from dashboard.shell.parts import parts
from dashboard.shell.proxies import subscriber_of
from dashboard.shell.public_report_texts import TEXTS
from dashboard.shell.sign_in import LANGUAGES, THEMES
from dashboard.shell.streams import Places, Visitor
from db import districts, incidents, looking, public_reports, walls
from db.live import Redis
from db.pool import transaction
from db.rate_limit import Attempts
from db.seeds import streets

# Reports of one address in a window, and numbers that were wrong: an office or a mobile network
# shares an address, a script does not stop.
WINDOW_S = 600
SENT_PER_ADDRESS = 20
WRONG_PER_ADDRESS = 30
# How long a form may lie open before it is sent.
FORM_S = 24 * 3600
# Pictures that are on their way at once, so that people who work here always find a thread.
COMING = 6
COMING_PER_ADDRESS = 2
MAP_S = 3600
# A field that people do not see; what fills it in is a program.
TRAP = "website"
FIELDS = ("kind", "said", "place", "phone", "lon", "lat")
# What a sender follows, in this order.
COURSE = (
    PlainState.WAITING, PlainState.LOOKED_AT, PlainState.AT_WORK, PlainState.CHECKED,
    PlainState.DONE,
)  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """What the page counts and signs by."""

    sent: Attempts
    wrong: Attempts
    coming: Places
    signer: URLSafeTimedSerializer


@dataclass(frozen=True)
class Shown:
    """What stands on the page beside its fixed words."""

    values: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    number: str = ""  # a number that was looked for
    report: Mapping[str, Any] | None = None


def add_public_report(server: Flask, redis: Redis, secret_key: str) -> None:
    """The page, its map and the state of a report."""
    desk = Desk(
        sent=Attempts(redis, WINDOW_S),
        wrong=Attempts(redis, WINDOW_S),
        coming=Places(COMING, per_person=COMING_PER_ADDRESS, per_address=COMING, kept=0),
        signer=URLSafeTimedSerializer(secret_key, salt="public report"),
    )
    server.add_url_rule("/report", "public_report", lambda: _form(desk), methods=["GET", "POST"])
    server.add_url_rule("/report/map.json", "public_map", city_outline)
    server.add_url_rule("/report/<number>", "public_state", lambda number: _state(desk, number))


def _form(desk: Desk) -> Any:
    if request.method == "GET":
        typed = request.args.get("number", "")
        return redirect(_address(typed)) if typed.strip() else _page(desk, HTTPStatus.OK)
    refuse_foreign_origin()
    address = subscriber_of(request.remote_addr or "")
    if not desk.sent.begin({f"report {address}": SENT_PER_ADDRESS}):
        return _too_many(desk)
    visitor = Visitor(address, address, acts=False, screen=False)
    try:
        desk.coming.take(visitor)
    except Unavailable:
        return _page(desk, HTTPStatus.SERVICE_UNAVAILABLE, Shown(problem="busy"))
    try:
        return _send(desk)
    finally:
        desk.coming.give_back(visitor)


def _send(desk: Desk) -> Any:
    """Read the form and keep what it says."""
    values = {name: request.form.get(name, "").strip() for name in FIELDS}
    once = _read_once(desk)
    if request.form.get(TRAP):
        problem = "not_taken"
    elif once is None:
        problem = "too_late"
    else:
        try:
            return redirect(_address(_keep(once, values)), HTTPStatus.SEE_OTHER)
        except InvalidInput as error:
            problem = _problem_of(error)
        except Unavailable:
            problem = "busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE if problem == "busy" else 422
    return _page(desk, status, Shown(values=values, problem=problem))


def _keep(once: str, values: Mapping[str, str]) -> str:
    for name, text in values.items():
        check_text(name, text)
    photos = [
        (check_text("photo", file.mimetype), file.read())
        for file in request.files.getlist("photo")
        if file.filename
    ]
    with transaction(parts().pool) as conn:
        return parts().ports.reports.send_report(
            conn, once, values["kind"], values["said"], values["place"], _place(values),
            values["phone"], photos, datetime.now(UTC),
        ).code  # fmt: skip


def _place(values: Mapping[str, str]) -> LonLat | None:
    """The point on the map; None: it was not chosen."""
    if not values["lon"] or not values["lat"]:
        return None
    try:
        return LonLat(float(values["lon"]), float(values["lat"]))
    except ValueError as error:
        raise InvalidInput("place", values["lon"], "is no place") from error


def _problem_of(error: InvalidInput) -> str:
    """The key of the sentence that says what is wrong."""
    if error.code == "outside":
        return "outside"
    known = {"kind": "bad_kind", "said": "bad_said", "place": "bad_place", "phone": "bad_phone"}
    return known.get(error.field, "bad_photo")


def _read_once(desk: Desk) -> str | None:
    """The random part of a form that we made and that is not too old."""
    try:
        return str(desk.signer.loads(request.form.get("form", ""), max_age=FORM_S))
    except BadData:
        return None


def _state(desk: Desk, number: str) -> Any:
    """How a report stands; a number that nobody has counts against the address."""
    limits = {f"report number {subscriber_of(request.remote_addr or '')}": WRONG_PER_ADDRESS}
    if not desk.wrong.begin(limits):
        return _too_many(desk)
    code = read_code(number)
    found = None
    if code is not None:
        with transaction(parts().pool) as conn:
            found = public_reports.find_by_code(conn, code)
            case = _case_state(conn, found.incident_id) if found and found.incident_id else None
    if code is None or found is None:
        return _page(
            desk, HTTPStatus.NOT_FOUND, Shown(problem="unknown_number", number=number[:40])
        )
    desk.wrong.take_back(list(limits))
    state = plain_state(ReportState(found.state), case)
    shown = {
        "number": shown_code(code),
        "received": day_and_clock(found.received_at),
        "state": state.value,
        "reason": found.reason if found.state == ReportState.REJECTED else "",
        "course": [(step.value, COURSE.index(step) <= COURSE.index(state)) for step in COURSE]
        if state in COURSE
        else [],
    }
    return _page(desk, HTTPStatus.OK, Shown(report=shown))


def _case_state(conn: Any, incident_id: int) -> IncidentState:
    """How the case stands that a report became, or that took it in."""
    case = incidents.find(conn, incident_id)
    while case.merged_into is not None:
        case = incidents.find(conn, case.merged_into)
    return case.state


def city_outline() -> Response:
    """What the map of the page shows: outlines, names of places and, of the demonstration, its
    streets. Nothing of what stands or happens there."""
    drawn: dict[str, Any] = {"outlines": [], "names": [], "streets": []}
    with transaction(parts().pool) as conn:
        for code in districts.list_codes(conn):
            row = districts.find_district(conn, code)
            drawn["outlines"] += [row.outline] if row else []
            drawn["names"] += [
                [place.name, round(place.lon, 6), round(place.lat, 6)]
                for place in looking.list_divisions(conn, code)
            ]
            if walls.has_demo_rows(conn, code):
                drawn["streets"] += [
                    [street["properties"]["name_zh"], street["properties"]["name_en"],
                     street["geometry"]["coordinates"]]
                    for street in streets()["features"]
                ]  # fmt: skip
    response = Response(msgspec.json.encode(drawn), content_type="application/json")
    response.headers["Cache-Control"] = f"public, max-age={MAP_S}"
    return response


def _too_many(desk: Desk) -> Response:
    response = _page(desk, HTTPStatus.TOO_MANY_REQUESTS, Shown(problem="too_many"))
    response.headers["Retry-After"] = str(WINDOW_S)
    return response


def _address(number: str) -> str:
    """The page of a number, with the language and theme of this one."""
    typed = "".join(c for c in number if c.isascii() and (c.isalnum() or c == "-"))[:40]
    code = read_code(typed)
    path = f"/report/{shown_code(code) if code else typed or '-'}"
    return path + _choices(_choice("lang", LANGUAGES), _choice("theme", _SHADES))


_SHADES = THEMES[::-1]  # outdoors light comes first


def _choice(name: str, known: tuple[str, ...]) -> str:
    """As the address or the form says, else as the browser was told, else the first."""
    asked = request.values.get(name) or request.cookies.get(name) or ""
    if name == "lang" and not asked:
        asked = request.accept_languages.best_match(known) or ""
    return asked if asked in known else known[0]


def _choices(lang: str, shade: str) -> str:
    return f"?lang={lang}&theme={shade}"


def _page(desk: Desk, status: int, shown: Shown | None = None) -> Response:
    shown = shown or Shown()
    lang, shade = _choice("lang", LANGUAGES), _choice("theme", _SHADES)
    other = _SHADES[1 - _SHADES.index(shade)]
    base = f"/report/{shown.report['number']}" if shown.report else "/report"
    page = render_template(
        "public_report.html",
        t=TEXTS[lang],
        words=i18n.texts(lang),
        lang=lang,
        theme=shade,
        other_theme=other,
        variables=theme.css_variables(shade),
        to_lang=base + _choices(LANGUAGES[1 - LANGUAGES.index(lang)], shade),
        to_theme=base + _choices(lang, other),
        home="/report" + _choices(lang, shade),
        kinds=[kind.value for kind in PlainKind],
        values=shown.values,
        problem=shown.problem,
        number=shown.number,
        report=shown.report,
        form=desk.signer.dumps(secrets.token_hex(12)),
        trap=TRAP,
        script=assets.address(assets.PUBLIC_REPORT),
    )
    response = Response(page, status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # the address of a state is a secret
    return response
