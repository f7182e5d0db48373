"""`gridwarden reject`: what is in quarantine, counted, listed and tried again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from app.commands import installation, print_json, transaction
from app.settings import Settings
from db import reject_counts, rejects
from db.pool import Connection, connect
from db.rejects import Which
from ingest.replay import replay_group

# Messages replayed in one go; the command goes on until none is left.
REPLAY_STEP = 500


def which_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--format`, `--device` and `--reason`, handed to the command as one `Which`."""

    @functools.wraps(command)
    def wrapped(
        *arguments: Any,
        format: str | None,
        device: str | None,
        reason: str | None,
        **options: Any,
    ) -> Any:
        return command(*arguments, which=Which(format, device, reason), **options)

    for option, text in (
        ("--reason", "Only with this reason, e.g. device_unknown."),
        ("--device", "Only of this device, as the message names it."),
        ("--format", "Only of this wire format."),
    ):
        wrapped = click.option(option, default=None, help=text)(wrapped)
    return wrapped


@click.group()
def reject() -> None:
    """Quarantined messages."""


@reject.command("list")
@which_options
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
@installation
def reject_list(settings: Settings, limit: int, which: Which) -> None:
    """Newest first: when, format, device, reason, detail."""
    with transaction(settings) as conn:
        rows = rejects.list_rejects(conn, which, limit=limit)
    for row in rows:
        click.echo(
            f"{row.id}  {row.received_at:%Y-%m-%dT%H:%M:%SZ}  {row.format}  {row.device or '-'}"
            f"  {row.reason}  {row.detail}  [{row.topic}]"
        )


@reject.command("counts")
@which_options
@click.option("--by", type=click.Choice(["device", "reason"]), default="device", show_default=True)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True)
@installation
def reject_counts_command(
    settings: Settings, by: str, limit: int, as_json: bool, which: Which
) -> None:
    """Most first: how many wait, how many were only counted, newest, format, reason, device."""
    with transaction(settings) as conn:
        counts = reject_counts.count_rejects(
            conn, datetime.now(UTC), which, by_device=by == "device", limit=limit
        )
    if as_json:
        print_json([asdict(count) for count in counts])
        return
    for c in counts:
        who = c.device or (f"{c.devices} devices" if c.devices else "-")
        click.echo(
            f"{c.waiting} waiting  {c.counted} only counted  {c.newest_at:%Y-%m-%dT%H:%M:%SZ}"
            f"  {c.format}  {c.reason}  {who}"
        )


@reject.command("replay")
@which_options
@installation
def reject_replay(settings: Settings, which: Which) -> None:
    """Try quarantined messages again after a fix; what still fails stays, with its reason."""
    now = datetime.now(UTC)
    stored, refused, after = 0, 0, 0
    with connect(settings.database_url, application="gridwarden cli", autocommit=True) as conn:
        while ids := rejects.list_replayable(conn, which, after=after, limit=REPLAY_STEP):
            found = replay_group(lambda: _transaction_of(conn), ids, now)
            stored += found.stored
            refused += found.missed + found.refused.total()
            for reason, count in found.refused.items():
                example = found.examples[reason]
                click.echo(f"refused again, {reason}: {count}, for example {example}")
            after = ids[-1]
    click.echo(f"replayed {stored}, still refused {refused}")


@contextmanager
def _transaction_of(conn: Connection) -> Iterator[Connection]:
    with conn.transaction():
        yield conn
