"""The label of an entry: a QR code and what a person reads beside it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote
from xml.sax.saxutils import escape

import segno

from city.register import Register

# A sticker, millimetres; the QR code has its quiet zone inside.
WIDTH_MM, HEIGHT_MM, CODE_MM = 60, 78, 56
# Labels on a sheet of A4 as they are sold: 70 by 37 mm, three in a row, eight rows.
ON_A_ROW, ROWS = 3, 8
ON_A_SHEET = ON_A_ROW * ROWS
FONT = "'Noto Sans CJK SC', 'Noto Sans SC', 'Microsoft YaHei', sans-serif"


def label_svg(register: Register, code: str, short: str, address: str) -> str:
    """An SVG document. Whoever scans it is led to `address`; nothing personal is in it, not even
    the entry's name, which may be somebody's."""
    quiet = segno.make_qr(address, error="m").svg_inline(omitsize=True, border=4)
    edge = (WIDTH_MM - CODE_MM) / 2
    picture = quiet.replace(
        "<svg ", f'<svg x="{edge:g}" y="{edge:g}" width="{CODE_MM}" height="{CODE_MM}" ', 1
    )
    lines = ((64, 4.2, register.name_zh), (68.5, 3, register.name_en), (74, 4, f"{code} · {short}"))
    texts = "".join(
        f'<text x="{WIDTH_MM / 2:g}" y="{y:g}" font-size="{size:g}" text-anchor="middle">'
        f"{escape(text)}</text>"
        for y, size, text in lines
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM}mm" height="{HEIGHT_MM}mm" '
        f'viewBox="0 0 {WIDTH_MM} {HEIGHT_MM}" font-family="{FONT}">'
        f'<rect width="{WIDTH_MM}" height="{HEIGHT_MM}" fill="#fff"/>{picture}{texts}</svg>'
    )


def label_sheets(
    register: Register, entries: Sequence[tuple[str, str]], address: str, last: str
) -> str:
    """An HTML page of sheets of A4; `entries` are code and short code, `last` the code after which
    the next page of sheets begins, empty at the end."""
    sheets = [entries[n : n + ON_A_SHEET] for n in range(0, len(entries), ON_A_SHEET)]
    pages = "".join(f"<section>{''.join(_labels(register, s, address))}</section>" for s in sheets)
    more = f'<a href="?after={quote(last)}">▶ {escape(last)}…</a>' if last else ""
    return (
        f'<!doctype html><meta charset="utf-8"><title>{escape(register.name_zh)} '
        f"{escape(register.name_en)}</title><style>{SHEET_STYLE}</style>"
        f"<nav>{len(entries)} × 70 × 37 mm · A4 · 100 % {more}</nav>{pages}"
    )


SHEET_STYLE = (
    "@page{size:A4;margin:0}*{margin:0;box-sizing:border-box}"
    f"body{{font-family:{FONT};background:#ddd;color:#000}}"
    "nav{padding:12px;font-size:14px}"
    "section{width:210mm;height:297mm;margin:0 auto 8mm;background:#fff;display:grid;"
    "grid-template-columns:repeat(3,70mm);grid-auto-rows:37.125mm;page-break-after:always}"
    "article{display:flex;align-items:center;gap:2mm;padding:3mm;overflow:hidden}"
    "article svg{width:31mm;height:31mm;flex:none}"
    "b,span,small{display:block;overflow-wrap:anywhere}b{font-size:11pt}"
    "span{font-size:8pt}code{font-size:9pt;overflow-wrap:anywhere}"
    "@media print{nav{display:none}body{background:#fff}section{margin:0}}"
)


def _labels(register: Register, entries: Sequence[tuple[str, str]], address: str) -> Iterator[str]:
    for code, short in entries:
        picture = segno.make_qr(address + short, error="m").svg_inline(omitsize=True, border=4)
        yield (
            f"<article>{picture}<div><b>{escape(register.name_zh)}</b>"
            f"<span>{escape(register.name_en)}</span><code>{escape(code)}</code>"
            f"<small>{escape(short)}</small></div></article>"
        )
