"""Steps of clocks and their messages while the scheduler and the notifier are killed at random:
each step is in the log once, each message leaves under one key, and how late the latest was."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.chaos.parts import Parts
from bench.installation import Installation, running_installation
from bench.notify import DISTRICT, Pocket, pocket
from city.delivery import Channel, ChannelKind, EscalationStep, Step
from city.incident import Action, Role, Source
from city.person import Caller
from city.requests import ActionRequest, ReportRequest
from db import incidents, message_settings
from db.pool import Connection, connect
from dispatch import steps

SECONDS = 600
CASES = 200
KILLED = ("scheduler", "notify")
# Between two kills of one of them.
PAUSE_S = (5.0, 40.0)
# After the last kill: whoever took a message and died is waited for as long as its lease lasts.
QUIET_S = 150.0
SEED = 11
DISPATCHER = Caller("bench", Role.DISPATCHER, DISTRICT)
# The steps of one clock, as shares of its limit; as shipped.
SHARES = {
    "incident.due_soon": 0.8,
    "incident.overdue": 1.0,
    "incident.yellow_card": 2.0,
    "incident.red_card": 3.0,
}
# Of a clock that is looked at late the next step speaks for the one before: a reminder is not said
# after the end of the limit, nor a yellow card after the red one.
SPOKEN_FOR = {"incident.due_soon": "incident.overdue", "incident.yellow_card": "incident.red_card"}
TOLD = (Step.REMINDER, Step.OVERDUE, Step.YELLOW, Step.RED)


def run(seconds: int | None = None) -> dict[str, Any]:
    """Counts of kills, steps and messages, and the greatest lateness of each in seconds."""
    lasts = seconds or SECONDS
    rng = random.Random(SEED)
    with running_installation("kills") as installation, pocket() as web:
        set_up(installation, web)
        wanted = plan_steps(installation, lasts, rng)
        kills = kill_for(installation, lasts, rng)
        wait_for_messages(installation, web)
        return judge(installation, web, wanted) | {f"killed_{p}": kills[p] for p in KILLED}


def set_up(installation: Installation, web: Pocket) -> None:
    """One group channel that is told of every step and of nothing else."""
    percent = {Step.REMINDER: 80, Step.YELLOW: 200, Step.RED: 300}
    with connect(installation.postgres) as conn:
        hook = Channel("hook", ChannelKind.WEBHOOK, f"{web.url}/hook")
        message_settings.save_channels(conn, DISTRICT, [hook])
        told = [EscalationStep(step, percent.get(step), 4, (), ("hook",)) for step in TOLD]
        message_settings.save_steps(conn, DISTRICT, told)
        conn.commit()


def plan_steps(
    installation: Installation, lasts: int, rng: random.Random
) -> dict[tuple[str, str], datetime]:
    """Cases whose handling clock runs out step by step while the killing goes on: when each step
    is due, by subject and kind of event."""
    wanted: dict[tuple[str, str], datetime] = {}
    with connect(installation.postgres) as conn:
        ids = [handled_case(conn, n) for n in range(CASES)]
        conn.commit()
        now = datetime.now(UTC)
        for incident_id in ids:
            limit = timedelta(seconds=rng.uniform(lasts / 10, lasts / 4))
            began = now + timedelta(seconds=rng.uniform(0, lasts - 3 * limit.total_seconds()))
            due = {kind: began + share * limit for kind, share in SHARES.items()}
            conn.execute(
                """
                UPDATE deadline
                SET started_at = %s, limit_amount = %s, limit_unit = 'urgent_hour', warn_at = %s,
                    due_at = %s, escalate_at = %s
                WHERE incident_id = %s AND clock = 'handle'
                """,
                (began, limit / timedelta(hours=1), *list(due.values())[:3], incident_id),
            )
            wanted |= {(f"incident:{incident_id}", kind): at for kind, at in due.items()}
        conn.commit()
    return wanted


def handled_case(conn: Connection, n: int) -> int:
    """A case that a squad has acknowledged: its handling clock alone runs."""
    now = datetime.now(UTC)
    lon, lat = 110.36 + n % 20 * 0.0002, 20.0 + n // 20 * 0.0002
    report = ReportRequest("0101", lon, lat, description=f"case {n}", source=Source.PATROL)
    incident_id = steps.report(conn, DISPATCHER, report, now)
    squad = steps.rank_squads(conn, incident_id, now)[0].squad
    for action in (Action.FILE, Action.DISPATCH, Action.ACKNOWLEDGE):
        version = incidents.find(conn, incident_id).version
        sent = squad if action is Action.DISPATCH else None
        request = ActionRequest(action, version, note="bench", squad=sent)
        steps.act(conn, DISPATCHER, incident_id, request, now)
    return incident_id


def kill_for(installation: Installation, lasts: int, rng: random.Random) -> Counter[str]:
    """Kill each of them again and again, each in its own rhythm."""
    parts, kills = Parts(installation.up), Counter[str]()
    began = time.monotonic()
    next_at = {part: began + rng.uniform(*PAUSE_S) for part in KILLED}
    while time.monotonic() < began + lasts:
        for part in KILLED:
            if time.monotonic() >= next_at[part]:
                with suppress(LookupError, ProcessLookupError):  # it is not back yet
                    parts.signal(part, signal.SIGKILL)
                    kills[part] += 1
                next_at[part] = time.monotonic() + rng.uniform(*PAUSE_S)
        time.sleep(0.1)
    return kills


def wait_for_messages(installation: Installation, web: Pocket) -> None:
    """Until every step of every case has been told, or the time is over."""
    ends = time.monotonic() + QUIET_S
    while time.monotonic() < ends and len(web.arrived) < len(TOLD) * CASES:
        time.sleep(1)


def judge(
    installation: Installation, web: Pocket, wanted: dict[tuple[str, str], datetime]
) -> dict[str, Any]:
    with connect(installation.postgres) as conn:
        events = conn.execute(
            "SELECT subject, kind, at, seq FROM event WHERE kind = ANY(%s)", (list(SHARES),)
        ).fetchall()
        messages = conn.execute(
            "SELECT event_seq, token, state FROM delivery WHERE channel = 'hook'"
        ).fetchall()
    found = Counter((subject, kind) for subject, kind, _, _ in events if (subject, kind) in wanted)
    late = [
        (at - wanted[subject, kind]).total_seconds()
        for subject, kind, at, _ in events
        if (subject, kind) in wanted
    ]
    due = {seq: wanted[subject, kind] for subject, kind, _, seq in events
           if (subject, kind) in wanted}  # fmt: skip
    told = Counter(seq for seq, _, _ in messages if seq in due)
    arrived = [
        web.arrived[token] / 1000 - due[seq].timestamp()
        for seq, token, _ in messages
        if seq in due and token in web.arrived
    ]
    return {
        "steps_due": len(wanted),
        "steps_once": sum(1 for key in wanted if found[key] == 1),
        "steps_overtaken": sum(1 for key in wanted if found[key] == 0 and overtaken(key, found)),
        "steps_missing": sum(1 for key in wanted if not found[key] and not overtaken(key, found)),
        "steps_twice": sum(1 for times in found.values() if times > 1),
        "step_late_s_max": max(late, default=0.0),
        "messages_once": sum(1 for times in told.values() if times == 1),
        "messages_twice": sum(1 for times in told.values() if times > 1),
        "messages_arrived": len(arrived),
        "message_late_s_max": max(arrived, default=0.0),
    }


def overtaken(key: tuple[str, str], found: Counter[tuple[str, str]]) -> bool:
    subject, kind = key
    return kind in SPOKEN_FOR and found[subject, SPOKEN_FOR[kind]] == 1
