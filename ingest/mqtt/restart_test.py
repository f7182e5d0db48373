"""What a broker keeps over a restart, tried: no broker tells, and some that say so do not."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from city.errors import Unavailable
from ingest.broker import Broker, parse_broker
from ingest.mqtt.visit import Visit

# Messages published before the restart, and again between it and the subscriber's return.
MESSAGES = 200
# Seconds that the messages of before lie at the broker before the operator is asked: ours saves
# what it has accepted every two seconds.
SETTLE_S = 5.0
# Seconds after which the broker forgets the test, should we not end it.
EXPIRY_S = 1800
RETRY_S = 0.2

PLAIN, SHARED = "plain", "shared"
BEFORE, AFTER = b"before", b"after"


@dataclass(frozen=True)
class Kept:
    """Of `MESSAGES` each: what a persistent session that was away got of those published before
    the broker's restart, and of those published after it."""

    before: int
    after: int

    @property
    def all(self) -> bool:
        return (self.before, self.after) == (MESSAGES, MESSAGES)


@dataclass(frozen=True)
class RestartTest:
    """Outcome by kind of subscription, and seconds for which the broker was away."""

    broker: str
    away_s: float
    kept: dict[str, Kept]


def try_restart(
    url: str, *, shared: bool, say: Callable[[str], None], timeout_s: float
) -> RestartTest:
    """Ask the operator for a restart, notice it, and count what was kept. `Unavailable` says what
    did not happen within `timeout_s`."""
    broker = parse_broker(url)
    name = f"gridwarden-restart-{uuid.uuid4().hex[:12]}"
    topics = {kind: f"gridwarden/doctor/{name}/{kind}" for kind in (PLAIN, *[SHARED] * shared)}
    filters = {**topics}
    if shared:
        filters[SHARED] = f"$share/{name}/{topics[SHARED]}"
    try:
        for kind, topic in filters.items():
            _leave_behind(broker, f"{name}-{kind}", topic)
        _publish(broker, name, topics, BEFORE)
        time.sleep(SETTLE_S)
        away_s = _await_restart(broker, say, timeout_s)
        _publish(broker, name, topics, AFTER)
        return RestartTest(
            str(broker), away_s, {kind: _collect(broker, f"{name}-{kind}") for kind in topics}
        )
    finally:
        _forget(broker, [f"{name}-{kind}" for kind in topics])


def _leave_behind(broker: Broker, client_id: str, topic: str) -> None:
    """A persistent session, subscribed and then away."""
    session = Visit(broker, client_id, keep_s=EXPIRY_S)
    granted = session.listen_and_hear([topic], qos=1)
    session.close(end=not granted)
    if not granted:
        raise Unavailable(f"broker {broker} refuses the subscription {topic}; nothing tested")


def _publish(broker: Broker, name: str, topics: dict[str, str], body: bytes) -> None:
    sender = Visit(broker, f"{name}-sender")
    try:
        for topic in topics.values():
            if not sender.publish(topic, MESSAGES, body):
                raise Unavailable(f"broker {broker} does not acknowledge messages; nothing tested")
    finally:
        sender.close()


def _await_restart(broker: Broker, say: Callable[[str], None], timeout_s: float) -> float:
    """Seconds between the loss of a connection and the next one."""
    watcher = Visit(broker, "")
    say(
        f"restart the broker at {broker} now, in the way you want to be sure of"
        f" (an orderly restart, or kill -9); waiting up to {timeout_s:.0f} s"
    )
    until = time.monotonic() + timeout_s
    while watcher.lasts(RETRY_S):
        if time.monotonic() > until:
            watcher.close()
            raise Unavailable(
                f"broker {broker} was not restarted within {timeout_s:.0f} s (our connection to it"
                " held all the time); nothing tested"
            )
    gone_at = time.monotonic()
    say("the connection is gone; waiting for the broker")
    while True:
        try:
            Visit(broker, "").close()
        except Unavailable as error:
            if time.monotonic() > until:
                raise Unavailable(
                    f"broker {broker} went and was not back within {timeout_s:.0f} s; nothing"
                    f" tested ({error})"
                ) from error
            time.sleep(RETRY_S)
        else:
            away_s = time.monotonic() - gone_at
            say(f"back after {away_s:.1f} s; publishing, then looking at what was kept")
            return away_s


def _collect(broker: Broker, client_id: str) -> Kept:
    """Take the session up again and count."""
    again = Visit(broker, client_id, keep_s=EXPIRY_S)
    try:
        again.wait_for(2 * MESSAGES)
        bodies = [message.payload for message in again.messages]
    finally:
        again.close()
    return Kept(bodies.count(BEFORE), bodies.count(AFTER))


def _forget(broker: Broker, client_ids: list[str]) -> None:
    """End the test's sessions, if the broker is there."""
    for client_id in client_ids:
        try:
            Visit(broker, client_id).close()
        except Unavailable:
            return
