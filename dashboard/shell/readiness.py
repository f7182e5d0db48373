"""Whether the installation is ready, part by part: what a monitor alarms on at night."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.shell import stages
from dashboard.shell.disk import disk_of
from dashboard.shell.parts import Parts
from dashboard.shell.stages import Fault
from dashboard.shell.walls import Walls
from db.live import answers

ALL, WEB = SCOPES = ("all", "web")
# In the order of a reading's way. `web` is this server; devices are not ours.
STAGE_PARTS = ("database", "broker", "ingest", "devices", "engine", "scheduler")
# Who tells of whom: without the one nobody knows of the others.
KNOWN_FROM = {
    "database": STAGE_PARTS[1:],
    "ingest": ("broker", "devices"),
    "broker": ("devices",),
}
# Worth a word, no reason to call somebody: without Redis screens are slower, not wrong, and for
# devices that say nothing there is an alarm.
NOTED_PARTS = ("redis", "devices")

SENTENCES = {
    stages.DATABASE_AWAY: "database does not answer",
    stages.PICTURE_STANDS: "the walls' picture stands still",
    stages.INGEST_ABSENT: "ingest gives no sign of life: no readings arrive",
    stages.BROKER_AWAY: "ingest does not reach the broker: no readings arrive",
    stages.NOTHING_COMES: "ingest listens, and no device sends anything",
    stages.NOT_STORED: "ingest does not store what it receives",
    stages.NOT_JUDGED: "the engine gives no sign of life: alarms are not being judged",
    stages.JUDGED_LATE: "the engine judges alarms late",
    stages.NOT_DISPATCHED: "dispatching gives no sign of life: alarms open no incidents",
    stages.DISPATCHED_LATE: "an alarm waits for its incident",
    stages.GAS_REFUSED: "a refused message speaks of gas over a limit: no alarm was raised",
    stages.NOT_TICKED: "the scheduler gives no sign of life: deadlines are not watched",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One part of the installation; `ok` is None where nobody can know."""

    part: str
    ok: bool | None = True
    code: str = ""
    text: str = ""
    since: datetime | None = None

    def as_json(self, now: datetime) -> dict[str, Any]:
        """As the health page shows it; `age_s` is how long it has not been well."""
        body: dict[str, Any] = {"part": self.part, "ok": self.ok}
        if self.code:
            body |= {"code": self.code, "text": self.text, "since": self.since, "age_s": None}
        if self.since is not None:
            body["age_s"] = round((now - self.since).total_seconds(), 1)
        return body


def check_parts(found: Parts, now: datetime) -> list[Check]:
    """Every part, whether it is well or not."""
    faults = found.walls.pulse.faults(now)
    return [
        *check_stages(faults), _check_followers(found.walls, now), _check_redis(found),
        _check_disk(found),
    ]  # fmt: skip


def check_web(found: Parts, now: datetime) -> list[Check]:
    """What this server cannot answer without."""
    faults = found.walls.pulse.faults(now)
    database = (check for check in check_stages(faults) if check.part == "database")
    return [*database, _check_followers(found.walls, now)]


def check_stages(faults: Sequence[Fault]) -> Iterator[Check]:
    """The parts that the beats tell of, worst fault of each first."""
    first: dict[str, Fault] = {}
    for fault in faults:
        first.setdefault(fault.part, fault)
    unknown = {part for reporter in first for part in KNOWN_FROM.get(reporter, ())}
    for part in STAGE_PARTS:
        if part in first:
            yield _as_check(first[part])
        else:
            yield Check(part, None if part in unknown else True)


def _as_check(fault: Fault) -> Check:
    text = SENTENCES[fault.code]
    if fault.since is not None:
        text += f" since {fault.since:%Y-%m-%d %H:%M:%S} UTC"
    elif fault.code != stages.DATABASE_AWAY:
        text += ", and never did"
    return Check(fault.part, False, fault.code, text, fault.since)


def _check_followers(walls: Walls, now: datetime) -> Check:
    for wall in walls.all():
        if not wall.alive:
            text = f"a wall's follower is not running: {wall.code}"
            return Check("web", False, "follower_ended", text)
        for fault in wall.faults(now):
            if fault.part == "web":
                return _as_check(fault)
    return Check("web")


def _check_redis(found: Parts) -> Check:
    if answers(found.redis):
        return Check("redis")
    text = "redis does not answer: screens ask the database every second"
    return Check("redis", False, "redis_away", text)


def _check_disk(found: Parts) -> Check:
    try:
        disk = disk_of(found.data_dir)
    except OSError as error:
        return Check("disk", False, "disk_unknown", f"disk of {found.data_dir}: {error.strerror}")
    if not disk.is_low:
        return Check("disk")
    text = f"only {disk.free / 1e9:.1f} GB of disk are left at {disk.folder}"
    return Check("disk", False, "disk_low", text)
