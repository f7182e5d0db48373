"""A flood of refused messages: what is kept, what is counted, and that the ledger agrees."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from city.ledger import LedgerEntry
from city.reject import NewReject
from db import ledger
from db.ledger import NewBatch
from db.pool import Connection
from db.reject_counts import count_rejects, quarantine_size, trim_rejects
from db.reject_limits import LIMITS, MIB, Limits
from db.rejects import Which, insert_rejects, list_rejects, mark_replayed
from db.rollups import KEEP, drop_old

# A database of its own: one that others used and undid is known to the planner as empty for good.
pytestmark = pytest.mark.usefixtures("database_url")

GARBAGE = random.Random(7).randbytes(64 * 1024)


def refused(at: datetime, *, device: str = "d-1", size: int = 200, **other: object) -> NewReject:
    values = {
        "received_at": at,
        "format": "chirpstack",
        "topic": f"application/1/device/{device}",
        "device": device,
        "reason": "json_invalid",
        "detail": "not JSON: byte 0",
        "raw": GARBAGE[:size],
        "whole_message": True,
    }
    return NewReject(**{**values, **other})  # type: ignore[arg-type]


def store(conn: Connection, rejects: Sequence[NewReject], limits: Limits = LIMITS) -> None:
    """As ingest does: the rejects and their ledger entries in one transaction."""
    booked: dict[tuple[str, datetime], int] = {}
    for reject in rejects:
        key = reject.format, ledger.floor_minute(reject.received_at)
        booked[key] = booked.get(key, 0) + 1
    insert_rejects(conn, rejects, limits)
    entries = [
        LedgerEntry(feed, minute, count, 0, 0, count, 0, 0, 0)
        for (feed, minute), count in booked.items()
    ]
    times = [reject.received_at for reject in rejects]
    ledger.insert_batch(conn, NewBatch("w", min(times), max(times)), entries, max(times))


def everything(conn: Connection, now: datetime) -> list[ledger.Imbalance]:
    return ledger.verify(conn, now - timedelta(days=2), now + timedelta(days=1))


def garbage(start: datetime, number: int, devices: int) -> Iterator[list[NewReject]]:
    """Batches of 2,000 messages of 2 KiB, a thousand a second."""
    for first in range(0, number, 2000):
        yield [
            refused(start + timedelta(milliseconds=n), device=f"d-{n % devices}", size=2048)
            for n in range(first, first + 2000)
        ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("devices", "most_bytes"),
    [(1, 8 * MIB), (200_000, LIMITS.format_bytes * 3 // 2)],
    ids=["from one device", "each from another device"],
)
def test_200_000_messages_of_garbage_stay_below_the_limit_and_the_ledger_balances(
    db: Connection, now: datetime, devices: int, most_bytes: int
) -> None:
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    for batch in garbage(start, 200_000, devices):
        store(db, batch)
    size = quarantine_size(db, now)
    assert size.waiting + size.counted == 200_000
    assert size.bytes < most_bytes
    assert everything(db, now) == []
    flood = db.execute("SELECT count(*) FROM reject_flood").fetchone()
    assert flood is not None
    assert flood[0] <= 2


def test_of_one_device_the_first_messages_are_kept_then_one_a_minute(
    db: Connection, now: datetime
) -> None:
    limits = replace(LIMITS, device_rows=3)
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    times = [start + timedelta(seconds=10 * n) for n in range(30)]  # five minutes
    for at in times:
        store(db, [refused(at)], limits)
    kept = [reject.received_at for reject in list_rejects(db)][::-1]
    assert kept == [*times[:3], *times[6::6]]
    (count,) = count_rejects(db, start + timedelta(minutes=5))
    assert (count.waiting, count.counted, count.devices) == (7, 23, 1)
    assert count.hours[-1] == 30
    assert everything(db, now) == []
    store(db, [refused(start + timedelta(hours=1))] * 2, limits)  # a new hour, a new allowance
    assert len(list_rejects(db)) == 9


def test_a_device_that_floods_takes_nothing_from_another(db: Connection, now: datetime) -> None:
    limits = replace(LIMITS, device_rows=3)
    store(db, [*[refused(now) for _ in range(50)], refused(now, device="d-2")], limits)
    assert [r.device for r in list_rejects(db)].count("d-2") == 1
    assert everything(db, now) == []


def test_one_message_of_thousands_of_unknown_devices_leaves_room_for_others(
    db: Connection, now: datetime
) -> None:
    array = [
        refused(now, device=f"made-up-{n}", topic="a/list", size=64 * 1024, whole_message=n == 0)
        for n in range(5000)
    ]
    insert_rejects(db, array)
    other = [refused(now, device=f"d-{n}", topic="another", whole_message=False) for n in range(3)]
    insert_rejects(db, [*other, *array[1:3]])
    kept = db.execute("SELECT device, octet_length(raw) FROM reject ORDER BY id").fetchall()
    assert [device for device, _ in kept] == [
        *(f"made-up-{n}" for n in range(LIMITS.message_parts + 1)),
        *(reject.device for reject in other),
        "made-up-1",
        "made-up-2",
    ]
    assert kept[20][1] == 64 * 1024  # the parts that are kept can be replayed
    flood = db.execute("SELECT device, counted FROM reject_flood").fetchall()
    assert flood == [("", 5000 - 1 - LIMITS.message_parts)]
    booked = LedgerEntry("chirpstack", ledger.floor_minute(now), 1, 0, 0, 1, 0, 0, 0)
    ledger.insert_batch(db, NewBatch("w", now, now), [booked], now)
    assert everything(db, now) == []


def test_beyond_the_limit_of_a_format_nothing_more_is_kept_whoever_sends(
    db: Connection, now: datetime
) -> None:
    limits = replace(LIMITS, format_bytes=10_000)
    store(db, [refused(now, device=f"d-{n}", size=1000) for n in range(50)], limits)
    store(db, [refused(now, device="d-77", size=1000), refused(now, format="ttn")], limits)
    kept = list_rejects(db, limit=100)
    assert 5 <= len(kept) < 10
    assert kept[0].format == "ttn"
    counts = {(c.format, c.device): c for c in count_rejects(db, now)}
    assert counts["chirpstack", ""].counted == 51 - (len(kept) - 1)
    assert everything(db, now) == []


def test_parts_of_messages_are_limited_too_and_are_nothing_to_the_ledger(
    db: Connection, now: datetime
) -> None:
    limits = replace(LIMITS, device_rows=3)
    insert_rejects(db, [refused(now, whole_message=False) for _ in range(9)], limits)
    assert len(list_rejects(db)) == 3
    assert everything(db, now) == []


def test_beyond_the_limit_of_the_quarantine_the_oldest_are_given_up_and_counted(
    db: Connection, now: datetime
) -> None:
    start = now - timedelta(hours=4)
    for n in range(12):
        store(db, [refused(start + timedelta(minutes=10 * n), device=f"d-{n}")])
    oldest = list_rejects(db)[-1]
    mark_replayed(db, oldest.id, now)
    db.execute(
        "UPDATE ingest_ledger SET rejected = 0, stored = 1 WHERE minute = %s",
        (ledger.floor_minute(oldest.received_at),),
    )
    assert trim_rejects(db, now, replace(LIMITS, total_rows=5)) == 7
    assert [r.device for r in list_rejects(db)] == ["d-11", "d-10", "d-9", "d-8", "d-7"]
    assert quarantine_size(db, now).counted == 6
    assert everything(db, now) == []
    assert trim_rejects(db, now, replace(LIMITS, total_bytes=1)) == 5
    assert everything(db, now) == []


def test_a_quarantine_within_its_limits_gives_nothing_up(db: Connection, now: datetime) -> None:
    store(db, [refused(now - timedelta(hours=3))])
    assert trim_rejects(db, now) == 0
    assert len(list_rejects(db)) == 1


def test_what_is_too_old_is_forgotten_with_its_counts(db: Connection, now: datetime) -> None:
    long_ago = now - KEEP.rejects - timedelta(days=1)
    store(db, [refused(long_ago) for _ in range(400)])
    drop_old(db, now)
    size = quarantine_size(db, now)
    assert (size.waiting, size.counted) == (0, 0)
    assert ledger.verify(db, long_ago - timedelta(days=1), now) == []


def test_a_lost_or_invented_count_does_not_balance(db: Connection, now: datetime) -> None:
    limits = replace(LIMITS, device_rows=3)
    store(db, [refused(now) for _ in range(9)], limits)
    db.execute("UPDATE reject_minute SET counted = counted - 1")
    (wrong,) = everything(db, now)
    assert (wrong.what, wrong.feed, wrong.expected, wrong.found) == ("rejects", "chirpstack", 9, 8)


def test_rejects_are_found_by_device_and_since(db: Connection, now: datetime) -> None:
    store(db, [refused(now - timedelta(minutes=5)), refused(now, device="d-2")])
    assert [r.device for r in list_rejects(db, Which(device="d-2"))] == ["d-2"]
    assert [r.device for r in list_rejects(db, Which(since=now))] == ["d-2"]
    assert list_rejects(db, Which(device="d-2", reason="other")) == []
    by_reason = count_rejects(db, now, by_device=False)
    assert [(c.device, c.devices, c.waiting) for c in by_reason] == [("", 2, 2)]


def test_a_name_of_a_thousand_characters_can_be_kept(db: Connection, now: datetime) -> None:
    store(db, [refused(now, device="\N{GRINNING FACE}" * 1000)])
    assert len(list_rejects(db)[0].device) == 200
