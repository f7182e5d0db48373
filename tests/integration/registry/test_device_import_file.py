"""A device file into the database: placed in its grid, reported, all or only what is right."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from db.pool import Connection
from registry.import_file import import_file

HEAD = "code,kind,name,lon,lat,report_interval_s\n"


@pytest.fixture
def free_place(db: Connection) -> tuple[float, float, str, str]:
    """A point with its unit grid and community, a little off the middle of the grid."""
    row = db.execute(
        """
        SELECT west + (east - west) * 0.31, south + (north - south) * 0.29, code, community
        FROM unit_grid ORDER BY code LIMIT 1 OFFSET 40
        """
    ).fetchone()
    assert row is not None
    return row[0], row[1], row[2], row[3]


def write(folder: Path, lines: str) -> Path:
    path = folder / "devices.csv"
    path.write_text(HEAD + lines, encoding="utf-8")
    return path


def known(db: Connection, code: str) -> tuple[object, ...] | None:
    return db.execute(
        "SELECT district, unit_grid, community, street, report_interval_s, demo"
        " FROM device WHERE code = %s",
        (code,),
    ).fetchone()


def test_an_imported_device_stands_in_its_unit_grid(
    db: Connection, tmp_path: Path, now: datetime, free_place: tuple[float, float, str, str]
) -> None:
    lon, lat, grid, community = free_place
    path = write(tmp_path, f"NEW-1,gas,Gate,{lon},{lat},120\n")

    report = import_file(db, path, dry_run=False, now=now)

    assert (report.rows, report.imported, report.faults) == (1, 1, ())
    assert known(db, "NEW-1") == ("460107", grid, community, community[:9], 120, False)


def test_good_rows_are_imported_beside_faulty_ones_unless_strict(
    db: Connection, tmp_path: Path, now: datetime, free_place: tuple[float, float, str, str]
) -> None:
    lon, lat, *_ = free_place
    taken = db.execute("SELECT code FROM device LIMIT 1").fetchone()
    assert taken is not None
    path = write(
        tmp_path,
        f"NEW-1,gas,Gate,{lon},{lat},120\n"
        f"NEW-2,gas,Gate,{lat},{lon},120\n"
        f"{taken[0]},gas,Gate,{lon + 0.0001},{lat},120\n",
    )

    strict = import_file(db, path, dry_run=False, now=now, strict=True)
    assert (strict.imported, known(db, "NEW-1")) == (0, None)

    report = import_file(db, path, dry_run=False, now=now)
    assert [(fault.row, fault.field) for fault in report.faults] == [(3, "lon, lat"), (4, "code")]
    assert known(db, "NEW-1") is not None
    assert known(db, "NEW-2") is None
    assert report.as_text().splitlines()[-1] == "1 of 3 devices imported, 2 rows with faults"


def test_a_dry_run_writes_nothing_and_says_what_it_would_do(
    db: Connection, tmp_path: Path, now: datetime, free_place: tuple[float, float, str, str]
) -> None:
    lon, lat, *_ = free_place
    path = write(tmp_path, f"NEW-1,gas,Gate,{lon},{lat},\n")

    report = import_file(db, path, dry_run=True, now=now)

    assert known(db, "NEW-1") is None
    assert report.as_text() == "1 of 1 devices would be imported, 0 rows with faults"


def test_giving_the_file_again_imports_nothing_twice(
    db: Connection, tmp_path: Path, now: datetime, free_place: tuple[float, float, str, str]
) -> None:
    lon, lat, *_ = free_place
    path = write(tmp_path, f"NEW-1,gas,Gate,{lon},{lat},60\n")
    import_file(db, path, dry_run=False, now=now)

    again = import_file(db, path, dry_run=False, now=now)

    assert again.imported == 0
    assert {fault.field for fault in again.faults} == {"code"}
