"""The bytes of a message as a person can read them: JSON, XML, text, or a dump."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple
from xml.dom.minidom import Document
from xml.parsers.expat import ExpatError

from defusedxml.common import DefusedXmlException
from defusedxml.minidom import parseString

# A dump has four times as many characters as its message has bytes.
DUMPED_BYTES = 4096
LINE_BYTES = 16
# So much of a line fits on a phone.
SHORT_LINE_BYTES = 8
# Characters shown of a text; the API gives the whole message.
SHOWN_CHARACTERS = 40_000
# Deeper documents are shown as they came: indenting would multiply their size.
DEPTH_LIMIT = 40
WHITE_SPACE = "\t\n\r"


class Readable(NamedTuple):
    """What kind of text it is (json, xml, text, bytes, empty), and the text."""

    kind: str
    text: str


def readable(raw: bytes) -> Readable:
    """The best way to show a message."""
    if not raw:
        return Readable("empty", "")
    text = _as_text(raw)
    if text is None:
        return Readable("bytes", hex_dump(raw))
    for kind, indented in (("json", _as_json(text)), ("xml", _as_xml(text))):
        if indented is not None:
            return Readable(kind, _cut(indented))
    return Readable("text", _cut(text))


def hex_dump(raw: bytes, line_bytes: int = LINE_BYTES) -> str:
    """Offset, bytes and their ASCII, eight or sixteen a line."""
    return "\n".join(_dump_lines(raw[:DUMPED_BYTES], line_bytes))


def _dump_lines(raw: bytes, line_bytes: int) -> Iterator[str]:
    for start in range(0, len(raw), line_bytes):
        line = raw[start : start + line_bytes]
        eights = (line[at : at + 8].hex(" ") for at in range(0, line_bytes, 8))
        ascii_ = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)
        yield "  ".join([f"{start:04x}", *(f"{eight:<23}" for eight in eights), ascii_])


def _as_text(raw: bytes) -> str | None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c in WHITE_SPACE for c in text) else None


def _as_json(text: str) -> str | None:
    if not text.lstrip().startswith(("{", "[")) or _depth(text) > DEPTH_LIMIT:
        return None
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return None


def _depth(text: str) -> int:
    """How deep brackets go at most; those inside strings count too, which does no harm."""
    depth = deepest = 0
    for c in text:
        if c in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif c in "]}":
            depth -= 1
    return deepest


def _as_xml(text: str) -> str | None:
    if not text.lstrip().startswith("<"):
        return None
    try:
        document: Document = parseString(text, forbid_dtd=True)
    except (ExpatError, DefusedXmlException, ValueError, RecursionError):
        return None
    lines = document.toprettyxml(indent="  ").splitlines()
    return "\n".join(line for line in lines if line.strip())


def _cut(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[:SHOWN_CHARACTERS] + "\n…"
