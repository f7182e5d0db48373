"""The matrix as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.chaos.drill import Row

HEAD = (
    "fault", "s until normal", "aim", "acknowledged", "lost", "lost after last save", "doubled",
    "alarms/incidents", "incident after s", "the wall said", "/readyz said", "promise",
)  # fmt: skip


def render(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [HEAD, tuple("---" for _ in HEAD), *map(_cells, rows)]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "/") for cell in one) + " |" for one in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    excused = str(row.lost_after_save)
    promise = "BROKEN: " + ", ".join(row.broken) if row.broken else "kept"
    return (
        row.fault.name, _seconds(row.normal_s) + (" (late)" if row.is_late else ""),
        f"{row.aim_s:g}", str(row.acknowledged), str(row.lost), excused, str(row.doubled),
        f"{row.alarms}/{row.incidents}", _seconds(row.incident_s), row.wall, row.readyz, promise,
    )  # fmt: skip


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


def as_json(row: Row) -> dict[str, Any]:
    return {"name": row.fault.name, **asdict(row), "late": row.is_late, "broken": row.broken}
