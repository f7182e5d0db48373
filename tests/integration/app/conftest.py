"""The command, run in this process against the servers of the tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from app.cli import cli

Command = Callable[..., Result]


@pytest.fixture
def gridwarden(
    database_url: str, mqtt_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """`gridwarden WORD …`, with `stdin` if it asks for something."""
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", database_url)
    monkeypatch.setenv("GRIDWARDEN_MQTT_URL", mqtt_url)
    monkeypatch.setenv("GRIDWARDEN_REDIS_URL", redis_url)
    monkeypatch.setenv("GRIDWARDEN_SECRET_KEY", "only for this test run")
    return lambda *words, stdin=None: CliRunner().invoke(cli, list(words), input=stdin)
