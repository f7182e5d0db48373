"""While a condition stands that opens incidents, somebody is responsible and a clock runs.

Alarms come and go as the engine's own book writes them, people do anything in any order, time
passes, dispatch takes the changes when it gets to them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from alerts import steps as alarm_steps
from alerts.book import ACTIVE, AlarmBook, Place
from alerts.judge import Raise
from alerts.known import load_rules
from alerts.save import save
from alerts.ticks import run_out_shelving
from city.alarm import Alarm, Reason, Severity
from city.clock import Deadline
from city.errors import GridwardenError
from city.incident import FINAL_STATES, Action, Incident, IncidentState, Role
from city.person import Caller
from city.requests import ActionRequest, ReportRequest
from city.scope import Scope
from db import alarms, assignments, calendars, deadlines, incidents, rule_timers
from db.events import append_events, verify_chain
from db.kpi import list_kpi
from db.rule_timers import TimerRow
from dispatch import sla, steps
from dispatch.machine import TABLE
from dispatch.recall import RECALLS
from dispatch.steps.alarms import OPENING
from tests.integration.dispatch.kpi_by_hand import figures_of_log, same
from tests.integration.dispatch.town import DISTRICT, START, City, photo

HERE = (110.36, 20.0)
METRE_NORTH_DEG = 1 / 111_195
# Squads by when they are on duty: always, mornings only, nights only.
SQUADS = ("SQ-13", "SQ-05", "SQ-11")
ROLES = (Role.DISPATCHER, Role.CHECKER, Role.GAS_ENGINEER, Role.SQUAD_LEADER, Role.LEADER)
AT_THE_SQUAD = frozenset(
    {IncidentState.DISPATCHED, IncidentState.ACKNOWLEDGED, IncidentState.ON_SITE}
)
AT_THE_CHECKER = frozenset({IncidentState.HANDLED, IncidentState.CHECKING})


@dataclass(frozen=True)
class Sensor:
    """One rule at one device, so many metres north of the first one."""

    rule: str
    device: int  # of the seeded ones of its kind
    metres: float
    category: str | None = None


SENSORS = (
    Sensor("gas-lel", 0, 0),
    Sensor("gas-lel", 1, 40),
    Sensor("gas-lel", 2, 400),
    Sensor("manhole-open", 3, 0, "0123"),
    Sensor("manhole-open", 4, 40, "0123"),
    Sensor("manhole-open", 5, 45, "0111"),
    Sensor("manhole-water", 3, 0),
    Sensor("manhole-water", 4, 40),
    Sensor("lamp-dark", 6, 0),
    Sensor("lamp-leakage", 6, 0),
    Sensor("lamp-leakage", 7, 30),
)
SENSOR = st.sampled_from(SENSORS)
ANY = st.integers(0, 99)
OFTEN = st.sampled_from([True, True, False])
MAIN_ROAD = {
    IncidentState.REPORTED: Action.FILE,
    IncidentState.VERIFYING: Action.FILE,
    IncidentState.FILED: Action.DISPATCH,
    IncidentState.DISPATCHED: Action.ACKNOWLEDGE,
    IncidentState.ACKNOWLEDGED: Action.ARRIVE,
    IncidentState.ON_SITE: Action.HANDLE,
    IncidentState.HANDLED: Action.CHECK,
    IncidentState.CHECKING: Action.CLOSE,
    IncidentState.SUSPENDED: Action.RESUME,
}
# Figures of which those of the groups add up to those of the district.
SUMMED = (
    "opened",
    "filed",
    "due_to_handle",
    "handled",
    "handled_in_time",
    "due_to_close",
    "closed",
    "closed_in_time",
    "reworked",
    "returned",
    "returned_late",
)
CHECKS = frozenset({Action.CHECK, Action.CLOSE})
ASIDE = (Action.SUSPEND, Action.CANCEL, Action.MERGE, Action.REJECT, Action.CLOSE)
PHOTOS = {Action.HANDLE: "photo_after", Action.CLOSE: "check_photo"}


class Cases(RuleBasedStateMachine):
    """A town in which anything happens in any order."""

    def __init__(self, town: City) -> None:
        super().__init__()
        self.town = replace(town, now=START)
        self.conn = town.conn
        self.undo = self.conn.transaction(force_rollback=True)
        self.undo.__enter__()

    @initialize()
    def open_the_town(self) -> None:
        self.rules = load_rules(self.conn, self.town.now)

    def teardown(self) -> None:
        try:
            self._the_log_says_what_the_board_shows()
            self._used_and_remaining_time_are_the_limit()
        finally:
            self._undo()

    def _the_log_says_what_the_board_shows(self) -> None:
        """The figures counted again from the log alone, of all that happened here."""
        end = self.town.now + timedelta(seconds=1)
        begin = START - timedelta(days=1)
        rows = list_kpi(self.conn, Scope(DISTRICT), begin, end, "district")
        shown, said = rows[0] if rows else None, figures_of_log(self.conn)
        assert same(shown, said), f"{shown}\n{said}"
        for by in ("squad", "category", "street"):
            groups = list_kpi(self.conn, Scope(DISTRICT), begin, end, by)
            for name in SUMMED:
                total = getattr(rows[0], name) if rows else 0
                assert sum(getattr(row, name) for row in groups) == total, f"{name} by {by}"

    def _undo(self) -> None:
        self.undo.__exit__(None, None, None)

    # Alarms

    @rule(sensor=SENSOR, severity=st.sampled_from(list(Severity)), at_once=OFTEN)
    def trip(self, sensor: Sensor, severity: Severity, at_once: bool) -> None:
        known = self.rules[sensor.rule]
        reason = Reason("value_at_or_above_limit", known.code, known.version, "test", 60, 20)
        self._judge(
            sensor,
            lambda book: book.raise_alarm(
                known, self._place(sensor), Raise(severity, reason, self.town.now, self.town.now)
            ),
        )
        if at_once:
            self.take_all()

    @rule(sensor=SENSOR)
    def clear(self, sensor: Sensor) -> None:
        self._judge(sensor, lambda book: book.clear(self._condition(sensor), self.town.now))

    @precondition(lambda self: self._live() and self._cases())
    @rule(which=ANY, then=st.sampled_from(["on", "closed and on", "closed"]), case=ANY)
    def wobble(self, which: int, then: str, case: int) -> None:
        """The sensor says it is over; while the off-delay runs people finish the case, and the
        condition may come back without the alarm ever having ended."""
        live = self._live()[which % len(self._live())]
        at = self.town.now
        self._stop_off_delay(live)
        rule_timers.save_timers(
            self.conn,
            [
                TimerRow(
                    condition=f"{live.rule_code}/{live.device_id}/off",
                    rule_code=live.rule_code,
                    device_id=live.device_id or 0,
                    direction="off",
                    severity=None,
                    started_at=at,
                    received_at=at,
                    due_at=at + timedelta(minutes=1),
                    reason={},
                )
            ],
        )
        if then != "on":
            self.go_on(case, 7, 0)
        if then != "closed":
            self._stop_off_delay(live)
            self.take_all()

    def _stop_off_delay(self, alarm: Alarm) -> None:
        rule_timers.delete_timers(self.conn, [f"{alarm.rule_code}/{alarm.device_id}/off"])

    @precondition(lambda self: self._live())
    @rule(which=ANY, severity=st.sampled_from(list(Severity)), at_once=OFTEN)
    def come_back(self, which: int, severity: Severity, at_once: bool) -> None:
        """Gone and back before anybody looked."""
        sensor = self._sensor_of(which)
        self.clear(sensor)
        self.trip(sensor, severity, at_once)

    @precondition(lambda self: self._live())
    @rule(
        which=ANY,
        what=st.sampled_from(["acknowledge", "shelve", "unshelve", "reset"]),
        hours=st.integers(1, 24),
    )
    def attend(self, which: int, what: str, hours: int) -> None:
        """A person acknowledges, mutes or resets an alarm."""
        live = self._live()[which % len(self._live())]
        more: tuple[Any, ...] = ()
        if what == "shelve":
            more = (self.town.now + timedelta(hours=hours), "works")
        step = partial(getattr(alarm_steps, what), self.conn, self._person(Role.ADMIN))
        self._try(lambda: step(live.id, live.version, *more, self.town.now))

    # Dispatch and time

    @rule()
    def take_all(self) -> None:
        self.town.later(seconds=1)
        steps.watch_alarms(self.conn, self.town.now)
        self.town.take_all()

    @rule(span=st.sampled_from([{"minutes": 10}, {"hours": 5}, {"days": 1.3}, {"days": 40}]))
    def wait(self, span: dict[str, float]) -> None:
        self.town.later(**span)
        book = AlarmBook(self.town.now)
        run_out_shelving(self.conn, book, DISTRICT, self.town.now)
        append_events(self.conn, save(self.conn, book))
        steps.watch_alarms(self.conn, self.town.now)
        while steps.tick_deadlines(self.conn, self.town.now):
            pass

    # People

    @precondition(lambda self: self._cases())
    @rule(case=ANY, step=ANY, role=ANY, squad=ANY, other=ANY)
    def act(self, case: int, step: int, role: int, squad: int, other: int) -> None:
        """Anybody does anything that the table has for a case's state; most of it is refused."""
        found = self._case(case)
        actions = [a for (s, a) in TABLE if s is found.state and a is not Action.COMMENT]
        if actions:
            self._act(found, actions[step % len(actions)], ROLES[role % len(ROLES)], squad, other)

    @precondition(lambda self: self._cases())
    @rule(case=ANY, action=st.sampled_from(ASIDE), other=ANY)
    def put_aside(self, case: int, action: Action, other: int) -> None:
        """The centre tries to be rid of a case."""
        fit = [found for found in self._cases() if (found.state, action) in TABLE]
        if fit:
            self._act(fit[case % len(fit)], action, Role.DISPATCHER, other=other)

    @precondition(lambda self: self._cases())
    @rule(case=ANY, count=st.integers(1, 7), squad=ANY)
    def go_on(self, case: int, count: int, squad: int) -> None:
        """The main road, as the people concerned walk it."""
        found = self._case(case)
        for _ in range(count):
            action = MAIN_ROAD.get(found.state)
            if action is None:
                return
            self._act(found, action, Role.CHECKER if action in CHECKS else Role.DISPATCHER, squad)
            found = incidents.find(self.conn, found.id)

    @precondition(lambda self: self._cases())
    @rule(case=ANY, count=st.integers(1, 3), mute=st.booleans())
    def suspend(self, case: int, count: int, mute: bool) -> None:
        """A squad is sent, and then the case has to wait; red alarms are muted for that."""
        found = self._case(case)
        self.go_on(case, count, 0)
        for alarm in self._live() if mute else ():
            if alarm.condition in self._conditions_of(found):
                until = self.town.now + timedelta(hours=3)
                step = partial(alarm_steps.shelve, self.conn, self._person(Role.ADMIN))
                self._try(partial(step, alarm.id, alarm.version, until, "works", self.town.now))
        self._act(incidents.find(self.conn, found.id), Action.SUSPEND, Role.DISPATCHER)

    @precondition(lambda self: any(c.state in RECALLS for c in self._cases()))
    @rule(case=ANY, other=ANY)
    def merge_into_one_at_rest(self, case: int, other: int) -> None:
        """A case is merged into one to which nobody goes any more, or not yet."""
        fit = [c for c in self._cases() if (c.state, Action.MERGE) in TABLE]
        rest = [c for c in self._cases() if c.state in RECALLS]
        if fit:
            found, into = fit[case % len(fit)], rest[other % len(rest)]
            self._act(found, Action.MERGE, Role.DISPATCHER, other=self._cases().index(into))

    @precondition(lambda self: len(self._cases()) > 1)
    @rule(case=ANY, other=ANY, minutes=st.integers(0, 300))
    def merge_and_take_back(self, case: int, other: int, minutes: int) -> None:
        """A merge that is taken back leaves the merged case, and the clocks of the other one, as
        if nothing had been merged."""
        fit = [c for c in self._cases() if (c.state, Action.MERGE) in TABLE]
        if not fit:
            return
        found = fit[case % len(fit)]
        into = self._case(other)
        before, clocks = self._standing(found), self._own_clocks(into)
        self._act(found, Action.MERGE, Role.DISPATCHER, other=self._cases().index(into))
        merged = incidents.find(self.conn, found.id)
        if merged.state is not IncidentState.MERGED:
            return
        after = incidents.find(self.conn, into.id)
        # A red alarm that comes with the merge wakes a suspended case: its clocks run on, later.
        resumed = into.state is IncidentState.SUSPENDED is not after.state
        woken = resumed or self._own_clocks(after).keys() - clocks.keys()
        self.town.later(minutes=minutes)
        self._act(merged, Action.UNMERGE, Role.DISPATCHER)
        back = incidents.find(self.conn, found.id)
        if back.state is IncidentState.MERGED:
            return  # another case of its condition is open meanwhile
        assert self._standing(back) == before
        if not woken:
            again = self._own_clocks(incidents.find(self.conn, into.id))
            assert {key: again[key] for key in clocks if again[key][-1]} == {
                key: clocks[key] for key in clocks if again[key][-1]
            }

    def _standing(self, found: Incident) -> tuple[Any, ...]:
        """What a case is to those who work on it."""
        rows = deadlines.list_deadlines(self.conn, found.id)
        running = {(d.clock, d.attempt): (d.started_at, d.due_at) for d in rows if d.runs}
        state, squad = found.state, self._squad_sent(found)
        if state in (IncidentState.REPORTED, IncidentState.VERIFYING) and self._loud_in(found):
            state = IncidentState.FILED  # its alarm, back with it, has verified it
        return state, squad, running, sorted(self._conditions_of(found))

    def _loud_in(self, found: Incident) -> bool:
        return any(case == found.id for _, case in self._loud_alarms())

    def _own_clocks(self, found: Incident) -> dict[tuple[str, int], tuple[Any, ...]]:
        return {
            (d.clock, d.attempt): (d.started_at, d.due_at, d.limit_amount, d.carried_at, d.runs)
            for d in deadlines.list_deadlines(self.conn, found.id)
        }

    @rule(category=st.sampled_from(["05-02", "0123", "05-06"]))
    def report(self, category: str) -> None:
        """Somebody calls the hotline about what stands there."""
        request = ReportRequest(category, *HERE, "there is something")
        self._try(
            lambda: steps.report(self.conn, self._person(Role.DISPATCHER), request, self.town.now)
        )

    @precondition(lambda self: self._cases())
    @rule(case=ANY, squad=ANY)
    def mend(self, case: int, squad: int) -> None:
        """What was wrong is put right, and the case is walked as far as it goes."""
        for condition in self._conditions_of(self._case(case)):
            sensor = next(s for s in SENSORS if self._condition(s) == condition)
            self.clear(sensor)
        self.take_all()
        self.go_on(case, 7, squad)

    def _act(
        self, found: Incident, action: Action, role: Role, squad: int = 0, other: int = 0
    ) -> None:
        self.town.later(seconds=1)
        now, person = self.town.now, self._person(role, found.squad)
        request = ActionRequest(
            action=action,
            version=found.version,
            note="seen",
            reason="so decided",
            squad=SQUADS[squad % len(SQUADS)],
            category="0123",
            until=now + timedelta(days=3),
            into=self._case(other).id,
        )
        if action in PHOTOS:
            self._try(partial(self._hand_in, found, PHOTOS[action]))
        self._try(lambda: self.town.act(person, found.id, request))

    def _hand_in(self, found: Incident, stage: str) -> None:
        person, file = self._person(Role.ADMIN), photo(found.version % 256)
        steps.add_evidence(
            self.conn, person, found.id, stage, "a.jpg", "image/jpeg", file, self.town.now
        )

    # What must hold

    @invariant()
    def somebody_is_responsible_and_a_clock_runs(self) -> None:
        for alarm, incident_id in self._loud_alarms():
            assert incident_id is not None, f"{alarm.condition} stands and has no incident"
            found = incidents.find(self.conn, incident_id)
            where = f"{alarm.condition} stands in an incident that is {found.state.value}"
            assert found.is_open, where
            assert found.severity <= alarm.severity, f"{where}: milder than its alarm"
            running = {
                d.clock
                for d in deadlines.list_deadlines(self.conn, found.id)
                if d.runs and d.paused_at is None
            }
            if found.state is IncidentState.FILED:
                assert "dispatch" in running, where
            elif found.state in AT_THE_SQUAD:
                assert "handle" in running, where
                assert self._squad_sent(found) == found.squad is not None, where
            elif found.state in AT_THE_CHECKER:
                # The squad says it is done; the sensor has said nothing new since.
                assert "check" in running, where
                assert found.handled_at is not None
                assert self._newest_call(alarm) < found.handled_at, f"{where}, and nobody went"
            elif found.state is IncidentState.SUSPENDED:
                # Somebody knew of the alarm and decided, with a date on which it goes on.
                pause = deadlines.list_pauses(self.conn, found.id)[-1]
                assert pause.resume_due_at is not None, where
                assert pause.ended_at is None, where
                assert pause.resume_due_at > self.town.now - timedelta(days=1), where
                assert self._newest_call(alarm) < pause.started_at, f"{where}, and nobody went"
                assert alarm.severity is not Severity.RED, where
            else:
                raise AssertionError(where)

    @invariant()
    def pauses_never_overlap(self) -> None:
        rows = self.conn.execute(
            """
            SELECT a.incident_id FROM pause a JOIN pause b
              ON b.incident_id = a.incident_id AND b.id > a.id
            WHERE tstzrange(a.started_at, a.ended_at) && tstzrange(b.started_at, b.ended_at)
            """
        ).fetchall()
        assert rows == []

    def _used_and_remaining_time_are_the_limit(self) -> None:
        """Used time is counted from the start of an attempt, what remains to its due time."""
        for found in self._cases():
            seen = steps.view(self.conn, self._person(Role.DISPATCHER), found.id, self.town.now)
            sent = assignments.list_assignments(self.conn, found.id)
            assert len(seen.attempts) == len(sent), f"{found.number}: an attempt an assignment"
            for attempt, clock in zip(seen.attempts, self._attempt_clocks(found), strict=True):
                if clock.paused_at is None:
                    end = clock.met_at or clock.stopped_at or self.town.now
                    calendar = calendars.find_calendar(
                        self.conn, clock.calendar, clock.calendar_version
                    )
                    left = sla.remaining(clock.due_at, end, clock.limit.unit, calendar)
                    assert abs(attempt.remaining_minutes - left.total_seconds() / 60) < 0.01
                assert (
                    abs(attempt.used_minutes + attempt.remaining_minutes - attempt.limit_minutes)
                    < 0.01
                )

    def _attempt_clocks(self, found: Incident) -> list[Deadline]:
        rows = deadlines.list_deadlines(self.conn, found.id)
        return sorted((d for d in rows if d.clock == "handle"), key=lambda d: d.attempt)

    @invariant()
    def what_is_over_has_no_clock(self) -> None:
        rows = self.conn.execute(
            """
            SELECT i.number, i.state, d.clock
            FROM deadline d JOIN incident i ON i.id = d.incident_id
            WHERE d.met_at IS NULL AND d.stopped_at IS NULL AND i.state = ANY(%s)
            """,
            ([state.value for state in FINAL_STATES],),
        ).fetchall()
        assert rows == []

    # Reading the town

    def _live(self) -> list[Alarm]:
        return alarms.list_live_alarms(self.conn, conditions=[self._condition(s) for s in SENSORS])

    def _sensor_of(self, which: int) -> Sensor:
        condition = self._live()[which % len(self._live())].condition
        return next(s for s in SENSORS if self._condition(s) == condition)

    def _loud_alarms(self) -> list[tuple[Alarm, int | None]]:
        """Alarms that stand unmuted, whose off-delay does not run and whose changes dispatch has
        taken, with their incident."""
        cases = dict(self.conn.execute("SELECT alarm_id, incident_id FROM incident_alarm"))
        waiting = {
            row[0]
            for row in self.conn.execute("SELECT alarm_id FROM alarm_change WHERE taken_at IS NULL")
        }
        clearing = set(self.conn.execute("SELECT rule_code, device_id FROM rule_timer"))
        return [
            (alarm, cases.get(alarm.id))
            for alarm in self._live()
            if alarm.state in ACTIVE
            and alarm.opens_incident
            and (alarm.rule_code, alarm.device_id) not in clearing
            and alarm.id not in waiting
            and (alarm.shelved_until is None or alarm.shelved_until <= self.town.now)
        ]

    def _newest_call(self, alarm: Alarm) -> Any:
        """When the alarm last asked for somebody."""
        row = self.conn.execute(
            "SELECT max(at) FROM alarm_change WHERE alarm_id = %s AND kind = ANY(%s)",
            (alarm.id, [kind.value for kind in OPENING]),
        ).fetchone()
        assert row is not None
        return row[0]

    def _squad_sent(self, found: Incident) -> str | None:
        row = self.conn.execute(
            "SELECT squad FROM assignment WHERE incident_id = %s AND ended_at IS NULL", (found.id,)
        ).fetchone()
        return row[0] if row else None

    def _cases(self) -> list[Incident]:
        ids = [row[0] for row in self.conn.execute("SELECT id FROM incident ORDER BY id")]
        return incidents.list_by_id(self.conn, ids, DISTRICT)

    def _case(self, number: int) -> Incident:
        cases = self._cases()
        return cases[number % len(cases)]

    def _conditions_of(self, found: Incident) -> list[str]:
        rows = self.conn.execute(
            """
            SELECT a.condition FROM incident_alarm link JOIN alarm a ON a.id = link.alarm_id
            WHERE link.incident_id = %s AND a.state <> 'normal'
            """,
            (found.id,),
        )
        return [row[0] for row in rows]

    # Doing things

    def _judge(self, sensor: Sensor, change: Any) -> None:
        self.town.later(seconds=1)
        live = alarms.list_live_alarms(self.conn, conditions=[self._condition(sensor)])
        for alarm in live:
            self._stop_off_delay(alarm)
        book = AlarmBook(self.town.now, live)
        change(book)
        append_events(self.conn, save(self.conn, book))

    def _try(self, work: Any) -> None:
        """A refusal changes nothing and hurts nobody; any other error is a failure."""
        self.town.later(seconds=1)
        try:
            with self.conn.transaction():
                work()
        except GridwardenError:
            pass

    def _condition(self, sensor: Sensor) -> str:
        return f"{self.rules[sensor.rule].condition}/T{sensor.device}"

    def _place(self, sensor: Sensor) -> Place:
        return Place(
            name=f"T{sensor.device}",
            district=DISTRICT,
            lon=HERE[0],
            lat=HERE[1] + sensor.metres * METRE_NORTH_DEG,
            device_id=self.town.gas_device + sensor.device,
            category=sensor.category,
        )

    def _person(self, role: Role, squad: str | None = None) -> Caller:
        return Caller(role.value, role, DISTRICT, squad if role is Role.SQUAD_LEADER else None)


def test_while_a_condition_stands_somebody_is_responsible_and_a_clock_runs(town: City) -> None:
    run_state_machine_as_test(
        partial(Cases, town),
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert verify_chain(town.conn).broken_at is None
