"""The picture of a district as of the newest event, and its checkpoints; the caller owns the
transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from db import checkpoints
from db.events import last_seq, list_changes
from db.pool import Connection
from db.walls import list_districts
from replay.checkpoint import FORMAT, Made, decode, encode, is_due, too_many
from replay.picture import Picture, fold_all

# Events folded at a time.
PAGE = 500


def read_picture(conn: Connection, district: str, until: int | None = None) -> Picture:
    """The fold of the log up to the event `until`, or of all of it: the nearest checkpoint before
    and the events after it."""
    head = last_seq(conn)
    until = head if until is None else min(until, head)
    body = checkpoints.find_newest(conn, district, FORMAT, until)
    picture = Picture(district) if body is None else decode(body)
    while page := list_changes(conn, after=picture.seq, until=until, limit=PAGE):
        picture = fold_all(picture, page)
    return replace(picture, seq=until)


def keep_pictures(conn: Connection, now: datetime) -> None:
    """Make a checkpoint of every district whose last one is far behind; let go of some."""
    for district in list_districts(conn):
        made = [Made(*row) for row in checkpoints.list_made(conn, district, FORMAT)]
        seq = last_seq(conn)
        if not is_due(made[0] if made else None, seq, now):
            continue
        picture = read_picture(conn, district, seq)
        if picture.at is None:
            continue  # nothing of it is in the log yet
        checkpoints.insert_checkpoint(
            conn, district, picture.seq, FORMAT, picture.at, now, encode(picture)
        )
        gone = too_many([Made(picture.seq, now), *made])
        checkpoints.delete_checkpoints(conn, district, FORMAT, gone)
