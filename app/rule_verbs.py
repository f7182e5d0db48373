"""`gridwarden rules …`: the verbs of rules, each loaded when somebody asks for it.

A backtest over files is started by scripts again and again: it loads nothing but rules and arrays.
"""

from __future__ import annotations

from importlib import import_module

import click

LIGHT = {"backtest": ("app.backtest_command", "backtest_command")}


class RuleVerbs(click.Group):
    """The group `rules` of `app.verbs`, of which some verbs do without its libraries."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in LIGHT:
            module, name = LIGHT[cmd_name]
            found: click.Command = getattr(import_module(module), name)
            return found
        return self._heavy().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*LIGHT, *self._heavy().list_commands(ctx)})

    @staticmethod
    def _heavy() -> click.Group:
        group = import_module("app.verbs").VERBS["rules"]
        assert isinstance(group, click.Group)
        return group


rules = RuleVerbs("rules", help="Alarm rules.")
