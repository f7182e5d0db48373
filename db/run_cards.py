"""Run cards with their versions, and what people answered to the checklists of cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.run_card import Answer
from db.pool import Connection
from db.row_columns import select_list


@dataclass(frozen=True, slots=True)
class CardText:
    """A version of a card as its file says it."""

    code: str
    version: int
    text: str


def list_in_force(conn: Connection, district: str, at: datetime) -> list[CardText]:
    """The cards of a district at a moment, by code."""
    with conn.cursor(row_factory=class_row(CardText)) as cursor:
        return cursor.execute(
            """
            SELECT code, version, text FROM run_card
            WHERE district = %(district)s AND valid_from <= %(at)s
              AND (valid_to IS NULL OR valid_to > %(at)s)
            ORDER BY code
            """,
            {"district": district, "at": at},
        ).fetchall()


def list_texts(conn: Connection, district: str) -> dict[str, str]:
    """The cards that are in force, by code."""
    rows = conn.execute(
        "SELECT code, text FROM run_card WHERE district = %s AND valid_to IS NULL ORDER BY code",
        (district,),
    )
    return dict(rows.fetchall())


def put_in_force(conn: Connection, district: str, cards: Mapping[str, str], now: datetime) -> None:
    """New versions of these cards; those before them end."""
    end(conn, district, list(cards), now)
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO run_card (district, code, version, text, valid_from)
            SELECT %(district)s, %(code)s, coalesce(max(version), 0) + 1, %(text)s, %(now)s
            FROM run_card WHERE district = %(district)s AND code = %(code)s
            """,
            [
                {"district": district, "code": code, "text": text, "now": now}
                for code, text in sorted(cards.items())
            ],
        )


def end(conn: Connection, district: str, codes: list[str], now: datetime) -> None:
    """Cards that are in force no more; cases that opened under them keep them."""
    conn.execute(
        """
        UPDATE run_card SET valid_to = %s
        WHERE district = %s AND code = ANY(%s) AND valid_to IS NULL
        """,
        (now, district, codes),
    )


ANSWER_COLUMNS = select_list(Answer, "a")


def list_answers(conn: Connection, incident_id: int, since: datetime | None) -> dict[str, Answer]:
    """The newest answer to each step, of those given not before `since`."""
    with conn.cursor(row_factory=class_row(Answer)) as cursor:
        rows = cursor.execute(
            f"""
            SELECT {ANSWER_COLUMNS} FROM checklist_answer a
            WHERE a.incident_id = %(id)s
              AND (%(since)s::timestamptz IS NULL OR a.answered_at >= %(since)s)
            ORDER BY a.id
            """,
            {"id": incident_id, "since": since},
        ).fetchall()
    return {answer.step: answer for answer in rows}


def insert_answer(
    conn: Connection, incident_id: int, card: str, version: int, answer: Answer
) -> None:
    measured: dict[str, Any] = dict(answer.measured)
    conn.execute(
        """
        INSERT INTO checklist_answer (incident_id, card, version, step, measured, passed, note,
                                      answered_by, answered_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (incident_id, card, version, answer.step, Jsonb(measured), answer.passed, answer.note,
         answer.answered_by, answer.answered_at),
    )  # fmt: skip
