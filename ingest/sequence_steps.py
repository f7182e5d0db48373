"""Follow the numbers that were stored since the last time, in one transaction."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from db import sequences
from db.pool import Connection
from ingest.numbers import named_source
from ingest.sequences import follow, forget_silent, split, summarise

# Rounds of one call: a backlog is worked off over several.
ROUNDS = 20


def follow_numbers(conn: Connection, now: datetime) -> int:
    """Find what is missing and what came late; returns how many numbers were followed. Nothing
    if another process is at it."""
    followed = 0
    for _ in range(ROUNDS):
        with conn.transaction():
            count = _follow_some(conn, now)
        followed += count
        if not count:
            break
    return followed


def _follow_some(conn: Connection, now: datetime) -> int:
    claimed = sequences.claim_numbers(conn)
    if claimed is None:
        return 0
    numbers, names = claimed
    if not len(numbers):
        return 0
    sequences.insert_names(conn, {named_source(name): name for name in sorted(names)})
    known = sequences.load_sources(conn, np.unique(numbers["source"]))
    found = split(known, numbers)
    followed = follow(found, sequences.find_gaps(conn, found.unusual_sources()))
    sequences.replace_gaps(conn, followed.gone, followed.gaps, now)
    sources = forget_silent(followed.sources, now)
    summaries = {chunk: summarise(rows) for chunk, rows in sequences.by_chunk(sources).items()}
    sequences.save_sources(conn, sources, summaries)
    sequences.add_totals(conn, followed.totals)
    return len(numbers)
