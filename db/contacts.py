"""How people are reached: addresses, quiet hours, browsers, and whether they are signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

from psycopg.rows import class_row

from city.delivery import Contact, PushTarget
from db.pool import Connection
from db.row_columns import select_list


@dataclass(frozen=True, slots=True)
class Reachable:
    """A person who may sign in, and how they are reached. `signed_in`: a session of theirs began
    after `since` and nobody has ended it."""

    name: str
    role: str
    squad: str | None
    divisions: list[str]
    signed_in: bool
    email: str
    phone: str
    lang: str
    quiet_from: time | None
    quiet_to: time | None


def list_reachable(conn: Connection, district: str, since: datetime) -> list[Reachable]:
    """Everybody of a district who may sign in, by name."""
    with conn.cursor(row_factory=class_row(Reachable)) as cursor:
        return cursor.execute(
            """
            SELECT u.name, u.role, u.squad, u.divisions,
                   EXISTS (SELECT FROM session_begin s WHERE s.name = u.name
                           AND s.began_at > %(since)s
                           AND (u.sessions_from IS NULL OR u.sessions_from <= s.began_at)
                   ) AS signed_in,
                   coalesce(c.email, '') AS email, coalesce(c.phone, '') AS phone,
                   coalesce(c.lang, 'zh') AS lang, c.quiet_from, c.quiet_to
            FROM app_user u LEFT JOIN contact c ON c.person = u.name
            WHERE u.district = %(district)s AND u.disabled_at IS NULL
            ORDER BY u.name
            """,
            {"district": district, "since": since},
        ).fetchall()


def find_contact(conn: Connection, person: str) -> Contact:
    """How a person is reached; of whom nothing is known: in no way."""
    with conn.cursor(row_factory=class_row(Contact)) as cursor:
        row = cursor.execute(
            f"SELECT {select_list(Contact, 'c')} FROM contact c WHERE person = %s", (person,)
        ).fetchone()
    return row or Contact(person)


def save_contact(conn: Connection, contact: Contact) -> None:
    conn.execute(
        """
        INSERT INTO contact (person, email, phone, lang, quiet_from, quiet_to)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (person) DO UPDATE
        SET email = excluded.email, phone = excluded.phone, lang = excluded.lang,
            quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to
        """,
        (
            contact.person, contact.email, contact.phone, contact.lang, contact.quiet_from,
            contact.quiet_to,
        ),
    )  # fmt: skip


# Browsers


def add_push_target(conn: Connection, target: PushTarget) -> int:
    """A browser takes messages of whoever was the last to say so."""
    row = conn.execute(
        """
        INSERT INTO push_target (person, endpoint, p256dh, auth, browser, created_at, sid)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (endpoint) DO UPDATE
        SET person = excluded.person, p256dh = excluded.p256dh, auth = excluded.auth,
            browser = excluded.browser, created_at = excluded.created_at, sid = excluded.sid
        RETURNING id
        """,
        (
            target.person, target.endpoint, target.p256dh, target.auth, target.browser,
            target.created_at, target.sid,
        ),
    ).fetchone()  # fmt: skip
    assert row is not None, "an upsert returns its row"
    return int(row[0])


def list_push_targets(
    conn: Connection, district: str, person: str | None = None
) -> list[PushTarget]:
    """Browsers of a district's people, or of one of them, the oldest first."""
    with conn.cursor(row_factory=class_row(PushTarget)) as cursor:
        return cursor.execute(
            f"""
            SELECT {select_list(PushTarget, "t")} FROM push_target t
            JOIN app_user u ON u.name = t.person
            WHERE u.district = %(district)s AND (%(person)s::text IS NULL OR person = %(person)s)
            ORDER BY t.id
            """,
            {"district": district, "person": person},
        ).fetchall()


def find_push_target(conn: Connection, target_id: int) -> PushTarget | None:
    with conn.cursor(row_factory=class_row(PushTarget)) as cursor:
        return cursor.execute(
            f"SELECT {select_list(PushTarget, 't')} FROM push_target t WHERE id = %s", (target_id,)
        ).fetchone()


def forget_push_target(conn: Connection, target_id: int) -> None:
    """Its vendor's service does not know the browser any more."""
    conn.execute("DELETE FROM push_target WHERE id = %s", (target_id,))


def remove_push_target(conn: Connection, person: str, endpoint: str) -> bool:
    """A person takes one of their browsers out; False if it is none of theirs."""
    removed = conn.execute(
        "DELETE FROM push_target WHERE person = %s AND endpoint = %s", (person, endpoint)
    )
    return removed.rowcount == 1


# Sessions


def begin_session(conn: Connection, sid: str, name: str, now: datetime) -> None:
    conn.execute(
        """
        INSERT INTO session_begin (sid, name, began_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (sid, name, now),
    )


def end_session(conn: Connection, sid: str, name: str) -> None:
    """The browser takes no more messages. Also what was supposed of sessions of before ends:
    whoever signs out has gone."""
    conn.execute("DELETE FROM push_target WHERE sid = %s", (sid,))
    conn.execute("DELETE FROM session_begin WHERE sid = ANY(%s)", ([sid, f"before:{name}"],))


def forget_sessions(conn: Connection, before: datetime) -> None:
    """Sessions whose cookies have run out."""
    conn.execute("DELETE FROM session_begin WHERE began_at < %s", (before,))
