"""Tables of a city folder one by one: rows put in and taken out, Excel, and what was before."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from openpyxl import Workbook

from app.doctor import calendar_finding
from city.errors import InvalidInput, NotFound
from city.settings import FieldChange, missing_year
from founding import excel
from founding.excel import workbook_as_csv, write_workbook
from founding.history import SOURCES, Told, read_history
from founding.tables import NAMES, table_of, with_row, without_row

SQUADS = b"code,name_zh,name_en,kind,skills,phone\nS1,a,b,k,x,1\nS2,c,d,k,y,2\n"
START = datetime(2026, 11, 29, 4, tzinfo=UTC)


def squads(content: bytes) -> list[list[str]]:
    return [list(row.values.values()) for row in table_of("squads").rows(content)]


def test_a_row_is_put_in_the_place_of_another_or_at_the_end() -> None:
    table = table_of("squads")
    new = {"code": "S3", "name_zh": 'a "b", c', "kind": "k"}
    assert squads(with_row(table, SQUADS, "S1", new))[0] == ["S3", 'a "b", c', "", "k", "", ""]
    assert [row[0] for row in squads(with_row(table, SQUADS, "", new))] == ["S1", "S2", "S3"]
    assert [row[0] for row in squads(without_row(table, SQUADS, "S1"))] == ["S2"]


@pytest.mark.parametrize("key", ["S9", "s1", " "])
def test_a_row_that_is_not_there_is_named(key: str) -> None:
    for change in (
        lambda: with_row(table_of("squads"), SQUADS, key, {"code": key}),
        lambda: without_row(table_of("squads"), SQUADS, key),
    ):
        with pytest.raises(InvalidInput) as caught:
            change()
        assert (caught.value.field, caught.value.value) == ("key", key)


def test_people_and_limits_stay() -> None:
    kept = [name for name in NAMES if not table_of(name).removable]
    assert sorted(kept) == ["boundary", "city", "escalation", "limits", "people", "unit-grid"]
    with pytest.raises(InvalidInput, match="nobody takes rows out"):
        without_row(table_of("people"), b"name,role\nzhao,viewer\n", "zhao")


def test_columns_say_what_is_needed_and_which_words_they_take() -> None:
    calendar = table_of("calendar-2027")
    code, working = calendar.columns(calendar.empty())
    assert (code.name, code.needed, code.choices) == ("date", True, ())
    assert (working.name, working.choices) == ("working", ("true", "false"))
    assert calendar.rows(calendar.empty()) == []


@pytest.mark.parametrize("name", ["", "rules", "calendar-27", "calendar-2027.csv", "../people"])
def test_what_is_no_table_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        table_of(name)


def test_a_workbook_keeps_codes_texts_and_never_holds_a_formula() -> None:
    rows = [["460107001001", "=1+1"], ["007", "1,2\n3"], ["110.35", ""]]
    content = write_workbook("t", ["code", "x"], rows)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
    lines = workbook_as_csv(content).decode("utf-8-sig")
    assert lines == 'code,x\n460107001001,=1+1\n007,"1,2\n3"\n110.35,\n'


def test_what_a_spreadsheet_makes_of_cells_is_read_as_it_was_typed() -> None:
    book = Workbook()
    midnight = datetime(2027, 1, 2, tzinfo=UTC).replace(tzinfo=None)  # as Excel has them
    row: list[Any] = [date(2027, 1, 1), midnight, True, 7.0, 1.5, None, time(8, 30)]
    book.active.append(row)  # type: ignore[union-attr]
    out = io.BytesIO()
    book.save(out)
    assert workbook_as_csv(out.getvalue()).decode("utf-8-sig").strip() == (
        "2027-01-01,2027-01-02,true,7,1.5,,08:30:00"
    )


def test_what_is_no_workbook_or_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "b")
    for content in (b"PK\x03\x04", other.getvalue()):
        with pytest.raises(InvalidInput, match="no Excel workbook"):
            workbook_as_csv(content)
    monkeypatch.setattr(excel, "UNPACKED_MAX_BYTES", 10)
    with pytest.raises(InvalidInput, match="more than 10 bytes"):
        workbook_as_csv(write_workbook("t", ["a"], []))


def told(seq: int, subject: str, *rows: tuple[str, dict[str, Any], Any], minutes: int = 0) -> Told:
    bodies = [{"table": table, "key": key, "row": row} for table, key, row in rows]
    at = START + timedelta(minutes=minutes)
    return Told(seq, at, "zhao", "squad.changed", subject, "why", bodies)


def squad(phone: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    return ("squad", {"code": "S1"}, {"code": "S1", "phone": phone, "version": len(phone)})


def shift(hour: str, there: bool = True) -> tuple[str, dict[str, Any], Any]:
    key = {"squad": "S1", "start_at": hour}
    return ("squad_shift", key, {**key, "weekdays": [1, 2]} if there else None)


def test_the_history_of_a_row_says_what_was_before_and_after() -> None:
    events = [
        told(1, "log:rows", squad("1")),
        told(2, "log:rows", shift("08:00")),  # of the same moment: still the installation
        told(3, "squad:S1", squad("2"), minutes=1),
        told(4, "squad:S1", shift("08:00", there=False), shift("09:00"), minutes=2),
        told(5, "log:rows", squad("3"), minutes=3),  # changed with SQL
    ]
    found = read_history(SOURCES["squads"], events, None)
    assert [(item.seq, item.fields) for item in found] == [
        (5, [FieldChange("phone", "2", "3")]),
        (4, [FieldChange("squad_shift", "08:00 1,2", "09:00 1,2")]),
        (3, [FieldChange("phone", "1", "2")]),
    ]


def test_of_a_table_with_versions_the_newest_counts() -> None:
    def version(number: int, limit: int, until: str | None) -> tuple[str, dict[str, Any], Any]:
        row = {"clock": "verify", "version": number, "amount": limit, "valid_to": until}
        return ("stage_limit", {"clock": "verify", "version": number}, row)

    events = [
        told(1, "log:rows", version(1, 1, None)),
        told(2, "stage_limit:verify", version(1, 1, "2026-11-29"), version(2, 4, None), minutes=1),
    ]
    (item,) = read_history(SOURCES["limits"], events, None)
    assert item.fields == [FieldChange("amount", "1", "4")]


def test_a_calendar_is_told_day_by_day_and_year_by_year() -> None:
    def day(number: int, which: str, working: bool) -> tuple[str, dict[str, Any], Any]:
        key = {"code": "CN", "version": number, "day": which}
        return ("work_calendar_day", key, {**key, "working": working})

    first = [day(1, "2026-01-01", False), day(1, "2027-01-01", False)]
    second = [day(2, "2026-01-01", False), day(2, "2027-01-02", True)]
    events = [told(1, "log:rows", *first), told(2, "calendar:CN", *second, minutes=1)]
    assert read_history(SOURCES["calendar"], events, 2026) == []
    (item,) = read_history(SOURCES["calendar"], events, 2027)
    assert item.fields == [
        FieldChange("2027-01-01", "false", ""),
        FieldChange("2027-01-02", "", "true"),
    ]


@pytest.mark.parametrize(
    ("today", "missing"),
    [
        (date(2026, 9, 30), None),
        (date(2026, 10, 1), 2027),
        (date(2026, 12, 31), 2027),
        (date(2027, 1, 1), 2027),
        (date(2027, 10, 1), 2027),
    ],
)
def test_next_years_calendar_is_missed_from_october_on(today: date, missing: int | None) -> None:
    known = date(2026, 12, 31)
    assert missing_year(known, today) == missing
    finding = calendar_finding(known, today)
    assert finding.ok is (today <= known)
    assert (f"/settings?part=calendar-{missing}" in finding.text) is (missing is not None)
    assert missing_year(date(2028, 12, 31), today) is None
