"""How long finding a case takes among 900,000 of five years, and what its documents cost.

Cases are made of drawn parts of a city's language (places, matters, names, notes); searches are
of every kind that people type. Takes about ten minutes, most of it to make the cases.
"""

from __future__ import annotations

import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import stack
from bench import city_load
from city.scope import Scope
from db import case_search, districts
from db.case_search import CaseRow
from db.pool import Connection, connect
from dispatch.case_text import case_text
from dispatch.steps import find_cases

CASES = 900_000
AT_ONCE = 5_000
ASKED = 20

ROADS = "仁园 凤翔 红城湖 龙昆 椰海 海府 中山 建国 和平 文明 板桥 道客 大英 博爱 新华 滨江".split()
KINDS = "大道 路 街 巷 社区 小区 市场 公园".split()
MATTERS = (
    "燃气管道破裂 井盖松动 路灯不亮 占道经营 乱倒垃圾 污水外溢 树枝倒伏 路面塌陷 共享单车乱停"
    " 施工扰民 渣土洒漏 广告牌破损 消火栓漏水 护栏缺失 积水".split()
)
NAMES = "王 李 张 刘 陈 杨 黄 赵 吴 周 符 林 云 邢".split()
GIVEN = "建国 丽华 志强 秀英 海燕 伟 芳 敏 静 磊 洋 艳 勇 军 杰".split()
NOTES = "现场已处理完毕 已更换 已通知权属单位 需开挖 等待材料 已清运 复查合格 群众满意".split()
RARE = "海龟"


def run(cases: int = CASES) -> dict[str, Any]:
    """Make the cases, then search."""
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder,
        stack.running(Path(folder)) as servers,
    ):
        city_load.found(servers.postgres, servers.mqtt, 10)
        with connect(servers.postgres, autocommit=True) as conn:
            (district,) = districts.list_codes(conn)
            began = time.monotonic()
            _fill(conn, district, cases)
            figures: dict[str, Any] = {"cases": cases, "filled_s": time.monotonic() - began}
            conn.execute("VACUUM ANALYZE incident")
            conn.execute("VACUUM ANALYZE incident_text")
            figures |= _sizes(conn)
            return figures | _ask(conn, district)


def _fill(conn: Connection, district: str, cases: int) -> None:
    draw = random.Random(1)
    start = datetime.now(UTC) - timedelta(days=5 * 365)
    step = timedelta(days=5 * 365) / cases
    for first in range(0, cases, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, cases))
        titles = [_title(draw) for _ in numbers]
        with conn.transaction(), conn.cursor() as cursor:
            with cursor.copy(
                "COPY incident (number, district, category, category_version, source, state,"
                " severity, title_zh, title_en, lon, lat, opened_at, reported_by) FROM STDIN"
            ) as copy:
                for n, title in zip(numbers, titles, strict=True):
                    at = start + n * step
                    copy.write_row(
                        (
                            f"{district}{at:%Y%m%d}{n % 100_000:05d}", district, "05-02", 1,
                            "hotline", "closed" if n < cases - 500 else "filed", 3, title, title,
                            110.36, 20.0, at, "wang",
                        )
                    )  # fmt: skip
            rows = cursor.execute(
                "SELECT id, number, title_zh FROM incident ORDER BY id DESC LIMIT %s",
                (len(numbers),),
            ).fetchall()
            case_search.save_rows(conn, [_document(draw, district, *row) for row in rows])


def _title(draw: random.Random) -> str:
    place = f"{draw.choice(ROADS)}{draw.choice(KINDS)}{draw.randrange(1, 400)}号"
    return f"{draw.choice(MATTERS)} · {place}"


def _document(
    draw: random.Random, district: str, number_id: int, number: str, title: str
) -> CaseRow:
    rare = RARE if draw.random() < 2e-5 else ""
    name = draw.choice(NAMES) + draw.choice(GIVEN)
    device = f"GAS-{draw.randrange(50_000):06d}"
    found = case_text([number, title, "hotline", name, device, draw.choice(NOTES), rare])
    return CaseRow(number_id, district, found.text, found.sound, found.initials, found.grams)


def _sizes(conn: Connection) -> dict[str, Any]:
    row = conn.execute(
        "SELECT pg_table_size('incident_text'), pg_relation_size('incident_text_grams')"
    ).fetchone()
    assert row is not None
    return {"documents_mb": row[0] / 1e6, "index_mb": row[1] / 1e6}


def _ask(conn: Connection, district: str) -> dict[str, Any]:
    draw = random.Random(2)
    old = conn.execute("SELECT number FROM incident ORDER BY id LIMIT 1 OFFSET 1000").fetchone()
    assert old is not None
    kinds = {
        "number": lambda: old[0],
        "part of a number": lambda: f"{draw.randrange(100_000):05d}",
        "device": lambda: f"gas-{draw.randrange(50_000):06d}",
        "common word": lambda: draw.choice(MATTERS)[:2],
        "rare word": lambda: RARE,
        "rare, by its sound": lambda: "haigui",
        "place and matter": lambda: f"{draw.choice(ROADS)}大道{draw.randrange(1, 400)}号 燃气",
        "person": lambda: draw.choice(NAMES) + draw.choice(GIVEN),
        "pinyin": lambda: "ranqi renyuan",
        "initials": lambda: "rqgdpl",
        "two of three words are common": lambda: f"路灯 大道 {draw.randrange(100_000):05d}",
        "nothing": lambda: "不存在的词",
        "open ones only": lambda: draw.choice(MATTERS)[:2],
    }
    figures: dict[str, Any] = {}
    for name, query in kinds.items():
        states = ["filed"] if name == "open ones only" else None
        took = []
        for _ in range(ASKED):
            began = time.perf_counter()
            find_cases(conn, Scope(district), query(), states=states)
            took.append((time.perf_counter() - began) * 1000)
        took.sort()
        figures[f"{name} p50_ms"] = took[len(took) // 2]
        figures[f"{name} longest_ms"] = took[-1]
    return figures
