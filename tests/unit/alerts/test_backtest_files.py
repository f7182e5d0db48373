"""Rules tried on files: no database, bad rows by their names, the same alarms as one by one."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.backtest import WouldRaise, compare, judge_history
from alerts.book import SYSTEM, AlarmBook, condition_of
from alerts.course import judge_sample, run_out
from alerts.fold import fold, track_of
from alerts.history import History, Series, build_columns, series_of
from alerts.history_files import read_history
from alerts.judge import Sample
from alerts.lifecycle import Input
from alerts.limits import LimitRule
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from alerts.watch.rise import RiseKind
from app.cli import cli
from city.alarm import AlarmState
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.reading import Quality
from db.rules import default_texts
from simulator import histories
from simulator.histories import Conditions, Made

T0 = datetime(2026, 5, 1, 8, tzinfo=UTC)
DEVICE = WatchedDevice(
    id=1,
    code="G-1",
    district="460107",
    kind="gas",
    gas="methane",
    lon=110.4,
    lat=19.8,
    unit_grid=None,
    attributes={"tilt_baseline_deg": 2.0},
    report_interval_s=60,
    demo=False,
    out_of_service_since=None,
    return_due_at=None,
)
DEVICES = "code,kind,lon,lat,gas,report_interval_s,attributes\n"
READINGS = "ts,received_at,device,metric,value\n"
AT = "2026-05-01T08:00:00+08:00"


def shipped(*codes: str) -> list[Any]:
    texts = default_texts()
    return [parse_rule(texts[f"{code}.toml"], code) for code in codes]


def write(folder: Path, readings: str, devices: str = "G-1,gas,110.3,20.0,methane,60,{}") -> Any:
    (folder / "r.csv").write_text(READINGS + readings)
    (folder / "d.csv").write_text(DEVICES + devices)
    return read_history(folder / "r.csv", folder / "d.csv")


@pytest.mark.parametrize(
    ("readings", "devices", "named"),
    [
        (f"{AT},{AT},G-2,ch4_pct_lel,1", None, ("r.csv: row 2: device", "'G-2'")),
        (f"{AT},{AT},G-1,ch4,1", None, ("r.csv: row 2: metric", "'ch4'")),
        (f"{AT},{AT},G-1,ch4_pct_lel,high", None, ("r.csv: row 2: value", "'high'")),
        (f"{AT},{AT},G-1,ch4_pct_lel,nan", None, ("r.csv: row 2: value", "'nan'")),
        (f"{AT},{AT},G-1,ch4_pct_lel,5000", None, ("r.csv: row 2: value", "'5000'")),
        (f"2026-05-01 08:00,{AT},G-1,ch4_pct_lel,1", None, ("r.csv: row 2: ts", "08:00")),
        (f"{AT},soon,G-1,ch4_pct_lel,1", None, ("r.csv: row 2: received_at", "'soon'")),
        (f"{AT},{AT},G-1,ch4_pct_lel", None, ("r.csv: row 2", "got 4")),
        (f"{AT},{AT},G-1,ch4_pct_lel,1\n{AT},{AT},G-1,x,1", None, ("r.csv: row 3: metric", "'x'")),
        ("", "G-1,gas,210.3,20.0,methane,60,{}", ("d.csv: row 2: lon", "'210.3'")),
        ("", "G-1,gas,110.3,20.0,methane,0,{}", ("d.csv: row 2: report_interval_s", "'0'")),
        ("", "G-1,gas,110.3,20.0,methane,60,[]", ("d.csv: row 2: attributes", "[]")),
        ("", "G-1,gas,110.3,20.0,,60,{}\nG-1,gas,110.3,20,,60,{}", ("d.csv: row 3: code", "G-1")),
    ],
)
def test_what_is_wrong_with_a_file_is_named_by_row_field_and_value(
    tmp_path: Path, readings: str, devices: str | None, named: tuple[str, str]
) -> None:
    with pytest.raises(InvalidInput) as raised:
        write(tmp_path, readings, devices or "G-1,gas,110.3,20.0,methane,60,{}")
    assert all(part in str(raised.value) for part in named)


def moments(values: Sequence[tuple[int, float, int]]) -> list[Sample]:
    found, at = [], T0
    for gap, value, quality in values:
        at += timedelta(seconds=gap)
        found.append(Sample(at, at + timedelta(seconds=1), value, quality))
    return found


STORIES = st.lists(
    st.tuples(
        st.sampled_from([20, 61, 130, 400]),
        st.sampled_from([0.0, 9.9, 10.0, 15.0, 19.9, 20.0, 49.0, 50.0, 60.0]),
        st.sampled_from([Quality.GOOD, Quality.GOOD, Quality.SUSPECT]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(STORIES, STORIES)
def test_a_fold_over_everything_is_one_reading_after_the_other(
    lel: list[tuple[int, float, int]], vol: list[tuple[int, float, int]]
) -> None:
    rules: list[LimitRule] = shipped("gas-lel", "gas-methane-vol")
    stories = {
        "gas-lel": moments(lel),
        "gas-methane-vol": moments([(gap, value / 20, q) for gap, value, q in vol]),
    }
    until = T0 + timedelta(days=1)
    tracks = [track_of(rule, DEVICE, series_of(stories[rule.code])) for rule in rules]
    folded = fold([track for track in tracks if track], DEVICE, until)
    assert outline(folded) == outline(one_by_one(rules, stories, until))


@settings(max_examples=150, deadline=None)
@given(STORIES)
def test_delays_in_a_fold_run_out_as_one_by_one(values: list[tuple[int, float, int]]) -> None:
    text = default_texts()["manhole-tilt.toml"].replace('kind = "manhole"', 'kind = "gas"')
    rules: list[Any] = [parse_rule(text)]
    stories = {"manhole-tilt": moments([(g, v * 2, q) for g, v, q in values])}
    until = T0 + timedelta(days=1)
    track = track_of(rules[0], DEVICE, series_of(stories["manhole-tilt"]))
    folded = fold([track] if track else [], DEVICE, until)
    assert outline(folded) == outline(one_by_one(rules, stories, until))


def one_by_one(
    rules: Sequence[LimitRule], stories: dict[str, list[Sample]], until: datetime
) -> AlarmBook:
    """The way of the engine: every reading is judged."""
    book = AlarmBook(until)
    together = [(s.ts, n, rule, s) for n, rule in enumerate(rules) for s in stories[rule.code]]
    for _, _, rule, sample in sorted(together, key=lambda item: item[:2]):
        judge_sample(book, rule, DEVICE, sample, [r for r in rules if r is not rule])
        see(book, rule)
    for rule, _ in run_out(book, rules, DEVICE, until):
        see(book, rule)
    return book


def see(book: AlarmBook, rule: Rule) -> None:
    alarm = book.find(condition_of(rule, DEVICE.code))
    if alarm is not None and alarm.state is not AlarmState.ACKNOWLEDGED:
        book.act(alarm.condition, Input.ACKNOWLEDGE, SYSTEM)


def outline(book: AlarmBook) -> list[Any]:
    return [
        (p.alarm.rule_code, p.alarm.severity, p.alarm.sensed_at, p.alarm.cleared_at, p.levels)
        for p in book.pages
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([10, 30, 60, 120]))
def test_an_hour_of_wobble_around_the_limit_is_one_alarm(seed: int, interval: int) -> None:
    chance = random.Random(seed)
    values = [(interval, round(20 + chance.uniform(-6, 6), 1), 0) for _ in range(3600 // interval)]
    values = [(interval, 0.5, 0)] * 20 + values + [(interval, 0.5, 0)] * 30
    rules = shipped("gas-lel", "gas-rise")
    samples = moments(values)
    series = series_of(samples)
    kinds = {"gas-lel": series, "gas-rise": rise_of(rules[1], series)}
    tracks = [track_of(rule, DEVICE, kinds[rule.code]) for rule in rules]
    book = fold([track for track in tracks if track], DEVICE, T0 + timedelta(days=1))
    assert len(book.pages) <= 1


def rise_of(rule: Any, series: Series) -> Series:
    ids = np.ones(len(series), np.int64)
    columns = build_columns(ids, series.ts_us, series.received_us, series.value, series.quality)
    history = History({1: DEVICE}, {rule.metric.id: columns}, T0 + timedelta(days=1))
    return RiseKind().derive(rule, DEVICE, history)


@pytest.fixture(scope="module")
def made_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Made]:
    """One case of every class, as files."""
    folder = tmp_path_factory.mktemp("made")
    made = histories.make(5, Conditions(lost=0.05, late=0.03), each=1)
    with gzip.open(folder / "readings.csv.gz", "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ts", "received_at", "device", "metric", "value"])
        for r in made.readings:
            rows.writerow(
                [r.ts.isoformat(), r.received_at.isoformat(), r.device, r.metric, r.value]
            )
    with (folder / "devices.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow("code kind name lon lat gas report_interval_s attributes".split())
        for d in made.devices:
            gas = "" if d.kind == "light" else "methane"
            attributes = json.dumps(dict(d.attributes))
            rows.writerow([d.code, d.kind, d.code, d.lon, d.lat, gas, d.interval_s, attributes])
    return folder, made


def test_the_shipped_rules_tell_every_matter_of_a_made_set_and_nothing_else(
    made_files: tuple[Path, Made],
) -> None:
    folder, made = made_files
    options = [
        "--readings",
        str(folder / "readings.csv.gz"),
        "--devices",
        str(folder / "devices.csv"),
    ]
    rules = [str(Path("db/seeds/rules") / name) for name in default_texts()]
    rules = [name for name in rules if 'kind = "network_server"' not in Path(name).read_text()]
    asked = [n for n in rules if not any(w in n for w in ("silent", "video"))]
    done = CliRunner().invoke(cli, ["rules", "backtest", *asked, *options, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    for alarm in told["alarms"]:
        for level in alarm["levels"]:
            level["at"] = datetime.fromisoformat(level["at"])
    found = histories.score(made.cases, told["alarms"])
    assert [text for kind in found.values() for text in kind.wrong] == []
    assert sum(kind.matters for kind in found.values()) >= 15
    names = "device members rule rule_version condition severity levels raised_at cleared_at"
    assert set(told["alarms"][0]) >= {*names.split(), "likely_cause", "reason"}
    causes = {a["device"]: a["likely_cause"] for a in told["alarms"] if a["condition"] == "gas"}
    by_kind = {case.kind: case.devices[0] for case in made.cases}
    assert causes[by_kind["leak-fast"]] == "pipeline"
    assert causes[by_kind["biogas-over"]] == "biogas"
    device = {a["device"]: a["rule"] for a in told["alarms"] if a["condition"] == "device"}
    assert device[by_kind["stuck"]] in ("gas-stuck", "gas-drift")


def test_against_another_rule_names_what_only_one_of_them_raises(
    made_files: tuple[Path, Made], tmp_path: Path
) -> None:
    folder, _ = made_files
    stricter = tmp_path / "gas-lel.toml"
    text = default_texts()["gas-lel.toml"]
    stricter.write_text(text.replace("limit = 20.0", "limit = 45.0"))
    files = [
        "--readings",
        str(folder / "readings.csv.gz"),
        "--devices",
        str(folder / "devices.csv"),
    ]
    asked = ["rules", "backtest", "db/seeds/rules/gas-lel.toml", "--against", str(stricter), *files]
    done = CliRunner().invoke(cli, asked)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert any(line.startswith("+ ") and "gas/" in line for line in lines)
    assert not any(line.startswith("- ") for line in lines)
    assert "0 lost" in lines[-1]


def test_alarms_that_stood_at_one_time_are_the_same_alarm() -> None:
    def alarm(device: str, hour: int, members: tuple[str, ...] = ()) -> WouldRaise:
        at = T0 + timedelta(hours=hour)
        return WouldRaise(
            device,
            "r",
            "orange",
            at,
            at + timedelta(hours=2),
            {},
            "",
            "",
            [],
            "gas",
            1,
            at,
            members,
        )

    found = compare([alarm("A", 0), alarm("B", 9)], [alarm("C", 1, ("A", "C")), alarm("B", 0)])
    assert [a.device for a in found.gained] == ["B"]
    assert [a.device for a in found.lost] == ["B"]


def test_files_are_asked_for_together_and_rules_without_a_history_are_refused(
    made_files: tuple[Path, Made],
) -> None:
    folder, _ = made_files
    alone = ["rules", "backtest", "--readings", str(folder / "readings.csv.gz")]
    done = CliRunner().invoke(cli, alone)
    assert (done.exit_code, "--devices" in done.output) == (1, True)
    files = [*alone[2:], "--devices", str(folder / "devices.csv")]
    silent = ["rules", "backtest", "db/seeds/rules/gas-silent.toml"]
    done = CliRunner().invoke(cli, [*silent, *files])
    assert (done.exit_code, "gas-silent: watch" in done.output) == (1, True)


def test_devices_stand_in_the_areas_of_a_file(tmp_path: Path) -> None:
    rule = tmp_path / "gas-lel.toml"
    rule.write_text(default_texts()["gas-lel.toml"] + '\n[scope]\narea_kind = "hazard"\n')
    write(
        tmp_path,
        f"{AT},{AT},G-1,ch4_pct_lel,60\n{AT},{AT},G-2,ch4_pct_lel,60\n",
        "G-1,gas,110.3,20.0,methane,60,{}\nG-2,gas,110.4,20.0,methane,60,{}",
    )
    area = {"code": "HZ-1", "kind": "hazard", "name_zh": "罐", "name_en": "Tanks", "radius_m": 500}
    feature = {
        "type": "Feature",
        "properties": area,
        "geometry": {"type": "Point", "coordinates": [110.3, 20.0]},
    }
    places = tmp_path / "areas.geojson"
    files = ["--readings", str(tmp_path / "r.csv"), "--devices", str(tmp_path / "d.csv")]

    def told(*more: str) -> Any:
        asked = ["rules", "backtest", str(rule), *files, *more, "--json"]
        done = CliRunner().invoke(cli, asked)
        return json.loads(done.output) if done.exit_code == 0 else done.output

    assert told()["alarms"] == []
    places.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert [a["device"] for a in told("--areas", str(places))["alarms"]] == ["G-1"]
    area["valid_until"] = "2026-04-30"  # over on the day of the readings
    places.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert told("--areas", str(places))["alarms"] == []
    area["kind"] = "park"
    places.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert "areas.geojson: feature 1: kind" in told("--areas", str(places))


def told(folder: Path, rule: str, *more: str) -> Any:
    asked = ["--readings", str(folder / "r.csv"), "--devices", str(folder / "d.csv"), *more]
    done = CliRunner().invoke(
        cli, ["rules", "backtest", f"db/seeds/rules/{rule}.toml", *asked, "--json"]
    )
    return json.loads(done.output)["alarms"] if done.exit_code == 0 else done.output


def clock(text: str) -> str:
    return f"2026-05-01T{text}:00+08:00"


def test_a_cover_under_a_permit_of_a_file_is_no_alarm_until_a_minute_after_it(
    tmp_path: Path,
) -> None:
    opened = [("08:00", 0), ("09:00", 1), ("09:30", 0), ("10:00", 1), ("12:00", 1), ("12:30", 0)]
    rows = "".join(
        f"{clock(at)},{clock(at)},{cover},cover_open,{value}\n"
        for cover in ("M-1", "M-2")
        for at, value in opened
    )
    write(tmp_path, rows, "M-1,manhole,110.3,20.0,,60,{}\nM-2,manhole,110.4,20.0,,60,{}")
    assert [a["device"] for a in told(tmp_path, "manhole-open")].count("M-1") == 2
    permits = tmp_path / "p.csv"
    head = "code,who,why,from,until,lon,lat,radius_m\n"
    row = f"WP-1,crew,cleaning,{clock('08:30')},{clock('11:00')},110.3,20.0,100"
    permits.write_text(head + row)
    left = told(tmp_path, "manhole-open", "--permits", str(permits))
    assert [a["device"] for a in left].count("M-2") == 2
    (late,) = [a for a in left if a["device"] == "M-1"]
    began = datetime.fromisoformat(late["raised_at"])
    assert began == datetime.fromisoformat(clock("11:01"))
    for wrong, named in (
        (row.replace(clock("08:30"), ""), "p.csv: row 2: from"),
        (row.replace("110.3", "100.3"), "p.csv: row 2: place"),
        (row.replace(clock("11:00"), clock("08:00")), "p.csv: row 2: until"),
    ):
        permits.write_text(head + wrong)
        assert named in told(tmp_path, "manhole-open", "--permits", str(permits))
    # A street is drawn as an area: files of devices do not know of streets.
    permits.write_text(
        f"who,why,from,until,street\ncrew,cleaning,{clock('08:30')},{clock('11:00')},460107001"
    )
    assert "p.csv: row 2: street" in told(tmp_path, "manhole-open", "--permits", str(permits))
    ring = [[110.25, 19.95], [110.35, 19.95], [110.35, 20.05], [110.25, 20.05], [110.25, 19.95]]
    named_so = {"code": "460107001", "name_zh": "街道", "name_en": "A street", "kind": "important"}
    street = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": named_so,
    }
    areas = tmp_path / "areas.geojson"
    areas.write_text(json.dumps({"type": "FeatureCollection", "features": [street]}))
    drawn = ("--permits", str(permits), "--areas", str(areas))
    assert told(tmp_path, "manhole-open", *drawn) == left


PROGRAMME = """
code = "{code}"
name_zh = "方案"
name_en = "Programme"
[[step]]
at = "{on}"
level = 100
[[step]]
at = "{off}"
level = 0
"""


def test_lamps_of_a_file_follow_the_programmes_that_are_given(tmp_path: Path) -> None:
    at = [f"{hour:02}:{minute:02}" for hour in range(10, 14) for minute in (0, 10, 20, 30, 40, 50)]
    rows = "".join(
        f"{clock(t)},{clock(t)},{lamp},lamp_on,1\n" for lamp in ("L-1", "L-2") for t in at
    )
    named = json.dumps({"lamp_programme": "market"}).replace('"', '""')
    devices = f'L-1,light,110.3,20.0,,600,{{}}\nL-2,light,110.3,20.0,,600,"{named}"'
    write(tmp_path, rows, devices)
    assert {a["device"] for a in told(tmp_path, "lamp-day-burn")} == {"L-1", "L-2"}
    market, night = tmp_path / "market.toml", tmp_path / "night.toml"
    market.write_text(PROGRAMME.format(code="market", on="08:00", off="18:00"))
    night.write_text(PROGRAMME.format(code="night", on="19:00", off="06:00"))
    one = ("--programmes", str(market))
    assert told(tmp_path, "lamp-day-burn", *one) == []  # the only one is everybody's
    both = (*one, "--programmes", str(night))
    assert {a["device"] for a in told(tmp_path, "lamp-day-burn", *both)} == {"L-1"}
    assert "lamp_programme" in told(tmp_path, "lamp-day-burn", "--programmes", str(night))
    market.write_text(PROGRAMME.format(code="market", on="25:00", off="18:00"))
    assert "market.toml: step 1: at" in told(tmp_path, "lamp-day-burn", *one)
    alone = ["rules", "backtest", *one]
    assert "--programmes" in CliRunner().invoke(cli, alone).output


def test_a_history_of_rules_is_empty_without_readings(tmp_path: Path) -> None:
    history = write(tmp_path, "")
    assert (
        judge_history(shipped("gas-lel", "gas-rise", "gas-neighbours", "lamp-dark"), history) == []
    )
