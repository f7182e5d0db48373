"""The command `gridwarden`: one verb a process or a piece of work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from app import logs, processes
from app.commands import add_work_commands, device, rules
from app.device_commands import add_device_commands
from app.people_commands import token, user
from app.reject_commands import reject
from app.rule_commands import add_rule_commands
from app.settings import DEFAULT_DATA_DIR, load_settings, model_folder
from app.sparkplug_commands import sparkplug_group
from app.up import prepare_database
from app.up import up as bring_up
from city.errors import GridwardenError
from db.migrate import migrate as bring_to_newest
from ingest.models import use_model_folder
from stack import StackError


class OneSentence(click.Group):
    """Turns our own errors into one line and exit code 1; bugs keep their traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (GridwardenError, StackError) as error:
            click.echo(f"gridwarden: {error}", err=True)
            sys.exit(1)


@click.group(cls=OneSentence, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gridwarden")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="GRIDWARDEN_DATA_DIR",
    help="Folder of the running installation (its endpoints.json).",
)
@click.pass_context
def cli(ctx: click.Context, data_dir: Path | None) -> None:
    """City-management command center: sensors in, alarms, incidents, verified closure."""
    ctx.obj = data_dir
    use_model_folder(model_folder())


def data_dir_option(command: Callable[..., object]) -> Callable[..., object]:
    """`--data-dir` is understood before and after the verb."""
    return click.option(
        "--data-dir", "own_data_dir", type=click.Path(path_type=Path, file_okay=False)
    )(command)


@cli.command()
@data_dir_option
@click.option("--demo/--no-demo", default=True, help="Seed the demo district and simulate it.")
@click.option(
    "--http-port",
    type=click.IntRange(1, 65535),
    default=None,
    help="Default: that of the last start, 8050 or the next free one.",
)
@click.pass_obj
def up(data_dir: Path | None, own_data_dir: Path | None, demo: bool, http_port: int | None) -> None:
    """Start everything on this machine and stay in the foreground."""
    logs.configure("up")
    stop = processes.stop_on_signal()
    folder = (own_data_dir or data_dir or DEFAULT_DATA_DIR).resolve()
    bring_up(folder, demo=demo, http_port=http_port, say=click.echo, stop=stop)


@cli.command()
@data_dir_option
@click.option("--demo", is_flag=True, help="Also seed the demo district.")
@click.pass_obj
def migrate(data_dir: Path | None, own_data_dir: Path | None, demo: bool) -> None:
    """Bring the database to the newest schema and load the reference rows."""
    settings = load_settings(own_data_dir or data_dir)
    applied = bring_to_newest(settings.database_url)
    prepare_database(settings.database_url, demo=demo)
    click.echo(f"applied: {', '.join(applied) or 'nothing, the schema is the newest'}")


def _add_process(name: str, run: Callable[..., None], explanation: str) -> None:
    @data_dir_option
    @click.pass_obj
    def command(data_dir: Path | None, own_data_dir: Path | None) -> None:
        logs.configure(name)
        run(load_settings(own_data_dir or data_dir), processes.stop_on_signal())

    cli.command(name, help=explanation)(command)


_add_process("ingest", processes.run_ingest, "MQTT in, readings stored.")
_add_process("engine", processes.run_engine, "Readings to alarms, alarms to incidents.")
_add_process("scheduler", processes.run_scheduler, "Timers, deadlines, roll-ups.")
_add_process("serve", processes.run_serve, "Screens and API.")


@cli.command()
@data_dir_option
@click.option("--scenario", default=None, help="Play this scenario at once, and again.")
@click.option("--seed", type=int, default=1, help="The same seed plays the same city.")
@click.pass_obj
def simulate(
    data_dir: Path | None, own_data_dir: Path | None, scenario: str | None, seed: int
) -> None:
    """Play a seeded city through MQTT."""
    logs.configure("simulate")
    processes.run_simulate(
        load_settings(own_data_dir or data_dir),
        processes.stop_on_signal(),
        scenario=scenario,
        seed=seed,
    )


add_work_commands(cli)
add_device_commands(device)
add_rule_commands(rules)
cli.add_command(reject)
cli.add_command(sparkplug_group)
cli.add_command(user)
cli.add_command(token)


def main() -> None:
    cli(prog_name="gridwarden")


if __name__ == "__main__":
    main()
