"""Pictures of video events are taken, kept and forgotten: units of work, and the loop over them.

The network is asked outside of any transaction, a thread for each of a few hosts at once: a camera
that hangs holds up nobody but itself.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.known import load_rules
from alerts.video.fetch import TIMEOUT_S, Host, NotFetched, fetch, host_of_camera
from alerts.video.pictures import Picture, blur, inspect_picture, regions_of
from alerts.video.review import REVIEWERS
from alerts.video.verdicts import SNAPSHOT_BLUR, SNAPSHOT_DAYS, SNAPSHOT_THEN, rule_for
from city.errors import InvalidInput
from city.event import NewEvent
from city.person import Caller
from db import video_snapshots
from db.events import append_events, last_seq
from db.live import Redis, open_redis, publish_event_seq
from db.pool import Connection, Pool, first_line, is_away, open_pool, transaction
from db.video_snapshots import StoredSnapshot, WaitingSnapshot

log = logging.getLogger(__name__)

SYSTEM = "system"
POLL_S = 0.5
ERROR_PAUSE_S = 1.0
AT_ONCE = 8
# Of these at most so many are hosts that did not answer the last time.
SLOW_AT_ONCE = 3
# After so long whoever took a picture and did not bring it has crashed.
LEASE = timedelta(seconds=3 * TIMEOUT_S)
# A camera that restarts needs minutes.
AGAIN_AFTER = (timedelta(seconds=15), timedelta(minutes=2), timedelta(minutes=15))
FORGET_EVERY_S = 60.0
FORGOTTEN_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    database_url: str
    redis_url: str
    hosts: tuple[Host, ...] = ()
    timeout_s: float = TIMEOUT_S


def take(
    waiting: WaitingSnapshot, hosts: Sequence[Host], timeout_s: float = TIMEOUT_S
) -> tuple[bytes, Picture]:
    """The picture of an event, from its message or from its host. Raises `NotFetched`."""
    content = waiting.content
    if content is None:
        allowed = (*hosts, *host_of_camera(waiting.address))
        content = fetch(waiting.url, allowed, timeout_s)
    try:
        return content, inspect_picture(content)
    except InvalidInput as error:
        raise NotFetched(f"{waiting.host or waiting.camera}: {error}", refused=True) from error


def keep(
    conn: Connection, waiting: WaitingSnapshot, content: bytes, picture: Picture, now: datetime
) -> None:
    """Store a picture with its hash and the day on which it is forgotten."""
    rule = rule_for(list(load_rules(conn, now).values()), waiting.type)
    days = rule.snapshot_days if rule is not None else SNAPSHOT_DAYS
    digest = hashlib.sha256(content).digest()
    video_snapshots.store(
        conn, waiting.camera_id, waiting.event_id, media_type=picture.media_type,
        width=picture.width, height=picture.height, sha256=digest, content=content, now=now,
        forget_at=now + timedelta(days=days) if days else None,
    )  # fmt: skip
    facts = {"sha256": digest.hex(), "bytes": len(content), "host": waiting.host}
    _tell(conn, waiting, "video.snapshot_stored", facts, now)


def miss(conn: Connection, waiting: WaitingSnapshot, error: NotFetched, now: datetime) -> None:
    """A picture did not come: asked again later, or never where that would not help."""
    over = error.refused or waiting.attempts > len(AGAIN_AFTER)
    again_at = None if over else now + AGAIN_AFTER[waiting.attempts - 1]
    state = "refused" if error.refused else "failed" if over else "waiting"
    video_snapshots.give_up(
        conn, waiting.camera_id, waiting.event_id, state, error.problem[:500], again_at
    )
    if over:
        _tell(conn, waiting, f"video.snapshot_{state}", {"problem": error.problem[:500]}, now)


def forget_old(conn: Connection, now: datetime) -> int:
    """Pictures that have been kept as long as their rule says are blurred or deleted; those of
    confirmed events belong to a case and are blurred."""
    found = video_snapshots.list_to_forget(conn, now, FORGOTTEN_AT_ONCE)
    rules = list(load_rules(conn, now).values()) if found else []
    for one in found:
        rule = rule_for(rules, one.type)
        then = rule.snapshot_then if rule is not None else SNAPSHOT_THEN
        blurs = then == "blur" or one.review == "confirmed"
        content = blur(one.content, regions_of(one.attributes)) if blurs else None
        video_snapshots.forget(
            conn, one.camera_id, one.event_id, content, "image/jpeg" if blurs else ""
        )
        facts: dict[str, object] = {"sha256": one.sha256.hex()}
        if content is not None:
            facts["blurred_sha256"] = hashlib.sha256(content).hexdigest()
        _tell(conn, one, f"video.snapshot_{'blurred' if blurs else 'deleted'}", facts, now)
    return len(found)


def picture_for(
    conn: Connection, caller: Caller, camera_id: int, event_id: str, now: datetime
) -> tuple[bytes, str] | None:
    """Content and type of a stored picture, as this caller may see it."""
    found = video_snapshots.find_stored(conn, caller.district, camera_id, event_id)
    if found is None:
        return None
    rule = rule_for(list(load_rules(conn, now).values()), found.type)
    how = rule.snapshot_blur if rule is not None else SNAPSHOT_BLUR
    if how == "none" or found.blurred or caller.role in REVIEWERS:
        return found.content, found.media_type
    regions = regions_of(found.attributes) if how == "regions" else None
    return blur(found.content, regions), "image/jpeg"


def _tell(
    conn: Connection,
    one: WaitingSnapshot | StoredSnapshot,
    kind: str,
    facts: dict[str, object],
    now: datetime,
) -> None:
    payload = {"camera": one.camera, "event_id": one.event_id, **facts}
    subject = f"video:{one.camera}/{one.event_id}"
    append_events(conn, [NewEvent(now, one.district, kind, subject, SYSTEM, payload)])


# The loop


def run(settings: SnapshotSettings, stop: threading.Event) -> None:
    """Take pictures until told to stop; a crash leaves each to whoever comes next."""
    pool = open_pool(settings.database_url, max_size=4, application="gridwarden snapshots")
    redis = open_redis(settings.redis_url)
    threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="snapshot")
    taker = Taker(settings, pool, redis, threads)
    try:
        while not stop.is_set():
            try:
                taker.begin()
                taker.forget(time.monotonic())
            except Exception as error:
                log.log(
                    logging.WARNING if is_away(error) else logging.ERROR,
                    "snapshots stopped short: %s", first_line(error),
                    exc_info=not is_away(error),
                )  # fmt: skip
                stop.wait(ERROR_PAUSE_S)
                continue
            stop.wait(POLL_S)
    finally:
        threads.shutdown(wait=True, cancel_futures=True)
        redis.close()
        pool.close()


class Taker:
    """Which hosts are being asked, and which were slow the last time."""

    def __init__(
        self, settings: SnapshotSettings, pool: Pool, redis: Redis, threads: ThreadPoolExecutor
    ) -> None:
        self._settings, self._pool, self._redis, self._threads = settings, pool, redis, threads
        self._busy: dict[str, Future[None]] = {}
        self._slow: set[str] = set()
        self._forgot_at = float("-inf")

    def begin(self) -> int:
        """Ask as many hosts as there are free threads; answers how many."""
        self._busy = {host: f for host, f in self._busy.items() if not f.done()}
        free = AT_ONCE - len(self._busy)
        if free <= 0:
            return 0
        shut = set(self._busy)
        if len(self._slow & shut) >= SLOW_AT_ONCE:
            shut |= self._slow
        now = datetime.now(UTC)
        with transaction(self._pool) as conn:
            found = video_snapshots.claim_due(conn, now, now + LEASE, shut, free)
        for number, waiting in enumerate(found):
            name = waiting.host or f"#{waiting.camera_id}/{number}/{waiting.event_id}"
            self._busy[name] = self._threads.submit(self._take, waiting)
        return len(found)

    def _take(self, waiting: WaitingSnapshot) -> None:
        try:
            began = time.monotonic()
            try:
                taken: tuple[bytes, Picture] | NotFetched = take(
                    waiting, self._settings.hosts, self._settings.timeout_s
                )
            except NotFetched as error:
                taken = error
            slow = time.monotonic() - began > self._settings.timeout_s / 2
            (self._slow.add if slow else self._slow.discard)(waiting.host)
            with transaction(self._pool) as conn:
                if isinstance(taken, NotFetched):
                    miss(conn, waiting, taken, datetime.now(UTC))
                else:
                    keep(conn, waiting, *taken, datetime.now(UTC))
                seq = last_seq(conn)
            publish_event_seq(self._redis, seq)
        except Exception as error:  # the lease ends, and it is due again
            log.log(
                logging.WARNING if is_away(error) else logging.ERROR,
                "snapshot of %s: %s", waiting.camera, first_line(error),
                exc_info=not is_away(error),
            )  # fmt: skip

    def forget(self, now_s: float) -> None:
        if now_s - self._forgot_at < FORGET_EVERY_S:
            return
        self._forgot_at = now_s
        more = True
        while more:
            with transaction(self._pool) as conn:
                more = forget_old(conn, datetime.now(UTC)) == FORGOTTEN_AT_ONCE
