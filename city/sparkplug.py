"""Sparkplug B edge nodes: their sessions, and what their births call their metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from city.moment import EPOCH

NodeKey = tuple[str, str]  # group, edge node


SourceKey = tuple[str, str, str]  # and device; empty for the edge node itself


# How exactly `heard_at` is kept.
HEARD_EVERY = timedelta(seconds=10)


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
    # Sessions that a birth overtook before they ended: bdSeq, receipt of that birth.
    overtaken: tuple[tuple[int, datetime], ...] = ()
    rebirth_asked_at: datetime | None = None
    rebirth_due_at: datetime | None = None
    rebirth_reason: str = ""
    rebirth_unanswered: bool = False  # not asked again by itself
    first_seen: datetime = EPOCH
    heard_at: datetime = EPOCH

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
