"""Key figures of any period from sums of whole days: kept behind the log, added up when asked.

`city.tally` says what a fact adds; here it is added to blocks of 1, 4, 16, 64 and 256 local days,
so that years are a few rows a group. The days at both ends that are not whole, and what the
blocks have not been told yet, are counted from the facts themselves.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from city.errors import InvalidInput
from city.scope import Scope
from city.tally import CaseFact, Entry, list_entries
from db import kpi, places
from db.kpi import CLOCKS, TIMED, KpiRow
from db.pool import Connection

GROUPINGS = ("district", "street", "community", "squad", "person", "category", "source")
COUNTED = (
    "opened", "filed", "missed", "handled", "handled_late", "closed", "closed_late", "open_late",
    "reworked", "returned", "returned_late", "sent", "postponed",
    *(f"met_{clock}{late}" for clock in CLOCKS for late in ("", "_late")),
    *(f"missed_{clock}" for clock in CLOCKS),
)  # fmt: skip
# Times are counted in bins, each 3 % longer than the one before: a median or 90th percentile of
# many is within 1.5 % of the exact one. The last bin begins at 11 years.
BIN_RATIO, BINS = 1.03, 667
SLOT = {name: n for n, name in enumerate(COUNTED)}
FIRST_BIN = {name: len(COUNTED) + n * BINS for n, name in enumerate(TIMED)}
WIDTH = len(COUNTED) + BINS * len(TIMED)
PACKED = np.dtype([("slot", "<u2"), ("number", "<i4")])
# A block of level n has 4 to the n days.
LEVELS, STEP = 5, 4
# Facts counted in one transaction.
BATCH = 20_000
# As long as no more wait they are counted where somebody asks; else everything is, slowly.
WAITING_MAX = 20_000
# A period of no more facts is counted from them: its medians are exact, and it takes no longer.
EXACT_MAX = 3_000

Counts = dict[tuple[str, str, int], dict[int, int]]  # (grouping, key, day): {slot: number}


@dataclass(frozen=True, slots=True)
class CasePlace:
    """What of a case never changes, and figures are grouped by."""

    id: int
    district: str
    street: str
    community: str
    category: str
    source: str

    def key(self, grouping: str, squad: str, person: str) -> str:
        match grouping:
            case "squad":
                return squad
            case "person":
                return person
            case "district" | "street" | "community" | "category" | "source":
                return str(getattr(self, grouping))
        raise ValueError(grouping)


def slots_of(what: str, late: bool, seconds: float | None) -> list[int]:
    """Where an entry is added."""
    found = [SLOT[what]] if what in SLOT else []
    if late and f"{what}_late" in SLOT:
        found.append(SLOT[f"{what}_late"])
    if seconds is not None and what in TIMED:
        found.append(FIRST_BIN[what] + bin_of(seconds))
    return found


def bin_of(seconds: float) -> int:
    """The bin of a time; what took less than a second is in the first."""
    return min(BINS - 1, int(math.log(max(1.0, seconds)) / math.log(BIN_RATIO)))


def percentiles(bins: NDArray[Any], share: float) -> NDArray[Any]:
    """Seconds below which this share lies of what is in the bins of the last axis; NaN of
    nothing."""
    sums = np.cumsum(bins, axis=-1)
    rank = share * (sums[..., -1:] - 1) + 0.5
    at = np.minimum((sums < rank).sum(axis=-1, keepdims=True), bins.shape[-1] - 1)
    here = np.take_along_axis(bins, at, axis=-1)
    before = np.take_along_axis(sums, at, axis=-1) - here
    inside = np.clip((rank - before) / np.where(here > 0, here, 1), 0, 1)
    found = BIN_RATIO ** (at + inside)
    return np.where(sums[..., -1:] > 0, found, np.nan)[..., 0]


def blocks_of(first: int, last: int) -> list[tuple[int, int]]:
    """The fewest (level, block) that are exactly the days from `first` up to `last`, without it."""
    found = []
    while first < last:
        level = 0
        while (
            level + 1 < LEVELS
            and first % STEP ** (level + 1) == 0
            and first + STEP ** (level + 1) <= last
        ):
            level += 1
        found.append((level, first // STEP**level))
        first += STEP**level
    return found


# Counting what the log says


def fold(conn: Connection, batch: int = BATCH) -> bool:
    """Add the next facts to the blocks; False where there were none, or another does it."""
    row = conn.execute("SELECT seq FROM tally_cursor FOR UPDATE SKIP LOCKED").fetchone()
    if row is None:
        return False
    upto = conn.execute(
        "SELECT max(seq) FROM (SELECT seq FROM case_fact WHERE seq > %s ORDER BY seq LIMIT %s) n",
        (row[0], batch),
    ).fetchone()
    if upto is None or upto[0] is None:
        return False
    _add(conn, _read_cases(conn, after=row[0], upto=upto[0]), row[0])
    conn.execute("UPDATE tally_cursor SET seq = %s", (upto[0],))
    return True


def forget(conn: Connection) -> None:
    """Count everything anew, where facts or the time zone of a district were changed."""
    conn.execute("TRUNCATE tally_block, tally_change")
    conn.execute("UPDATE tally_cursor SET seq = 0")


Cases = dict[CasePlace, list[CaseFact]]


def _read_cases(
    conn: Connection,
    *,
    district: str | None = None,
    after: int,
    upto: int | None = None,
    windows: Sequence[tuple[datetime, datetime]] = (),
) -> Cases:
    """All facts of the cases of which there is one after `after`, or one within a window."""
    # Two questions: in one the planner takes the few cases of an hour for half of all, and reads
    # every fact there is.
    touched = conn.execute(
        """
        SELECT incident_id FROM case_fact
        WHERE seq > %(after)s AND (%(upto)s::bigint IS NULL OR seq <= %(upto)s)
          AND (%(district)s::text IS NULL OR district = %(district)s)
        UNION
        SELECT f.incident_id
        FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS w (begins, ends)
        JOIN case_fact f ON f.district = %(district)s AND f.at >= w.begins AND f.at < w.ends
        """,
        {
            "after": after,
            "upto": upto,
            "district": district,
            "starts": [start for start, _ in windows],
            "ends": [end for _, end in windows],
        },
    ).fetchall()
    rows = conn.execute(
        """
        SELECT i.id, i.district, coalesce(i.street, ''), coalesce(i.community, ''), i.category,
               i.source, f.seq, f.kind, f.at, f.squad, f.clock, f.attempt, f.late, f.seconds,
               f.actor
        FROM case_fact f JOIN incident i ON i.id = f.incident_id
        WHERE f.incident_id = ANY(%(ids)s) AND (%(upto)s::bigint IS NULL OR f.seq <= %(upto)s)
        ORDER BY f.seq, f.kind
        """,
        {"ids": [case for (case,) in touched], "upto": upto},
    ).fetchall()
    cases: Cases = {}
    places: dict[int, CasePlace] = {}
    for row in rows:
        place = places.get(row[0])
        if place is None:
            place = places[row[0]] = CasePlace(*row[:6])
            cases[place] = []
        cases[place].append(CaseFact(*row[6:]))
    return cases


def _add(conn: Connection, cases: Cases, after: int) -> None:
    zones = _zones(conn)
    counts: dict[str, Counts] = defaultdict(dict)
    changes = []
    for place, facts in cases.items():
        if place.district not in zones:  # of a city that was taken away
            continue
        zone, found = zones[place.district], counts[place.district]
        for entry in list_entries(facts):
            if entry.seq <= after:
                continue
            day = entry.effective.astimezone(zone).toordinal()
            _count(found, place, entry, day)
            if entry.origin.astimezone(zone).toordinal() != day:
                changes.append(
                    (
                        place.district, entry.origin, entry.effective, entry.sign, entry.what,
                        entry.late, entry.seconds, entry.moved, entry.squad, entry.person,
                        place.id,
                    )
                )  # fmt: skip
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "COPY tally_change (district, origin, effective, sign, what, late, seconds, moved,"
            " squad, person, incident_id) FROM STDIN"
        ) as copy,
    ):
        for change in changes:
            copy.write_row(change)
    for district, found in counts.items():
        _add_blocks(conn, district, found)


def _zones(conn: Connection) -> dict[str, ZoneInfo]:
    rows = conn.execute("SELECT code, timezone FROM district").fetchall()
    return {code: ZoneInfo(name) for code, name in rows}


def _count(counts: Counts, place: CasePlace, entry: Entry, day: int) -> None:
    slots = slots_of(entry.what, entry.late, entry.seconds)
    if not slots:
        return
    for grouping in ("squad", "person") if entry.moved else GROUPINGS:
        of_key = counts.setdefault(
            (grouping, place.key(grouping, entry.squad, entry.person), day), {}
        )
        for slot in slots:
            of_key[slot] = of_key.get(slot, 0) + entry.sign


def _add_blocks(conn: Connection, district: str, counts: Counts) -> None:
    added: dict[tuple[str, int, int, str], list[NDArray[Any]]] = defaultdict(list)
    for (grouping, key, day), numbers in counts.items():
        packed = np.array(sorted(numbers.items()), dtype=np.int64).reshape(-1, 2)
        for level in range(LEVELS):
            added[grouping, level, day // STEP**level, key].append(packed)
    # Always in one order: two that add to the same blocks would wait for each other for good.
    wanted = sorted(added)
    known = conn.execute(
        """
        SELECT b.grouping, b.level, b.block, b.key, b.counts
        FROM unnest(%s::text[], %s::int[], %s::int[], %s::text[]) AS w (grouping, level, block, key)
        JOIN tally_block b ON b.district = %s AND b.grouping = w.grouping AND b.level = w.level
                          AND b.block = w.block AND b.key = w.key
        """,
        (*(list(column) for column in zip(*wanted, strict=True)), district),
    ).fetchall() if wanted else []  # fmt: skip
    for grouping, level, block, key, blob in known:
        found = np.frombuffer(blob, PACKED)
        added[grouping, level, block, key].append(
            np.stack([found["slot"].astype(np.int64), found["number"].astype(np.int64)], axis=1)
        )
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO tally_block (district, grouping, level, block, key, counts)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (district, grouping, level, block, key)
            DO UPDATE SET counts = excluded.counts
            """,
            [(district, *block, _pack(added[block])) for block in wanted],
        )


def _pack(parts: Sequence[NDArray[Any]]) -> bytes:
    pairs = np.concatenate(parts)
    slots, place = np.unique(pairs[:, 0], return_inverse=True)
    sums = np.bincount(place, weights=pairs[:, 1]).astype(np.int64)
    packed = np.empty(int(np.count_nonzero(sums)), PACKED)
    packed["slot"], packed["number"] = slots[sums != 0], sums[sums != 0]
    return packed.tobytes()


# Asking


def waiting(conn: Connection) -> int:
    """How many facts are not in the blocks, counted up to one more than `WAITING_MAX`."""
    row = conn.execute(
        """
        SELECT count(*) FROM (
            SELECT FROM case_fact WHERE seq > (SELECT seq FROM tally_cursor) LIMIT %s) n
        """,
        (WAITING_MAX + 1,),
    ).fetchone()
    return int(row[0]) if row else 0


def list_figures(
    conn: Connection, scope: Scope, start: datetime, end: datetime, by: str
) -> list[KpiRow]:
    """Figures of a scope in [start, end) by one of `GROUPINGS`, the fastest way there is.

    A bounded scope is counted from the facts whatever the period; nothing is counted by person
    there.
    """
    if by not in GROUPINGS:
        raise InvalidInput("by", by, "must be one of " + ", ".join(GROUPINGS))
    by_facts = by in kpi.GROUPINGS
    if scope.within is not None or (by_facts and _is_short(conn, scope.district, start, end)):
        return kpi.list_kpi(conn, scope, start, end, by)
    if by_facts and waiting(conn) > WAITING_MAX:
        return kpi.list_kpi(conn, scope, start, end, by)
    return list_tallied(conn, scope, start, end, by, places.zone_of(conn, scope.district))


def _is_short(conn: Connection, district: str, start: datetime, end: datetime) -> bool:
    row = conn.execute(
        """
        SELECT count(*) FROM (
            SELECT FROM case_fact WHERE district = %s AND at >= %s AND at < %s LIMIT %s) n
        """,
        (district, start, end, EXACT_MAX + 1),
    ).fetchone()
    return bool(row and row[0] <= EXACT_MAX)


def list_tallied(
    conn: Connection, scope: Scope, start: datetime, end: datetime, by: str, zone: ZoneInfo
) -> list[KpiRow]:
    """Figures of a whole district in [start, end) as `db.kpi.list_kpi` counts them; its medians
    and percentiles are within 1.5 %."""
    assert scope.within is None, "the blocks are of whole districts"
    first, last = _day_after(start, zone), end.astimezone(zone).toordinal()
    if first >= last:
        whole, windows = (start, start), [(start, end)]
    else:
        whole = (_begin(first, zone), _begin(last, zone))
        windows = [w for w in ((start, whole[0]), (whole[1], end)) if w[0] < w[1]]
    row = conn.execute("SELECT seq FROM tally_cursor").fetchone()
    after = int(row[0]) if row else 0
    sums = _Sums()
    if first < last:
        _sum_blocks(conn, sums, scope.district, by, blocks_of(first, last))
        _take_back(conn, sums, scope.district, by, start, whole)
    cases = _read_cases(conn, district=scope.district, after=after, windows=windows)
    for place, facts in cases.items():
        for entry in list_entries(facts):
            if entry.origin < start or entry.effective >= end:
                continue
            if entry.seq > after or not whole[0] <= entry.effective < whole[1]:
                sums.add(
                    place.key(by, entry.squad, entry.person), entry.sign,
                    slots_of(entry.what, entry.late, entry.seconds),
                )  # fmt: skip
    names = _names(conn, scope.district, by, list(sums.keys))
    table = sums.table()
    bins = table[:, len(COUNTED) :].reshape(-1, len(TIMED), BINS)
    shares = {share: percentiles(bins, share) for share in (0.5, 0.9)}
    counts = bins.sum(axis=2)
    rows = [
        _row(
            key,
            *names.get(key, (key, key)),
            table[at, : len(COUNTED)].tolist(),
            list(zip(counts[at], shares[0.5][at], shares[0.9][at], strict=True)),
        )
        for key, at in sorted(sums.keys.items())
    ]
    return [row for row in rows if row.says_something]


def _day_after(moment: datetime, zone: ZoneInfo) -> int:
    """The first whole day from a moment on."""
    local = moment.astimezone(zone)
    return local.toordinal() + (moment > _begin(local.toordinal(), zone))


def _begin(day: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(datetime.fromordinal(day), time(), zone)


class _Sums:
    """Numbers by key and slot."""

    def __init__(self) -> None:
        self.keys: dict[str, int] = {}
        self._blocks: NDArray[Any] = np.zeros((0, WIDTH))
        self._more: dict[tuple[str, int], int] = {}

    def set_blocks(self, keys: Iterable[str], blobs: Sequence[bytes]) -> None:
        rows = [self.keys.setdefault(key, len(self.keys)) for key in keys]
        packed = np.frombuffer(b"".join(blobs), PACKED)
        row_of = np.repeat(
            np.array(rows, dtype=np.int64), [len(blob) // PACKED.itemsize for blob in blobs]
        )
        self._blocks = np.bincount(
            row_of * WIDTH + packed["slot"], weights=packed["number"],
            minlength=len(self.keys) * WIDTH,
        ).reshape(-1, WIDTH)  # fmt: skip

    def add(self, key: str, sign: int, slots: Iterable[int]) -> None:
        self.keys.setdefault(key, len(self.keys))
        for slot in slots:
            self._more[key, slot] = self._more.get((key, slot), 0) + sign

    def table(self) -> NDArray[Any]:
        """A row a key, in the order of `keys`."""
        found = np.zeros((len(self.keys), WIDTH))
        found[: len(self._blocks)] = self._blocks
        for (key, slot), number in self._more.items():
            found[self.keys[key], slot] += number
        return found


def _sum_blocks(
    conn: Connection, sums: _Sums, district: str, by: str, blocks: Sequence[tuple[int, int]]
) -> None:
    with conn.cursor(binary=True) as cursor:
        rows = cursor.execute(
            """
            SELECT b.key, b.counts
            FROM unnest(%s::int[], %s::int[]) AS w (level, block)
            JOIN tally_block b ON b.district = %s AND b.grouping = %s AND b.level = w.level
                              AND b.block = w.block
            """,
            ([level for level, _ in blocks], [block for _, block in blocks], district, by),
        ).fetchall()
    if rows:
        sums.set_blocks([key for key, _ in rows], [bytes(blob) for _, blob in rows])


def _take_back(
    conn: Connection,
    sums: _Sums,
    district: str,
    by: str,
    start: datetime,
    whole: tuple[datetime, datetime],
) -> None:
    """What the blocks have of before the period: it took effect in them, and is about earlier."""
    rows = conn.execute(
        """
        SELECT i.id, i.district, coalesce(i.street, ''), coalesce(i.community, ''), i.category,
               i.source, c.sign, c.what, c.late, c.seconds, c.squad, c.person
        FROM tally_change c JOIN incident i ON i.id = c.incident_id
        WHERE tstzrange(c.origin, c.effective, '[]') @> %(start)s::timestamptz
          AND c.district = %(district)s AND c.origin < %(start)s
          AND c.effective >= %(first)s AND c.effective < %(last)s
          AND (NOT c.moved OR %(by)s IN ('squad', 'person'))
        """,
        {
            "start": start, "first": whole[0], "last": whole[1], "district": district, "by": by,
        },
    ).fetchall()  # fmt: skip
    for *place, sign, what, late, seconds, squad, person in rows:
        key = CasePlace(*place).key(by, squad, person)
        sums.add(key, -sign, slots_of(what, late, seconds))


def _names(
    conn: Connection, district: str, by: str, keys: Sequence[str]
) -> Mapping[str, tuple[str, str]]:
    """Names of groups in both languages; what has none is shown by its key."""
    rows = conn.execute(
        """
        SELECT code, name_zh, name_en FROM district WHERE %(by)s = 'district'
        UNION ALL
        SELECT code, name, name FROM division WHERE %(by)s IN ('street', 'community')
        UNION ALL
        SELECT code, name_zh, name_en FROM squad WHERE %(by)s = 'squad'
        UNION ALL
        SELECT name, coalesce(nullif(display_name, ''), name),
               coalesce(nullif(display_name, ''), name) FROM app_user WHERE %(by)s = 'person'
        UNION ALL
        (SELECT DISTINCT ON (code) code, name_zh, name_en FROM incident_category
         WHERE %(by)s = 'category' AND valid_to IS NULL AND district IN ('', %(district)s)
         ORDER BY code, incident_category.district DESC)
        """,
        {"by": by, "district": district},
    ).fetchall()
    wanted = set(keys)
    return {code: (zh, en) for code, zh, en in rows if code in wanted}


def _row(
    key: str,
    name_zh: str,
    name_en: str,
    sums: Sequence[float],
    times: Sequence[tuple[float, float, float]],
) -> KpiRow:
    n = {name: round(sums[slot]) for name, slot in SLOT.items()}
    fields: dict[str, Any] = {}
    for step, (count, median, p90) in zip(TIMED.values(), times, strict=True):
        fields[f"{step}_count"] = round(count)
        fields[f"{step}_median_s"] = float(median) if count > 0 else None
        fields[f"{step}_p90_s"] = float(p90) if count > 0 else None
    for clock in CLOCKS:
        fields[f"{clock}_due"] = n[f"met_{clock}"] + n[f"missed_{clock}"]
        fields[f"{clock}_in_time"] = n[f"met_{clock}"] - n[f"met_{clock}_late"]
    return KpiRow(
        key=key, name_zh=name_zh, name_en=name_en, opened=n["opened"], filed=n["filed"],
        due_to_handle=n["handled"] + n["missed"], handled=n["handled"],
        handled_in_time=n["handled"] - n["handled_late"],
        due_to_close=n["closed"] + n["open_late"], closed=n["closed"],
        closed_in_time=n["closed"] - n["closed_late"], reworked=n["reworked"],
        returned=n["returned"], returned_late=n["returned_late"], sent=n["sent"],
        postponed=n["postponed"], **fields,
    )  # fmt: skip
