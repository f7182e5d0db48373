"""Rule files: TOML, checked down to the field by the kind of rule, turned into frozen values."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alerts.fields import Fields
from alerts.help import parse_help
from alerts.rules import DAY_S, Rule
from alerts.scope import parse_scope
from alerts.watch import KINDS
from city.errors import InvalidInput
from city.incident import Role

# Who may be told to release a latched alarm.
RELEASERS = (Role.GAS_ENGINEER, Role.ADMIN, Role.DISPATCHER)
LATCH_MAX_S = 30 * DAY_S
# A rule file is some twenty lines; anything larger is not one.
MAX_TEXT = 20_000
# How errors name a text that came without a file.
FILE = "rule"


def parse_rule(toml_text: str, file: str = FILE) -> Rule:
    """Turn the text of a rule file into a rule; errors name file, field and value."""
    if len(toml_text) > MAX_TEXT:
        raise InvalidInput(file, f"{len(toml_text)} characters", f"at most {MAX_TEXT} are allowed")
    try:
        table = tomllib.loads(toml_text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(file, str(error), "is not valid TOML") from error
    return rule_from(table, file)


def rule_from(
    table: Mapping[str, Any], file: str = FILE, version: int = 0, fields: Fields | None = None
) -> Rule:
    """Turn a parsed table into a rule; every unknown or missing field is an error. `fields` is who
    reads the table, for those who want to know what is asked of it."""
    fields = fields or Fields(table, file)
    kind = KINDS[fields.one_of("watch", list(KINDS), default="reading")]
    code = fields.code("code")
    category_attribute = fields.code("category_attribute", default="")
    common: dict[str, Any] = {
        "code": code,
        "version": version,
        "title_zh": fields.text("title_zh"),
        "title_en": fields.text("title_en"),
        "watch": kind.name,
        "kinds": frozenset(fields.texts("kind")),
        "condition": fields.code("condition", default=code),
        "category": fields.text("category"),
        "category_attribute": category_attribute,
        "opens_incident": fields.flag("opens_incident"),
        "source": fields.text("source"),
        "valid_from": fields.time("valid_from"),
        "scope": parse_scope(fields, category_attribute),
        "off_delay": fields.seconds("off_delay_s", default=0.0, high=DAY_S),
        "help": parse_help(fields),
        **_latching(fields),
    }
    rule: Rule = kind.parse(fields, common)
    fields.nothing_left()
    return rule


def _latching(fields: Fields) -> dict[str, Any]:
    """`latch` with the time that the condition has to be gone, and who may release the alarm."""
    if not fields.flag("latch", default=False):
        return {}
    return {
        "gas_free": fields.seconds("gas_free_s", high=LATCH_MAX_S),
        "release_role": fields.one_of("release_role", RELEASERS, default=Role.GAS_ENGINEER),
    }


def as_definition(toml_text: str) -> dict[str, Any]:
    """The parsed file with times as text, as it is stored beside the text."""
    table = tomllib.loads(toml_text)
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in table.items()
    }
