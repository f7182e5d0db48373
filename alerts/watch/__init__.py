"""The kinds of alarm rules, one file each. To add one: a file beside these and its line below.

They are looked at in this order, from the outside in: what one explains the next keeps quiet about.
"""

from __future__ import annotations

from typing import Any

from alerts.watch.combination import CombinationKind
from alerts.watch.drift import DriftKind
from alerts.watch.due_date import ServiceKind
from alerts.watch.feed import FeedKind
from alerts.watch.gateway import GatewayKind
from alerts.watch.kind import Kind
from alerts.watch.lamp import LampKind
from alerts.watch.lasting import LastingKind
from alerts.watch.mean import MeanKind
from alerts.watch.neighbours import NeighboursKind
from alerts.watch.reading import ReadingKind
from alerts.watch.repeat import RepeatKind
from alerts.watch.rise import RiseKind
from alerts.watch.schedule import ScheduleKind
from alerts.watch.silence import SilenceKind
from alerts.watch.standstill import StandstillKind
from alerts.watch.video import VideoKind

KINDS: dict[str, Kind[Any, Any]] = {
    kind.name: kind
    for kind in (
        ReadingKind(), RiseKind(), MeanKind(), NeighboursKind(), RepeatKind(), StandstillKind(),
        DriftKind(), LastingKind(), ScheduleKind(), CombinationKind(), ServiceKind(), FeedKind(),
        GatewayKind(), SilenceKind(), LampKind(), VideoKind(),
    )
}  # fmt: skip
