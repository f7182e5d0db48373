"""Sparkplug B edge nodes: their sessions, and what their births call their metrics."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row, kwargs_row
from psycopg.types.json import Jsonb

from city.sparkplug import MetricRow, NodeKey, NodeRow, SourceKey, SourceRow
from db.pool import Connection
from db.row_columns import assignments, names_of, select_list, values_of

NODE_COLUMNS = select_list(NodeRow, "sparkplug_node")
# What may change of an edge node.
CHANGING = names_of(NodeRow, without=frozenset({"group_id", "edge_id", "first_seen"}))

# Of those without a registered device. A large city has some hundreds of edge nodes with some
# tens of devices each; more are invented ones, which push out their own kind.
NODES_MAX = 5_000
SOURCES_MAX = 50_000
METRICS_MAX = 500_000
# Whoever was heard over this span is no invention of the moment.
TENURE = timedelta(days=1)
# Installation setting: whether edge nodes are asked for births by themselves.
REBIRTH_SETTING = "sparkplug_rebirth"
ONCE, NEVER = "once", "never"  # until one request was not answered; not at all


def lock_nodes(conn: Connection, keys: Collection[NodeKey], now: datetime) -> list[NodeRow]:
    """These edge nodes, made known if they are not, locked until the transaction ends.

    Always in the same order, or two workers would wait for each other. Known ones are locked by
    the INSERT already: between two statements `trim` could take them away."""
    ordered = sorted(keys)
    groups, edges = [key[0] for key in ordered], [key[1] for key in ordered]
    conn.execute(
        """
        INSERT INTO sparkplug_node (group_id, edge_id, first_seen, heard_at)
        SELECT group_id, edge_id, %(now)s, %(now)s
        FROM unnest(%(groups)s::text[], %(edges)s::text[]) AS wanted (group_id, edge_id)
        ON CONFLICT (group_id, edge_id) DO UPDATE SET edge_id = excluded.edge_id WHERE false
        """,
        {"groups": groups, "edges": edges, "now": now},
    )
    with conn.cursor(row_factory=kwargs_row(_node_row)) as cursor:
        return cursor.execute(
            f"""
            SELECT {NODE_COLUMNS}
            FROM sparkplug_node
            JOIN unnest(%s::text[], %s::text[]) AS wanted (group_id, edge_id)
              USING (group_id, edge_id)
            ORDER BY group_id, edge_id
            """,
            (groups, edges),
        ).fetchall()


def _node_row(
    *, recent: list[tuple[int, str]], overtaken: list[tuple[int, str]], **columns: Any
) -> NodeRow:
    return NodeRow(recent=_timed(recent), overtaken=_timed(overtaken), **columns)


def _timed(pairs: list[tuple[int, str]]) -> tuple[tuple[int, datetime], ...]:
    return tuple((number, datetime.fromisoformat(at)) for number, at in pairs)


def _as_json(pairs: Sequence[tuple[int, datetime]]) -> Jsonb:
    return Jsonb([[number, at.isoformat()] for number, at in pairs])


def update_nodes(conn: Connection, nodes: Sequence[NodeRow]) -> None:
    """Store what became of locked edge nodes."""
    if not nodes:
        return
    with conn.cursor() as cursor:
        cursor.executemany(
            f"""
            UPDATE sparkplug_node SET {assignments(CHANGING)}
            WHERE group_id = %(group_id)s AND edge_id = %(edge_id)s
            """,
            [_node_values(node) for node in nodes],
        )


def _node_values(node: NodeRow) -> dict[str, Any]:
    timed = {"recent": _as_json(node.recent), "overtaken": _as_json(node.overtaken)}
    return values_of(node) | timed


def rebirth_setting(conn: Connection) -> str:
    """`ONCE` or `NEVER`."""
    row = conn.execute(
        "SELECT value #>> '{}' FROM setting WHERE district = '' AND key = %s", (REBIRTH_SETTING,)
    ).fetchone()
    return NEVER if row is not None and row[0] == NEVER else ONCE


def save_rebirth_setting(conn: Connection, value: str, now: datetime) -> None:
    """From now on for all workers; what was not sent yet is sent no more if `NEVER`."""
    conn.execute(
        """
        INSERT INTO setting (district, key, value, updated_at) VALUES ('', %s, %s, %s)
        ON CONFLICT (district, key)
        DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
        """,
        (REBIRTH_SETTING, Jsonb(value), now),
    )
    if value == NEVER:
        conn.execute(
            """
            DELETE FROM mqtt_outbox
            WHERE sent_at IS NULL AND split_part(topic, '/', 1) = 'spBv1.0'
              AND split_part(topic, '/', 3) = 'NCMD'
            """
        )
        conn.execute(
            """
            UPDATE sparkplug_node SET rebirth_due_at = NULL, rebirth_reason = ''
            WHERE rebirth_due_at > %s
            """,
            (now,),
        )


def note_request(conn: Connection, key: NodeKey, now: datetime) -> bool:
    """A person asks for births; False: no such edge node. Its answer is waited for again."""
    asked = conn.execute(
        """
        UPDATE sparkplug_node
        SET rebirth_asked_at = %s, rebirth_due_at = NULL, rebirth_reason = '',
            rebirth_unanswered = true
        WHERE group_id = %s AND edge_id = %s
        """,
        (now, *key),
    )
    return asked.rowcount == 1


def list_nodes(conn: Connection, limit: int) -> list[NodeRow]:
    """Edge nodes: those with an unanswered request first, then the longest unheard."""
    with conn.cursor(row_factory=kwargs_row(_node_row)) as cursor:
        return cursor.execute(
            f"""
            SELECT {NODE_COLUMNS}
            FROM sparkplug_node
            ORDER BY rebirth_unanswered OR rebirth_due_at IS NOT NULL DESC,
                     heard_at, group_id, edge_id
            LIMIT %s
            """,
            (limit,),
        ).fetchall()


def find_registered_nodes(conn: Connection, keys: Collection[NodeKey]) -> set[NodeKey]:
    """Those of these edge nodes that are registered themselves or by a device behind them."""
    if not keys:
        return set()
    rows = conn.execute(
        """
        SELECT DISTINCT group_id, edge_id
        FROM unnest(%s::text[], %s::text[]) AS wanted (group_id, edge_id)
        JOIN (SELECT split_part(external_id, '/', 1) AS group_id,
                     split_part(external_id, '/', 2) AS edge_id
              FROM device WHERE format = 'sparkplug') AS registered USING (group_id, edge_id)
        """,
        _columns(keys, 2),
    )
    return set(rows.fetchall())


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


def trim(
    conn: Connection,
    *,
    nodes_max: int = NODES_MAX,
    sources_max: int = SOURCES_MAX,
    metrics_max: int = METRICS_MAX,
) -> None:
    """Forget edge nodes and devices behind them that nobody registered, beyond these limits:
    those of a moment before those of long standing, the longest unheard first."""
    _trim_nodes(conn, nodes_max)
    _trim_sources(conn, sources_max, metrics_max)


def _trim_nodes(conn: Connection, nodes_max: int) -> None:
    conn.execute(
        """
        WITH registered AS (
            SELECT DISTINCT split_part(external_id, '/', 1) AS group_id,
                            split_part(external_id, '/', 2) AS edge_id
            FROM device WHERE format = 'sparkplug'
        ), beyond AS (
            SELECT group_id, edge_id FROM sparkplug_node
            LEFT JOIN registered USING (group_id, edge_id)
            WHERE registered.group_id IS NULL
            ORDER BY heard_at - first_seen > %s DESC, heard_at DESC, group_id, edge_id OFFSET %s
        ), locked AS (
            SELECT group_id, edge_id FROM sparkplug_node
            WHERE (group_id, edge_id) IN (SELECT * FROM beyond)
            ORDER BY group_id, edge_id FOR UPDATE SKIP LOCKED
        )
        DELETE FROM sparkplug_node WHERE (group_id, edge_id) IN (SELECT * FROM locked)
        """,
        (TENURE, nodes_max),
    )


def _trim_sources(conn: Connection, sources_max: int, metrics_max: int) -> None:
    """Their edge nodes are locked first, as ingest does it."""
    conn.execute(
        """
        WITH counted AS (
            SELECT group_id, edge_id, device_id, count(*) AS metrics
            FROM sparkplug_metric GROUP BY 1, 2, 3
        ), ranked AS (
            SELECT group_id, edge_id, source.device_id,
                   row_number() OVER ranks AS place, sum(coalesce(metrics, 0)) OVER ranks AS metrics
            FROM sparkplug_source AS source JOIN sparkplug_node USING (group_id, edge_id)
            LEFT JOIN counted USING (group_id, edge_id, device_id)
            LEFT JOIN device ON format = 'sparkplug' AND external_id
                = concat_ws('/', group_id, edge_id, nullif(source.device_id, ''))
            WHERE device.id IS NULL
            WINDOW ranks AS (ORDER BY heard_at - first_seen > %(tenure)s DESC,
                                      source.born_at DESC, group_id, edge_id, source.device_id)
        ), beyond AS (
            SELECT group_id, edge_id, device_id FROM ranked
            WHERE place > %(sources)s OR metrics > %(metrics)s
        ), locked AS (
            SELECT group_id, edge_id FROM sparkplug_node
            WHERE (group_id, edge_id) IN (SELECT group_id, edge_id FROM beyond)
            ORDER BY group_id, edge_id FOR UPDATE SKIP LOCKED
        )
        DELETE FROM sparkplug_source USING beyond JOIN locked USING (group_id, edge_id)
        WHERE sparkplug_source.group_id = beyond.group_id
          AND sparkplug_source.edge_id = beyond.edge_id
          AND sparkplug_source.device_id = beyond.device_id
        """,
        {"tenure": TENURE, "sources": sources_max, "metrics": metrics_max},
    )


def _metric_row(*, alias: Decimal | None, **columns: Any) -> MetricRow:
    """PostgreSQL has no unsigned 64 bits; aliases are stored as `numeric`."""
    return MetricRow(alias=None if alias is None else int(alias), **columns)


def _columns(rows: Collection[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(width)]
