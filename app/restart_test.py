"""`gridwarden doctor --restart-test`: what the broker keeps over a restart, tried and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from app.finding import Finding
from app.settings import Settings
from db.broker_tests import BrokerTest, find_broker_test, save_broker_test
from db.pool import Connection, connect
from ingest.broker import parse_broker
from ingest.mqtt import PLAIN, SHARED, Kept, RestartTest, try_restart
from ingest.mqtt.restart_test import MESSAGES

AGAIN = "run `gridwarden doctor --restart-test`"


def run_restart_test(
    settings: Settings, say: Callable[[str], None], timeout_s: float
) -> list[Finding]:
    """Try it, remember the outcome, and say what it means."""
    test = try_restart(settings.mqtt_url, shared=settings.mqtt_shared, say=say, timeout_s=timeout_s)
    passed = {kind: kept.all for kind, kept in test.kept.items()}
    with connect(settings.database_url, application="gridwarden cli") as conn:
        save_broker_test(conn, BrokerTest(test.broker, passed, datetime.now(UTC)))
        conn.commit()
    return list(judge(test))


def judge(test: RestartTest) -> Iterator[Finding]:
    """A sentence a kind of subscription, and what to do about it."""
    for kind, kept in test.kept.items():
        text = (
            f"{kind} subscription, away during the restart ({test.away_s:.1f} s): kept"
            f" {kept.before} of {MESSAGES} messages of before and {kept.after} of {MESSAGES}"
            " published after it"
        )
        yield Finding(kept.all, "restart", f"{text}; {_meaning(kind, kept)}")


def _meaning(kind: str, kept: Kept) -> str:
    if kept.all:
        return "this restart loses nothing that was accepted some seconds before it"
    if kept.after < MESSAGES:
        loss = (
            "the broker forgets the subscription: it acknowledges what is published until ingest"
            " is connected again, and throws it away"
        )
    else:
        loss = "the broker forgets what it had accepted and not delivered"
    cure = (
        "unset GRIDWARDEN_MQTT_SHARED, or use a broker that keeps shared sessions"
        if kind == SHARED
        else "switch its persistence on and let it save every second (Mosquitto: persistence true,"
        " autosave_interval 1)"
    )
    return f"{loss}; {cure}"


def recall(settings: Settings, conn: Connection) -> Iterator[Finding]:
    """What plain `gridwarden doctor` says of it: the last test failed, or shared subscriptions
    are relied on and nobody has tried them."""
    known = find_broker_test(conn, str(parse_broker(settings.mqtt_url)))
    passed = known.passed if known else {}
    if settings.mqtt_shared and SHARED not in passed:
        yield Finding(
            False,
            "restart",
            "ingest reads shared subscriptions, and nobody has tried whether this broker keeps them"
            " over a restart. Mosquitto does not: what comes before ingest is connected again is"
            f" acknowledged and lost; {AGAIN}",
        )
    for kind in (SHARED,) if settings.mqtt_shared else (PLAIN,):
        if known and kind in passed:
            kept = "lost nothing" if passed[kind] else f"lost messages; mend it and {AGAIN}"
            yield Finding(
                passed[kind],
                "restart",
                f"{kind} subscription over a restart, tried on {known.at:%Y-%m-%d}: {kept}",
            )
