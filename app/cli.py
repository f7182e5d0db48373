"""The command `gridwarden`: one verb a process or a piece of work."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from app import logs
from app.process import stop_on_signal
from app.rule_verbs import rules
from app.settings import DEFAULT_DATA_DIR, load_settings, model_folder
from city.errors import GridwardenError
from stack.errors import StackError


class Verbs(click.Group):
    """Turns our own errors into one line and exit code 1; bugs keep their traceback. The verbs of
    `app.verbs` are loaded when somebody asks for them: processes do without their libraries."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (GridwardenError, StackError) as error:
            click.echo(f"gridwarden: {error}", err=True)
            sys.exit(1)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == rules.name:
            return rules
        found = super().get_command(ctx, cmd_name)
        return found or self._work(ctx).get(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._work(ctx)})

    @staticmethod
    def _work(ctx: click.Context) -> dict[str, click.Command]:
        verbs: dict[str, click.Command] = import_module("app.verbs").VERBS
        return verbs


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
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
    if (folder := model_folder()) is not None:
        import_module("wire.models").use_model_folder(folder)


def load(module: str) -> Any:
    """Import without the collector, which would look through the new classes again and again: they
    stay as long as the process. A fifth of what a start costs."""
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def data_dir_option(command: Callable[..., object]) -> Callable[..., object]:
    """`--data-dir` is understood before and after the verb."""
    return click.option(
        "--data-dir", "own_data_dir", type=click.Path(path_type=Path, file_okay=False)
    )(command)


@cli.command()
@data_dir_option
@click.option(
    "--demo/--no-demo",
    default=None,
    help="Seed the demo district and simulate it. Default: yes, unless it was removed.",
)
@click.option(
    "--demo-days",
    type=click.IntRange(0, 1000),
    default=400,
    show_default=True,
    help="Days of past that a new demo district gets; 0: none.",
)
@click.option(
    "--http-port",
    type=click.IntRange(1, 65535),
    default=None,
    help="Default: that of the last start, 8050 or the next free one.",
)
@click.pass_obj
def up(
    data_dir: Path | None,
    own_data_dir: Path | None,
    demo: bool | None,
    demo_days: int,
    http_port: int | None,
) -> None:
    """Start everything on this machine and stay in the foreground."""
    logs.configure("up")
    stop = stop_on_signal()
    folder = (own_data_dir or data_dir or DEFAULT_DATA_DIR).resolve()
    bring_up = load("app.up").up
    bring_up(folder, demo=demo, demo_days=demo_days, http_port=http_port, say=click.echo, stop=stop)


def _add_process(name: str, module: str, explanation: str) -> None:
    @data_dir_option
    @click.pass_obj
    def command(data_dir: Path | None, own_data_dir: Path | None) -> None:
        logs.configure(name)
        load(module).run(load_settings(own_data_dir or data_dir), stop_on_signal())

    cli.command(name, help=explanation)(command)


_add_process("ingest", "app.process.ingest", "MQTT in, readings stored.")
_add_process("engine", "app.process.engine", "Readings to alarms, alarms to incidents.")
_add_process("scheduler", "app.scheduler", "Timers, deadlines, roll-ups.")
_add_process("notify", "app.process.notify", "Messages to people, by the channels of the city.")
_add_process("serve", "app.process.serve", "Screens and API.")


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
    settings = load_settings(own_data_dir or data_dir)
    run = load("app.process.simulate").run
    run(settings, stop_on_signal(), scenario=scenario, seed=seed)


def main() -> None:
    cli(prog_name="gridwarden")


if __name__ == "__main__":
    main()
