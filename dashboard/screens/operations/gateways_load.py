"""Gateways as the operations page shows them: the silent, what they explain, and the others."""

from __future__ import annotations

from dataclasses import dataclass

from db import gateways as rows
from db.gateways import GatewayCounts, ListedGateway
from db.inhibitions import ListedInhibition, list_inhibited
from db.pool import Connection

# Silent ones shown at once; more at a time are a fault of the network, not of gateways.
SILENT_SHOWN = 50
# Heard ones are shown in steps of so many.
HEARD_STEP = 25
# Devices named one by one; the rest is a number.
DEVICES_NAMED = 24


@dataclass(frozen=True, slots=True)
class SilentGateway:
    """One with an alarm; `explained` are the first devices that are silent because of it."""

    gateway: ListedGateway
    explained: list[ListedInhibition]


@dataclass(frozen=True, slots=True)
class GatewayPicture:
    """Silent gateways, the worst first; of the heard ones the first; and all of them counted."""

    counts: GatewayCounts
    silent: list[SilentGateway]
    heard: list[ListedGateway]


def read_gateways(conn: Connection, district: str, steps: int) -> GatewayPicture:
    """Gateways of the district and of none; `steps` of the heard ones."""
    silent = rows.list_gateways(conn, district, silent=True, limit=SILENT_SHOWN)
    silent.sort(key=lambda row: (row.severity or 9, -row.inhibited, row.id))
    return GatewayPicture(
        counts=rows.count_gateways(conn, district),
        silent=[
            SilentGateway(
                row,
                list_inhibited(conn, district, by=row.condition, limit=DEVICES_NAMED)
                if row.inhibited
                else [],
            )
            for row in silent
        ],
        heard=rows.list_gateways(conn, district, silent=False, limit=HEARD_STEP * steps),
    )


def gateway_of(condition: str) -> str:
    """The gateway or network server that the condition of an alarm is named after."""
    kind, _, name = condition.partition("/")
    return name if kind == "feed" else name.partition("/")[2]
