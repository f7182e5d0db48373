"""A silent gateway is one alarm that explains the silence of the devices behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.steps import apply_rules
from city.alarm import AlarmState, Severity
from city.gateway import Heard
from db import gateways, inhibitions
from db.rules import default_texts
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.ticking import tick

FORMAT = "chirpstack"


class Town:
    """Devices that report every minute, each through some gateways."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.ways: dict[str, Sequence[str]] = {}

    def device(self, code: str, kind: str, *ways: str, format: str = FORMAT) -> None:
        self.engine.device(code, kind, interval_s=60)
        self.engine.conn.execute("UPDATE device SET format = %s WHERE code = %s", (format, code))
        self.ways[code] = ways

    def report(self, *codes: str) -> None:
        """These devices report now, through all their gateways that are not named as dead."""
        at = self.engine.now
        for code in codes:
            metric = "ch4_pct_lel" if code.startswith("G") else "tilt_deg"
            self.engine.latest(code, metric, 1.0, at)
            self.heard(self.engine.ids[code], *self.ways[code])

    def heard(self, device_id: int, *ways: str) -> None:
        found = [Heard(FORMAT, FORMAT, "network_server", self.engine.now)]
        found += [
            Heard(FORMAT, way, "lorawan_gateway", self.engine.now, device_id=device_id,
                  district=DISTRICT, rssi_dbm=-100.0)
            for way in ways
        ]  # fmt: skip
        gateways.note_gateways(self.engine.conn, found)

    def says(self, way: str, online: bool) -> None:
        word = Heard(FORMAT, way, "lorawan_gateway", self.engine.now, online, online)
        gateways.note_gateways(self.engine.conn, [word])

    def run(self, seconds: int, *reporting: str) -> None:
        """Time passes; these devices report every half minute."""
        for second in range(0, seconds, 10):
            self.engine.later(seconds=10)
            self.engine.store_payload(None)
            if second % 30 == 0:
                self.report(*reporting)
            tick(self.engine.conn, self.engine.now)

    def live(self) -> dict[str, tuple[Severity, AlarmState]]:
        return {
            a.condition: (a.severity, a.state)
            for a in self.engine.alarms()
            if a.state is not AlarmState.NORMAL
        }

    def inhibited(self) -> dict[str, str]:
        rows = inhibitions.list_inhibitions(self.engine.conn)
        return {row.condition: row.by_condition for row in rows}


@pytest.fixture
def town(engine: Engine) -> Town:
    """Ten manholes and a gas detector behind gw-a, three manholes behind gw-b."""
    found = Town(engine)
    for number in range(10):
        found.device(f"M-{number}", "manhole", "gw-a")
    found.device("G-1", "gas", "gw-a")
    for number in range(3):
        found.device(f"N-{number}", "manhole", "gw-b")
    found.run(60, *found.ways)
    return found


def behind(town: Town, way: str) -> list[str]:
    return [code for code, ways in town.ways.items() if way in ways]


def test_a_silent_gateway_is_one_alarm_as_bad_as_the_worst_device_behind_it(town: Town) -> None:
    town.run(600, *behind(town, "gw-b"))
    (alarm,) = [a for a in town.engine.alarms() if a.state is not AlarmState.NORMAL]
    assert (alarm.condition, alarm.severity) == ("gateway/chirpstack/gw-a", Severity.YELLOW)
    assert alarm.reason["code"] == "gateway_silent"
    facts = alarm.reason["facts"]
    assert (facts["gateway"], facts["devices"], facts["gas"]) == ("gw-a", 11, 1)
    assert not alarm.opens_incident
    assert alarm.district == DISTRICT


def test_the_silence_of_devices_behind_it_is_inhibited_with_the_reason_and_logged_once(
    town: Town,
) -> None:
    town.run(600, *behind(town, "gw-b"))
    conditions = {f"silent/{code}" for code in behind(town, "gw-a")}
    assert town.inhibited() == dict.fromkeys(conditions, "gateway/chirpstack/gw-a")
    (gas,) = inhibitions.list_inhibitions_of(town.engine.conn, town.engine.ids["G-1"])
    assert gas.severity == Severity.YELLOW
    assert gas.reason["code"] == "device_silent"
    assert gas.since == datetime.fromisoformat(gas.reason["since"])
    assert town.engine.events().count("silence.inhibited") < 5


def test_when_the_gateway_returns_a_device_that_stays_silent_is_alarmed_after_its_own_limit(
    town: Town,
) -> None:
    town.run(600, *behind(town, "gw-b"))
    everybody = [code for code in town.ways if code != "M-3"]
    town.run(170, *everybody)
    assert town.live() == {
        "gateway/chirpstack/gw-a": (Severity.YELLOW, AlarmState.RETURNED),
    }
    assert town.inhibited() == {}
    town.run(40, *everybody)
    assert town.live()["silent/M-3"] == (Severity.BLUE, AlarmState.UNACKNOWLEDGED)
    assert len(town.live()) == 2


def test_a_device_that_another_gateway_hears_is_judged_by_itself(town: Town) -> None:
    town.ways["M-0"] = ("gw-a", "gw-b")
    town.run(60, *town.ways)
    town.run(600, *behind(town, "gw-b")[1:])  # M-0 fell silent, gw-b did not
    assert town.live()["silent/M-0"] == (Severity.BLUE, AlarmState.UNACKNOWLEDGED)
    assert "silent/M-0" not in town.inhibited()
    alarm = next(a for a in town.engine.alarms() if a.condition.startswith("gateway/"))
    assert alarm.reason["facts"]["devices"] == 10


def test_a_device_is_explained_when_all_of_its_gateways_are_silent(town: Town) -> None:
    town.ways["M-0"] = ("gw-a", "gw-b")
    town.device("Z-1", "manhole", "gw-c")
    town.run(60, *town.ways)
    town.run(600, "Z-1")
    assert {c for c in town.live() if c.startswith("silent/")} == set()
    assert {"gateway/chirpstack/gw-a", "gateway/chirpstack/gw-b"} <= set(town.live())
    assert "silent/M-0" in town.inhibited()


def test_one_silent_device_does_not_make_its_gateway_silent(town: Town) -> None:
    town.device("M-77", "manhole", "gw-c")
    town.run(60, *town.ways)
    town.run(300, *[code for code in town.ways if code != "M-77"])
    assert set(town.live()) == {"silent/M-77"}


def test_a_gateway_that_says_it_goes_is_alarmed_after_a_minute_and_its_return_ends_it(
    town: Town,
) -> None:
    town.says("gw-a", online=False)
    town.run(50, *behind(town, "gw-b"))
    assert town.live() == {}
    town.run(20, *behind(town, "gw-b"))
    (alarm,) = town.engine.alarms()
    assert alarm.reason["code"] == "gateway_offline"
    town.says("gw-a", online=True)
    town.run(10, *behind(town, "gw-b"))
    assert [a.state for a in town.engine.alarms()] == [AlarmState.RETURNED]


def test_a_gateway_that_carries_frames_is_there_whatever_its_last_word(town: Town) -> None:
    town.says("gw-a", online=False)
    town.run(300, *town.ways)
    assert town.live() == {}


def test_a_gateway_of_another_operator_is_no_matter_of_ours_while_ours_hear_the_devices(
    town: Town,
) -> None:
    foreign = [
        Heard(FORMAT, "theirs", "lorawan_gateway", town.engine.now, device_id=town.engine.ids[code],
              district=DISTRICT, attributes={"network": "ttnv2"})
        for code in town.ways
    ]  # fmt: skip
    gateways.note_gateways(town.engine.conn, foreign)
    town.run(600, *town.ways)
    assert town.live() == {}


def test_a_recorder_whose_cameras_see_nothing_is_not_silent_but_may_say_that_it_goes(
    town: Town,
) -> None:
    for code in ("C-1", "C-2"):
        camera = town.engine.device(code, "camera", interval_s=60)
        sign = Heard("frigate", "frigate", "nvr", town.engine.now, device_id=camera)
        gateways.note_gateways(town.engine.conn, [sign])
    town.run(600, *town.ways)
    assert town.live() == {}
    word = Heard("frigate", "frigate", "nvr", town.engine.now, False, False)
    gateways.note_gateways(town.engine.conn, [word])
    town.run(80, *town.ways)
    (alarm,) = town.engine.alarms()
    assert (alarm.condition, alarm.severity) == ("gateway/frigate/frigate", Severity.BLUE)
    assert alarm.reason["facts"]["devices"] == 2


def test_a_gateway_through_which_nobody_of_ours_was_heard_is_no_matter_of_ours(town: Town) -> None:
    town.says("gw-x", online=False)
    town.run(120, *town.ways)
    assert town.live() == {}


def test_a_silent_network_server_is_one_alarm_while_others_are_heard(town: Town) -> None:
    town.device("X-1", "manhole", format="native")
    for _ in range(60):
        town.engine.later(seconds=10)
        town.engine.store_payload(None)
        town.engine.latest("X-1", "tilt_deg", 1.0, town.engine.now)
        tick(town.engine.conn, town.engine.now)
    (alarm,) = town.engine.alarms()
    assert (alarm.condition, alarm.severity) == ("feed/chirpstack", Severity.YELLOW)
    assert alarm.reason["code"] == "server_silent"
    assert alarm.reason["facts"]["devices"] == 14
    assert len(town.inhibited()) == 14
    town.run(200, *town.ways)
    assert [a.state for a in town.engine.alarms()] == [AlarmState.RETURNED]
    assert town.inhibited() == {}


def test_a_server_is_not_blamed_when_all_its_gateways_said_that_they_go(town: Town) -> None:
    town.says("gw-a", online=False)
    town.says("gw-b", online=False)
    for _ in range(60):
        town.engine.later(seconds=10)
        town.engine.store_payload(None)
        tick(town.engine.conn, town.engine.now)
    assert set(town.live()) == {"gateway/chirpstack/gw-a", "gateway/chirpstack/gw-b"}


def test_a_restart_with_inhibited_alarms_pages_nobody(town: Town) -> None:
    others = behind(town, "gw-b")
    town.run(600, *others)
    before = (town.live(), town.inhibited(), town.engine.changes(), town.engine.events())
    town.engine.later(minutes=30)  # the installation was off
    town.report(*others)
    town.run(600, *others)
    after = (town.live(), town.inhibited(), town.engine.changes(), town.engine.events())
    assert after == before


def test_after_days_of_a_dead_gateway_its_devices_are_still_explained(town: Town) -> None:
    others = behind(town, "gw-b")
    town.run(600, *others)
    town.engine.later(days=3)
    town.report(*others)
    town.run(400, *others)
    assert set(town.live()) == {"gateway/chirpstack/gw-a"}
    assert len(town.inhibited()) == 11


def test_an_alarm_raised_before_the_gateway_fell_is_marked_as_inhibited(town: Town) -> None:
    everybody = [code for code in town.ways if code != "M-3"]
    town.run(240, *everybody)
    assert set(town.live()) == {"silent/M-3"}
    town.run(600, *behind(town, "gw-b"))
    assert set(town.live()) == {"silent/M-3", "gateway/chirpstack/gw-a"}
    assert town.inhibited()["silent/M-3"] == "gateway/chirpstack/gw-a"


def test_a_device_out_of_service_is_not_counted_behind_a_gateway(town: Town) -> None:
    town.engine.conn.execute(
        "UPDATE device SET out_of_service_since = %s WHERE code = 'G-1'", (town.engine.now,)
    )
    town.run(600, *behind(town, "gw-b"))
    (alarm,) = town.engine.alarms()
    assert alarm.severity is Severity.BLUE
    assert alarm.reason["facts"]["devices"] == 10
    assert "silent/G-1" not in town.inhibited()


def test_a_worse_device_behind_a_dead_gateway_makes_its_alarm_worse(town: Town) -> None:
    town.engine.conn.execute(
        "UPDATE device SET out_of_service_since = %s WHERE code = 'G-1'", (town.engine.now,)
    )
    town.run(600, *behind(town, "gw-b"))
    town.engine.conn.execute("UPDATE device SET out_of_service_since = NULL WHERE code = 'G-1'")
    town.run(20, *behind(town, "gw-b"))
    (alarm,) = town.engine.alarms()
    assert (alarm.severity, alarm.reason["facts"]["gas"]) == (Severity.YELLOW, 1)
    assert town.engine.changes() == ["raised", "escalated"]


def test_a_silence_rule_with_bounds_counts_for_its_own_devices_only(town: Town) -> None:
    text = default_texts()["device-silent.toml"].replace('code = "device-silent"', 'code = "named"')
    text = text.replace('severity = "blue"', 'severity = "red"')
    named = text.replace("[help]", '[scope]\ndevice = "N-0"\n\n[help]')
    apply_rules(town.engine.conn, "li", [named], town.engine.now)
    town.device("X-1", "manhole", "gw-c")
    town.run(300, "X-1")
    bad = {condition: severity for condition, (severity, _) in town.live().items()}
    assert bad["gateway/chirpstack/gw-a"] is Severity.YELLOW
    assert bad["gateway/chirpstack/gw-b"] is Severity.RED


def test_gateways_are_listed_with_their_alarm_and_what_it_explains(town: Town) -> None:
    town.run(600, *behind(town, "gw-b"))
    rows = gateways.list_gateways(town.engine.conn, DISTRICT)
    found: dict[str, Any] = {row.identity: row for row in rows}
    dead = found["gw-a"]
    assert (dead.devices, dead.inhibited, dead.severity) == (11, 11, Severity.YELLOW)
    assert dead.silent_since == dead.heard_at
    assert (found["gw-b"].devices, found["gw-b"].alarm_id) == (3, None)
    assert found["chirpstack"].kind == "network_server"
    (silent,) = gateways.list_gateways(town.engine.conn, DISTRICT, silent=True)
    assert silent.identity == "gw-a"
    (way,) = gateways.list_heard_through(town.engine.conn, town.engine.ids["N-0"])
    assert (way.identity, way.rssi_dbm) == ("gw-b", -100.0)
    assert town.engine.now - way.heard_at < timedelta(minutes=2)


def test_gateways_are_counted_and_devices_name_what_explains_them(town: Town) -> None:
    town.run(600, *behind(town, "gw-b"))
    counts = gateways.count_gateways(town.engine.conn, DISTRICT)
    assert (counts.heard, counts.silent, counts.explained) == (2, 1, 11)
    dead = next(iter(gateways.list_gateways(town.engine.conn, DISTRICT, silent=True)))
    assert dead.condition == "gateway/chirpstack/gw-a"
    explained = inhibitions.list_explained(town.engine.conn, DISTRICT, ["G-1", "M-1", "N-0"])
    assert {code: row.by_condition for code, row in explained.items()} == {
        "G-1": dead.condition,
        "M-1": dead.condition,
    }
    elsewhere = gateways.count_gateways(town.engine.conn, "110101")
    # A network server belongs to no district; what is silent here explains nothing there.
    assert (elsewhere.heard, elsewhere.silent, elsewhere.explained) == (1, 0, 0)
