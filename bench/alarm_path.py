"""From mosquitto_pub to a committed alarm, an open case and a painted wall."""

from __future__ import annotations

import statistics
import time
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
from playwright.sync_api import Page, sync_playwright

from bench.installation import Installation, running_installation
from stack.browser import chromium_arguments, chromium_environment, provide_chromium

# One alarm at a time, so that each figure is a latency and not a queue.
ALARMS = 100
PAUSE_S = 0.25
# Notes, for every device whose case the wall shows, the moment after the frame that drew it: the
# first animation frame runs before the paint, the second one after it.
WATCH_WALL = """
() => {
  window.seen = {};
  const note = () => requestAnimationFrame(() => requestAnimationFrame(() => {
    for (const i of gw.live.incidents.values())
      if (!(i.device in window.seen)) window.seen[i.device] = Date.now();
  }));
  new MutationObserver(note).observe(
    document.getElementById('wall-incidents'), {childList: true, subtree: true});
}
"""


def run(seconds: int | None = None) -> dict[str, Any]:
    """Percentiles in milliseconds of publish → alarm, → incident, → painted."""
    with running_installation() as installation, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(provide_chromium()),
            args=["--disable-gpu", *chromium_arguments()],
            env=dict(chromium_environment()),
        )
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        open_wall(page, installation)
        devices = native_gas(installation, ALARMS)
        sent = publish_all(installation, devices)
        page.wait_for_timeout(2_000)
        painted = page.evaluate("window.seen")
        browser.close()
        stored = committed(installation, list(sent))
    result: dict[str, Any] = {"alarms": len(stored), "painted": len(painted)}
    result |= percentiles("publish_to_alarm_ms", [stored[d][0] - sent[d] for d in stored])
    result |= percentiles("publish_to_incident_ms", [stored[d][1] - sent[d] for d in stored])
    result |= percentiles(
        "publish_to_painted_ms", [painted[d] - sent[d] for d in painted if d in sent]
    )
    return result


def open_wall(page: Page, installation: Installation) -> None:
    page.goto(f"{installation.http}/login")
    page.fill("form.sign-in input[name=name]", "viewer")
    page.fill("form.sign-in input[name=password]", installation.logins["viewer"])
    page.click("form.sign-in button[type=submit]")
    while not page.evaluate("document.documentElement.dataset.link === 'live'"):
        page.wait_for_timeout(200)
    page.evaluate(WATCH_WALL)


def native_gas(installation: Installation, count: int) -> list[tuple[str, str]]:
    with psycopg.connect(installation.postgres) as conn:
        return conn.execute(
            "SELECT code, district FROM device WHERE kind = 'gas' AND format = 'native'"
            " ORDER BY md5(code) LIMIT %s",
            (count,),
        ).fetchall()


def publish_all(installation: Installation, devices: list[tuple[str, str]]) -> dict[str, float]:
    """Publish one message over the limit a device; returns the epoch milliseconds of each."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", int(installation.mqtt.rpartition(":")[2]))
    client.loop_start()
    sent = {}
    for code, district in devices:
        sent[code] = time.time() * 1000
        body = f'{{"ts": {int(sent[code])}, "readings": {{"ch4_pct_lel": 66.0}}}}'
        client.publish(f"city/v1/{district}/gas/{code}/telemetry", body, qos=1)
        time.sleep(PAUSE_S)
    client.loop_stop()
    client.disconnect()
    return sent


def committed(installation: Installation, codes: list[str]) -> dict[str, tuple[float, float]]:
    """Epoch milliseconds of the alarm's and the incident's commit, by device code."""
    with psycopg.connect(installation.postgres) as conn:
        rows = conn.execute(
            """
            SELECT d.code, a.committed_at, e.at
            FROM alarm a JOIN device d ON d.id = a.device_id
            JOIN incident i ON i.device_id = d.id
            JOIN event e ON e.subject = 'incident:' || i.id AND e.kind = 'incident.opened'
            WHERE d.code = ANY(%s)
            """,
            (codes,),
        ).fetchall()
    return {
        code: (alarm.timestamp() * 1000, opened.timestamp() * 1000) for code, alarm, opened in rows
    }


def percentiles(name: str, values: list[float]) -> dict[str, float]:
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {f"{name}_p50": cuts[49], f"{name}_p99": cuts[98]}
