"""`gridwarden setup-code`: a fresh code for the set-up page, for whoever lost the first."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from app import first_run
from app.commands import installation, transaction
from app.settings import Settings


@click.command("setup-code")
@installation
def setup_code(settings: Settings) -> None:
    """Print a fresh code for /setup; the one before is worth nothing any more."""
    with transaction(settings) as conn:
        code = first_run.new_code(conn, "cli", datetime.now(UTC))
    click.echo(code)
