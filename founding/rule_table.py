"""Rules as a table to be read: what each is called, its version, and the text it was made of."""

from __future__ import annotations

import tomllib

from city.settings import Column, SheetRow
from db import rules
from db.pool import Connection

RULES, RULES_KEY = "rules", "code"
COLUMNS = ("code", "title_zh", "title_en", "version", "applied_by", "text")


def rule_rows(conn: Connection) -> tuple[list[Column], list[SheetRow]]:
    """Every rule that is in force or will be."""
    rows = []
    for number, rule in enumerate(rules.list_texts(conn), start=2):
        told = tomllib.loads(rule.source)
        values = {
            "code": rule.code,
            "title_zh": str(told.get("title_zh", "")),
            "title_en": str(told.get("title_en", "")),
            "version": str(rule.version),
            "applied_by": rule.applied_by,
            "text": rule.source,
        }
        rows.append(SheetRow(number, values))
    return [Column(name, needed=False) for name in COLUMNS], rows
