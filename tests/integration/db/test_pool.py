"""Connections that are lent: usable, or refused in time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from city.errors import Unavailable
from db.pool import Pool, open_pool, transaction


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    with open_pool(database_url, max_size=1) as pool:
        yield pool


def backend(pool: Pool) -> int:
    with transaction(pool) as conn:
        return conn.info.backend_pid


def test_a_connection_is_lent_again(pool: Pool) -> None:
    assert backend(pool) == backend(pool)


def test_a_connection_that_was_cut_is_replaced(pool: Pool) -> None:
    cut = backend(pool)
    os.kill(cut, signal.SIGTERM)
    assert backend(pool) != cut


def test_a_frozen_server_does_not_hold_who_asks(pool: Pool) -> None:
    """Its system still acknowledges every byte, so no time-out of the network ends the wait."""
    frozen = backend(pool)
    os.kill(frozen, signal.SIGSTOP)
    began = time.monotonic()
    try:
        assert backend(pool) != frozen
    except Unavailable:
        pytest.fail("the server itself answers; only this connection was frozen")
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert time.monotonic() - began < 8
