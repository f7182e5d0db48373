"""How long a street of 5,000 lamps takes to obey: ordered, sent, answered, written down.

A whole installation as a user starts it; one client at the broker plays all lamps and answers
every command at once. Counted until the last command is acknowledged in the database.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt

from bench.installation import Installation, running_installation, wait_for
from city.incident import Role
from city.lighting import Target, TargetKind
from city.person import Caller
from db.events import append_events
from db.pool import connect
from lighting import steps

LAMPS = 5_000
DISTRICT, CABINET = "460107", "CAB-BENCH"
LEVELS = (100, 60, 0)
WAIT_S = 120.0


def run() -> dict[str, Any]:
    """Seconds and commands a second for each round."""
    with running_installation("lamps") as installation:
        add_lamps(installation)
        with obeying(installation):
            rounds = [one_round(installation, level) for level in LEVELS]
    seconds = sorted(r["seconds"] for r in rounds)
    middle = seconds[len(seconds) // 2]
    return {
        "lamps": LAMPS,
        "seconds_to_all_acknowledged": middle,
        "commands_per_s": LAMPS / middle,
        "ordered_in_ms": sorted(r["ordered_ms"] for r in rounds)[len(rounds) // 2],
        "sent_twice": sum(r["sent_twice"] for r in rounds),
        "rounds": rounds,
    }


def add_lamps(installation: Installation) -> None:
    with connect(installation.postgres) as conn:
        conn.execute(
            """
            INSERT INTO device (code, district, kind, name, lon, lat, street, attributes,
                                report_interval_s, created_at)
            SELECT 'LB-' || to_char(n, 'FM00000'), %s, 'light', 'bench', 110.36, 20.0, NULL,
                   jsonb_build_object('cabinet', %s::text), 600, now()
            FROM generate_series(1, %s) AS n
            """,
            (DISTRICT, CABINET, LAMPS),
        )


@contextmanager
def obeying(installation: Installation) -> Iterator[None]:
    """All lamps, each of which answers as soon as it hears."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(2_000)

    def obey(_: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        said = json.loads(message.payload)
        body = json.dumps({"id": said["id"], "ok": True, "level": said["level"]})
        client.publish(f"{message.topic}/ack", body, qos=1)

    client.on_message = obey
    client.connect("127.0.0.1", int(installation.mqtt.rpartition(":")[2]))
    client.loop_start()
    client.subscribe("city/v1/+/light/+/command", 1)
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()


def one_round(installation: Installation, level: int) -> dict[str, Any]:
    """Past the approval that so many lamps wait for by day: that is a person's time."""
    began = time.monotonic()
    with connect(installation.postgres) as conn:
        caller = Caller("bench", Role.ADMIN, DISTRICT)
        target = Target(TargetKind.CABINET, CABINET)
        done, events = steps.order(conn, caller, target, level, "measured", datetime.now(UTC))
        append_events(conn, events)
    ordered = time.monotonic()
    script = installation.api(Role.ADMIN)

    def all_acknowledged() -> bool:
        (item,) = script.get("/lighting/commands?limit=1").json()["items"]
        return bool(item["id"] == done.order_id and item["acknowledged"] == LAMPS)

    wait_for(all_acknowledged, WAIT_S, 0.1)
    ended = time.monotonic()
    with connect(installation.postgres) as conn:
        row = conn.execute(
            "SELECT count(*) FROM lamp_command WHERE order_id = %s AND attempts > 1",
            (done.order_id,),
        ).fetchone()
    assert row is not None
    return {
        "level": level,
        "seconds": ended - began,
        "ordered_ms": 1000 * (ordered - began),
        "sent_twice": int(row[0]),
    }
