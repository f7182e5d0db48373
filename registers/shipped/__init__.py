"""Definitions that come with the product, one TOML file a register."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from city.register import Register
from registers.definition import parse_definition

FOLDER = Path(__file__).parent


@cache
def shipped_registers() -> dict[str, Register]:
    """All of them by code, in the order in which they are shown."""
    found = (parse_definition(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.toml")))
    return {register.code: register for register in found}


def known_registers(own: Mapping[str, str]) -> dict[str, Register]:
    """Those that ship and a city's own, whose texts are given by code and come first."""
    return {**shipped_registers(), **{code: parse_definition(own[code]) for code in own}}
