"""Channels of messages and steps of escalation, as a city has set them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg.rows import class_row

from city.delivery import DEFAULT_LADDER, DEFAULT_STEPS, Channel, EscalationStep, Ladder, Step
from db.pool import Connection
from db.row_columns import insert_list, names_of, placeholders, select_list, values_of

_CHANNEL = names_of(Channel)
_STEP = names_of(EscalationStep)


def list_channels(conn: Connection, district: str) -> list[Channel]:
    """Every channel of a district, those that are off too, by name."""
    with conn.cursor(row_factory=class_row(Channel)) as cursor:
        return cursor.execute(
            f"""
            SELECT {select_list(Channel, "c")} FROM message_channel c
            WHERE district = %s ORDER BY name
            """,
            (district,),
        ).fetchall()


def list_lanes(conn: Connection) -> list[tuple[str, Channel]]:
    """District and channel of everything that may go out, or be written down as if it did."""
    with conn.cursor() as cursor:
        rows = cursor.execute(
            f"""
            SELECT district, {select_list(Channel, "c")} FROM message_channel c
            WHERE mode <> 'off' ORDER BY district, name
            """
        ).fetchall()
    return [(row[0], Channel(*row[1:])) for row in rows]


def save_channels(conn: Connection, district: str, channels: Iterable[Channel]) -> None:
    """Put channels in, each in the place of the one of its name."""
    for channel in channels:
        conn.execute(
            f"""
            INSERT INTO message_channel (district, {insert_list(_CHANNEL)})
            VALUES (%(district)s, {placeholders(_CHANNEL)})
            ON CONFLICT (district, name) DO UPDATE
            SET kind = excluded.kind, address = excluded.address, secret = excluded.secret,
                signature = excluded.signature, sender = excluded.sender, hosts = excluded.hosts,
                text_max = excluded.text_max, mode = excluded.mode
            """,
            {**values_of(channel), "hosts": list(channel.hosts), "district": district},
        )


def delete_channels(conn: Connection, district: str, names: Sequence[str]) -> None:
    conn.execute(
        "DELETE FROM message_channel WHERE district = %s AND name = ANY(%s)",
        (district, list(names)),
    )


def list_steps(conn: Connection, district: str) -> dict[Step, EscalationStep]:
    """Every step: as the district has set it, else as it ships."""
    with conn.cursor(row_factory=class_row(EscalationStep)) as cursor:
        rows = cursor.execute(
            f"""
            SELECT {select_list(EscalationStep, "e")} FROM escalation_step e WHERE district = %s
            """,
            (district,),
        ).fetchall()
    return DEFAULT_STEPS | {row.step: row for row in rows}


def save_steps(conn: Connection, district: str, steps: Iterable[EscalationStep]) -> None:
    for step in steps:
        conn.execute(
            f"""
            INSERT INTO escalation_step (district, {insert_list(_STEP)})
            VALUES (%(district)s, {placeholders(_STEP)})
            ON CONFLICT (district, step) DO UPDATE
            SET at_percent = excluded.at_percent, severity = excluded.severity,
                recipients = excluded.recipients, channels = excluded.channels
            """,
            {
                **values_of(step), "recipients": list(step.recipients),
                "channels": list(step.channels), "district": district,
            },
        )  # fmt: skip


def find_ladder(conn: Connection, district: str) -> Ladder:
    """At which shares of a limit clocks of this district remind and give cards."""
    rows = conn.execute(
        "SELECT step, at_percent FROM escalation_step WHERE district = %s", (district,)
    ).fetchall()
    share = {step: percent / 100 for step, percent in rows if percent is not None}
    default = DEFAULT_LADDER
    return Ladder(
        share.get(Step.REMINDER, default.remind),
        share.get(Step.YELLOW, default.yellow),
        share.get(Step.RED, default.red),
    )
