"""`gridwarden user …` and `gridwarden token …` on a real database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result

from app.demo_people import DEMO_USERS, demo_logins
from db import second_factors, users
from db.migrate import migrate
from db.pool import Connection, connect
from tests.conftest import drop_database, with_database
from tests.integration.app.conftest import Command

PASSWORD = "a long enough password"


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def test_a_lost_second_factor_is_taken_away(gridwarden: Command, db: Connection) -> None:
    done(gridwarden("user", "add", "fu", "--role", "viewer", stdin=PASSWORD + "\n"))
    assert "no second factor" in refused(gridwarden("user", "reset-second-factor", "fu"))
    second_factors.put_factor(db, "fu", b"sealed", 1, datetime.now(UTC))
    db.commit()
    assert "second factor" in done(gridwarden("user", "list"))
    done(gridwarden("user", "reset-second-factor", "fu"))
    assert second_factors.lacks_factor(db, "fu")


def refused(result: Result) -> str:
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert len(result.output.strip().splitlines()) == 1
    return result.output


def test_a_person_comes_changes_goes_and_comes_back(gridwarden: Command, db: Connection) -> None:
    done(gridwarden("user", "add", "fu", "--role", "viewer", stdin=PASSWORD + "\n"))
    assert "viewer" in next(
        line for line in done(gridwarden("user", "list")).splitlines() if line.startswith("fu ")
    )
    squad = db.execute("SELECT code FROM squad ORDER BY code LIMIT 1").fetchone()
    db.commit()
    assert squad is not None
    done(gridwarden("user", "role", "fu", "squad_leader", "--squad", squad[0]))
    done(gridwarden("user", "password", "fu", stdin="quite another one\n"))
    found = users.verify(db, "fu", "quite another one")
    assert found is not None
    assert (found.role, found.squad) == ("squad_leader", squad[0])
    db.commit()
    done(gridwarden("user", "disable", "fu"))
    assert users.verify(db, "fu", "quite another one") is None
    db.commit()
    assert "shut out" in done(gridwarden("user", "list"))
    done(gridwarden("user", "enable", "fu"))
    assert users.verify(db, "fu", "quite another one")
    kinds = db.execute(
        "SELECT kind, actor FROM event WHERE subject = 'user:fu' ORDER BY seq"
    ).fetchall()
    assert kinds == [
        (f"user.{what}", "cli")
        for what in ("added", "role_changed", "password_set", "disabled", "enabled")
    ]


def test_the_people_of_the_demonstration_come_in_once_and_are_in_the_log(
    database_url: str, db: Connection, tmp_path: Path
) -> None:
    first = demo_logins(database_url, tmp_path)
    assert demo_logins(database_url, tmp_path) == first
    told = db.execute(
        "SELECT subject, actor, payload::text FROM event WHERE kind = 'user.added' ORDER BY seq"
    ).fetchall()
    assert [(subject, actor) for subject, actor, _ in told] == [
        (f"user:{name}", "seed") for name, _ in DEMO_USERS
    ]
    assert not any(password in str(told) for password in first.values())


def test_passwords_keep_their_spaces_and_lose_their_line_end(
    gridwarden: Command, db: Connection
) -> None:
    done(gridwarden("user", "add", "fu", "--role", "viewer", stdin=" spaces count \r\n"))
    assert users.verify(db, "fu", " spaces count ")


def test_what_cannot_be_is_one_sentence(gridwarden: Command) -> None:
    done(gridwarden("user", "add", "only", "--role", "admin", stdin=PASSWORD))
    assert "last administrator" in refused(gridwarden("user", "disable", "only"))
    assert "last administrator" in refused(gridwarden("user", "role", "only", "viewer"))
    assert "no user 'nobody'" in refused(gridwarden("user", "disable", "nobody"))
    assert "is not shut out" in refused(gridwarden("user", "enable", "only"))
    done(gridwarden("user", "add", "other", "--role", "viewer", stdin=PASSWORD))
    assert "needs a squad" in refused(gridwarden("user", "role", "other", "squad_leader"))
    assert "8 to 256" in refused(gridwarden("user", "password", "only", stdin="short\n"))
    assert "no token 'nothing'" in refused(gridwarden("token", "revoke", "nothing"))


def test_a_token_is_made_listed_and_revoked(gridwarden: Command, db: Connection) -> None:
    secret = done(gridwarden("token", "create", "--name", "gauge", "--role", "viewer")).strip()
    listed = done(gridwarden("token", "list"))
    assert "gauge" in listed
    assert secret not in listed
    assert users.find_token(db, secret)
    db.commit()
    done(gridwarden("token", "revoke", "gauge"))
    assert users.find_token(db, secret) is None
    assert "revoked" in done(gridwarden("token", "list"))
    assert "revoked already" in refused(gridwarden("token", "revoke", "gauge"))


def test_without_districts_it_is_said_what_is_missing(
    gridwarden: Command, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(template, autocommit=True) as conn:
        conn.execute("CREATE DATABASE gw_bare")
    try:
        migrate(with_database(template, "gw_bare"))
        monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", with_database(template, "gw_bare"))
        said = refused(gridwarden("token", "create", "--name", "a", "--role", "viewer"))
        assert "district: is no district of this installation; there is none yet" in said
        said = refused(gridwarden("user", "add", "a", "--role", "admin", stdin=PASSWORD))
        assert "there is none yet" in said
    finally:
        drop_database(template, "gw_bare")
