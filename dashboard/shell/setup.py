"""The set-up page: answers become a city folder in memory. Works without scripts."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, redirect, render_template, request

from city.datum import Datum
from city.errors import Conflict, InvalidInput
from city.first_run import FirstRun, Outlook
from dashboard.shell import assets, i18n, theme
from dashboard.shell.auth import refuse_foreign_origin
from dashboard.shell.gate import SessionKey
from dashboard.shell.judgements import say_changes, say_fault
from dashboard.shell.parts import parts
from dashboard.shell.proxies import subscriber_of
from dashboard.shell.second_factor import PATH
from dashboard.shell.setup_texts import TEXTS
from dashboard.shell.sign_in import (
    LANGUAGES,
    THEMES,
    WINDOW_S,
    WRONG_PER_NAME,
    choice,
    enter,
    keep_choice,
)
from db.live import Redis
from db.pool import transaction
from db.rate_limit import Attempts

FILES = ("boundary", "divisions", "cells")
DATUMS = tuple(datum.value for datum in Datum)
LEVEL_SEPARATOR = re.compile(r"[;,；，、\s]+")
# Which step of the page makes which file of the folder.
STEPS = {
    "city.toml": 1, "boundary.geojson": 2, "divisions.csv": 3, "grid.toml": 4, "grid.csv": 4,
    "people.csv": 5,
}  # fmt: skip
# Where the first administrator goes when all is said.
AFTERWARDS = "/welcome"
DEFAULTS = {"timezone": "Asia/Shanghai", "datum": DATUMS[0], "names": "official"}


def add_setup(server: Flask, redis: Redis) -> None:
    """`/setup`, limited like signing in."""
    attempts = Attempts(redis, WINDOW_S)
    server.add_url_rule("/setup", "setup", lambda: set_up(attempts), methods=["GET", "POST"])


def set_up(attempts: Attempts) -> Any:
    """The page, what the answers would make, and the founding."""
    if request.method == "POST":
        refuse_foreign_origin()
    steps = parts().ports.first_run
    with transaction(parts().pool) as conn:
        is_open = steps.is_open(conn)
    if not is_open:
        return _page(HTTPStatus.GONE, state="closed")
    limits = {f"setup {subscriber_of(request.remote_addr or '')}": WRONG_PER_NAME}
    if not attempts.begin(limits):
        response = _page(HTTPStatus.TOO_MANY_REQUESTS, state="too_many")
        response.headers["Retry-After"] = str(WINDOW_S)
        return response
    code = _sent("key") if request.method == "POST" else request.args.get("code", "")
    with transaction(parts().pool) as conn:
        fits = steps.fits(conn, code)
    if not fits:
        return _page(HTTPStatus.FORBIDDEN, state="wrong")
    attempts.take_back(list(limits))
    if request.method == "GET":
        return _page(HTTPStatus.OK, state="form", key=code, values=DEFAULTS)
    return _answer(code)


def _answer(code: str) -> Any:
    """Look at the answers; found the city of them where that was asked and nothing is wrong."""
    steps, answers = parts().ports.first_run, _read_answers()
    problem = ""
    with transaction(parts().pool) as conn:
        outlook = steps.look(conn, answers)
    if _sent("do") == "found" and not outlook.faults:
        try:
            with transaction(parts().pool) as conn:
                steps.found(conn, code, answers, _sent("password"), datetime.now(UTC))
        except InvalidInput as error:
            problem = "password" if error.field == "password" else str(error)
        except Conflict as error:
            problem = str(error)
        else:
            return _enter(answers.admin)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if outlook.faults or problem else HTTPStatus.OK
    return _page(
        status, state="form", key=code, values=request.form, outlook=outlook, problem=problem,
        kept={name: _file(name) for name in FILES},
    )  # fmt: skip


def _enter(admin: str) -> Any:
    """The first administrator is in, and sets a second factor next, or later."""
    key = parts().gate.sign_in(admin, _sent("password"))
    if isinstance(key, SessionKey):
        response = enter(key, f"{PATH}?first=yes&next={AFTERWARDS}")
    else:
        response = redirect(f"/login?next={AFTERWARDS}", 303)
    for name, known in (("lang", LANGUAGES), ("theme", THEMES)):
        keep_choice(response, name, _choice(name, known))
    return response


def _sent(name: str) -> str:
    return request.form.get(name, "").strip() if name != "password" else request.form.get(name, "")


def _read_answers() -> FirstRun:
    return FirstRun(
        code=_sent("code"),
        name_zh=_sent("name_zh"),
        name_en=_sent("name_en"),
        timezone=_sent("timezone"),
        languages=tuple(request.form.getlist("languages")),
        datum=_sent("datum"),
        boundary=_file("boundary"),
        divisions=_wanted_file("divisions", _sent("names") == "file"),
        grid=_sent("grid") == "yes",
        admin=_sent("admin"),
        corners=_sent("corners"),
        official=_sent("names") == "official",
        cells=_wanted_file("cells", _sent("grid") == "own"),
        levels=tuple(filter(None, LEVEL_SEPARATOR.split(_sent("levels")))),
    )


def _wanted_file(name: str, wanted: bool) -> bytes | None:
    """None where it is not asked for, empty where it is and did not come."""
    return (_file(name) or b"") if wanted else None


def _file(name: str) -> bytes | None:
    """The file that is sent now, else the one that the page has carried along."""
    upload = request.files.get(name)
    if upload is not None and upload.filename:
        upload.stream.seek(0)
        return upload.read()
    carried = request.form.get(f"{name}_kept", "")
    try:
        return base64.b64decode(carried, validate=True) if carried else None
    except binascii.Error as error:
        raise InvalidInput(f"{name}_kept", carried[:40], "must be base64") from error


def _page(
    status: int,
    *,
    state: str,
    key: str = "",
    values: Any = None,
    outlook: Outlook | None = None,
    problem: str = "",
    kept: dict[str, bytes | None] | None = None,
) -> Response:
    lang = _choice("lang", LANGUAGES)
    shade = _choice("theme", THEMES)
    values = values if values is not None else {}
    chosen = values.getlist("languages") if hasattr(values, "getlist") else list(LANGUAGES)
    words = i18n.texts(lang)
    faults: dict[int, list[str]] = {}
    for fault in outlook.faults if outlook else ():
        faults.setdefault(STEPS.get(fault.file, 5), []).append(say_fault(words, fault))
    page = render_template(
        "setup.html", t=TEXTS[lang], words=words, lang=lang, theme=shade,
        variables=theme.css_variables(shade), state=state, key=key, values=values,
        script=assets.address(assets.BOUNDARY), chosen=chosen, datums=DATUMS, faults=faults,
        plan=say_changes(words, outlook.plan if outlook else ()),
        ready=outlook is not None and not outlook.faults, problem=problem,
        kept={n: base64.b64encode(c).decode() for n, c in (kept or {}).items() if c},
    )  # fmt: skip
    response = Response(page, status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # the address carries the code
    return response


def _choice(name: str, known: tuple[str, ...]) -> str:
    """As `/setup?lang=en` asks, else as on the sign-in page."""
    asked = request.values.get(name, "")
    return asked if asked in known else choice(name, known)
