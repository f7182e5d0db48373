"""The faults: what is done to which part, and when it is over."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.parts import PARTS, WORKER, Parts, thaw, wait_until_gone

KILL, TERM, STOP = "kill -9", "TERM", "STOP/CONT"
WAYS = (KILL, TERM, STOP)
HEALTHY, FROZEN, ABSENT = "healthy", "frozen", "absent"
# PostgreSQL takes TERM as "when the last client has gone"; INT is its orderly stop.
STOP_SIGNALS = {"database": signal.SIGINT}
ENDS_S = 20.0
RETURN_S = 60.0
# How long the reader stays away before and after the broker's death.
APART_S = 3.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Fault:
    """One row of the matrix."""

    part: str
    way: str
    ingest: str = HEALTHY  # meanwhile, where the broker is the part

    @property
    def name(self) -> str:
        return f"{self.part} {self.way}" + (
            f", ingest {self.ingest}" if self.part == "broker" and self.way != STOP else ""
        )


@dataclass(frozen=True)
class Happened:
    """When it began and was over, in epoch seconds; of a broker that was ended also the last save
    before its end and the moment from which it took messages again."""

    began_at: float
    over_at: float
    saved_at: float | None = None
    back_at: float | None = None


@dataclass(frozen=True)
class Scene:
    """What a fault is done to, and what happens in the middle of it."""

    parts: Parts
    mqtt_port: int
    broker_database: Path
    hold_s: float
    wait: Callable[[float], None]
    # Called once while the part is away.
    meanwhile: Callable[[], None]


def matrix(rounds: int) -> list[Fault]:
    """Every part in every way, and the broker's end with the reader healthy, frozen and absent."""
    # A storing worker takes no notice of TERM: its inbox tells it when to end.
    deaf = Fault(WORKER, TERM)
    once = [Fault(part, way) for part in PARTS if part != "broker" for way in WAYS]
    once.remove(deaf)
    broker = [
        Fault("broker", way, ingest) for way in (KILL, TERM) for ingest in (HEALTHY, FROZEN, ABSENT)
    ]
    return [*broker * rounds, Fault("broker", STOP), *once]


def commit(fault: Fault, scene: Scene) -> Happened:
    """Do it and wait until it is over."""
    if fault.way == STOP:
        return _freeze(fault.part, scene)
    if fault.part == "broker":
        return _end_broker(fault, scene)
    began_at = time.time()
    pid = scene.parts.signal(fault.part, _number(fault))
    scene.meanwhile()
    # An orderly stop takes its time; the restart is what is measured.
    gone_at = wait_until_gone(pid, ENDS_S)
    return Happened(began_at, gone_at)


def _number(fault: Fault) -> signal.Signals:
    return signal.SIGKILL if fault.way == KILL else STOP_SIGNALS.get(fault.part, signal.SIGTERM)


def _freeze(part: str, scene: Scene) -> Happened:
    began_at = time.time()
    frozen = scene.parts.freeze(part)
    if not frozen:
        raise LookupError(f"there is no {part}")
    try:
        scene.meanwhile()
        scene.wait(scene.hold_s)
    finally:
        thaw(frozen)
    return Happened(began_at, time.time())


def _end_broker(fault: Fault, scene: Scene) -> Happened:
    began_at = time.time()
    held = _Held(scene.parts)
    try:
        if fault.ingest == FROZEN:
            held.freeze()
        if fault.ingest == ABSENT:
            held.remove()
        if fault.ingest != HEALTHY:
            held.wait(APART_S, scene.wait)
        pid = scene.parts.signal("broker", _number(fault))
        wait_until_gone(pid, ENDS_S)
        saved_at = scene.broker_database.stat().st_mtime
        back_at = _wait_for_broker(scene.mqtt_port, held)
        scene.meanwhile()
        if fault.ingest != HEALTHY:
            held.wait(APART_S / 2, scene.wait)
    finally:
        held.let_go()
    over_at = back_at if fault.ingest == HEALTHY else time.time()
    return Happened(began_at, over_at, saved_at, back_at)


class _Held:
    """The ingest processes, kept from the broker: stopped as they are, or ended and each successor
    that `up` starts stopped before it has spoken to anybody."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._frozen: list[int] = []
        self._catching = False

    def freeze(self) -> None:
        self._frozen = self._parts.freeze("ingest")

    def remove(self) -> None:
        self._catching = True
        for pid in self._parts.family("ingest"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def catch(self) -> None:
        if self._catching:
            self._frozen += [p for p in self._parts.freeze("ingest") if p not in self._frozen]

    def wait(self, seconds: float, wait: Callable[[float], None]) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.catch()
            wait(0.02)

    def let_go(self) -> None:
        self._catching = False
        thaw(self._frozen)


def _wait_for_broker(port: int, held: _Held) -> float:
    until = time.monotonic() + RETURN_S
    while time.monotonic() < until:
        held.catch()
        with suppress(OSError):
            socket.create_connection((LOOPBACK, port), 1).close()
            return time.time()
        time.sleep(0.01)
    raise TimeoutError(f"the broker was not back within {RETURN_S:g} s")


def is_there(fault: Fault, parts: Parts) -> bool:
    """Whether this build has the part at all."""
    return fault.part != WORKER or parts.find(WORKER) is not None
