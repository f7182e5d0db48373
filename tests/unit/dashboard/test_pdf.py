"""A table on paper: every sheet has its head, and every object is where the file says."""

from __future__ import annotations

import re
import zlib

from dashboard.screens.kpi.pdf import text_width, write_pdf

ROWS = [["分组", "立卷"], *([f"中队 {n}", str(n)] for n in range(100))]


def sheets(content: bytes) -> list[str]:
    return [
        zlib.decompress(found).decode()
        for found in re.findall(rb"stream\n(.*?)\nendstream", content, re.DOTALL)
    ]


def said(sheet: str) -> list[str]:
    return [bytes.fromhex(text).decode("utf-16-be") for text in re.findall(r"<([0-9a-f]*)>", sheet)]


def test_long_tables_go_on_with_their_head_on_the_next_sheet() -> None:
    found = [said(sheet) for sheet in sheets(write_pdf(["考核指标"], ROWS))]
    assert len(found) == 3
    for number, texts in enumerate(found, start=1):
        assert texts[:3] == ["考核指标", "分组", "立卷"]
        assert texts[-1] == f"{number} / 3"
    shown = [text for texts in found for text in texts if text.startswith("中队")]
    assert shown == [f"中队 {n}" for n in range(100)]


def test_every_object_is_where_the_table_says() -> None:
    content = write_pdf(["x"], ROWS)
    table = int(content.rsplit(b"startxref\n", 1)[1].split()[0])
    begins = re.findall(rb"(\d{10}) 00000 n ", content[table:])
    for number, begin in enumerate(begins, start=1):
        assert content[int(begin) :].startswith(b"%d 0 obj" % number)


def test_what_does_not_fit_is_cut_and_says_so() -> None:
    long = "很长的名字" * 20
    (sheet,) = sheets(write_pdf([], [["a", "b"], [long, "1"]]))
    shown = said(sheet)[2]
    assert shown.endswith("…")
    assert long.startswith(shown[:-1])
    assert text_width(shown) < 25


def test_what_a_reader_cannot_show_is_a_question_mark() -> None:
    (sheet,) = sheets(write_pdf([], [["a"], ["\U0001f600\x07b"]]))
    assert said(sheet)[1] == "??b"
