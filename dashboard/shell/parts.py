"""What one server process holds; found again from any request by `parts()`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from flask import current_app
from prometheus_client import CollectorRegistry

from dashboard.shell.gate import Gate
from dashboard.shell.looks import Looks
from dashboard.shell.ports import Ports
from dashboard.shell.streams import Places
from dashboard.shell.walls import Walls
from db.live import Redis
from db.pool import Pool

EXTENSION = "gridwarden"
ROOT_FOLDER = Path("/")


@dataclass(frozen=True)
class DemoLogin:
    """A login that the sign-in page of a demonstration offers."""

    name: str
    password: str
    role: str


@dataclass(frozen=True)
class Parts:
    """Connections, the walls that are being followed, and who may come in."""

    pool: Pool
    redis: Redis
    ports: Ports
    walls: Walls
    gate: Gate
    places: Places  # of event streams
    uploads: Places
    demo_logins: tuple[DemoLogin, ...] = ()
    data_dir: Path = ROOT_FOLDER  # whose disk is watched
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    looks: Looks = field(default_factory=Looks)


def parts() -> Parts:
    """The parts of the server that answers the current request."""
    found: Parts = current_app.extensions[EXTENSION]
    return found
