"""Sparkplug edge nodes over a real database: any worker may get any message."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from city.message import NewMessage
from db import outbox, sparkplug
from db.devices import list_registered, list_squad_districts
from db.pool import Connection, connect
from ingest.batch import build_batch, decode_messages
from ingest.formats.sparkplug import resolve_replayed, resolve_sessions
from ingest.formats.sparkplug_sessions import REBIRTH_INTERVAL, REORDER_TIMEOUT
from ingest.message import Message
from ingest.reporters import Reporters
from ingest.store_batch import Stored, store_batch
from tests.unit.ingest.sparkplug_messages import (
    EDGE,
    GROUP,
    metric,
    node_birth,
    node_death,
    payload,
    topic,
)
from wire.industry.sparkplug_payload import REBIRTH
from wire.industry.sparkplug_schema import Payload

NODE = f"{GROUP}/{EDGE}"
LAMP = "North/cabinet-7/lamp-1"
SECOND = timedelta(seconds=1)


class Worker:
    """Stores Sparkplug messages as an ingest worker does, over a connection of its own."""

    def __init__(self, conn: Connection, now: datetime) -> None:
        self.conn = conn
        self.now = now

    def message(self, kind: str, body: bytes, at_s: float, device: str = "") -> Message:
        return Message(topic(kind, device), body, False, self.now + at_s * SECOND)

    def store(self, *messages: Message) -> Stored:
        now = max(message.received_at for message in messages)
        with self.conn.transaction():
            decoded = resolve_sessions(self.conn, messages, decode_messages(messages), now)
            registry = Reporters(list_registered(self.conn), list_squad_districts(self.conn))
            return store_batch(self.conn, build_batch(messages, decoded, registry), now)

    def take(self, kind: str, body: bytes, at_s: float, device: str = "") -> Stored:
        return self.store(self.message(kind, body, at_s, device))

    def data(self, seq: int, at_s: float, volts: float = 230.0, alias: int = 1) -> Stored:
        return self.take("DDATA", self.lamp_data(seq, at_s, volts, alias), at_s, "lamp-1")

    def lamp_data(self, seq: int, at_s: float, volts: float = 230.0, alias: int = 1) -> bytes:
        sent_ms = round((self.now + at_s * SECOND).timestamp() * 1000)
        return payload(metric(alias=alias, float_value=volts), seq=seq, timestamp=sent_ms)

    def birth(self, at_s: float, bd_seq: int = 3) -> None:
        self.take("NBIRTH", node_birth(bd_seq=bd_seq), at_s)
        self.take("DBIRTH", lamp_birth(), at_s + 0.1, "lamp-1")

    def value(self, query: str, *parameters: Any) -> Any:
        row = self.conn.execute(query, parameters).fetchone()
        assert row is not None
        return row[0]

    def readings(self) -> list[tuple[str, float]]:
        return self.conn.execute(
            """
            SELECT metric.name, value FROM reading JOIN metric ON metric.id = metric_id
            JOIN device ON device.id = device_id WHERE format = 'sparkplug' ORDER BY ts
            """
        ).fetchall()

    def online(self, external_id: str = LAMP) -> bool | None:
        row = self.conn.execute(
            """
            SELECT online FROM device_link JOIN device ON device.id = device_id
            WHERE external_id = %s
            """,
            (external_id,),
        ).fetchone()
        return row[0] if row else None

    def rejects(self) -> list[tuple[str, bool]]:
        return self.conn.execute(
            "SELECT reason, whole_message FROM reject WHERE format = 'sparkplug' ORDER BY id"
        ).fetchall()

    def requests(self) -> list[datetime]:
        """When rebirths are asked for."""
        rows = self.conn.execute("SELECT due_at FROM mqtt_outbox ORDER BY due_at").fetchall()
        return [row[0] for row in rows]


def lamp_birth(seq: int = 1) -> bytes:
    """Announces a voltage; its own value is null, so that the readings are those of the data."""
    volts = metric("voltage_v", datatype=9, alias=1, is_null=True, properties={"engUnit": "V"})
    return payload(volts, seq=seq)


@pytest.fixture
def workers(database_url: str, now: datetime) -> Iterator[tuple[Worker, Worker]]:
    with (
        connect(database_url, autocommit=True) as first,
        connect(database_url, autocommit=True) as second,
    ):
        first.execute(
            """
            UPDATE device SET format = 'sparkplug', external_id = %s, model = ''
            WHERE id = (SELECT min(id) FROM device WHERE kind = 'light')
            """,
            (LAMP,),
        )
        yield Worker(first, now), Worker(second, now)


def test_births_that_one_worker_got_name_the_data_another_gets(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    first.birth(0)
    stored = second.data(2, 1, 229.5)
    assert stored.readings == 1
    assert second.readings() == [("voltage_v", 229.5)]
    assert second.rejects() == []
    assert first.online() is True
    assert first.requests() == []


def test_one_batch_holds_births_and_the_data_they_name(workers: tuple[Worker, Worker]) -> None:
    first, _ = workers
    first.store(
        first.message("NBIRTH", node_birth(), 0),
        first.message("DBIRTH", lamp_birth(), 0.1, "lamp-1"),
        first.message("DDATA", first.lamp_data(2, 0.2), 0.2, "lamp-1"),
        first.message("DDATA", first.lamp_data(3, 0.3, 231.0), 0.3, "lamp-1"),
    )
    assert first.readings() == [("voltage_v", 230.0), ("voltage_v", 231.0)]
    assert first.value("SELECT next_seq FROM sparkplug_node") == 4


def test_aliases_of_64_bits_and_names_in_other_scripts_are_kept(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    body = payload(
        metric("\u6f0f\u7535\u6d41/L1", 0.5, alias=2**64 - 1),
        metric("voltage_v", 230.0, alias=0),
        seq=1,
    )
    first.take("DBIRTH", body, 0, "lamp-1")
    (row,) = sparkplug.find_metrics(second.conn, {(GROUP, EDGE, "lamp-1", 2**64 - 1)}, set())
    assert (row.name, row.alias) == ("\u6f0f\u7535\u6d41/L1", 2**64 - 1)
    second.data(2, 1, 231.0, alias=0)
    assert second.readings()[-1] == ("voltage_v", 231.0)


def test_messages_out_of_their_order_within_the_timeout_ask_for_nothing(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    first.birth(0)
    second.data(3, 1.0)
    second.data(4, 1.1)
    assert first.requests() == [first.now + SECOND + REORDER_TIMEOUT]  # waits for number 2
    first.data(2, 1.2)
    assert first.requests() == []
    assert len(first.readings()) == 3
    assert first.value("SELECT gap_since FROM sparkplug_node") is None


def test_a_message_that_never_comes_has_all_births_sent_again(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    first.birth(0)
    second.data(3, 1)
    due_at = first.now + SECOND + REORDER_TIMEOUT
    assert outbox.claim_due(first.conn, due_at - SECOND) == []
    first.data(4, 7)
    assert first.requests() == [due_at]
    (command,) = outbox.claim_due(first.conn, due_at)
    assert (command.topic, command.qos) == ("spBv1.0/North/NCMD/cabinet-7", 0)
    (asked,) = Payload.FromString(command.payload).metrics
    assert (asked.name.decode(), asked.boolean_value) == (REBIRTH, True)
    outbox.mark_sent(first.conn, [command.id], due_at)
    assert outbox.claim_due(first.conn, due_at) == []
    first.birth(8)
    assert first.data(2, 9).readings == 1
    assert len(first.requests()) == 1


def test_an_unknown_alias_is_kept_with_its_bytes_and_a_rebirth_is_asked_for_until_unanswered(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    body = first.lamp_data(7, 0)
    first.take("DDATA", body, 0, "lamp-1")
    second.data(8, 1)
    first.data(9, 2)
    assert first.rejects() == [("alias_unknown", True)] * 3
    kept = first.value("SELECT raw FROM reject ORDER BY id LIMIT 1")
    assert bytes(kept) == body
    due_at = first.now + REORDER_TIMEOUT
    assert first.requests() == [due_at]
    outbox.mark_sent(first.conn, [m.id for m in outbox.claim_due(first.conn, due_at)], due_at)
    second.data(10, 20)
    assert second.requests() == [due_at]  # not again before it was answered
    second.birth(21)
    first.data(2, 22, alias=9)
    assert second.requests() == [due_at, due_at + REBIRTH_INTERVAL]
    second.birth(23)  # which calls off the one that has not gone out yet
    assert second.requests() == [due_at]


def test_a_refused_message_is_understood_after_the_birth(workers: tuple[Worker, Worker]) -> None:
    first, second = workers
    body = first.lamp_data(7, 0, 228.0)
    message = first.message("DDATA", body, 0, "lamp-1")
    first.store(message)
    assert first.readings() == []
    second.birth(5)
    before = second.conn.execute("SELECT * FROM sparkplug_node").fetchall()
    (again,) = resolve_replayed(first.conn, [message], decode_messages([message]))
    assert [(value.name, value.value, value.unit) for value in again.values] == [
        ("voltage_v", 228.0, "V")
    ]
    assert again.rejects == ()
    assert second.conn.execute("SELECT * FROM sparkplug_node").fetchall() == before


def test_a_last_will_takes_everybody_offline_whichever_worker_gets_it(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    first.birth(-60, bd_seq=2)
    first.birth(0)
    assert second.online() is True
    second.take("NDEATH", node_death(2), 1)  # of the session before
    assert second.online() is True
    second.take("NDEATH", node_death(3), 2)
    assert first.online() is False
    attributes = first.value(
        """
        SELECT link.attributes FROM device_link link JOIN device ON device.id = device_id
        WHERE external_id = %s
        """,
        LAMP,
    )
    assert attributes["values_stale"] is True
    assert first.rejects() == []  # the edge node itself is not registered, and need not be
    first.birth(10, bd_seq=4)
    assert second.online() is True


def test_an_edge_node_that_measures_itself_comes_and_goes_as_a_device(
    workers: tuple[Worker, Worker],
) -> None:
    """Its birth is a word on it and a sign of life at once."""
    first, second = workers
    first.conn.execute(
        """
        UPDATE device SET format = 'sparkplug', external_id = %s, model = ''
        WHERE id = (SELECT max(id) FROM device WHERE kind = 'light')
        """,
        (NODE,),
    )
    birth = node_birth(metric("voltage_v", 230.0))
    first.take("NBIRTH", birth, 0)
    assert second.online(NODE) is True
    second.take("NDEATH", node_death(3), 5)
    assert first.online(NODE) is False
    first.take("NBIRTH", birth, 10)
    assert second.online(NODE) is True


@pytest.mark.parametrize("death", [4, 2], ids=["one above the birth", "one below"])
def test_a_good_bye_with_another_number_takes_everybody_offline(
    workers: tuple[Worker, Worker], death: int
) -> None:
    first, second = workers
    first.birth(0, bd_seq=3)
    second.take("NDEATH", node_death(death), 5)
    assert first.online() is False
    first.birth(10, bd_seq=5)
    assert second.online() is True


def test_numbers_that_go_on_bring_everybody_back_whichever_worker_gets_them(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    first.birth(0)
    second.take("NDEATH", node_death(2), 60)
    assert first.online() is False
    second.data(2, 70, 231.5)
    assert first.online() is True
    assert first.data(3, 71).readings == 1
    assert (first.rejects(), first.requests()) == ([], [])


def test_a_session_that_was_overtaken_is_known_to_every_worker(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    first.birth(0, bd_seq=255)
    second.birth(60, bd_seq=0)
    first.take("NDEATH", node_death(255), 150)
    assert second.online() is True
    second.take("NDEATH", node_death(0), 200)
    assert first.online() is False


def test_births_are_not_asked_for_where_that_is_switched_off(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    first.data(7, 0)
    assert len(first.requests()) == 1
    sparkplug.save_rebirth_setting(first.conn, sparkplug.NEVER, first.now)
    assert first.requests() == []
    second.data(8, 40)
    assert first.requests() == []
    sparkplug.save_rebirth_setting(first.conn, sparkplug.ONCE, first.now)
    second.data(9, 80)
    assert len(first.requests()) == 1


def test_a_dead_device_is_offline(workers: tuple[Worker, Worker]) -> None:
    first, second = workers
    first.birth(0)
    second.take("DDEATH", payload(seq=2), 1, "lamp-1")
    assert first.online() is False


def test_a_batch_stored_again_changes_nothing(workers: tuple[Worker, Worker]) -> None:
    first, _ = workers
    batch = [
        first.message("NBIRTH", node_birth(), 0),
        first.message("DBIRTH", lamp_birth(), 0.1, "lamp-1"),
        first.message("DDATA", first.lamp_data(2, 0.2), 0.2, "lamp-1"),
    ]
    first.store(*batch)
    before = first.conn.execute("SELECT next_seq, gap_since FROM sparkplug_node").fetchall()
    first.store(*batch)
    assert first.conn.execute("SELECT next_seq, gap_since FROM sparkplug_node").fetchall() == before
    assert len(first.readings()) == 1
    assert first.requests() == []


def test_an_edge_node_of_nobody_is_asked_for_births_once_it_was_there_for_a_minute(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers

    def data(worker: Worker, seq: int, at_s: float, edge: str) -> None:
        body = payload(metric(alias=1, float_value=1.0), seq=seq)
        worker.store(Message(topic("NDATA", edge=edge), body, False, worker.now + at_s * SECOND))

    for number in range(20):
        data(first, 4, 0, f"made-up-{number}")
    data(first, 5, 0, "stranger")
    data(second, 6, 59, "stranger")
    assert first.requests() == []
    data(second, 7, 61, "stranger")
    assert first.requests() == [first.now + 61 * SECOND + REORDER_TIMEOUT]


def test_edge_nodes_of_nobody_are_forgotten_before_those_of_long_standing(
    workers: tuple[Worker, Worker],
) -> None:
    first, _ = workers
    first.birth(0)
    day_s = 25 * 3600
    made_up = [f"made-up-{number}" for number in range(9)]
    for edge, at_s in [("old", 0), ("old", day_s), *((e, day_s + 5) for e in made_up)]:
        at = first.now + at_s * SECOND
        first.store(Message(topic("NBIRTH", edge=edge), node_birth(), False, at))
        first.store(Message(topic("DBIRTH", "lamp", edge=edge), lamp_birth(), False, at))
    sparkplug.trim(first.conn, nodes_max=3)
    kept = first.conn.execute("SELECT edge_id FROM sparkplug_node ORDER BY edge_id").fetchall()
    assert [edge for (edge,) in kept] == [EDGE, "made-up-0", "made-up-1", "old"]
    assert first.value("SELECT count(*) FROM sparkplug_source") == 8

    sparkplug.trim(first.conn, sources_max=3)
    kept = first.conn.execute(
        "SELECT edge_id, device_id FROM sparkplug_source ORDER BY edge_id, device_id"
    ).fetchall()
    # Of the known edge node itself nobody asked, and it was born before all others.
    assert kept == [(EDGE, "lamp-1"), ("made-up-0", ""), ("old", ""), ("old", "lamp")]

    sparkplug.trim(first.conn, metrics_max=0)
    kept = first.conn.execute("SELECT edge_id, device_id FROM sparkplug_metric").fetchall()
    assert set(kept) == {(EDGE, "lamp-1")}
    sparkplug.trim(first.conn, nodes_max=0)
    assert first.value("SELECT count(*) FROM sparkplug_node") == 1
    assert first.data(2, day_s + 9).readings == 1


def test_an_edge_node_that_a_worker_is_about_is_not_forgotten(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    key = ("North", "stranger")
    sparkplug.lock_nodes(first.conn, {key}, first.now)
    with first.conn.transaction():
        (node,) = sparkplug.lock_nodes(first.conn, {key}, first.now + SECOND)
        assert node.first_seen == first.now
        sparkplug.trim(second.conn, nodes_max=0)
        assert second.value("SELECT count(*) FROM sparkplug_node") == 1
    sparkplug.trim(second.conn, nodes_max=0)
    assert second.value("SELECT count(*) FROM sparkplug_node") == 0


def test_messages_of_other_formats_cost_no_query(database_url: str, now: datetime) -> None:
    messages = [Message("city/v1/460107/gas/x/telemetry", b"{}", False, now)]
    decoded = decode_messages(messages)
    with connect(database_url) as conn:
        conn.close()  # a query would fail
        assert resolve_sessions(conn, messages, decoded, now) == decoded


def test_many_workers_and_edge_nodes_at_once_leave_no_gap(database_url: str, now: datetime) -> None:
    """Messages of five edge nodes, dealt out to four workers, stored at the same time."""
    edges = [f"e{number}" for number in range(5)]
    born, sent = [], []
    for edge in edges:
        born.append(Message(topic("NBIRTH", edge=edge), node_birth(), False, now))
        for seq in range(1, 208):
            body = payload(metric("co_ppm", 1.0), seq=seq)
            at = now + seq * timedelta(milliseconds=5)
            sent.append(Message(topic("NDATA", edge=edge), body, False, at))
    sent.sort(key=lambda message: message.received_at)
    messages = [*born, *sent]
    dealt = [messages[number::4] for number in range(4)]

    together = Barrier(len(dealt))  # no worker runs far ahead of the others, as in the field

    def work(share: list[Message]) -> None:
        with connect(database_url, autocommit=True) as conn:
            for start in range(0, len(share), 20):
                some = share[start : start + 20]
                resolve_sessions(conn, some, decode_messages(some), now)
                together.wait(60)

    with ThreadPoolExecutor(len(dealt)) as pool:
        list(pool.map(work, dealt))
    with connect(database_url) as conn:
        nodes = conn.execute(
            "SELECT next_seq, gap_since, online FROM sparkplug_node ORDER BY edge_id"
        ).fetchall()
        asked = conn.execute("SELECT count(*) FROM mqtt_outbox").fetchone()
    assert nodes == [(208, None, True)] * 5
    assert asked == (0,)


def test_the_outbox_gives_each_message_to_one_worker_and_keeps_what_failed(
    database_url: str, now: datetime
) -> None:
    with connect(database_url) as first, connect(database_url) as second:
        messages = [
            NewMessage("a", b"1", now),
            NewMessage("b", b"2", now, qos=1),
            NewMessage("c", b"3", now + SECOND),
        ]
        outbox.insert_messages(first, messages)
        first.commit()
        (mine,) = outbox.claim_due(first, now, limit=1)
        (other,) = outbox.claim_due(second, now)
        assert (mine.topic, other.topic, other.qos) == ("a", "b", 1)
        outbox.mark_failed(first, mine, now)
        outbox.mark_sent(second, [other.id], now)
        first.commit()
        second.commit()
        assert [m.topic for m in outbox.claim_due(first, now + SECOND)] == ["c"]
        due = outbox.claim_due(first, now + outbox.RETRY_FIRST)
        assert [(m.topic, m.attempts) for m in due] == [("c", 0), ("a", 1)]
        outbox.withdraw(first, ["a", "b"])
        assert [m.topic for m in outbox.claim_due(first, now + 9 * SECOND)] == ["c"]
        assert outbox.delete_old(first, now + outbox.KEEP_SENT + SECOND) == 1
