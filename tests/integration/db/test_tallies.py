"""Sums of days against the same figures counted from every fact of the period."""

from __future__ import annotations

import random
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from city.event import NewEvent
from city.scope import Scope
from db import kpi, tallies
from db.events import append_events

DISTRICT = "460107"
START = datetime(2026, 3, 2, 1, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
SQUADS = ("A", "B", "")


class Story:
    """Cases whose log is told in the order of time, each of its own random course."""

    def __init__(self, db, seed: int) -> None:
        self.db, self.draw = db, random.Random(seed)
        self.rows: list[tuple[datetime, int, str, dict[str, Any], str]] = []

    def add(self, number: str) -> None:
        draw = self.draw
        at = START + timedelta(hours=draw.uniform(0, 24 * 50))
        row = self.db.execute(
            """
            INSERT INTO incident (number, district, category, category_version, source, state,
                                  severity, title_zh, title_en, lon, lat, opened_at, reported_by)
            VALUES (%s, '460107', %s, 1, %s, 'filed', 2, 't', 't', 110.36, 20.0, %s, 'test')
            RETURNING id
            """,
            (number, draw.choice(["0101", "0102"]), draw.choice(["patrol", "hotline"]), at),
        ).fetchone()
        attempt, squad, open_, holds = 0, "", True, False
        self._say(row[0], at, "opened", squad, to="filed")
        for _ in range(draw.randrange(12)):
            at += timedelta(hours=draw.choice([0.2, 3, 20, 90]))
            clock = {"clock": "handle", "attempt": attempt, "late": draw.random() < 0.4}
            kinds = {
                "dispatched": open_ and not holds,
                "acknowledged": holds,
                "arrived": holds,
                "overdue": open_ and attempt > 0,
                "handled": holds,
                "postponed": holds,
                "returned": holds,
                "reworked": open_ and attempt > 0 and not holds,
                "closed": open_ and not holds,
                "cancelled": open_,
                "separated": open_ and attempt > 0,
                "reopened": not open_,
            }
            kind = draw.choice([kind for kind, may in kinds.items() if may])
            if kind in ("dispatched", "reworked"):
                attempt, holds, squad = attempt + 1, True, draw.choice(SQUADS)
                clocks = {
                    "started": [clock | {"attempt": attempt}],
                    "met": [{"clock": "dispatch", "attempt": 1, "late": clock["late"]}],
                }
                self._say(row[0], at, kind, squad, clocks=clocks)
            elif kind == "overdue":
                self._say(row[0], at, kind, squad, due_at=at.isoformat(), **clock)
            else:
                holds = holds and kind not in ("handled", "returned", "cancelled")
                open_ = kind not in ("closed", "cancelled") and (open_ or kind == "reopened")
                clocks = {name: [clock] for name in ("met", "stopped")}
                clocks["put_back"] = [clock | {"excused": True}]
                self._say(row[0], at, kind, squad, clocks=clocks)

    def _say(self, case: int, at: datetime, kind: str, squad: str, **payload: Any) -> None:
        told = {"role": "dispatcher", "squad": squad, **payload}
        self.rows.append((at, case, kind, told, self.draw.choice(["li", "wu"])))

    def tell(self, share: tuple[float, float]) -> None:
        self.rows.sort(key=lambda row: row[:2])
        part = self.rows[int(share[0] * len(self.rows)) : int(share[1] * len(self.rows))]
        append_events(
            self.db,
            [
                NewEvent(at, DISTRICT, f"incident.{kind}", f"incident:{case}", actor, told)
                for at, case, kind, told, actor in part
            ],
        )


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_days_say_what_every_fact_says(db, seed: int) -> None:
    story = Story(db, seed)
    for n in range(60):
        story.add(f"case {n}")
    for share in ((0, 0.3), (0.3, 0.7), (0.7, 1)):
        story.tell(share)
        compare(db, story.draw)  # the newest part is not in the blocks yet
        while tallies.fold(db, batch=40):
            pass
        compare(db, story.draw)
    assert tallies.waiting(db) == 0


def compare(db, draw: random.Random) -> None:
    for by in tallies.GROUPINGS:
        begin = START + timedelta(hours=draw.uniform(-30, 24 * 40))
        end = begin + timedelta(hours=draw.choice([5, 60, 24 * 20, 24 * 90]))
        if draw.random() < 0.5:
            begin, end = (tallies._begin(at.toordinal(), ZONE) for at in (begin, end))
        if begin == end:
            continue
        found = tallies.list_tallied(db, Scope(DISTRICT), begin, end, by, ZONE)
        exact = kpi.list_kpi(db, Scope(DISTRICT), begin, end, "district" if by == "person" else by)
        if by == "person":
            assert sum(row.handled for row in found) == sum(row.handled for row in exact)
            assert sum(row.due_to_close for row in found) == sum(row.due_to_close for row in exact)
            continue
        assert [counts(row) for row in found] == [counts(row) for row in exact]


def counts(row: kpi.KpiRow) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if not name.endswith("_s")}


def test_a_percentile_of_bins_is_within_three_percent() -> None:
    draw = random.Random(7)
    seconds = sorted(draw.lognormvariate(8, 1.5) for _ in range(4001))
    bins = [0] * tallies.BINS
    for value in seconds:
        bins[tallies.bin_of(value)] += 1
    for share in (0.1, 0.5, 0.9):
        exact = seconds[int(share * 4000)]
        assert abs(float(tallies.percentiles(np.array(bins), share)) / exact - 1) < 0.03
    assert np.isnan(tallies.percentiles(np.zeros(tallies.BINS), 0.5))


def test_blocks_are_exactly_the_days() -> None:
    draw = random.Random(3)
    for _ in range(200):
        first = draw.randrange(700_000, 740_000)
        last = first + draw.randrange(2_000)
        blocks = tallies.blocks_of(first, last)
        days = [
            day
            for level, block in blocks
            for day in range(block * 4**level, (block + 1) * 4**level)
        ]
        assert days == list(range(first, last))
        assert len(blocks) <= 6 * 4 + 2_000 // 4**4


def test_facts_counted_anew_say_the_same(db) -> None:
    story = Story(db, 11)
    for n in range(20):
        story.add(f"case {n}")
    story.tell((0, 1))
    tallies.fold(db)
    span = (START - timedelta(days=9), START + timedelta(days=90))
    before = tallies.list_tallied(db, Scope(DISTRICT), *span, "squad", ZONE)
    tallies.forget(db)
    assert tallies.waiting(db) > 0
    assert tallies.list_tallied(db, Scope(DISTRICT), *span, "squad", ZONE) == before
    tallies.fold(db)
    assert tallies.list_tallied(db, Scope(DISTRICT), *span, "squad", ZONE) == before
