"""Sparkplug B edge nodes: their sessions, and what their births call their metrics."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row, kwargs_row
from psycopg.types.json import Jsonb

from db.pool import Connection

NodeKey = tuple[str, str]  # group, edge node
SourceKey = tuple[str, str, str]  # and device; empty for the edge node itself


@dataclass(frozen=True, slots=True)
class NodeRow:
    """The session of one edge node, as the messages that were stored so far leave it."""

    group_id: str
    edge_id: str
    online: bool = False
    bd_seq: int | None = None
    born_at: datetime | None = None
    death_bd_seq: int | None = None
    death_at: datetime | None = None
    next_seq: int | None = None
    recent: tuple[tuple[int, datetime], ...] = ()  # sequence numbers, and when they came
    gap_since: datetime | None = None
    rebirth_asked_at: datetime | None = None
    rebirth_due_at: datetime | None = None
    rebirth_reason: str = ""

    @property
    def key(self) -> NodeKey:
        return self.group_id, self.edge_id


@dataclass(frozen=True, slots=True)
class SourceRow:
    """An edge node or a device of one that was born; dead when `died_at` is set."""

    group_id: str
    edge_id: str
    device_id: str
    born_at: datetime
    died_at: datetime | None = None

    @property
    def key(self) -> SourceKey:
        return self.group_id, self.edge_id, self.device_id


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric as the last birth of its source announced it."""

    group_id: str
    edge_id: str
    device_id: str
    name: str
    alias: int | None
    datatype: int
    unit: str

    @property
    def source(self) -> SourceKey:
        return self.group_id, self.edge_id, self.device_id


def lock_nodes(conn: Connection, keys: Collection[NodeKey]) -> list[NodeRow]:
    """These edge nodes, made known if they are not, locked until the transaction ends.

    Always in the same order, or two workers would wait for each other."""
    ordered = sorted(keys)
    groups, edges = [key[0] for key in ordered], [key[1] for key in ordered]
    conn.execute(
        """
        INSERT INTO sparkplug_node (group_id, edge_id)
        SELECT * FROM unnest(%s::text[], %s::text[])
        ON CONFLICT DO NOTHING
        """,
        (groups, edges),
    )
    with conn.cursor(row_factory=kwargs_row(_node_row)) as cursor:
        return cursor.execute(
            """
            SELECT group_id, edge_id, online, bd_seq, born_at, death_bd_seq, death_at, next_seq,
                   recent, gap_since, rebirth_asked_at, rebirth_due_at, rebirth_reason
            FROM sparkplug_node
            JOIN unnest(%s::text[], %s::text[]) AS wanted (group_id, edge_id)
              USING (group_id, edge_id)
            ORDER BY group_id, edge_id
            FOR UPDATE OF sparkplug_node
            """,
            (groups, edges),
        ).fetchall()


def _node_row(*, recent: list[tuple[int, str]], **columns: Any) -> NodeRow:
    pairs = tuple((seq, datetime.fromisoformat(at)) for seq, at in recent)
    return NodeRow(recent=pairs, **columns)


def update_nodes(conn: Connection, nodes: Sequence[NodeRow]) -> None:
    """Store what became of locked edge nodes."""
    if not nodes:
        return
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            UPDATE sparkplug_node
            SET online = %s, bd_seq = %s, born_at = %s, death_bd_seq = %s, death_at = %s,
                next_seq = %s, recent = %s, gap_since = %s, rebirth_asked_at = %s,
                rebirth_due_at = %s, rebirth_reason = %s
            WHERE group_id = %s AND edge_id = %s
            """,
            [
                (node.online, node.bd_seq, node.born_at, node.death_bd_seq, node.death_at,
                 node.next_seq, Jsonb([[seq, at.isoformat()] for seq, at in node.recent]),
                 node.gap_since, node.rebirth_asked_at, node.rebirth_due_at, node.rebirth_reason,
                 *node.key)
                for node in nodes
            ],
        )  # fmt: skip


def find_sources(
    conn: Connection, keys: Collection[SourceKey], whole_nodes: Collection[NodeKey] = ()
) -> list[SourceRow]:
    """These sources, and all those of the edge nodes named whole."""
    with conn.cursor(row_factory=class_row(SourceRow)) as cursor:
        return cursor.execute(
            """
            SELECT group_id, edge_id, device_id, born_at, died_at FROM sparkplug_source
            JOIN unnest(%s::text[], %s::text[], %s::text[])
                 AS wanted (group_id, edge_id, device_id) USING (group_id, edge_id, device_id)
            UNION
            SELECT group_id, edge_id, device_id, born_at, died_at FROM sparkplug_source
            JOIN unnest(%s::text[], %s::text[]) AS whole (group_id, edge_id)
              USING (group_id, edge_id)
            """,
            (*_columns(keys, 3), *_columns(whole_nodes, 2)),
        ).fetchall()


def upsert_sources(conn: Connection, sources: Sequence[SourceRow]) -> None:
    """Store who was born and who died."""
    if not sources:
        return
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO sparkplug_source (group_id, edge_id, device_id, born_at, died_at)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (group_id, edge_id, device_id) DO UPDATE
            SET born_at = excluded.born_at, died_at = excluded.died_at
            """,
            [(*source.key, source.born_at, source.died_at) for source in sources],
        )


def replace_metrics(
    conn: Connection, sources: Collection[SourceKey], metrics: Sequence[MetricRow]
) -> None:
    """The metrics of these sources are now these and no others."""
    if not sources:
        return
    conn.execute(
        """
        DELETE FROM sparkplug_metric
        USING unnest(%s::text[], %s::text[], %s::text[]) AS born (group_id, edge_id, device_id)
        WHERE sparkplug_metric.group_id = born.group_id
          AND sparkplug_metric.edge_id = born.edge_id
          AND sparkplug_metric.device_id = born.device_id
        """,
        _columns(sources, 3),
    )
    with (
        conn.cursor() as cursor,
        cursor.copy(
            """
            COPY sparkplug_metric (group_id, edge_id, device_id, name, alias, datatype, unit)
            FROM STDIN
            """
        ) as copy,
    ):
        for metric in metrics:
            copy.write_row(
                (*metric.source, metric.name, metric.alias, metric.datatype, metric.unit)
            )


def find_metrics(
    conn: Connection,
    by_alias: Collection[tuple[str, str, str, int]],
    by_name: Collection[tuple[str, str, str, str]],
) -> list[MetricRow]:
    """The metrics that data messages refer to: (group, edge node, device, alias or name)."""
    with conn.cursor(row_factory=kwargs_row(_metric_row)) as cursor:
        return cursor.execute(
            """
            SELECT group_id, edge_id, device_id, name, alias, datatype, unit FROM sparkplug_metric
            JOIN unnest(%s::text[], %s::text[], %s::text[], %s::numeric[])
                 AS wanted (group_id, edge_id, device_id, alias)
              USING (group_id, edge_id, device_id, alias)
            UNION
            SELECT group_id, edge_id, device_id, name, alias, datatype, unit FROM sparkplug_metric
            JOIN unnest(%s::text[], %s::text[], %s::text[], %s::text[])
                 AS wanted (group_id, edge_id, device_id, name)
              USING (group_id, edge_id, device_id, name)
            """,
            (*_columns(by_alias, 4), *_columns(by_name, 4)),
        ).fetchall()


def _metric_row(*, alias: Decimal | None, **columns: Any) -> MetricRow:
    """PostgreSQL has no unsigned 64 bits; aliases are stored as `numeric`."""
    return MetricRow(alias=None if alias is None else int(alias), **columns)


def _columns(rows: Collection[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(width)]
