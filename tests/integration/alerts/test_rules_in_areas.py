"""Rules about the devices of an area: which devices stand in it, and what is raised there."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest

from alerts.backtest import backtest
from alerts.known import load_rules
from alerts.rule_files import parse_rule
from alerts.steps import apply_rules, default_rules
from alerts.video.verdicts import load_cameras, rule_for
from city.area import Area, AreaKind
from city.errors import InvalidInput
from db import areas, evaluation
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.test_engine_order import drain, ingest
from tests.integration.alerts.test_engine_ticks import NIGHT, listen
from tests.integration.alerts.ticking import tick

LON, LAT = 110.35, 20.0
TANKS = Area("HZ-1", AreaKind.HAZARD, "储罐", "Tanks", centre=(LON, LAT), radius_m=300)
SCHOOL = Area(
    "IP-1",
    AreaKind.IMPORTANT,
    "学校",
    "School",
    rings=(
        ((LON, LAT), (LON + 0.01, LAT), (LON + 0.01, LAT + 0.01), (LON, LAT + 0.01)),
        ((LON + 0.002, LAT + 0.002), (LON + 0.004, LAT + 0.002), (LON + 0.003, LAT + 0.004)),
    ),
)
INSIDE, OUTSIDE = (LON, LAT), (LON + 0.05, LAT)


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """Without the areas of the demonstration."""
    engine.conn.execute("DELETE FROM area")
    return engine


def areas_of(engine: Engine) -> dict[str, dict[str, str]]:
    known = evaluation.list_watched_devices(engine.conn, sorted(engine.ids.values()))
    return {device.code: dict(device.areas) for device in known}


def in_area(file: str, *bounds: str, code: str = "") -> str:
    """A shipped rule with bounds, under a code of its own."""
    text = default_rules()[file]
    if code:
        text = text.replace(f'code = "{file.removesuffix(".toml")}"', f'code = "{code}"')
    return "\n".join((text, "[scope]", *bounds)) + "\n"


def test_a_device_stands_in_what_covers_it_whatever_changes(engine: Engine) -> None:
    chance = random.Random(42)
    places = {
        f"D-{n}": (LON + chance.uniform(-0.004, 0.012), LAT + chance.uniform(-0.004, 0.012))
        for n in range(200)
    }
    for code, at in list(places.items())[:100]:
        engine.device(code, "gas", at=at)
    areas.save_areas(engine.conn, DISTRICT, [TANKS, SCHOOL])
    for code, at in list(places.items())[100:]:
        engine.device(code, "gas", at=at)

    def expected(*known: Area) -> dict[str, dict[str, str]]:
        return {
            code: {a.code: a.kind.value for a in known if a.covers(*at)}
            for code, at in places.items()
        }

    assert areas_of(engine) == expected(TANKS, SCHOOL)
    assert {code for found in areas_of(engine).values() for code in found} == {"HZ-1", "IP-1"}
    wider = replace(TANKS, radius_m=900)
    areas.save_areas(engine.conn, DISTRICT, [wider])
    assert areas_of(engine) == expected(wider, SCHOOL)
    places["D-7"] = OUTSIDE
    engine.conn.execute("UPDATE device SET lon = %s, lat = %s WHERE code = 'D-7'", OUTSIDE)
    assert areas_of(engine) == expected(wider, SCHOOL)
    areas.delete_areas(engine.conn, DISTRICT, ["HZ-1"])
    assert areas_of(engine) == expected(SCHOOL)


def test_an_area_counts_on_the_days_on_which_it_is_valid(engine: Engine) -> None:
    engine.device("G-1", "gas", at=INSIDE)
    row = engine.conn.execute("SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date").fetchone()
    assert row is not None
    today: date = row[0]
    for since, until, counts in (
        (today, today, True),
        (today + timedelta(days=1), None, False),
        (None, today - timedelta(days=1), False),
    ):
        areas.save_areas(
            engine.conn, DISTRICT, [replace(TANKS, valid_from=since, valid_until=until)]
        )
        assert areas_of(engine) == {"G-1": {"HZ-1": "hazard"} if counts else {}}


def test_a_rule_on_readings_raises_in_its_area_alone_live_and_in_the_backtest(
    engine: Engine,
) -> None:
    areas.save_areas(engine.conn, DISTRICT, [TANKS])
    for code, at in (("G-1", INSIDE), ("G-2", OUTSIDE)):
        engine.device(code, "gas", gas="methane", at=at)
    strict = in_area("gas-lel.toml", 'area = ["HZ-1"]', code="gas-lel-tanks")
    strict = strict.replace("limit = 20.0", "limit = 12.0")
    apply_rules(engine.conn, "sun", {"gas-lel-tanks.toml": strict}, engine.now)
    ingest(engine, [(code, "ch4_pct_lel", 15.0, engine.now) for code in ("G-1", "G-2")])
    drain(engine)
    assert [(a.condition, a.rule_code) for a in engine.alarms()] == [("gas/G-1", "gas-lel-tanks")]
    found = backtest(
        engine.conn,
        [load_rules(engine.conn, engine.now)["gas-lel-tanks"]],
        engine.now - timedelta(minutes=1),
        engine.now + timedelta(minutes=1),
    )
    assert [alarm.device for alarm in found] == ["G-1"]
    areas.delete_areas(engine.conn, DISTRICT, ["HZ-1"])
    tick(engine.conn, engine.later(seconds=10))
    assert engine.changes()[-1] == "cleared"  # nobody judges it there any more


def test_silence_is_watched_in_its_area_alone(engine: Engine) -> None:
    areas.save_areas(engine.conn, DISTRICT, [TANKS])
    for code, at in (("M-1", INSIDE), ("M-2", OUTSIDE)):
        engine.device(code, "manhole", interval_s=60, at=at)
        engine.latest(code, "tilt_deg", 1.0, engine.now)
    rule = in_area("device-silent.toml", 'area_kind = ["hazard"]')
    apply_rules(engine.conn, "sun", {"device-silent.toml": rule}, engine.now)
    listen(engine, 200)
    assert [alarm.condition for alarm in engine.alarms()] == ["silent/M-1"]


def test_dark_lamps_are_watched_in_their_area_alone(engine: Engine) -> None:
    engine.now = NIGHT
    areas.save_areas(engine.conn, DISTRICT, [TANKS])
    for code, at in (("L-1", INSIDE), ("L-2", OUTSIDE)):
        engine.device(code, "light", at=at)
        engine.latest(code, "lamp_on", 0.0, engine.now)
    rule = in_area("lamp-dark.toml", 'area_kind = ["hazard", "important"]')
    apply_rules(engine.conn, "sun", {"lamp-dark.toml": rule}, engine.now)
    listen(engine, 700)
    assert [alarm.condition for alarm in engine.alarms()] == ["lamp/L-1"]


def test_a_video_rule_with_bounds_goes_before_the_one_without_for_cameras_in_them(
    engine: Engine,
) -> None:
    areas.save_areas(engine.conn, DISTRICT, [TANKS])
    cameras = [engine.device("C-1", "video", at=INSIDE), engine.device("C-2", "video", at=OUTSIDE)]
    general = parse_rule(default_rules()["video-confirmed.toml"])
    near = parse_rule(in_area("video-confirmed.toml", 'area = ["HZ-1"]', code="video-tanks"))
    known = load_cameras(engine.conn, [general, near], cameras)
    said = [rule_for([general, near], "hawker", known.get(camera)) for camera in cameras]
    assert said == [near, general]
    assert load_cameras(engine.conn, [general], cameras) == {}


@pytest.mark.parametrize("file", ["gateway-silent.toml", "feed-silent.toml"])
def test_what_is_no_device_stands_in_no_area(file: str) -> None:
    for bounds in ('area = ["HZ-1"]', 'area_kind = ["hazard"]'):
        with pytest.raises(InvalidInput, match=r"scope\.area.*stands in an area"):
            parse_rule(in_area(file, bounds), file)


def test_the_kind_of_an_area_is_one_that_there_is() -> None:
    with pytest.raises(InvalidInput, match=r"scope\.area_kind.*stalls, hazard, important.*hazards"):
        parse_rule(in_area("gas-lel.toml", 'area_kind = ["hazards"]'))
