"""Cases are found by what is said of them, a moment after it was said."""

from __future__ import annotations

import pytest

from city.errors import InvalidInput
from city.incident import Action, Source
from city.requests import ReportRequest
from city.scope import Scope
from db.pool import connect
from dispatch import steps
from tests.integration.dispatch.town import DISPATCHER, DISTRICT, City


def report(town: City, text: str, title: str = "", reporter: str = "") -> int:
    request = ReportRequest(
        source=Source.HOTLINE,
        category="05-02",
        description=text,
        title=title,
        reporter=reporter,
        lon=110.36,
        lat=20.0,
    )
    return steps.report(town.conn, DISPATCHER, request, town.now)


def find(town: City, query: str, **more: object) -> list[int]:
    steps.write_case_texts(town.conn, town.now)
    return steps.find_cases(town.conn, Scope(DISTRICT), query, **more)  # type: ignore[arg-type]


def test_a_case_is_found_open_and_closed_in_chinese_and_pinyin(town: City) -> None:
    first = report(town, "路灯杆被撞歪,挡住人行道", reporter="张三丰")
    second = report(town, "小区门口有燃气味", title="燃气味")
    number = town.incident(first).number
    names = ("路灯杆", "张三丰", "zhangsanf", "zsf", "ludenggan", "ldg", number[-6:])
    for query in (*names, "lvdenggan", "ldgan"):
        expected = [first] if query in names else []
        assert find(town, query) == expected, query
    assert find(town, "燃气味") == [second]
    town.do(DISPATCHER, first, Action.REJECT, reason="与历史工单重复")
    assert find(town, "历史工单") == [first]  # what was said later counts, too
    assert find(town, "路灯杆", states=["reported"]) == []
    assert find(town, "路灯杆", states=["rejected"]) == [first]
    assert find(town, "不存在的词语") == []


def test_newest_first_page_by_page_and_in_the_own_district_only(town: City) -> None:
    cases = [report(town, f"占道经营 第{n}处") for n in range(7)]
    found = find(town, "占道经营", limit=3)
    assert found == cases[:-4:-1]
    assert find(town, "占道经营", limit=9, before_id=found[-1]) == cases[-4::-1]
    assert steps.find_cases(town.conn, Scope("460108"), "占道经营") == []


def test_rare_words_are_found_far_behind_the_newest(town: City) -> None:
    """By the index: the newest are not enough."""
    old = report(town, "下水道里有一只海龟")
    find(town, "海龟")
    town.conn.execute(
        """
        INSERT INTO incident (number, district, category, category_version, source, state,
            severity, title_zh, title_en, lon, lat, opened_at, reported_by)
        SELECT 'X' || n, district, category, category_version, source, state, severity, title_zh,
               title_en, lon, lat, opened_at, reported_by
        FROM incident, generate_series(1, 4100) n WHERE id = %s
        """,
        (old,),
    )
    town.conn.execute(
        """
        INSERT INTO incident_text SELECT id, district, 'nothing', '', '', '{1}' FROM incident
        WHERE number LIKE 'X%%' AND district = %s
        """,
        (DISTRICT,),
    )
    assert find(town, "海龟") == [old]
    assert find(town, "haigui") == [old]


def test_cases_from_before_the_log_was_followed_come_by_themselves(town: City) -> None:
    cases = [report(town, f"旧案 {n}") for n in range(3)]
    town.conn.execute("DELETE FROM incident_text")
    town.conn.execute(
        "UPDATE incident_text_progress SET seq = (SELECT seq FROM event_head), below = %s",
        (cases[-1] + 1,),
    )
    assert find(town, "旧案") == cases[::-1]
    assert steps.write_case_texts(town.conn, town.now) == 0


def test_a_log_that_begins_anew_is_followed_from_its_beginning(town: City) -> None:
    found = report(town, "新来的案子")
    town.conn.execute("UPDATE incident_text_progress SET seq = 1000000")
    assert find(town, "新来的") == [found]


def test_two_at_once_write_once(town: City, database_url: str) -> None:
    report(town, "占道")
    town.conn.commit()
    assert steps.write_case_texts(town.conn, town.now) >= 1  # holds the lock until its commit
    with connect(database_url) as other:
        assert steps.write_case_texts(other, town.now) == 0


def test_a_search_without_words_is_refused(town: City) -> None:
    with pytest.raises(InvalidInput, match="two letters"):
        find(town, "x")
