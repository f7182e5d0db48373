"""A whole installation, started as a user starts it, for measurements and acceptance tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx

from app.demo_people import demo_logins
from app.up import prepare_database
from city.incident import Role
from db import users
from db.pool import connect
from stack.home import provision

ROOT = Path(__file__).resolve().parents[1]
READY_TIMEOUT_S = 90
T = TypeVar("T")


class DidNotHappenError(AssertionError):
    """What was waited for did not come in time."""


@dataclass(frozen=True)
class Installation:
    """Addresses, one API client a role, and the logins of a running `gridwarden up`."""

    data_dir: Path
    http: str
    mqtt: str
    postgres: str
    redis: str
    logins: dict[str, str]
    tokens: dict[Role, str]
    clients: ExitStack
    up: int  # the process that started everything

    def api(self, role: Role) -> httpx.Client:
        """A client that speaks for a role; closed with the installation."""
        return self.clients.enter_context(
            httpx.Client(
                base_url=f"{self.http}/api/v1",
                headers={"Authorization": f"Bearer {self.tokens[role]}"},
                timeout=10,
            )
        )

    def publish(self, topic: str, payload: dict[str, Any] | str) -> None:
        """Send one message the way an outsider does, with mosquitto_pub."""
        body = payload if isinstance(payload, str) else json.dumps(payload)
        port = self.mqtt.rpartition(":")[2]
        subprocess.run(
            [mosquitto_pub(), "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", topic, "-m", body],
            check=True,
            timeout=10,
        )

    def gridwarden(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the command against this installation."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            env={**os.environ, "GRIDWARDEN_DATA_DIR": str(self.data_dir)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **options,
        )


@contextmanager
def running_installation(name: str = "up") -> Iterator[Installation]:
    """`gridwarden up` without the simulator, on the demo district, on ports of its own."""
    data_dir = ROOT / ".stack" / "tests" / f"{name}-{os.getpid()}"
    data_dir.mkdir(parents=True)
    output = data_dir.with_suffix(".log").open("w+")
    started = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up", "--no-demo", "--data-dir", str(data_dir)],
        stdout=output,
        stderr=output,
        cwd=ROOT,
        # Many screens of one token: the load is measured, not the door.
        env={**os.environ, "GRIDWARDEN_STREAMS_PER_PERSON": "1000"},
    )
    try:
        endpoints = wait_for(
            lambda: read_endpoints(started, data_dir, output.name), READY_TIMEOUT_S
        )
        with ExitStack() as clients:
            yield furnish(data_dir, endpoints, clients, started.pid)
    finally:
        started.send_signal(signal.SIGINT)
        started.wait(60)
        output.close()
        shutil.rmtree(data_dir, ignore_errors=True)


def read_endpoints(
    started: subprocess.Popen[bytes], data_dir: Path, log: str
) -> dict[str, str] | None:
    if started.poll() is not None:
        raise DidNotHappenError(f"gridwarden up ended: {Path(log).read_text()}")
    path = data_dir / "endpoints.json"
    return dict(json.loads(path.read_text())) if path.exists() else None


def furnish(data_dir: Path, endpoints: dict[str, str], clients: ExitStack, up: int) -> Installation:
    """Seed the demo district, people and tokens into a running installation."""
    url = endpoints["postgres"]
    prepare_database(url, demo=True)
    logins = demo_logins(url, data_dir)
    with connect(url) as conn:
        squad = users.find_user(conn, "squad")
        assert squad is not None, "demo_logins made one user a role"
        tokens = {
            role: users.create_token(
                conn,
                f"test-{role.value}",
                role,
                district="460107",
                squad=squad.squad if role is Role.SQUAD_LEADER else None,
                now=datetime.now(UTC),
            )
            for role in Role
            if role is not Role.SYSTEM
        }
        conn.commit()
    return Installation(
        data_dir,
        endpoints["http"],
        endpoints["mqtt"],
        url,
        endpoints["redis"],
        logins,
        tokens,
        clients,
        up,
    )


def wait_for(look: Callable[[], T | None], timeout_s: float = 10.0, pause_s: float = 0.05) -> T:
    """The first true answer of `look`; fails when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(pause_s)
    raise DidNotHappenError(f"nothing within {timeout_s:g} s from {look}")


def mosquitto_pub() -> str:
    """The client of the embedded stack."""
    return str(provision().program("mosquitto_pub"))
