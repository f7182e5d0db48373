"""The label of an entry: a QR code and what a person reads beside it. Pure."""

from __future__ import annotations

from xml.sax.saxutils import escape

import segno

from city.register import Register

# A sticker, millimetres; the QR code has its quiet zone inside.
WIDTH_MM, HEIGHT_MM, CODE_MM = 60, 78, 56
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
