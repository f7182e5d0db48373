"""The verbs that do one piece of work and end, by name."""

from __future__ import annotations

from pathlib import Path

import click

from app.approval_commands import approval_group
from app.city_commands import city_group
from app.commands import WORK_COMMANDS, device, rules
from app.demo_commands import add_demo_commands
from app.device_commands import add_device_commands
from app.feed_commands import feed_group
from app.kpi_commands import kpi_group
from app.lighting_commands import lighting_group
from app.people_commands import token, user
from app.permit_commands import permit_group
from app.register_commands import register_group
from app.reject_commands import reject
from app.rule_check_commands import add_rule_check_commands
from app.rule_commands import add_rule_commands
from app.rule_trials import trial_command
from app.settings import load_settings
from app.setup_commands import setup_code
from app.sparkplug_commands import sparkplug_group
from app.up import prepare_database
from db.migrate import migrate as bring_to_newest


@click.command()
@click.option("--data-dir", "own_data_dir", type=click.Path(path_type=Path, file_okay=False))
@click.option("--demo", is_flag=True, help="Also seed the demo district.")
@click.pass_obj
def migrate(data_dir: Path | None, own_data_dir: Path | None, demo: bool) -> None:
    """Bring the database to the newest schema and load the reference rows."""
    settings = load_settings(own_data_dir or data_dir)
    applied = bring_to_newest(settings.database_url)
    prepare_database(settings.database_url, demo=demo)
    click.echo(f"applied: {', '.join(applied) or 'nothing, the schema is the newest'}")


add_demo_commands(city_group)
add_device_commands(device)
add_rule_commands(rules)
add_rule_check_commands(rules)
rules.add_command(trial_command)
VERBS: dict[str, click.Command] = {
    str(verb.name): verb
    for verb in (
        migrate,
        *WORK_COMMANDS,
        approval_group,
        city_group,
        feed_group,
        kpi_group,
        lighting_group,
        permit_group,
        register_group,
        reject,
        setup_code,
        sparkplug_group,
        user,
        token,
    )
}
