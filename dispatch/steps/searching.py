"""Finding cases: documents are written behind the log, and looked through for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from city.scope import Scope
from db import case_search
from db.case_search import CaseRow, Progress, Wanted
from db.events import last_seq
from db.pool import Connection
from dispatch.case_text import case_text, read_query

# Events, and cases from before them, of one tick: well under a second of work.
EVENTS_AT_ONCE = 1_000
CASES_AT_ONCE = 500


def write_case_texts(conn: Connection, now: datetime) -> int:
    """Bring the documents up to the log, and go on with the cases from before it. Answers how
    many were looked at."""
    progress = case_search.lock_progress(conn)
    if progress is None:
        return 0
    # A log that is shorter than what was followed of it has begun anew: the demonstration went.
    after = progress.seq if progress.seq <= last_seq(conn) else 0
    touched, seq = case_search.list_touched(conn, after, EVENTS_AT_ONCE)
    older = case_search.list_before(conn, progress.below, CASES_AT_ONCE)
    ids = sorted({*touched, *older})
    if seq != progress.seq or older:
        _write(conn, ids)
        below = min(older, default=progress.below)
        case_search.save_progress(conn, Progress(seq, below))
    return len(ids)


def _write(conn: Connection, ids: Sequence[int]) -> None:
    rows = []
    for case in case_search.list_parts(conn, ids):
        document = case_text(case.parts)
        rows.append(
            CaseRow(
                case.id, case.district, document.text, document.sound, document.initials,
                document.grams,
            )
        )  # fmt: skip
    case_search.save_rows(conn, rows)


def find_cases(
    conn: Connection,
    scope: Scope,
    query: str,
    *,
    states: Sequence[str] | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[int]:
    """Ids of cases that a search finds, newest first; raises where it says nothing."""
    wanted = [Wanted(t.word, t.sounds_like, t.grams) for t in read_query(query)]
    return case_search.find(conn, scope, wanted, states=states, before_id=before_id, limit=limit)
