"""`/healthz`, `/readyz` and `/metrics`: for the people and programs that run the server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from city.errors import InvalidInput, Unavailable
from city.sequence import SequenceTotal
from dashboard.api.answers import json_answer
from dashboard.api.params import read_args
from dashboard.shell.parts import Parts, parts
from dashboard.shell.readiness import ALL, NOTED_PARTS, SCOPES, WEB, check_parts, check_web
from db import broker_counts, sequences
from db.broker_counts import CountRow
from db.kpi import IngestLag, ingest_lag
from db.operations import FeedTotal, list_totals
from db.pool import transaction

# Seconds; the wall's own budget from commit to paint is one second.
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> Response:
    """This process answers."""
    return json_answer({"ok": True})


@health.get("/readyz")
def readyz() -> Response:
    """Whether the way from sensor to screen works, part by part (`dashboard.shell.readiness`).
    With `of=web` only what this server needs to answer: a load balancer that took the web servers
    away because the broker is down would take away the screens that say so."""
    asked = read_args(("of",)).get("of", ALL)
    if asked not in SCOPES:
        raise InvalidInput("of", asked, "must be one of: " + ", ".join(SCOPES))
    now = datetime.now(UTC)
    checks = check_web(parts(), now) if asked == WEB else check_parts(parts(), now)
    wrong = [check for check in checks if check.ok is False]
    reasons = [check.text for check in wrong if check.part not in NOTED_PARTS]
    body = {
        "ready": not reasons,
        "reasons": reasons,
        "notes": [check.text for check in wrong if check.part in NOTED_PARTS],
        "checks": [check.as_json(now) for check in checks],
    }
    return json_answer(body, 503 if reasons else 200)


@health.get("/metrics")
def metrics() -> Response:
    """In the format of Prometheus."""
    return Response(generate_latest(parts().metrics), content_type=CONTENT_TYPE_LATEST)


def count_requests(server: Flask, registry: CollectorRegistry) -> None:
    """Count and time every request by route, method and status."""
    requests = Counter(
        "gridwarden_http_requests", "Requests answered", ["method", "route", "status"],
        registry=registry,
    )  # fmt: skip
    seconds = Histogram(
        "gridwarden_http_request_seconds", "Time to the first byte of the answer", ["route"],
        buckets=LATENCY_BUCKETS, registry=registry,
    )  # fmt: skip

    def begin() -> None:
        g.began = time.perf_counter()

    def finish(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        requests.labels(request.method, route, response.status_code).inc()
        if (began := g.get("began")) is not None:
            seconds.labels(route).observe(time.perf_counter() - began)
        return response

    server.before_request(begin)
    server.after_request(finish)


class LiveCollector:
    """Reads the live channel and the database whenever somebody scrapes."""

    def __init__(self, found: Parts) -> None:
        self._parts = found

    def collect(self) -> Iterator[Metric]:
        """Everything that is a state, not a count of requests."""
        yield _gauge("gridwarden_sse_viewers", "Open event streams", self._parts.places.taken)
        walls = self._parts.walls.all()
        for name, text in (
            ("frames_built", "Frames built, each once for all viewers"),
            ("frames_sent", "Frames handed to viewers"),
            ("snapshots_built", "Snapshots built"),
            ("viewers_dropped", "Viewers that could not keep up"),
            ("faults", "Faults of the live channel that were survived"),
        ):
            total = sum(getattr(wall.audience.tally, name) for wall in walls)
            yield _counter(f"gridwarden_live_{name}", text, total)
        try:
            lag = _lag(self._parts)
        except Unavailable:
            yield _gauge("gridwarden_database_up", "1 if the database answers", 0)
            return
        yield _gauge("gridwarden_database_up", "1 if the database answers", 1)
        yield _counter("gridwarden_events", "Events in the log", lag.last_event)
        yield _gauge("gridwarden_ingest_batches_waiting", "Batches not evaluated yet",
                     lag.batches_waiting)  # fmt: skip
        yield _gauge("gridwarden_alarm_changes_waiting", "Alarm changes not taken by dispatch yet",
                     lag.alarm_changes_waiting)  # fmt: skip
        for name, text, value in (
            ("last_commit_age", "Age of the newest committed batch", lag.last_commit_age_s),
            ("receive_to_commit", "First message to commit, newest batch", lag.receive_to_commit_s),
            ("evaluation_lag", "Age of the oldest batch not evaluated", lag.oldest_waiting_s or 0),
        ):
            if value is not None:
                yield _gauge(f"gridwarden_ingest_{name}_seconds", text, value)
        try:
            totals = _totals(self._parts)
            numbered, broker = _books(self._parts)
        except Unavailable:
            return
        yield from feed_metrics(totals, datetime.now(UTC))
        yield from book_metrics(numbered, broker)


def feed_metrics(totals: Sequence[FeedTotal], now: datetime) -> Iterator[Metric]:
    """What the ledger says of each feed, as counters that never fall; up to half a minute old."""
    messages = CounterMetricFamily(
        "gridwarden_feed_messages", "Messages by feed and what became of them",
        labels=["feed", "result"],
    )  # fmt: skip
    readings = CounterMetricFamily(
        "gridwarden_feed_readings", "Readings stored by feed", labels=["feed"]
    )
    age = GaugeMetricFamily(
        "gridwarden_feed_newest_age_seconds", "Age of the newest message", labels=["feed"]
    )
    stored = SummaryMetricFamily(
        "gridwarden_feed_store_lag_seconds", "Receipt to commit of messages", labels=["feed"]
    )
    sensed = SummaryMetricFamily(
        "gridwarden_feed_sense_lag_seconds", "Measurement to receipt of readings", labels=["feed"]
    )
    for total in totals:
        for result in ("stored", "duplicate", "rejected"):
            messages.add_metric([total.feed, result], getattr(total, result))
        readings.add_metric([total.feed], total.readings_stored)
        age.add_metric([total.feed], max(0.0, (now - total.newest_at).total_seconds()))
        if total.store_n:
            stored.add_metric([total.feed], total.store_n, total.store_s_sum)
        if total.sense_n:
            sensed.add_metric([total.feed], total.sense_n, total.sense_s_sum)
    yield from (messages, readings, age, stored, sensed)


def book_metrics(totals: Sequence[SequenceTotal], broker: CountRow | None) -> Iterator[Metric]:
    """What senders' numbers and the broker's counters say. Those of the broker fall when it
    starts again, as Prometheus expects of counters."""
    for name, text in (
        ("followed", "Messages whose number was followed"),
        ("missing", "Messages that had not come when the next one had"),
        ("late", "Of these, messages that came after all"),
        ("restarts", "Times that a sender began to count anew"),
    ):
        family = CounterMetricFamily(f"gridwarden_sequence_{name}", text, labels=["feed"])
        for total in totals:
            family.add_metric([total.feed], getattr(total, name))
        yield family
    if broker is not None and broker.version:
        for name, text, count in (
            ("publishes_received", "Publishes of all clients received", broker.received),
            ("messages_dropped", "Deliveries given up, to any client", broker.dropped),
        ):
            yield _counter(f"gridwarden_broker_{name}", text, count)


def _books(found: Parts) -> tuple[list[SequenceTotal], CountRow | None]:
    with transaction(found.pool) as conn:
        return sequences.list_totals(conn), broker_counts.latest(conn)


def _totals(found: Parts) -> list[FeedTotal]:
    with transaction(found.pool) as conn:
        return list_totals(conn)


def _lag(found: Parts) -> IngestLag:
    with transaction(found.pool) as conn:
        return ingest_lag(conn, datetime.now(UTC))


def _gauge(name: str, text: str, value: Any) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: Any) -> Metric:
    return CounterMetricFamily(name, text, value=value)
