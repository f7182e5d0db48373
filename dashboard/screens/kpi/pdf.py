"""A table on sheets of paper, as PDF. Pure.

The texts are in STSong-Light, one of the fonts that every reader has or puts another in place of
(ISO 32000-1, 9.7.5.2): no font of ours is in the file, and none has to be on the server.
"""

from __future__ import annotations

import io
import unicodedata
import zlib
from collections.abc import Sequence

# A4 across, in points.
WIDTH, HEIGHT, MARGIN = 842, 595, 36
SIZE, LEADING, GAP = 8.0, 14.0, 6.0
# The first of its columns may be as wide as this share of the sheet.
NAME_SHARE = 0.22
ASCII_WIDTH = 0.5  # of the size; other characters are square


def write_pdf(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Titles, then a table whose first row is its head and is on every sheet."""
    widths = _widths(rows)
    scale = min(1.0, (WIDTH - 2 * MARGIN) / (sum(widths) + GAP * len(widths)))
    size, gap = SIZE * scale, GAP * scale
    columns = [width * scale for width in widths]
    room = int((HEIGHT - 2 * MARGIN) / LEADING) - len(titles) - 2
    head, body = list(rows[:1]), list(rows[1:])
    parts = [body[at : at + room] for at in range(0, len(body), room)] or [[]]
    sheets = [
        _sheet(titles, [*head, *part], columns, size, gap, f"{number} / {len(parts)}")
        for number, part in enumerate(parts, start=1)
    ]
    return _file(sheets)


def text_width(text: str) -> float:
    """In sizes of the font."""
    return sum(ASCII_WIDTH if " " <= char <= "~" else 1.0 for char in text)


def _widths(rows: Sequence[Sequence[str]]) -> list[float]:
    most = (WIDTH - 2 * MARGIN) * NAME_SHARE
    found = [max(text_width(text) * SIZE for text in column) for column in zip(*rows, strict=True)]
    return [min(found[0], most), *found[1:]]


def _sheet(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    columns: Sequence[float],
    size: float,
    gap: float,
    number: str,
) -> bytes:
    said = []
    y = HEIGHT - MARGIN - SIZE
    for place, title in enumerate(titles):
        said.append(_text(MARGIN, y, 12.0 if place == 0 else SIZE, title))
        y -= LEADING
    y -= LEADING / 2
    for place, row in enumerate(rows):
        x = float(MARGIN)
        for column, (text, width) in enumerate(zip(row, columns, strict=True)):
            shown = _cut(text, width / size)
            # Names stand on the left, figures on the right.
            off = 0.0 if column == 0 else width - text_width(shown) * size
            said.append(_text(x + off, y, size, shown))
            x += width + gap
        if place == 0:
            said.append(f"0.5 w {MARGIN} {y - 3:.1f} m {x:.1f} {y - 3:.1f} l S")
        y -= LEADING
    said.append(_text(WIDTH - MARGIN - 40, MARGIN / 2, SIZE, number))
    return "\n".join(said).encode()


def _cut(text: str, most: float) -> str:
    if text_width(text) <= most + 0.01:
        return text
    while text and text_width(text) + 1 > most:
        text = text[:-1]
    return f"{text}…"


def _text(x: float, y: float, size: float, text: str) -> str:
    plain = "".join(
        char if ord(char) < 0x10000 and unicodedata.category(char)[0] != "C" else "?"
        for char in text
    )
    return f"BT /F {size:.2f} Tf {x:.1f} {y:.1f} Td <{plain.encode('utf-16-be').hex()}> Tj ET"


def _file(sheets: Sequence[bytes]) -> bytes:
    """The objects one after the other, and where each begins."""
    first = 6
    kids = " ".join(f"{first + 2 * n} 0 R" for n in range(len(sheets)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(sheets)} >>".encode(),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H"
        b" /DescendantFonts [4 0 R] >>",
        # Of this collection 1 to 95 are the characters of ASCII.
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo"
        b" << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> /DW 1000 /W [1 95 500]"
        b" /FontDescriptor 5 0 R >>",
        b"<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880]"
        b" /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>",
    ]
    for number, sheet in enumerate(sheets):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Resources"
            f" << /Font << /F 3 0 R >> >> /Contents {first + 2 * number + 1} 0 R >>".encode()
        )
        packed = zlib.compress(sheet)
        objects.append(
            f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n".encode()
            + packed
            + b"\nendstream"
        )
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    begins = []
    for number, content in enumerate(objects, start=1):
        begins.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + content + b"\nendobj\n")
    table = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    for begin in begins:
        out.write(f"{begin:010} 00000 n \n".encode())
    out.write(
        f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    )
    return out.getvalue()
