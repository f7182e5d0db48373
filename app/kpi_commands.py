"""`gridwarden kpi publish|restate|list`: key figures that do not change any more."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import click

from app.approval_commands import acting_here, as_option
from app.commands import district_of, installation, print_json, transaction
from app.settings import Settings
from city.score import parse_formula
from db import kpi_publications, report_plans, scores, tallies
from db.kpi_publications import Edition
from db.report_plans import ReportPlan
from dispatch import steps
from notify import reports


@click.group("kpi")
def kpi_group() -> None:
    """Key figures of months, quarters and years as they were published."""


@kpi_group.command("publish")
@click.argument("period")
@as_option
@installation
def kpi_publish(settings: Settings, period: str, as_: str) -> None:
    """Freeze the figures of PERIOD (2026-07, 2026-Q3 or 2026), which must be over."""
    caller = acting_here(settings, as_)
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
    caller = acting_here(settings, as_)
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


@kpi_group.group("formula")
def formula_group() -> None:
    """How one score is made of several rates."""


@formula_group.command("list")
@installation
def formula_list(settings: Settings) -> None:
    """Every version that was in force, the oldest first."""
    with transaction(settings) as conn:
        found = scores.list_formulas(conn, district_of(conn, settings))
    for formula in found:
        since = f"{formula.valid_from:%Y-%m-%d %H:%M}" if formula.valid_from else "always"
        click.echo(f"{formula.version:<3} since {since}: {formula.name_en} ({formula.source})")
        for term in formula.terms:
            what = f"1 - {term.rate}" if term.inverse else term.rate
            aim = f", all from {term.target:.0%}" if term.target is not None else ""
            click.echo(f"      {term.points:g} x {what}{aim}")


@formula_group.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_option
@installation
def formula_apply(settings: Settings, file: Path, as_: str) -> None:
    """Put the formula of a TOML file in force; periods that ended before keep theirs."""
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.ClickException(f"{file}: {error}") from error
    caller = acting_here(settings, as_)
    with transaction(settings) as conn:
        version = steps.apply_formula(conn, caller, parse_formula(written), datetime.now(UTC))
    click.echo(f"version {version} of the score formula is in force")


@kpi_group.group("report")
def report_group() -> None:
    """Who is sent the figures of each period that has ended."""


@report_group.command("add")
@click.argument("name")
@click.option("--every", type=click.Choice(reports.EVERY), required=True)
@click.option("--by", "grouping", type=click.Choice(tallies.GROUPINGS), default="district")
@click.option("--to", "recipients", multiple=True, required=True, metavar="NAME")
@as_option
@installation
def report_add(
    settings: Settings,
    name: str,
    every: str,
    grouping: str,
    recipients: tuple[str, ...],
    as_: str,
) -> None:
    """Send NAME to these people by mail and to their browsers, from the next period on."""
    caller = acting_here(settings, as_)
    with transaction(settings) as conn:
        plan = reports.plan_report(
            conn, caller, name, every, grouping, recipients, datetime.now(UTC)
        )
    click.echo(report_line(plan))


@report_group.command("remove")
@click.argument("name")
@as_option
@installation
def report_remove(settings: Settings, name: str, as_: str) -> None:
    """Send NAME to nobody any more."""
    caller = acting_here(settings, as_)
    with transaction(settings) as conn:
        reports.end_plan(conn, caller, name, datetime.now(UTC))
    click.echo(f"{name} is sent to nobody any more")


@report_group.command("list")
@installation
def report_list(settings: Settings) -> None:
    """Every report with whom it is sent to."""
    with transaction(settings) as conn:
        found = report_plans.list_plans(conn, district_of(conn, settings))
    for plan in found:
        click.echo(report_line(plan))


def report_line(plan: ReportPlan) -> str:
    sent = f"sent up to {plan.told_until.astimezone():%Y-%m-%d}"
    who = ", ".join(plan.recipients)
    return f"{plan.name}: every {plan.every} by {plan.grouping} to {who}, {sent}"


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
