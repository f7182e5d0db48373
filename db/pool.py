"""Connections to PostgreSQL: one way to open them, one error family when it is away."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from city.errors import Unavailable

Connection = psycopg.Connection[Any]
Pool = ConnectionPool[Connection]

# How long a caller waits for a free connection before it is told that the database is away.
CHECKOUT_TIMEOUT_S = 5.0
# Pause between attempts while the database does not answer at start.
RETRY_S = 2.0
# A connection that is lent must answer an empty question within this.
CHECK_S = 2.0
# A server whose machine vanished, or whose connection a firewall forgot, is noticed in half a
# minute; the operating system's own patience is a quarter of an hour.
KEEPALIVE: dict[str, Any] = {
    "connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}  # fmt: skip
# SQLSTATEs that say nothing against the work: connection lost, server starting or stopping; in
# another's way, disk full, too many connections, read-only since it became a standby.
AWAY_CLASSES = ("08", "57P")
AWAY_STATES = frozenset({"40001", "40P01", "53100", "53300", "25006"})


def connect(url: str, *, application: str = "gridwarden", autocommit: bool = False) -> Connection:
    """Open one connection in UTC; raises `Unavailable` in one sentence when nobody answers."""
    try:
        conn = psycopg.connect(
            url, application_name=application, autocommit=autocommit, **KEEPALIVE
        )
    except psycopg.OperationalError as error:
        raise Unavailable(f"database does not answer: {first_line(error)}") from error
    _prepare(conn)
    return conn


def connect_when_ready(
    url: str,
    say: Callable[[str], None],
    *,
    application: str = "gridwarden",
    stopped: Callable[[float], bool] | None = None,
) -> Connection:
    """Open a connection, saying once a try why not; `stopped(seconds)` waits and may give up."""
    wait = stopped or _sleep
    while True:
        try:
            return connect(url, application=application)
        except Unavailable as error:
            say(f"{error}; trying again in {RETRY_S:g} s")
            if wait(RETRY_S):
                raise


def open_pool(url: str, *, max_size: int = 8, application: str = "gridwarden") -> Pool:
    """A pool that connects on first use and checks connections before it lends them."""
    return ConnectionPool(
        url,
        min_size=0,
        max_size=max_size,
        timeout=CHECKOUT_TIMEOUT_S,
        kwargs={"application_name": application, **KEEPALIVE},
        configure=_prepare,
        check=_check,
        open=True,
        name=application,
    )


@contextmanager
def transaction(pool: Pool) -> Iterator[Connection]:
    """Lend a connection for one transaction: committed on success, rolled back on any error."""
    try:
        with pool.connection() as conn:
            yield conn
    except PoolTimeout as error:
        raise Unavailable("database does not answer") from error
    except psycopg.OperationalError as error:
        raise Unavailable(f"database: {first_line(error)}") from error


# Whatever the database says no with.
DatabaseError = psycopg.Error


def is_away(error: BaseException) -> bool:
    """True where the same work may succeed later, whatever it is: the connection is gone, the
    server starts, stops, is full or read-only, or another transaction was in the way. Other
    errors of the server (out of memory, a limit, too complex) are about the work itself."""
    if isinstance(error, PoolTimeout | Unavailable):
        return True
    if not isinstance(error, psycopg.Error):
        return False
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError)
    return state.startswith(AWAY_CLASSES) or state in AWAY_STATES


def first_line(error: BaseException) -> str:
    """The first line of an error's text; libpq writes several."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _prepare(conn: Connection) -> None:
    autocommit = conn.autocommit
    conn.autocommit = True
    conn.execute("SET timezone TO 'UTC'")
    conn.autocommit = autocommit


def _check(conn: Connection) -> None:
    """Like the pool's own check, but a server that is frozen, whose system still acknowledges what
    we send, fails after `CHECK_S` instead of holding the caller until it thaws."""
    server = conn.pgconn
    server.send_query(b"")
    server.flush()
    poll = select.poll()
    poll.register(server.socket, select.POLLIN)
    until = time.monotonic() + CHECK_S
    while server.is_busy():
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise psycopg.OperationalError(f"the server does not answer within {CHECK_S:g} s")
        server.consume_input()
    answer = server.get_result()
    if answer is None or answer.status != ExecStatus.EMPTY_QUERY or server.get_result():
        raise psycopg.OperationalError("the connection is not usable any more")


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
