"""Starts the process of a trial of rules, whose libraries the scheduler does without."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

from db import rule_trials
from db.pool import connect


class TrialStarter:
    """The scheduler's hand: at most one child, which it outlives or ends with."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._child: subprocess.Popen[bytes] | None = None

    def tick(self) -> None:
        """Start what waits, if nothing runs."""
        if self._child is not None and self._child.poll() is None:
            return
        self._child = None
        with closing(connect(self._url, application="scheduler trials")) as conn:
            found = rule_trials.claim(conn, datetime.now(UTC))
            conn.commit()
        if found is not None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "rules", "trial", str(found)],
                env={**os.environ, "GRIDWARDEN_DATABASE_URL": self._url},
                stdin=subprocess.DEVNULL,
            )

    def close(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()
