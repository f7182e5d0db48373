"""What the check of the set-up page's files says is said in the language of the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.city_commands import read_files, shipped
from city.first_run import FirstRun
from city.settings import SheetChange, SheetFault
from dashboard.shell.i18n import CHINESE, ENGLISH, texts
from dashboard.shell.judgements import say_changes, say_fault, say_problem
from founding.feeds_file import judge_feeds, read_feeds
from founding.first_run import judge_answers
from founding.parts import Fault
from tests.unit.founding.conftest import SAMPLE

SQUARE = "112.5,30.2\n112.53,30.2\n112.53,30.23\n112.5,30.23"
HEAD = b"code,west,south,east,north\n"
CELL = HEAD + b"991201001001001,112.510,30.200,112.511,30.201\n"
ASIDE = (
    "code,name,level,parent,lon,lat\n991201001,东洲街道,street,991201,,\n"
    + "".join(
        f"99120100100{n},社区{n},community,991201001,{lon},{lat}\n"
        for n, (lon, lat) in enumerate(
            [(112.5244, 30.1985), (112.5241, 30.1981), (112.5235, 30.198)]
        )
    )
).encode()
WRONG: list[dict[str, object]] = [
    {"code": "12"},
    {"code": ""},
    {"name_en": ""},
    {"timezone": "Mars/Base"},
    {"languages": ()},
    {"boundary": None},
    {"boundary": b"["},
    {"boundary": b"{}"},
    {
        "boundary": b'{"type": "Polygon",'
        b' "coordinates": [[[500000,3000000],[500001,3000000],[500001,3000001],[500000,3000000]]]}'
    },
    {"boundary": b'{"type": "Point", "coordinates": [1, 2]}'},
    {"boundary": b'{"type": "Polygon", "coordinates": [[1]]}'},
    {"boundary": b'{"type": "Polygon", "coordinates": []}'},
    {
        "boundary": b'{"type": "Polygon", "coordinates": [[[112.5,30.2],[112.6,30.2],[112.6,30.3],'
        b"[112.5,30.3],[112.5,30.2]],[[112.52,30.22],[112.58,30.22],[112.55,30.28],[112.52,30.22]]]}"
    },
    {"boundary": b'{"type": "Polygon", "crs": {}, "coordinates": [[[1,2],[2,2],[2,3],[1,2]]]}'},
    {"divisions": ASIDE},
    {"corners": "1"},
    {"corners": "112.5,30.2"},
    {"corners": SQUARE.replace("30.23", "30.2")},
    {"corners": "1,2\n1,100\n2,100"},
    {"corners": "30.2,112.5\n30.2,112.6\n30.3,112.5"},
    {"corners": "112.5,30.2\n112.52,30.22\n112.52,30.2\n112.5,30.22"},
    {"corners": "112.5,30.2\n112.9,30.2\n112.9,30.6"},
    {"divisions": b"", "grid": False},
    {"divisions": None},
    {"divisions": b"code,name\n"},
    {"divisions": b"\xff\xff\xff\x81"},
    {"official": True},
    {"official": True, "code": "460107"},
    {"admin": ""},
    {"admin": "a b"},
    {"cells": b""},
    {"cells": CELL.replace(b"112.510", b"x")},
    {"cells": CELL.replace(b".510", b".6")},
    {"cells": CELL.replace(b"991201001001001", b"991201009001001")},
    {"cells": CELL + b"991201001001002,112.5105,30.200,112.5115,30.201\n"},
    {"cells": CELL.replace(b"\n", b",division\n", 1).replace(b".201\n", b".201,991201002\n")},
]


def answers() -> FirstRun:
    files = read_files(SAMPLE)
    return FirstRun(
        code="991201",
        name_zh="星洲区",
        name_en="Xingzhou",
        timezone="Asia/Shanghai",
        languages=("zh", "en"),
        datum="wgs84",
        boundary=files["boundary.geojson"],
        divisions=files["divisions.csv"],
        grid=True,
        admin="lin.admin",
    )


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_every_fault_of_the_answers_has_words_in_chinese(change: dict[str, object]) -> None:
    _, faults = judge_answers(replace(answers(), **change), shipped())
    assert faults
    for fault in faults:
        assert say_problem(texts(CHINESE), fault.problem) != fault.problem
        assert say_problem(texts(ENGLISH), fault.problem) == fault.problem


def test_a_fault_names_its_place_and_its_value() -> None:
    fault = SheetFault("divisions.csv", 5, "lon, lat", "1, 2", "lie outside the boundary")
    assert say_fault(texts(CHINESE), fault) == (
        "divisions.csv · 第 5 行 · 经度, 纬度: “1, 2” 在区界之外"
    )
    assert say_fault(texts(ENGLISH), SheetFault("x.csv", None, "", "", "what nobody knows")) == (
        "x.csv: what nobody knows"
    )


def test_many_changes_of_a_kind_are_told_by_their_number() -> None:
    many = [SheetChange("division", str(n), "added") for n in range(100)]
    few = [SheetChange("person", "lin", "added"), SheetChange("squad", "a", "changed", ("phone",))]
    cells = [SheetChange("unit_grid", "", "added", (), 1234)]
    assert say_changes(texts(CHINESE), [*many, *cells, *few]) == [
        "区划: 100 新增",
        "单元网格: 1234 新增",
        "人员 lin: 新增",
        "中队 a: 更改 (电话)",
    ]


FEEDS = [
    "x = 1",
    "feed = 1",
    "[[feed]]",
    '[[feed]]\nname = "a b"\nformat = "ttn"\ntopic = "x"',
    '[[feed]]\nname = "native"\ntopic = "x"\nformat = "ttn"',
    '[[feed]]\nname = "a"\nformat = "nothing"\ntopic = "x"\ninterval_s = 0\nenabled = "maybe"',
    '[[feed]]\nname = "a"\nformat = "ttn"\ntopic = "x"\nshape = "round"\ndatum = "mars"',
    '[[feed]]\nname = "a"\nformat = "ttn"\ntopic = ["x"]',
    '[[feed]]\nname = "a"\nformat = "ttn"\ntopic = "x"\n[[feed]]\nname = "a"\nformat = "ttn"',
    '[[feed]]\nname = "a"\nformat = "ttn"\ntopic = "x"\n[[feed]]\nname = "b"\nformat = "ttn"\n'
    'topic = "x/#"',
    "[[feed]",
    *(
        f'[[feed]]\nname = "a"\nformat = "zigbee2mqtt"\ntopic = "{topic}"'
        for topic in ("", "x/", "+/x", "gridwarden/x", "x/#/y", "x/a+", "$share/a/b", "x" * 999)
    ),
]


@pytest.mark.parametrize("text", FEEDS)
def test_what_is_wrong_with_a_feed_is_said_in_chinese(text: str) -> None:
    faults: list[Fault] = []
    entries = read_feeds(text.encode(), faults)
    judge_feeds(entries, "991201", faults)
    assert faults, text
    for fault in faults:
        said = say_problem(texts(CHINESE), fault.problem)
        assert said != fault.problem, fault
        assert "{" not in said
