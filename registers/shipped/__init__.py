"""Definitions that come with the product, one TOML file a register."""

from __future__ import annotations

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
