"""Migrations are numbered once each, and each can be undone."""

from __future__ import annotations

import re
from collections import Counter

from db.migrate import FORMER_NAMES, MIGRATIONS


def names() -> list[str]:
    return sorted(
        path.stem for path in MIGRATIONS.glob("*.sql") if not path.stem.endswith(".rollback")
    )


def number(name: str) -> int:
    found = re.fullmatch(r"(\d{4})_[a-z][a-z0-9_]*", name)
    assert found, f"{name} is not called NNNN_what_it_brings"
    return int(found.group(1))


def test_no_number_is_given_twice() -> None:
    twice = [n for n, times in Counter(map(number, names())).items() if times > 1]
    assert twice == []


def test_no_number_is_left_out() -> None:
    given = set(map(number, names()))
    missing = set(range(1, max(given) + 1)) - given
    assert sorted(missing) == []


def test_every_migration_says_what_it_needs_and_how_it_is_undone() -> None:
    known = set(names())
    for name in known:
        head = (MIGRATIONS / f"{name}.sql").read_text(encoding="utf-8")
        found = re.search(r"^-- depends:(.*)$", head, re.MULTILINE)
        assert found, f"{name} has no line `-- depends:`"
        assert set(found.group(1).split()) <= known, name
        assert (MIGRATIONS / f"{name}.rollback.sql").is_file(), name


def test_a_former_name_is_no_name_of_today() -> None:
    known = set(names())
    assert FORMER_NAMES.keys() <= known
    assert not known.intersection(*FORMER_NAMES.values())
