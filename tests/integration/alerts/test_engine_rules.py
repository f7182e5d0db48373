"""Rules that change while their alarms stand: nothing ends unseen, and nothing stands for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest

from alerts.steps import acknowledge, apply_rules, default_rules, put_in_force, retire_rule
from city.alarm import AlarmState, Severity
from city.errors import Conflict, NotFound
from city.incident import Role
from city.person import Caller
from db.events import list_events
from dispatch.steps import take_alarm_change
from tests.integration.alerts.engine_city import Engine
from tests.integration.alerts.test_engine_order import drain, ingest
from tests.integration.alerts.ticking import tick

People = Callable[[Role], Caller]
GAS = default_rules()["gas-lel.toml"]
COVER = default_rules()["manhole-open.toml"]
NARROWED = GAS.replace('kind = ["gas", "manhole"]', 'kind = ["manhole"]')
RENAMED = GAS.replace('condition = "gas" ', 'condition = "methane" ')
RAISED = GAS.replace("limit = 20.0", "limit = 35.0").replace(
    "clear_limit = 10.0", "clear_limit = 33.0"
)


def read_gas(engine: Engine, value: float = 30.0, code: str = "G-1") -> None:
    engine.latest(code, "ch4_pct_lel", value, engine.now)
    ingest(engine, [(code, "ch4_pct_lel", value, engine.now)])
    drain(engine)


@pytest.fixture
def leak(engine: Engine) -> Engine:
    """A gas alarm that stands, and its incident."""
    engine.device("G-1", "gas", interval_s=60)
    read_gas(engine)
    settle(engine)
    engine.later(seconds=5)
    return engine


def settle(engine: Engine) -> None:
    while take_alarm_change(engine.conn, engine.now):
        pass


def ids(engine: Engine) -> list[int]:
    return [alarm.id for alarm in engine.alarms()]


def facts_of_the_end(engine: Engine) -> dict[str, object]:
    ends = ("alarm.reset", "alarm.cleared")
    found = [e for e in list_events(engine.conn, after=engine.first_seq) if e.kind in ends]
    return {"actor": found[-1].actor, **found[-1].payload}


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (NARROWED, "the rule is not about this device any more"),
        (RENAMED, "the rule is about another condition now"),
        (RAISED, "by its new terms the rule would not raise it"),
    ],
)
def test_a_gas_alarm_that_loses_its_rule_ends_only_by_agreement_and_with_the_reason(
    leak: Engine, text: str, because: str
) -> None:
    before = leak.count("rule")
    with pytest.raises(Conflict, match="gas/G-1; nothing was changed"), leak.conn.transaction():
        put_in_force(leak.conn, "li", [text], leak.now, agreed=())
    assert leak.count("rule") == before
    assert leak.alarms()[0].state is AlarmState.UNACKNOWLEDGED

    done = put_in_force(leak.conn, "li", [text], leak.now, agreed=ids(leak))
    assert [(o.alarm.condition, o.because, o.gas) for o in done.orphans] == [
        ("gas/G-1", because, True)
    ]
    (alarm,) = leak.alarms()
    assert (alarm.state, alarm.ended_at) == (AlarmState.NORMAL, leak.now)
    facts = facts_of_the_end(leak)
    assert (facts["actor"], facts["why"], facts["because"]) == ("li", "rule_changed", because)
    settle(leak)
    told = list_events(leak.conn, after=leak.first_seq)[-1]
    assert (told.kind, told.payload["change"]) == ("incident.alarm_changed", "reset")


def test_the_condition_under_its_new_name_is_raised_at_the_next_tick(leak: Engine) -> None:
    put_in_force(leak.conn, "li", [RENAMED], leak.now, agreed=ids(leak))
    tick(leak.conn, leak.later(seconds=1))
    live = [a.condition for a in leak.alarms() if a.state is not AlarmState.NORMAL]
    assert live == ["methane/G-1"]


def test_an_alarm_stands_on_if_the_new_terms_would_raise_it_too(leak: Engine) -> None:
    stricter = GAS.replace("limit = 20.0", "limit = 15.0")
    assert put_in_force(leak.conn, "li", [stricter], leak.now, agreed=()).orphans == []
    assert leak.changes() == ["raised"]


def test_by_new_terms_a_peak_before_counts_as_it_does_for_a_reading(leak: Engine) -> None:
    """40 trips the new limit of 35, and 34 is not below the new clear limit of 33."""
    read_gas(leak, 40.0)
    leak.later(seconds=60)
    read_gas(leak, 34.0)
    assert put_in_force(leak.conn, "li", [RAISED], leak.now, agreed=()).orphans == []


def test_an_alarm_stands_on_under_another_rule_of_the_same_hazard(leak: Engine) -> None:
    ingest(leak, [("G-1", "gas_alarm", 1.0, leak.now)])
    drain(leak)
    assert retire_rule(leak.conn, "li", "gas-lel", leak.now, agreed=()) == []
    (alarm,) = leak.alarms()
    assert (alarm.state, alarm.rule_code) == (AlarmState.UNACKNOWLEDGED, "gas-detector")
    for _ in range(2):
        leak.later(seconds=301)
        ingest(leak, [("G-1", "gas_alarm", 0.0, leak.now)])
        drain(leak)
    assert leak.alarms()[0].state is AlarmState.RETURNED


def test_a_new_title_touches_no_alarm(leak: Engine) -> None:
    retitled = GAS.replace("Combustible gas above the limit", "Gas")
    assert put_in_force(leak.conn, "li", [retitled], leak.now, agreed=()).orphans == []
    assert leak.changes() == ["raised"]


def test_other_alarms_end_with_the_reason_and_nobody_is_asked(engine: Engine) -> None:
    engine.device("M-1", "manhole")
    ingest(engine, [("M-1", "cover_open", 1.0, engine.now)])
    drain(engine)
    done = put_in_force(
        engine.conn, "li", [COVER.replace('"manhole"', '"light"')], engine.now, agreed=()
    )
    assert [o.alarm.condition for o in done.orphans] == ["cover/M-1"]
    assert engine.alarms()[0].state is AlarmState.NORMAL


@pytest.mark.parametrize("text", [NARROWED, RENAMED])
def test_with_nobody_to_ask_an_acknowledged_gas_alarm_waits_for_a_look_at_its_end(
    leak: Engine, person: People, text: str
) -> None:
    (alarm,) = leak.alarms()
    acknowledge(leak.conn, person(Role.DISPATCHER), alarm.id, alarm.version, leak.now)
    apply_rules(leak.conn, "system", [text], leak.now)
    (alarm,) = leak.alarms()
    assert (alarm.state, alarm.acknowledged_by) == (AlarmState.RETURNED, None)
    assert facts_of_the_end(leak)["why"] == "rule_changed"


def test_with_nobody_to_ask_a_higher_limit_ends_no_alarm_before_a_reading_does(
    leak: Engine,
) -> None:
    apply_rules(leak.conn, "system", [RAISED], leak.now)
    assert leak.changes() == ["raised"]
    for _ in range(2):
        leak.later(seconds=301)
        read_gas(leak, 30.0)
    assert leak.changes() == ["raised", "cleared"]


def test_a_version_that_comes_into_force_later_ends_its_orphans_then(leak: Engine) -> None:
    at = leak.now + timedelta(hours=1)
    later = NARROWED.replace("2020-01-01T00:00:00+08:00", at.isoformat())
    assert put_in_force(leak.conn, "li", [later], leak.now, agreed=()).orphans == []
    tick(leak.conn, leak.later(seconds=10))
    assert leak.alarms()[0].state is AlarmState.UNACKNOWLEDGED
    leak.later(hours=1)
    read_gas(leak)
    tick(leak.conn, leak.now)
    assert leak.alarms()[0].state is AlarmState.RETURNED


def test_a_device_that_leaves_the_scope_of_its_rule_takes_its_alarm_along(leak: Engine) -> None:
    leak.conn.execute("UPDATE device SET kind = 'light' WHERE code = 'G-1'")
    tick(leak.conn, leak.later(seconds=10))
    gas = [alarm for alarm in leak.alarms() if alarm.condition == "gas/G-1"]
    assert [alarm.state for alarm in gas] == [AlarmState.RETURNED]


def test_a_delay_that_began_by_other_terms_raises_nothing(engine: Engine) -> None:
    tilt = default_rules()["manhole-tilt.toml"]
    for code, value in (("M-1", 20.0), ("M-2", 60.0)):
        engine.device(code, "manhole")
        ingest(engine, [(code, "tilt_deg", value, engine.now)])
    drain(engine)
    assert engine.count("rule_timer") == 2
    put_in_force(engine.conn, "li", [tilt.replace("limit = 15.0", "limit = 40.0")], engine.now)
    tick(engine.conn, engine.later(seconds=31))
    assert [alarm.condition for alarm in engine.alarms()] == ["cover/M-2"]


def test_a_retired_rule_judges_no_more_and_no_default_puts_it_back(engine: Engine) -> None:
    engine.device("M-1", "manhole")
    ingest(engine, [("M-1", "tilt_deg", 20.0, engine.now)])
    drain(engine)
    for code in ("manhole-tilt", "manhole-open"):
        assert retire_rule(engine.conn, "li", code, engine.now, agreed=()) == []
    assert engine.count("rule_timer") == 0
    assert apply_rules(engine.conn, "system", newer(default_rules().values()), engine.now)
    engine.read(("M-1", "tilt_deg", 95.0), ("M-1", "cover_open", 1.0))
    assert engine.alarms() == []
    with pytest.raises(NotFound, match="rule in force 'manhole-open'"):
        retire_rule(engine.conn, "li", "manhole-open", engine.now, agreed=())
    assert apply_rules(engine.conn, "li", [COVER], engine.now) == ["manhole-open version 2"]
    engine.read(("M-1", "cover_open", 1.0, engine.later(seconds=1)))
    assert [alarm.severity for alarm in engine.alarms()] == [Severity.ORANGE]


def newer(texts: Iterable[str]) -> list[str]:
    return [f"{text}\n# of the next release\n" for text in texts]
