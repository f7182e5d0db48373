"""The set-up page: its doors, and that it makes the city that the folder makes."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from psycopg.types.json import Jsonb
from werkzeug.serving import make_server

from app import first_run, up
from app.process.serve import build_ports
from city.first_run import FirstRun
from dashboard.screens.citymap import city_map
from dashboard.shell.parts import EXTENSION, Parts
from dashboard.shell.server import create_server
from dashboard.shell.sign_in import WRONG_PER_NAME
from db.events import verify_chain
from db.live import open_redis
from db.pool import Connection, open_pool
from db.rate_limit import KEY
from founding.first_run import make_folder
from tests.integration.app.conftest import Command
from tests.unit.founding.conftest import Files

PASSWORD = "a long enough password"
ANSWERS = {
    "code": "991201",
    "name_zh": "星洲区",
    "name_en": "Xingzhou District",
    "timezone": "Asia/Shanghai",
    "languages": ["zh", "en"],
    "datum": "wgs84",
    "names": "file",
    "grid": "yes",
    "admin": "lin.admin",
}
TRIANGLE = {
    "type": "Polygon",
    "coordinates": [[[112.5, 30.2], [112.52, 30.2], [112.5, 30.22], [112.5, 30.2]]],
}


@pytest.fixture
def browser(new_installation: str, redis_url: str) -> Iterator[httpx.Client]:
    """Of nobody, at a server on the bare installation."""
    pool, redis = open_pool(new_installation, max_size=6), open_redis(redis_url)
    for key in redis.scan_iter(f"{KEY}setup*"):
        redis.delete(key)
    server = create_server(pool, redis, build_ports(), "only for this test run")
    listener = make_server("127.0.0.1", 0, server, threaded=True)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.port}", timeout=60) as client:
        yield client
    parts: Parts = server.extensions[EXTENSION]
    parts.walls.stop()
    listener.shutdown()
    listener.server_close()
    thread.join(5)
    pool.close()
    redis.close()


@pytest.fixture
def code(gridwarden: Command) -> str:
    return made(gridwarden)


def made(gridwarden: Command) -> str:
    result = gridwarden("setup-code")
    assert result.exit_code == 0, result.output
    return str(result.output).strip()


def uploads(files: Files) -> dict[str, tuple[str, bytes]]:
    return {
        "boundary": ("outline.json", files["boundary.geojson"]),
        "divisions": ("names.csv", files["divisions.csv"]),
    }


def found(browser: httpx.Client, key: str, files: Files, **more: str) -> httpx.Response:
    asked = {**ANSWERS, "key": key, "do": "found", "password": PASSWORD, **more}
    return browser.post("/setup", data=asked, files=uploads(files))


def test_processes_start_early_where_an_earlier_start_has_made_all_they_need(
    new_installation: str, bare: Connection, tmp_path: Path
) -> None:
    assert up.is_prepared(new_installation, tmp_path, demo=False)
    assert not up.is_prepared(new_installation, tmp_path, demo=None), "the demonstration is to come"
    bare.execute("DELETE FROM rule")
    assert not up.is_prepared(new_installation, tmp_path, demo=False)


def test_both_ways_make_the_same_city(
    browser: httpx.Client,
    code: str,
    files: Files,
    bare: Connection,
    gridwarden: Command,
    another_one: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = browser.post(
        "/setup", data={**ANSWERS, "key": code, "do": "look"}, files=uploads(files)
    )
    assert looked.status_code == 200
    assert "人员 lin.admin: 新增" in looked.text
    assert bare.execute("SELECT count(*) FROM district").fetchone() == (0,)
    kept = dict(re.findall(r'name="(\w+_kept)" value="([^"]+)"', looked.text))
    assert set(kept) == {"boundary_kept", "divisions_kept"}
    asked = {**ANSWERS, **kept, "key": code, "do": "found", "password": PASSWORD}
    done = browser.post("/setup", data=asked)
    assert (done.status_code, done.headers["Location"][:14]) == (303, "/second-factor")
    verify_chain(bare)
    assert "<svg" in browser.get(done.headers["Location"]).text
    assert browser.get("/live/map").json()["district"]["name_en"] == "Xingzhou District"

    assert gridwarden("city", "export", str(tmp_path / "browser")).exit_code == 0
    answers = FirstRun(
        **{k: v for k, v in ANSWERS.items() if k not in ("names", "grid", "languages")},
        languages=("zh", "en"), grid=True,
        boundary=files["boundary.geojson"], divisions=files["divisions.csv"],
    )  # fmt: skip
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in make_folder(answers, []).items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", another_one)
    assert gridwarden("city", "apply", str(folder)).exit_code == 0
    assert gridwarden("city", "export", str(tmp_path / "command")).exit_code == 0
    assert contents(tmp_path / "browser") == contents(tmp_path / "command")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_code_is_good_once_and_then_the_page_is_closed(
    browser: httpx.Client, code: str, files: Files, bare: Connection, gridwarden: Command
) -> None:
    assert code.encode() not in repr(bare.execute("SELECT * FROM setup_code").fetchall()).encode()
    assert browser.get("/setup", params={"code": code}).status_code == 200
    assert found(browser, code, files).status_code == 303
    assert bare.execute("SELECT count(*) FROM setup_code").fetchone() == (0,)
    assert browser.get("/setup", params={"code": code}).status_code == 410
    assert found(browser, code, files, admin="another").status_code == 410
    assert bare.execute("SELECT array_agg(name) FROM app_user").fetchone() == (["lin.admin"],)
    refused = gridwarden("setup-code")
    assert (refused.exit_code, "closed" in refused.output) == (1, True)


def test_a_fresh_code_makes_the_one_before_worthless(
    browser: httpx.Client, code: str, gridwarden: Command
) -> None:
    fresh = made(gridwarden)
    assert browser.get("/setup", params={"code": code}).status_code == 403
    assert browser.get("/setup", params={"code": fresh}).status_code == 200


def test_without_a_code_there_is_nothing_to_guess(browser: httpx.Client, files: Files) -> None:
    assert browser.get("/setup").status_code == 403
    assert found(browser, "", files).status_code == 403


def test_wrong_codes_are_limited(browser: httpx.Client, code: str) -> None:
    for _ in range(WRONG_PER_NAME):
        assert browser.get("/setup", params={"code": "wrong"}).status_code == 403
    answer = browser.get("/setup", params={"code": code})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")


def test_faults_stand_beside_their_step_and_nothing_is_done(
    browser: httpx.Client, code: str, files: Files, bare: Connection
) -> None:
    rows = files["divisions.csv"].replace(b"991201001,", b"9.91E+08,", 1)
    answer = found(browser, code, {**files, "divisions.csv": rows}, code="12", lang="en")
    assert answer.status_code == 422
    city = answer.text.index("city.toml · Code: “12” must be six digits")
    divisions = answer.text.index("divisions.csv · row 3 · Code: “9.91E+08” is a code")
    assert city < answer.text.index('name="boundary"') < divisions
    assert divisions < answer.text.index('name="divisions"')
    assert bare.execute("SELECT count(*) FROM district").fetchone() == (0,)


def test_a_short_password_founds_nothing_and_keeps_the_code(
    browser: httpx.Client, code: str, files: Files, bare: Connection
) -> None:
    answer = found(browser, code, files, password="short")
    assert answer.status_code == 422
    assert bare.execute("SELECT count(*) FROM district").fetchone() == (0,)
    assert found(browser, code, files).status_code == 303


def test_another_site_cannot_found_a_city(browser: httpx.Client, code: str, files: Files) -> None:
    browser.headers["Origin"] = "https://evil.example"
    assert found(browser, code, files).status_code == 403


def test_a_running_wall_shows_another_name_and_boundary(
    browser: httpx.Client,
    code: str,
    files: Files,
    bare: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(city_map, "MAP_S", 0.0)
    assert found(browser, code, files).status_code == 303
    browser.post("/login", data={"name": "lin.admin", "password": PASSWORD})
    before = browser.get("/live/map")
    bare.execute("UPDATE district SET name_en = 'Another', outline = %s", (Jsonb(TRIANGLE),))
    after = browser.get("/live/map", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    district = after.json()["district"]
    assert (district["name_en"], district["outline"]) == ("Another", TRIANGLE)


def ticked(browser: httpx.Client) -> list[str]:
    page = browser.get("/welcome")
    assert page.status_code == 200
    return re.findall(r'<li class="done">.*?<a href="([^"?]+)', page.text, re.DOTALL)


def test_the_tour_is_ticked_by_what_there_is_until_it_is_put_away(
    browser: httpx.Client, code: str, files: Files, bare: Connection, gridwarden: Command
) -> None:
    assert found(browser, code, files).status_code == 303
    assert ticked(browser) == ["/settings"]  # the unit grid
    added = gridwarden("user", "add", "chen", "--role", "dispatcher", stdin=PASSWORD + "\n")
    assert added.exit_code == 0, added.output
    assert ticked(browser) == ["/settings", "/people"]
    token = browser.cookies["_csrf_token"]
    assert browser.post("/welcome").status_code == 403
    gone = browser.post("/welcome", data={"_csrf_token": token})
    assert (gone.status_code, gone.headers["Location"]) == (303, "/console")
    assert bare.execute(
        "SELECT actor FROM event WHERE kind = 'setup.tour_dismissed'"
    ).fetchall() == [("lin.admin",)]
    assert "<form" not in browser.get("/welcome").text
    browser.cookies.clear()
    browser.post("/login", data={"name": "chen", "password": PASSWORD})
    assert browser.get("/welcome").status_code == 403


def test_an_invitation_makes_no_code_worthless_that_somebody_may_be_using(
    bare: Connection, browser: httpx.Client, gridwarden: Command
) -> None:
    def invited(keep_code: bool) -> str:
        text = first_run.invitation(
            bare, "http://here", "serve", datetime.now(UTC), keep_code=keep_code
        )
        bare.commit()
        return text

    printed = re.search(r"http://here(/setup\?code=\S+)", invited(keep_code=True))
    assert printed
    assert browser.get(printed[1]).status_code == 200
    assert "printed before" in invited(keep_code=True)
    assert browser.get(printed[1]).status_code == 200
    assert "?code=" in invited(keep_code=False)
    assert browser.get(printed[1]).status_code == 403
