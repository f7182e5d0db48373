"""Readings that come out of order give the alarms that they give in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.backtest import ANNOUNCED, would_raise
from alerts.book import AlarmBook
from alerts.course import Situation, follow, judge_sample, lead_of, run_out, settle
from alerts.fold import fold, track_of
from alerts.history import series_of
from alerts.judge import Sample
from alerts.late import in_order
from alerts.levels import ACTIVE
from alerts.lifecycle import Input
from alerts.limits import others
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from city.alarm import Alarm, AlarmState, Severity
from city.device import WatchedDevice
from city.reading import ENDING, Quality
from db.readings_past import MetricReading
from db.rules import default_texts

T0 = datetime(2026, 5, 1, 8, tzinfo=UTC)
DEVICE = WatchedDevice(
    id=3, code="MH-3", district="460107", kind="manhole", gas="methane", lon=110.4, lat=19.8,
    unit_grid=None, attributes={}, report_interval_s=60, demo=True,
    out_of_service_since=None, return_due_at=None,
)  # fmt: skip


def shipped(*codes: str) -> list[Rule]:
    return [parse_rule(default_texts()[f"{code}.toml"], code) for code in codes]


GAS = shipped("gas-lel")
COVER = shipped("manhole-open")
TILT = shipped("manhole-tilt")


@dataclass
class Plant:
    """Stored readings and a book; evaluates batch after batch as the engine does."""

    rules: Sequence[Rule]
    book: AlarmBook = field(default_factory=lambda: AlarmBook(T0))
    stored: list[MetricReading] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.rules[0].condition}/{DEVICE.code}"

    def store(self, batch: Iterable[MetricReading]) -> None:
        self.stored += batch

    def evaluate(self, batch: Sequence[MetricReading]) -> None:
        oldest = min(reading.ts for reading in batch)
        self.book.now = max(reading.ts for reading in self.stored)
        new = in_order(self.rules, batch, [])
        if not any(r.ts >= oldest and r not in batch for r in self.stored):
            for rule, sample in new:
                judge_sample(self.book, rule, DEVICE, sample, others(rule, self.rules))
            return
        since: dict[int, datetime] = {}  # of each metric the last before that may end an alarm
        for reading in self.stored:
            if reading.ts < oldest and reading.quality in ENDING:
                known = since.get(reading.metric_id, reading.ts)
                since[reading.metric_id] = max(known, reading.ts)
        lead = lead_of(self.rules)
        near = [r for r in self.stored if r.ts >= since.get(r.metric_id, T0) - lead]
        samples = in_order(self.rules, near, [])
        alarms = [page.alarm for page in self.book.pages]
        past = [a for a in alarms if a.ended_at is None or a.ended_at >= samples[0][1].ts]
        at = Situation(DEVICE, self.rules[0].condition, self.rules, past)
        fresh = {reading.ts for reading in batch}
        course = follow(at, samples, at.timers(self.book).values(), fresh, self.book.now)
        settle(self.book, at, course, fresh)

    def read(self, *batches: Sequence[MetricReading]) -> None:
        for batch in batches:
            self.store(batch)
            self.evaluate(batch)
            self.tick(self.book.now)

    def tick(self, at: datetime) -> None:
        self.book.now = at
        for _ in run_out(self.book, self.rules, DEVICE, at, device_clock=False):
            pass

    def stands(self) -> list[tuple[AlarmState, Severity]]:
        return [(page.alarm.state, page.alarm.severity) for page in self.book.pages]

    def is_active(self) -> bool:
        alarm = self.book.find(self.key)
        return alarm is not None and alarm.state in ACTIVE

    def delays(self) -> set[tuple[Severity | None, datetime]]:
        at = Situation(DEVICE, "", self.rules)
        return {(s, timer.started_at) for (_, s), timer in at.timers(self.book).items()}

    def kinds(self) -> list[str]:
        return [change.kind.value for page in self.book.pages for change in page.changes]

    def only(self) -> Alarm:
        (page,) = self.book.pages
        return page.alarm


def at(
    seconds: float, value: float, rule: Rule | None = None, quality: int = Quality.GOOD
) -> MetricReading:
    metric = (rule or GAS[0]).metric
    assert metric is not None
    ts = T0 + timedelta(seconds=seconds)
    return MetricReading(metric.id, ts, ts, value, quality)


VALUES = {
    "gas-lel": (0.0, 9.0, 15.0, 25.0, 60.0),
    "gas-detector": (0.0, 1.0),
    "manhole-open": (0.0, 1.0),
    "manhole-tilt": (0.0, 12.0, 20.0, 95.0),
}


@st.composite
def histories(draw: st.DrawFn, rules: Sequence[Rule]) -> list[MetricReading]:
    gaps = draw(st.lists(st.sampled_from((1, 20, 40, 90, 200, 400)), min_size=2, max_size=14))
    seconds, found = 0.0, []
    for gap in gaps:
        seconds += gap
        rule = draw(st.sampled_from(list(rules)))
        quality = draw(st.sampled_from([Quality.GOOD] * 5 + [Quality.SUSPECT]))
        found.append(at(seconds, draw(st.sampled_from(VALUES[rule.code])), rule, quality))
    return found


@st.composite
def interleavings(
    draw: st.DrawFn, rules: Sequence[Rule]
) -> tuple[list[MetricReading], list[list[MetricReading]]]:
    """A history, and the same readings in any order in batches of any size."""
    history = draw(histories(rules))
    mixed = draw(st.permutations(history))
    cuts = draw(st.lists(st.booleans(), min_size=len(mixed), max_size=len(mixed)))
    batches: list[list[MetricReading]] = [[]]
    for reading, cut in zip(mixed, cuts, strict=True):
        if cut and batches[-1]:
            batches.append([])
        batches[-1].append(reading)
    return history, batches


def compare(rules: Sequence[Rule], history: list[MetricReading], mixed: Plant) -> None:
    ordered = Plant(rules)
    ordered.read(*[[reading] for reading in history])
    assert mixed.stands() == ordered.stands()
    assert mixed.delays() == ordered.delays()
    for plant in (ordered, mixed):
        plant.tick(history[-1].ts + timedelta(hours=1))
    assert mixed.stands() == ordered.stands()


@settings(max_examples=250, deadline=None)
@given(interleavings(GAS))
def test_gas_readings_in_any_order_give_the_alarms_of_their_order_in_time(
    case: tuple[list[MetricReading], list[list[MetricReading]]],
) -> None:
    history, batches = case
    mixed = Plant(GAS)
    mixed.read(*batches)
    compare(GAS, history, mixed)


@settings(max_examples=250, deadline=None)
@given(interleavings(COVER))
def test_cover_readings_in_any_order_give_the_alarms_of_their_order_in_time(
    case: tuple[list[MetricReading], list[list[MetricReading]]],
) -> None:
    history, batches = case
    mixed = Plant(COVER)
    mixed.read(*batches)
    compare(COVER, history, mixed)


@settings(max_examples=150, deadline=None)
@given(interleavings(GAS))
def test_the_same_holds_while_the_store_is_far_ahead_of_evaluation(
    case: tuple[list[MetricReading], list[list[MetricReading]]],
) -> None:
    history, batches = case
    mixed = Plant(GAS)
    mixed.store(history)
    for batch in batches:
        mixed.evaluate(batch)
        mixed.tick(mixed.book.now)
    compare(GAS, history, mixed)


def tilted(*readings: tuple[int, float]) -> list[MetricReading]:
    return [at(seconds, value, TILT[0]) for seconds, value in readings]


@settings(max_examples=250, deadline=None)
@given(interleavings(TILT))
@example(
    (
        tilted((1, 0), (2, 20), (3, 95), (4, 0), (94, 20), (134, 0), (135, 0)),
        [
            tilted((1, 0), (134, 0), (94, 20)),
            tilted((2, 20), (135, 0)),
            tilted((4, 0), (3, 95)),
        ],
    )
)
def test_with_delays_before_an_alarm_no_order_loses_one_and_there_is_never_a_second(
    case: tuple[list[MetricReading], list[list[MetricReading]]],
) -> None:
    """An alarm whose delay ran out before the reading that would have stopped it stays raised,
    so that there may be one more than in order, never one less."""
    history, batches = case
    ordered, mixed = Plant(TILT), Plant(TILT)
    ordered.read(*[[reading] for reading in history])
    mixed.read(*batches)
    assert len(mixed.book.pages) <= 1
    if ordered.book.pages:
        assert mixed.only().severity <= ordered.only().severity
    if ordered.is_active():
        assert mixed.is_active()


HAZARD = shipped("gas-lel", "gas-detector")
HAZARD_OF_COVER = shipped("manhole-open", "manhole-tilt")


@settings(max_examples=250, deadline=None)
@given(interleavings(HAZARD))
def test_rules_that_share_a_condition_agree_in_any_order_on_what_stands_and_at_which_level(
    case: tuple[list[MetricReading], list[list[MetricReading]]],
) -> None:
    history, batches = case
    mixed, ordered = Plant(HAZARD), Plant(HAZARD)
    mixed.read(*batches)
    ordered.read(*[[reading] for reading in history])
    compare(HAZARD, history, mixed)
    assert levels(mixed) == levels(ordered)


@settings(max_examples=150, deadline=None)
@given(histories(HAZARD_OF_COVER))
def test_the_backtest_of_rules_that_share_a_condition_says_what_was_raised(
    history: list[MetricReading],
) -> None:
    plant = Plant(HAZARD_OF_COVER)
    for reading in history:
        plant.read([reading])
        if plant.book.find(plant.key):
            acknowledge_if_new(plant)
    end = history[-1].ts + timedelta(hours=1)
    plant.tick(end)
    in_time = in_order(HAZARD_OF_COVER, history, [])
    series = {r.code: [s for other, s in in_time if other is r] for r in HAZARD_OF_COVER}
    tracks = [track_of(r, DEVICE, series_of(s)) for r in HAZARD_OF_COVER if (s := series[r.code])]
    book = fold([track for track in tracks if track], DEVICE, end)
    would = [would_raise(page) for page in book.pages]
    alarms = [page.alarm for page in plant.book.pages]
    assert [w.sensed_at for w in would] == [a.sensed_at for a in alarms]
    assert [w.severity for w in would] == [a.severity.name.lower() for a in alarms]
    assert [len(w.levels) for w in would] == [
        sum(change.kind in ANNOUNCED for change in page.changes) for page in plant.book.pages
    ]


def test_a_rule_that_left_an_alarm_does_not_stand_again_by_a_late_reading_of_another() -> None:
    plant = Plant(HAZARD)
    detector = HAZARD[1]
    plant.read([at(5, 0.0)])
    story = [at(8, 1.0, detector), at(10, 0.0, detector), at(410, 0.0), at(412, 60.0)]
    plant.read([at(4, 0.0), *story, at(413, 0.0, detector)])
    plant.read([at(411, 0.0)])
    assert levels(plant) == {"gas-lel": Severity.RED, "gas-detector": None}


def test_a_rule_that_a_late_reading_shows_to_have_left_does_not_hold_the_alarm() -> None:
    detector = HAZARD[1]
    plant = Plant(HAZARD)
    plant.read([at(7, 1.0, detector), at(410, 0.0, detector)])
    plant.read([at(10, 0.0, detector), at(411, 25.0)])
    assert levels(plant) == {"gas-lel": Severity.ORANGE, "gas-detector": None}


def test_a_metric_that_reaches_further_back_does_not_hide_what_another_rule_holds() -> None:
    detector = HAZARD[1]
    plant = Plant(HAZARD)
    plant.read([at(1, 1.0, detector)], [at(4, 25.0)], [at(404, 0.0), at(406, 0.0)])
    plant.read([at(405, 0.0)])
    assert levels(plant) == {"gas-lel": Severity.ORANGE, "gas-detector": Severity.ORANGE}
    assert plant.delays() == {(None, T0 + timedelta(seconds=404))}


def test_a_rule_is_known_to_have_left_when_it_did_and_not_when_the_last_one_did() -> None:
    detector = HAZARD[1]
    plant = Plant(HAZARD)
    signals = [at(2, 1.0, detector), at(3, 0.0, detector), at(413, 0.0, detector)]
    plant.read([at(1, 25.0), *signals, at(404, 0.0)], [at(4, 0.0)])
    steps = plant.book.levels(plant.key).steps["gas-lel"]
    assert [(step.at, step.severity) for step in steps] == [
        (T0 + timedelta(seconds=1), Severity.ORANGE),
        (T0 + timedelta(seconds=404), None),
    ]
    plant.read([at(411, 0.0), at(412, 0.0)])
    assert plant.kinds() == ["raised", "cleared"]


def levels(plant: Plant) -> dict[str, Severity | None]:
    return {rule.code: plant.book.levels(plant.key).of(rule.code) for rule in plant.rules}


def acknowledge_if_new(plant: Plant) -> None:
    alarm = plant.book.find(plant.key)
    assert alarm is not None
    if alarm.state is not AlarmState.ACKNOWLEDGED:
        plant.book.act(plant.key, Input.ACKNOWLEDGE, "li")


def test_a_late_reading_that_parts_two_peaks_makes_the_second_one_news() -> None:
    """Acknowledged was the first; the second was taken for the same as long as the reading
    between them was missing."""
    plant = Plant(GAS)
    plant.read([at(0, 60.0)])
    acknowledge(plant, 5)
    plant.read([at(120, 60.0)])
    assert plant.kinds() == ["raised", "acknowledged"]
    plant.read([at(60, 30.0)])
    assert plant.kinds() == ["raised", "acknowledged", "retripped"]
    assert plant.stands() == [(AlarmState.UNACKNOWLEDGED, Severity.RED)]
    plant.read([at(30, 30.0)])
    assert len(plant.kinds()) == 3


def test_a_peak_that_comes_late_after_an_acknowledged_one_is_news() -> None:
    plant = Plant(GAS)
    plant.read([at(0, 60.0)], [at(60, 30.0)])
    acknowledge(plant, 70)
    plant.read([at(180, 30.0)], [at(120, 60.0)])
    assert plant.kinds() == ["raised", "acknowledged", "retripped"]


def test_a_late_reading_does_not_undo_the_acknowledgement_of_a_peak_that_was_seen() -> None:
    plant = Plant(GAS)
    plant.read([at(0, 60.0)], [at(120, 60.0)])
    acknowledge(plant, 130)
    plant.read([at(60, 30.0)])
    assert plant.kinds() == ["raised", "acknowledged"]


def test_an_alarm_that_was_cleared_does_not_come_again_by_a_late_good_reading() -> None:
    """Cleared by a reading that was stored and not yet evaluated, then by itself."""
    plant = Plant(GAS)
    doubtful = at(405, 0.0, quality=Quality.SUSPECT)
    batches = [[at(4, 25.0), at(5, 0.0), doubtful, at(407, 0.0)], [at(406, 0.0)]]
    plant.store([reading for batch in batches for reading in batch])
    for batch in batches:
        plant.evaluate(batch)
        plant.tick(plant.book.now)
    assert plant.kinds() == ["raised", "cleared"]


def test_a_reading_followed_before_its_turn_does_not_break_off_what_came_after_it() -> None:
    plant = Plant(GAS)
    peaks = [at(7, 0.0), at(8, 60.0), at(9, 0.0), at(10, 60.0)]
    batches = [peaks, [at(11, 15.0), at(411, 0.0)]]
    plant.store([reading for batch in batches for reading in batch])
    for batch in batches:
        plant.evaluate(batch)
    assert plant.delays() == {(None, T0 + timedelta(seconds=411))}


def test_a_doubtful_reading_does_not_hide_the_good_one_that_an_alarm_left_by() -> None:
    """It ends nothing, so that the delay of a good reading long before it still runs."""
    doubtful = [at(10, 0.0, quality=Quality.SUSPECT), at(310, 0.0, quality=Quality.SUSPECT)]
    plant = Plant(GAS)
    plant.read([at(1, 25.0), at(5, 0.0), *doubtful], [at(320, 0.0)], [at(315, 0.0)])
    assert plant.kinds() == ["raised", "cleared"]
    plant = Plant(GAS)
    plant.read([at(1, 25.0), at(5, 0.0), doubtful[1]], [at(400, 15.0)], [at(350, 0.0)])
    assert plant.kinds() == ["raised", "cleared"]


def test_an_alarm_found_to_have_cleared_later_still_stands_by_what_came_before_that() -> None:
    plant = Plant(GAS)
    plant.read([at(5, 25.0), at(6, 0.0), at(407, 0.0)])
    plant.read([at(7, 15.0), at(408, 0.0), at(409, 0.0), at(810, 0.0), at(811, 0.0)])
    assert plant.only().cleared_at == T0 + timedelta(seconds=810)
    plant.read([at(410, 15.0)])
    assert plant.is_active()
    assert plant.delays() == {(None, T0 + timedelta(seconds=810))}


def test_a_red_alarm_that_was_cleared_does_not_come_again_by_a_late_good_reading() -> None:
    plant = Plant(GAS)
    plant.read([at(1, 60.0), at(411, 0.0)], [at(3, 0.0)])
    plant.read([at(2, 0.0), at(9, 0.0), at(409, 0.0), at(412, 0.0)], [at(410, 0.0)])
    assert plant.kinds() == ["raised", "cleared"]


def test_an_alarm_found_to_have_cleared_earlier_does_not_come_again_by_what_came_after() -> None:
    plant = Plant(GAS)
    plant.read([at(1, 25.0), at(411, 0.0), at(3, 0.0)])
    plant.read([at(409, 0.0), at(2, 0.0), at(412, 0.0)])
    assert plant.only().cleared_at == T0 + timedelta(seconds=409)
    plant.read([at(410, 15.0)])
    assert plant.kinds() == ["raised", "cleared"]


def test_an_older_reading_over_the_limit_raises_and_the_newer_good_ones_clear() -> None:
    plant = Plant(GAS)
    plant.read([at(60, 1.0)], [at(400, 1.0)], [at(0, 30.0)])
    assert plant.kinds() == ["raised", "cleared"]
    alarm = plant.only()
    assert (alarm.sensed_at, alarm.cleared_at) == (T0, T0 + timedelta(seconds=400))


def test_an_older_peak_before_one_good_reading_waits_from_that_reading_on() -> None:
    plant = Plant(GAS)
    plant.read([at(60, 1.0)], [at(0, 30.0)])
    assert plant.kinds() == ["raised"]
    assert plant.delays() == {(None, T0 + timedelta(seconds=60))}


def test_a_peak_within_the_time_of_an_alarm_that_is_over_raises_no_second() -> None:
    plant = Plant(GAS)
    plant.read([at(0, 30.0)], [at(60, 1.0)], [at(400, 1.0)])
    acknowledge(plant, 410)
    assert plant.only().state is AlarmState.NORMAL
    plant.read([at(30, 40.0)])
    assert plant.kinds() == ["raised", "cleared", "acknowledged"]


def test_a_worse_peak_within_the_time_of_an_alarm_that_is_over_is_an_alarm_of_its_own() -> None:
    plant = Plant(GAS)
    plant.read([at(0, 30.0)], [at(60, 1.0)], [at(400, 1.0)])
    acknowledge(plant, 410)
    plant.read([at(30, 80.0)])
    assert plant.stands() == [
        (AlarmState.NORMAL, Severity.ORANGE),
        (AlarmState.RETURNED, Severity.RED),
    ]


def test_a_peak_after_an_alarm_that_is_over_is_never_lost() -> None:
    plant = Plant(GAS)
    plant.read([at(0, 30.0)], [at(60, 1.0)], [at(400, 1.0)], [at(900, 1.0)], [at(1300, 1.0)])
    acknowledge(plant, 1310)
    plant.read([at(500, 30.0)])
    assert len(plant.book.pages) == 2
    assert plant.book.pages[1].alarm.sensed_at == T0 + timedelta(seconds=500)
    assert plant.book.pages[1].alarm.state is AlarmState.RETURNED


def test_a_reading_from_before_a_persons_reset_raises_nothing_and_a_later_one_does() -> None:
    plant = Plant(GAS)
    plant.read([at(0, 30.0)], [at(60, 30.0)])
    acknowledge(plant, 70)
    plant.book.act(plant.key, Input.RESET, "li")
    plant.read([at(30, 30.0)])
    assert len(plant.book.pages) == 1
    plant.read([at(200, 1.0)], [at(150, 30.0)])
    assert len(plant.book.pages) == 2


def test_an_older_good_reading_does_not_end_an_alarm_that_newer_readings_renewed() -> None:
    plant = Plant(COVER)
    cover = COVER[0]
    plant.read([at(0, 1, cover)], [at(200, 1, cover)], [at(100, 0, cover)])
    assert plant.is_active()
    assert plant.delays() == set()


def test_an_older_reading_over_the_limit_takes_back_a_clearing_that_came_too_early() -> None:
    plant = Plant(GAS)
    plant.read([at(0, 30.0)], [at(60, 1.0)], [at(400, 1.0)])
    plant.read([at(300, 30.0)])
    assert plant.stands() == [(AlarmState.UNACKNOWLEDGED, Severity.ORANGE)]
    assert plant.kinds() == ["raised", "cleared", "retripped"]
    assert plant.delays() == {(None, T0 + timedelta(seconds=400))}


def test_a_late_peak_older_than_the_rule_allows_raises_nothing() -> None:
    old = MetricReading(1, T0, T0 + timedelta(days=8), 90.0, Quality.GOOD)
    plant = Plant(GAS)
    plant.read([at(60, 1.0)], [old])
    assert plant.book.pages == []


def test_a_late_reading_never_touches_an_alarm_of_another_rules_making() -> None:
    volume = parse_rule(default_texts()["gas-methane-vol.toml"])
    plant = Plant(GAS)
    judge_sample(plant.book, volume, DEVICE, Sample(T0, T0, 2.0))
    plant.read([at(60, 1.0)], [at(30, 1.0)])
    assert plant.is_active()


def acknowledge(plant: Plant, seconds: float) -> None:
    plant.book.now = T0 + timedelta(seconds=seconds)
    plant.book.act(plant.key, Input.ACKNOWLEDGE, "li")
