"""The people of the demonstration: one login a role, so that the whole loop can be walked."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path

from app.demo_plan import DEMO_USERS, LOGINS_FILE, planned_start
from app.settings import DEMO_DISTRICT
from city.incident import Role
from city.person import Caller
from city.requests import UserRequest
from db import demo, squads, users
from db.pool import connect
from people import steps as people

SEED = Caller("seed", Role.ADMIN, DEMO_DISTRICT)


def demo_logins(url: str, data_dir: Path) -> dict[str, str]:
    """Generated once, kept in the data folder for its owner only, printed at every start."""
    path = data_dir / LOGINS_FILE
    logins: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    with connect(url, application="gridwarden seed") as conn:
        now = planned_start(conn) or datetime.now(UTC)
        # A gas squad: the first scripted matter of the demonstration is a leak.
        squad = squads.find_demo_squad(conn, "gas")
        for name, role in DEMO_USERS:
            if users.find_user(conn, name) is not None and name in logins:
                continue
            logins.setdefault(name, secrets.token_urlsafe(9))
            own = squad if role is Role.SQUAD_LEADER else None
            people.add_user(conn, SEED, UserRequest(name, logins[name], role, own), now)
        demo.mark(conn, DEMO_DISTRICT, list(logins), now)
        conn.commit()
    path.touch(mode=0o600)
    path.write_text(json.dumps(logins, indent=1))
    return logins
