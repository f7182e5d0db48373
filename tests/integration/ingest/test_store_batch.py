"""One transaction a batch: stored once, booked once, handed over once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from city.errors import Conflict, NotFound
from city.reading import METRICS, Quality
from columns.readings import unpack
from db import ledger, readings, rejects, rollups
from db.devices import NewDevice, insert_devices
from db.events import list_events
from db.pool import Connection, connect
from ingest.message import Message
from ingest.reporters_reader import ReportersReader
from ingest.store_batch import NewestKnown, replay_reject
from tests.integration.ingest.field import DISTRICT, Field, milliseconds

CH4 = "ch4_pct_lel"


def test_the_readings_of_a_batch_are_handed_over_with_it(field: Field) -> None:
    stored = field.store(
        field.telemetry({CH4: 1.5, "temperature_c": 20}, field.now),
        field.telemetry({CH4: 2.5}, field.now, device=1),
    )

    payload, count, evaluated = field.row(
        "SELECT payload, readings_stored, evaluated_at FROM ingest_batch WHERE id = %s",
        stored.batch_id,
    )
    rows = unpack(payload)
    assert sorted(rows["value"].tolist()) == [1.5, 2.5, 20.0]
    assert (count, stored.readings, evaluated) == (3, 3, None)
    assert field.books() == (2, 2, 0, 0)


def test_a_batch_without_new_readings_is_nobodys_work(field: Field) -> None:
    message = field.telemetry({CH4: 1}, field.now)
    field.store(message)

    again = field.store(message, message)

    payload, evaluated = field.row(
        "SELECT payload, evaluated_at FROM ingest_batch WHERE id = %s", again.batch_id
    )
    assert payload is None
    assert evaluated is not None
    assert field.books() == (3, 1, 2, 0)
    assert field.one("SELECT count(*) FROM reading WHERE device_id = %s", field.device_id()) == 1


def test_of_a_batch_delivered_twice_only_new_readings_are_handed_over(field: Field) -> None:
    old = field.telemetry({CH4: 1}, field.now)
    new = field.telemetry({CH4: 2}, field.now + timedelta(milliseconds=2))
    field.store(old)

    stored = field.store(old, new)

    payload = field.one("SELECT payload FROM ingest_batch WHERE id = %s", stored.batch_id)
    assert unpack(payload)["value"].tolist() == [2.0]
    assert field.books() == (3, 2, 1, 0)


def test_two_readings_two_milliseconds_apart_and_one_in_the_past_are_all_stored(
    field: Field,
) -> None:
    field.store(field.telemetry({CH4: 1}, field.now))
    field.store(field.telemetry({CH4: 2}, field.now + timedelta(milliseconds=2)))

    field.store(field.telemetry({CH4: 3}, field.now - timedelta(milliseconds=5)))

    history = readings.list_history(
        field.conn,
        field.device_id(),
        CH4,
        field.now - timedelta(minutes=1),
        field.now + timedelta(minutes=1),
        "raw",
    )
    assert [point.avg for point in history] == [3.0, 1.0, 2.0]


def test_late_data_never_moves_the_latest_value_backward(field: Field) -> None:
    field.store(field.telemetry({CH4: 1, "temperature_c": 20}, field.now))

    field.store(field.telemetry({CH4: 9}, field.now - timedelta(hours=30)))
    field.store(field.telemetry({CH4: 9}, field.now))

    latest = {value.metric: value for value in readings.latest(field.conn, field.device_id())}
    assert latest[CH4].value == 1.0
    assert latest[CH4].age_s(field.now) == pytest.approx(0, abs=0.01)
    assert latest["temperature_c"].unit == "°C"


def sent(field: Field, value: float, at_s: float, ahead_s: float = 0) -> Message:
    """A message received `at_s` after the field's now, by a clock that is `ahead_s` ahead."""
    at = field.now + timedelta(seconds=at_s + ahead_s)
    return field.message(
        f"gas/{field.codes[0]}/telemetry", {"ts": milliseconds(at), "readings": {CH4: value}}, at_s
    )


def test_a_true_reading_takes_the_place_of_one_from_the_future(field: Field) -> None:
    field.store(sent(field, 62.5, 0, ahead_s=540))
    (shown,) = readings.latest(field.conn, field.device_id())
    assert shown.age_s(field.now) == pytest.approx(-540, abs=0.01)  # its time is kept

    field.store(sent(field, 2.0, 10))

    (shown,) = readings.latest(field.conn, field.device_id())
    assert (shown.value, shown.received_at) == (2.0, field.now + timedelta(seconds=10))
    assert field.books() == (2, 2, 0, 0)


def test_a_reading_from_the_future_that_comes_again_is_stored_once_whatever_is_believed(
    field: Field,
) -> None:
    """The latest value went back: a worker that starts then believes too little to be stored."""
    ahead = sent(field, 62.5, 0, ahead_s=540)
    field.store(ahead, sent(field, 2.0, 10))
    started_later = NewestKnown(field.conn)

    field.store(ahead._replace(received_at=field.now + timedelta(seconds=20)), newest=started_later)
    field.store(sent(field, 3.0, 30), newest=started_later)

    assert field.one("SELECT count(*) FROM reading") == 3
    (shown,) = readings.latest(field.conn, field.device_id())
    assert shown.value == 3.0
    assert field.books() == (4, 3, 1, 0)


def test_the_same_value_again_is_a_new_reading_and_counts_as_fresh(field: Field) -> None:
    field.store(field.telemetry({CH4: 1}, field.now - timedelta(minutes=5)))
    field.store(field.telemetry({CH4: 1}, field.now))

    (latest,) = readings.latest(field.conn, field.device_id())
    assert latest.age_s(field.now) == pytest.approx(0, abs=0.01)
    assert field.books() == (2, 2, 0, 0)


def test_a_wrong_belief_of_what_is_new_stores_nothing_twice(field: Field) -> None:
    """Another worker stored the newer value: COPY fails on it, the careful way takes over."""
    first = field.telemetry({CH4: 1}, field.now - timedelta(seconds=9))
    second = field.telemetry({CH4: 2}, field.now)
    field.store(first)
    belief = NewestKnown(field.conn)
    field.store(second)

    stored = field.store(
        second, field.telemetry({CH4: 3}, field.now + timedelta(seconds=1)), newest=belief
    )

    assert stored.readings == 1
    assert field.books() == (4, 3, 1, 0)


def test_a_right_belief_stores_the_raw_values_too(field: Field) -> None:
    field.conn.execute("UPDATE device SET gas = 'methane' WHERE code = %s", (field.codes[0],))
    field.store(field.telemetry({"ch4_pct_vol": 0.5}, field.now))
    belief = NewestKnown(field.conn)

    field.store(
        field.telemetry({"ch4_pct_vol": 1, "temperature_c": 3}, field.now + timedelta(seconds=1)),
        newest=belief,
    )

    rows = field.conn.execute(
        "SELECT metric_id, raw_value, raw_unit FROM reading WHERE device_id = %s ORDER BY ts, 1",
        (field.device_id(),),
    ).fetchall()
    lel = METRICS[CH4].id
    assert [row for row in rows if row[0] == lel] == [(lel, "0.5", "%vol"), (lel, "1", "%vol")]
    assert len(rows) == 5


def test_a_video_event_is_one_row_however_often_it_is_reported(field: Field) -> None:
    for message in (
        field.video("new", confidence=0.5),
        field.video("update", 60, confidence=0.8),
        field.video("update", 120, confidence=0.7),
        field.video("end", 300, end=(field.now + timedelta(minutes=5)).isoformat()),
    ):
        field.store(message)

    phase, confidence, end_at, start_at, review = field.row(
        "SELECT phase, confidence, end_at, start_at, review FROM video_event"
    )
    assert (phase, confidence, review) == ("end", 0.8, "pending")
    assert end_at - start_at == timedelta(minutes=5)


def test_an_event_whose_camera_falls_silent_is_due_a_quarter_of_an_hour_later(
    field: Field,
) -> None:
    field.store(field.video("new"))
    start_at, due_at = field.row("SELECT start_at, end_due_at FROM video_event")
    assert due_at - start_at == timedelta(minutes=15)

    field.store(field.video("update", 600))

    assert field.one("SELECT end_due_at - start_at FROM video_event") == timedelta(minutes=25)


def test_a_replayed_video_event_changes_nothing_and_is_a_duplicate(field: Field) -> None:
    end = (field.now + timedelta(minutes=5)).isoformat()
    messages = [field.video("new"), field.video("update", 60), field.video("end", 300, end=end)]
    for message in messages:
        field.store(message)
    before = field.row("SELECT * FROM video_event")

    for later_s in (600, 900):
        received_at = field.now + timedelta(seconds=later_s)
        field.store(*(message._replace(received_at=received_at) for message in messages))

    assert field.row("SELECT * FROM video_event") == before
    assert field.books() == (9, 3, 6, 0)


def test_reports_of_an_event_may_come_in_any_order(field: Field) -> None:
    end = (field.now + timedelta(minutes=5)).isoformat()

    field.store(field.video("end", end=end), field.video("update", 1), field.video("new", 2))

    assert field.row("SELECT phase, end_at IS NOT NULL FROM video_event") == ("end", True)


def test_a_late_report_never_reopens_a_reviewed_event(field: Field) -> None:
    field.store(field.video("new"))
    field.conn.execute(
        "UPDATE video_event SET review = 'dismissed', reviewed_by = 'ann', reviewed_at = now()"
    )

    field.store(field.video("update", 60, confidence=0.99), field.video("end", 120))

    assert field.row("SELECT review, reviewed_by FROM video_event") == ("dismissed", "ann")


def test_only_the_first_report_of_an_event_is_told_to_the_screens(field: Field) -> None:
    first = field.store(field.video("new"))
    second = field.store(field.video("update", 60))

    assert second.event_seq is None
    (event,) = list_events(field.conn, subject=f"video:{field.camera}/ev-1")
    assert (event.seq, event.kind) == (first.event_seq, "video.reported")


def test_a_device_says_whether_it_is_there_and_old_news_is_no_news(field: Field) -> None:
    topic = f"gas/{field.codes[0]}/status"
    online = {"ts": milliseconds_before(field, 0), "online": True}
    older = {"ts": milliseconds_before(field, 60), "online": True}

    field.store(field.message(topic, online))
    field.store(field.message(topic, older), field.message(topic, online))

    query = "SELECT online FROM device_link WHERE device_id = %s"
    assert field.one(query, field.device_id()) is True
    assert field.books() == (3, 1, 2, 0)
    field.store(field.message(topic, {"online": False}, later_s=30))
    assert field.one(query, field.device_id()) is False


def test_a_squad_moves_forward_in_time_only(field: Field) -> None:
    squad = field.one("SELECT code FROM squad ORDER BY code LIMIT 1")
    topic = f"squad/{squad}/position"
    here = {"ts": milliseconds_before(field, 0), "lon": 110.35, "lat": 20.01}
    before = {"ts": milliseconds_before(field, 60), "lon": 110.40, "lat": 20.05}

    field.store(field.message(topic, here))
    field.store(field.message(topic, before))

    query = "SELECT lon, lat FROM squad_position WHERE squad = %s ORDER BY at DESC LIMIT 1"
    assert field.row(query, squad) == (110.35, 20.01)
    assert field.books() == (2, 1, 1, 0)


def milliseconds_before(field: Field, seconds: float) -> int:
    return round((field.now - timedelta(seconds=seconds)).timestamp() * 1000)


def test_a_reject_keeps_reason_and_bytes_up_to_a_limit(field: Field) -> None:
    body = b"{" + b"x" * 100_000
    topic = f"city/v1/{DISTRICT}/gas/{field.codes[0]}/telemetry"

    field.store(Message(topic, body, False, field.now))

    (row,) = rejects.list_rejects(field.conn)
    assert (row.reason, row.raw_size) == ("json_invalid", len(body))
    assert len(row.raw) == rejects.RAW_LIMIT
    assert not row.is_complete
    assert field.books() == (1, 0, 0, 1)


def test_a_text_that_postgresql_cannot_store_is_quarantined_all_the_same(field: Field) -> None:
    body = b'{"readings": {"a\\u0000b\\ud800": 1}}'
    topic = f"city/v1/{DISTRICT}/gas/{field.codes[0]}/telemetry"

    field.store(Message(topic, body, False, field.now))

    assert field.books() == (1, 0, 0, 1)


def test_a_replayed_reject_is_booked_as_stored_in_its_own_minute(field: Field) -> None:
    topic = f"city/v1/{DISTRICT}/gas/NEW-1/telemetry"
    body = b'{"ts": %d, "readings": {"ch4_pct_lel": 42}}' % milliseconds_before(field, 7200)
    field.store(Message(topic, body, False, field.now - timedelta(hours=2)))
    (reject,) = rejects.list_rejects(field.conn)
    assert replay_reject(field.conn, reject.id, field.now) is False
    register(field.conn, "NEW-1", field.now)

    assert replay_reject(field.conn, reject.id, field.now) is True

    assert field.books() == (1, 1, 0, 0)
    assert rejects.list_rejects(field.conn) == []
    quality = field.one(
        "SELECT quality FROM reading JOIN device ON device.id = device_id WHERE code = 'NEW-1'"
    )
    assert quality == Quality.LATE  # it must not raise an alarm two hours later
    with pytest.raises(Conflict):
        replay_reject(field.conn, reject.id, field.now)


def test_a_replayed_part_adds_its_reading_and_no_message(field: Field) -> None:
    code = field.codes[0]
    field.store(field.message(f"gas/{code}/telemetry", {"readings": {CH4: 1, "noise": 2}}))
    (reject,) = rejects.list_rejects(field.conn)
    assert not reject.whole_message
    assert replay_reject(field.conn, reject.id, field.now) is False

    field.conn.execute(
        "UPDATE reject SET raw = %s, raw_size = %s",
        (fixed := b'{"readings": {"ch4_pct_lel": 1, "co_ppm": 2}}', len(fixed)),
    )

    assert replay_reject(field.conn, reject.id, field.now) is True
    assert field.books() == (1, 1, 0, 0)
    assert field.one("SELECT count(*) FROM reading WHERE device_id = %s", field.device_id()) == 2


def test_a_reject_of_unknown_format_is_booked_under_the_format_it_turns_out_to_be(
    field: Field,
) -> None:
    field.store(Message("old/topic", b"?", False, field.now))
    (reject,) = rejects.list_rejects(field.conn)
    message = field.telemetry({CH4: 1}, field.now)
    field.conn.execute(
        "UPDATE reject SET topic = %s, raw = %s, raw_size = %s",
        (message.topic, message.payload, len(message.payload)),
    )

    assert replay_reject(field.conn, reject.id, field.now) is True
    assert field.books() == (1, 1, 0, 0)


def test_a_cut_reject_cannot_be_replayed(field: Field) -> None:
    field.store(Message("old/topic", b"?" * 100_000, False, field.now))
    (reject,) = rejects.list_rejects(field.conn)

    with pytest.raises(Conflict, match="bytes were kept"):
        replay_reject(field.conn, reject.id, field.now)
    with pytest.raises(NotFound):
        replay_reject(field.conn, reject.id + 1000, field.now)


def test_the_ledger_finds_a_reading_that_went_missing(field: Field) -> None:
    field.store(field.telemetry({CH4: 1, "co_ppm": 2}, field.now))
    field.conn.execute("DELETE FROM reading WHERE value = 2")

    (wrong,) = ledger.verify(
        field.conn, field.now - timedelta(minutes=1), field.now + timedelta(minutes=1)
    )

    assert (wrong.what, wrong.expected, wrong.found) == ("readings", 2, 1)
    assert wrong.minute == field.now.replace(second=0, microsecond=0)


def test_the_ledger_finds_a_reject_that_went_missing(field: Field) -> None:
    field.store(Message("old/topic", b"?", False, field.now))
    field.conn.execute("DELETE FROM reject")

    (wrong,) = ledger.verify(field.conn, field.now - timedelta(minutes=1), field.now)

    assert (wrong.feed, wrong.what, wrong.expected, wrong.found) == ("unknown", "rejects", 1, 0)


def test_the_ledger_does_not_miss_what_was_thrown_away_on_time(field: Field) -> None:
    field.store(field.telemetry({CH4: 1}, field.now), Message("old/topic", b"?", False, field.now))
    later = field.now + timedelta(days=500)
    day = timedelta(days=1)

    rollups.drop_old(field.conn, later)

    assert field.one("SELECT count(*) FROM reject") == 0
    assert ledger.verify(field.conn, field.now - day, later) == []
    assert field.one("SELECT DISTINCT worker FROM ingest_batch") == "ingest"


def test_the_ledger_does_not_miss_old_history_that_was_thrown_away_on_time(field: Field) -> None:
    field.store(field.telemetry({CH4: 1}, field.now))
    day = timedelta(days=1)
    rollups.drop_old(field.conn, field.now + 29 * day)
    field.conn.execute("UPDATE ingest_ledger SET readings_stored = 3 WHERE readings_stored = 1")
    (wrong,) = ledger.verify(field.conn, field.now - day, field.now + day)
    assert (wrong.what, wrong.expected, wrong.found) == ("readings", 3, 1)

    # Two of them were a year old when they came.
    rollups.drop_old(field.conn, field.now + 31 * day)
    assert ledger.verify(field.conn, field.now - day, field.now + day) == []
    field.conn.execute("UPDATE ingest_ledger SET readings_stored = 0")
    (wrong,) = ledger.verify(field.conn, field.now - day, field.now + day)
    assert (wrong.what, wrong.expected, wrong.found) == ("readings", 0, 1)


def test_folding_evaluated_batches_keeps_the_accounts(field: Field) -> None:
    for n in range(3):
        field.store(field.telemetry({CH4: 1}, field.now + timedelta(seconds=n)))
    field.store(Message("old/topic", b"?", False, field.now))
    field.conn.execute("UPDATE ingest_batch SET payload = NULL, evaluated_at = now()")
    unevaluated = field.store(field.telemetry({CH4: 1}, field.now + timedelta(seconds=9)))
    before = field.books()

    assert ledger.fold_batches(field.conn, field.now + timedelta(days=1)) == 4

    assert field.books() == before
    assert field.one("SELECT count(*) FROM ingest_batch") == 2
    assert field.one("SELECT max(id) FROM ingest_batch WHERE payload IS NOT NULL") == (
        unevaluated.batch_id
    )
    (entry, _) = ledger.list_entries(field.conn, field.now - timedelta(minutes=1), field.now)
    assert entry.received in (1, 4)


def test_a_device_registered_elsewhere_is_known_at_once(database_url: str, now: datetime) -> None:
    with connect(database_url, autocommit=True) as conn, connect(database_url) as other:
        reader = ReportersReader(conn, at=100.0)
        reader.meet(conn, [("native", "NEW-1")], at=100.1)
        assert reader.current(conn, at=100.2).find("native", "NEW-1") is None

        register(other, "NEW-1", now)
        other.commit()

        reader.meet(conn, [("native", "NEW-1")], at=100.5)
        assert reader.registry.find("native", "NEW-1") is None  # asked less than a second ago
        reader.meet(conn, [("native", "NEW-1")], at=101.2)
        assert reader.registry.find("native", "NEW-1") is not None


def test_a_changed_device_is_read_again(database_url: str) -> None:
    with connect(database_url, autocommit=True) as conn, connect(database_url) as other:
        reader = ReportersReader(conn, at=100.0)
        code = other.execute("SELECT code FROM device WHERE format = 'native' LIMIT 1").fetchone()
        assert code is not None
        other.execute("UPDATE device SET model = 'generic-native' WHERE code = %s", code)
        other.commit()

        device = reader.current(conn, at=101.1).find("native", code[0])

        assert device is not None
        assert device.model == "generic-native"


def register(conn: Connection, code: str, now: datetime) -> None:
    place = (110.35, 20.0, None)
    device = NewDevice(code, DISTRICT, "gas", "", "native", None, code, *place, None, 60, {})
    insert_devices(conn, [device], now)


def test_a_batch_is_handed_over_district_by_district_and_booked_once(field: Field) -> None:
    field.conn.execute(
        "INSERT INTO district (code, name_zh, name_en, outline)"
        " SELECT '990102', name_zh, name_en, outline FROM district LIMIT 1"
    )
    field.conn.execute("UPDATE device SET district = '990102' WHERE code = %s", (field.codes[1],))
    moved = f"city/v1/990102/gas/{field.codes[1]}/telemetry"
    messages = [
        field.telemetry({CH4: 3.0}, field.now),
        Message(moved, field.telemetry({CH4: 4.0}, field.now).payload, False, field.now),
    ]
    for again in range(2):
        stored = field.store(*messages)
        work = field.conn.execute(
            """
            SELECT district, received, readings_stored, payload, evaluated_at IS NULL
            FROM ingest_batch WHERE id >= %s ORDER BY id
            """,
            (stored.batch_id,),
        ).fetchall()
        if again:
            assert [row[:3] for row in work] == [("", 2, 0)]  # repeats bring no work
        else:
            assert [row[:3] for row in work] == [("460107", 2, 1), ("990102", 0, 1)]
            devices = [unpack(row[3])["device_id"].tolist() for row in work]
            assert devices == [[field.device_id(0)], [field.device_id(1)]]
            assert all(row[4] for row in work)
    assert field.books() == (4, 2, 2, 0)
