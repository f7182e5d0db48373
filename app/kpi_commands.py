"""`gridwarden kpi publish|restate|list`: key figures that do not change any more."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from app.approval_commands import acting_person, as_option
from app.commands import district_of, installation, print_json, transaction
from app.settings import Settings
from db import kpi_publications
from db.kpi_publications import Edition
from dispatch import steps


@click.group("kpi")
def kpi_group() -> None:
    """Key figures of months, quarters and years as they were published."""


@kpi_group.command("publish")
@click.argument("period")
@as_option
@installation
def kpi_publish(settings: Settings, period: str, as_: str) -> None:
    """Freeze the figures of PERIOD (2026-07, 2026-Q3 or 2026), which must be over."""
    with transaction(settings) as conn:
        district = district_of(conn, settings)
    caller = acting_person(settings, as_, district)
    with transaction(settings) as conn:
        done = steps.publish(conn, caller, period, datetime.now(UTC))
    click.echo(line(done))


@kpi_group.command("restate")
@click.argument("period")
@click.option("--why", required=True, metavar="TEXT", help="The reason; it is shown for good.")
@as_option
@installation
def kpi_restate(settings: Settings, period: str, why: str, as_: str) -> None:
    """Publish PERIOD anew as the log says it now; the earlier edition stays beside it."""
    with transaction(settings) as conn:
        district = district_of(conn, settings)
    caller = acting_person(settings, as_, district)
    with transaction(settings) as conn:
        done = steps.restate(conn, caller, period, why, datetime.now(UTC))
    click.echo(line(done))


@kpi_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="With all figures.")
@installation
def kpi_list(settings: Settings, as_json: bool) -> None:
    """Every edition of every period, newest period first."""
    with transaction(settings) as conn:
        found = kpi_publications.list_editions(conn, district_of(conn, settings))
    if as_json:
        print_json([edition_json(edition) for edition in found])
        return
    for edition in found:
        click.echo(line(edition))


def edition_json(edition: Edition) -> dict[str, object]:
    return {
        "period": edition.period,
        "from": edition.start_at.isoformat(),
        "to": edition.end_at.isoformat(),
        "edition": edition.edition,
        "published_at": edition.published_at.isoformat(),
        "published_by": edition.published_by,
        "reason": edition.reason,
        "figures": edition.figures,
    }


def line(edition: Edition) -> str:
    """One edition: which, when, by whom, why, and what it says of the district."""
    when = f"{edition.published_at.astimezone():%Y-%m-%d %H:%M}"
    rows = edition.rows("district")
    said = "nothing happened"
    if rows:
        row = rows[0]
        said = (
            f"handled in time {row.handled_in_time} of {row.due_to_handle}, "
            f"closed in time {row.closed_in_time} of {row.due_to_close}"
        )
    why = f": {edition.reason}" if edition.reason else ""
    what = "published" if edition.edition == 1 else f"restated (edition {edition.edition})"
    return f"{edition.period:<8} {what} {when} by {edition.published_by}{why}; {said}"
