"""The kinds of alarm rules, one file each. To add one: a file beside these and its line below.

They are looked at in this order, from the outside in: what one explains the next keeps quiet about.
"""

from __future__ import annotations

from typing import Any

from alerts.watch.feed import FeedKind
from alerts.watch.gateway import GatewayKind
from alerts.watch.kind import Kind
from alerts.watch.lamp import LampKind
from alerts.watch.reading import ReadingKind
from alerts.watch.silence import SilenceKind
from alerts.watch.video import VideoKind

KINDS: dict[str, Kind[Any, Any]] = {
    ReadingKind.name: ReadingKind(),
    FeedKind.name: FeedKind(),
    GatewayKind.name: GatewayKind(),
    SilenceKind.name: SilenceKind(),
    LampKind.name: LampKind(),
    VideoKind.name: VideoKind(),
}
