"""Formulas of scores: versions, none of which is ever changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from city.score import ScoreFormula, Term
from db.pool import Connection


def find_formula(conn: Connection, district: str, at: datetime) -> ScoreFormula | None:
    """The formula of a district that is in force then, else the one of those without their own."""
    row = conn.execute(
        """
        SELECT version, name_zh, name_en, terms, bands, source, nullif(valid_from, '-infinity')
        FROM score_formula
        WHERE district IN ('', %s) AND valid_from <= %s
        ORDER BY district DESC, version DESC LIMIT 1
        """,
        (district, at),
    ).fetchone()
    return _formula(row) if row else None


def list_formulas(conn: Connection, district: str) -> list[ScoreFormula]:
    """All versions of a district, and the one of those without their own before them."""
    rows = conn.execute(
        """
        SELECT version, name_zh, name_en, terms, bands, source, nullif(valid_from, '-infinity')
        FROM score_formula WHERE district IN ('', %s) ORDER BY district, version
        """,
        (district,),
    ).fetchall()
    return [_formula(row) for row in rows]


def insert_formula(
    conn: Connection, district: str, formula: ScoreFormula, by: str, now: datetime
) -> int:
    """A new version in force from now on; its number."""
    row = conn.execute(
        """
        INSERT INTO score_formula (district, version, name_zh, name_en, terms, bands, source,
                                   valid_from, applied_by)
        SELECT %(district)s, coalesce(max(version), 0) + 1, %(zh)s, %(en)s, %(terms)s, %(bands)s,
               %(source)s, %(now)s, %(by)s
        FROM score_formula WHERE district = %(district)s
        RETURNING version
        """,
        {
            "district": district,
            "zh": formula.name_zh,
            "en": formula.name_en,
            "terms": Jsonb([asdict(term) for term in formula.terms]),
            "bands": Jsonb([list(pair) for pair in formula.bands]),
            "source": formula.source,
            "now": now,
            "by": by,
        },
    ).fetchone()
    assert row is not None, "an insert returns its row"
    return int(row[0])


def _formula(row: Sequence[Any]) -> ScoreFormula:
    version, name_zh, name_en, terms, bands, source, valid_from = row
    return ScoreFormula(
        version,
        name_zh,
        name_en,
        tuple(_term(term) for term in terms),
        tuple((letter, float(lowest)) for letter, lowest in bands),
        source,
        valid_from,
    )


def _term(stored: Mapping[str, Any]) -> Term:
    return Term(**stored)
