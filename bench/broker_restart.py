"""What Mosquitto keeps when it is killed or stopped while nobody reads, and what saving costs.

A publisher at QoS 1 remembers what was acknowledged and when. The subscriber has a persistent
session with a plain filter and is *away* (disconnected) or *frozen* (connected, reads nothing).
The broker is killed (-9) or stopped (TERM) and started again; some is published before the
subscriber returns. Each message is then one of: accepted before the last save, after it, or after
the restart. The settings are those of the embedded broker with another way of saving.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import mqtt_load, processes
from bench.remembering import NEVER, Sent, Source, remembering
from stack import provision
from stack.ports import LOOPBACK
from stack.servers.mosquitto import CONFIGURATION, INFLIGHT_MIB, MESSAGE_MIB
from stack.tuning import MIB

SECONDS = 13  # long enough for a save every ten seconds
AFTER_RESTART_S = 1.0
RATES = (200, 15_000)
SAVING = {
    "every_10": "autosave_interval 10",
    "every_1": "autosave_interval 1",
    "on_changes": "autosave_interval 1\nautosave_on_changes true",
}
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM}
FILTER = "bench/restart/#"
SOURCES = [Source(f"bench/restart/{number}", "value", 1.0) for number in range(1000)]
QUIET_S = 1.5
READY_S = 20.0
SHARED_MESSAGES = 20


@dataclass
class Broker:
    """A Mosquitto of this measurement's own."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def database(self) -> Path:
        return self.folder / "mosquitto.db"

    def start(self) -> None:
        command = [str(provision().program("mosquitto")), "-c", str(self.folder / "conf")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            with suppress(OSError):
                socket.create_connection((LOOPBACK, self.port), 1).close()
                return
            time.sleep(0.01)
        raise TimeoutError((self.folder / "log").read_text()[-500:])

    @property
    def pid(self) -> int:
        assert self.process is not None, "started"
        return self.process.pid

    def end(self, number: signal.Signals) -> float:
        """Send the signal and wait; epoch seconds of the last save."""
        assert self.process is not None, "started"
        self.process.send_signal(number)
        self.process.wait()
        try:
            return self.database.stat().st_mtime
        except FileNotFoundError:
            return NEVER


@contextmanager
def broker(saving: str, queue_messages: int = 10_000_000) -> Iterator[Broker]:
    """The embedded broker's settings with another way of saving, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="gridwarden-broker-") as name:
        folder = Path(name)
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = probe.getsockname()[1]
        (folder / "conf").write_text(_configuration(folder, port, saving, queue_messages))
        made = Broker(folder, port)
        made.start()
        try:
            yield made
        finally:
            if made.process is not None:
                made.process.kill()
                made.process.wait()


def _configuration(folder: Path, port: int, saving: str, queue_messages: int) -> str:
    text = CONFIGURATION.format(
        port=port,
        loopback=LOOPBACK,
        folder=folder,
        queue_bytes=1024 * MIB,
        queue_messages=queue_messages,
        message_bytes=MESSAGE_MIB * MIB,
        inflight_bytes=INFLIGHT_MIB * MIB,
    )
    kept = [line for line in text.splitlines() if not line.startswith("autosave_")]
    return "\n".join([*kept, saving, *(["user root"] if os.geteuid() == 0 else [])]) + "\n"


def run(
    seconds: int = SECONDS, rates: Sequence[int] = RATES, saving: Sequence[str] = tuple(SAVING)
) -> dict[str, Any]:
    """Every way of saving at every rate, and whether a shared subscription survives."""
    figures: dict[str, Any] = {"seconds": seconds}
    for name in SIGNALS:
        figures[f"kept_of_{SHARED_MESSAGES}_after_{name}"] = {
            "plain": kept_after(name, FILTER),
            "shared": kept_after(name, f"$share/g/{FILTER}"),
        }
    for rate in rates:
        for way in saving:
            for reader in ("away", "frozen"):
                for name in SIGNALS:
                    key = f"{rate}_per_s.{way}.{reader}.{name}"
                    figures[key] = measure(SAVING[way], rate, reader, SIGNALS[name], seconds)
                    print(key, json.dumps(figures[key]), flush=True)
    return figures


def measure(
    saving: str, rate: int, reader: str, number: signal.Signals, seconds: float
) -> dict[str, float]:
    """Publish, end the broker, start it, publish again, read: what is there."""
    with broker(saving) as served, remembering(served.port, rate, SOURCES) as publisher:
        publisher.pause()
        session = _subscribe(served.port, FILTER)
        if reader == "away":
            session.close()
        written, spent, began = _written(served.pid), processes.cpu_s(served.pid), time.time()
        publisher.resume()
        time.sleep(seconds)
        cost = {
            "broker_cpu_percent": 100
            * (processes.cpu_s(served.pid) - spent)
            / (time.time() - began),
            "written_mb_per_s": (_written(served.pid) - written) / 1e6 / (time.time() - began),
        }
        ended_at = time.time()
        saved_at = served.end(number)
        gone_at = time.time()
        served.start()
        back_at = time.time()
        time.sleep(AFTER_RESTART_S)
        publisher.pause()
        publisher.settle(10)
        session.close()
        arrived = _drain(served.port)
        log = publisher.log()
    return {
        **_losses(log, arrived, saved_at, back_at),
        **_patience([one for one in log if one.sent_at < ended_at]),
        **cost,
        "accepted_per_s": sum(NEVER < one.acked_at < ended_at for one in log) / seconds,
        "last_save_before_end_s": max(0.0, ended_at - saved_at) if saved_at else seconds,
        "ending_s": gone_at - ended_at,
        "starting_s": back_at - gone_at,
    }


def _subscribe(port: int, topic: str) -> socket.socket:
    session = mqtt_load.connect(LOOPBACK, port, "reader", keep=True)
    mqtt_load.subscribe(session, topic)
    return session


def _drain(port: int) -> set[tuple[str, int]]:
    session = mqtt_load.connect(LOOPBACK, port, "reader", keep=True)
    with session:
        return {
            (topic, json.loads(body)["ts"]) for topic, body in mqtt_load.drain(session, QUIET_S)
        }


def _losses(
    log: Sequence[Sent], arrived: set[tuple[str, int]], saved_at: float, back_at: float
) -> dict[str, float]:
    """Accepted and lost, by when they were accepted."""
    counts: dict[str, float] = {}
    for name in ("before_save", "after_save", "after_restart"):
        counts[f"accepted_{name}"] = counts[f"lost_{name}"] = 0
    for one in log:
        if one.acked_at == NEVER:
            continue
        # While it saves, the broker acknowledges nothing: what was acknowledged by the end of the
        # save is in it.
        name = "before_save" if one.acked_at <= saved_at else "after_save"
        if one.acked_at >= back_at:
            name = "after_restart"
        counts[f"accepted_{name}"] += 1
        counts[f"lost_{name}"] += (SOURCES[one.source].topic, one.key) not in arrived
    return counts


def _patience(log: Sequence[Sent]) -> dict[str, float]:
    """Milliseconds from sending to the acknowledgement."""
    waited = [1000 * (one.acked_at - one.sent_at) for one in log if one.acked_at]
    return {
        "puback_ms_p50": float(np.percentile(waited, 50)),
        "puback_ms_p99": float(np.percentile(waited, 99)),
        "puback_ms_max": max(waited),
    }


def _written(pid: int) -> int:
    """Bytes that a process has handed to the kernel for files and sockets."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def kept_after(name: str, topic: str) -> int:
    """Of messages published after the restart and before the subscriber's return."""
    with broker(SAVING["every_1"]) as served:
        _subscribe(served.port, topic).close()
        time.sleep(3.0)  # saved
        served.end(SIGNALS[name])
        served.start()
        with mqtt_load.connect(LOOPBACK, served.port, "sender") as sender:
            for number in range(SHARED_MESSAGES):
                body = b'{"ts":%d}' % number
                sender.sendall(mqtt_load.packet(SOURCES[0].topic, body, number + 1))
            time.sleep(0.3)
        return len(_drain(served.port))
