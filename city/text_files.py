"""Text of files that people saved in an office: which encoding it is in. Pure."""

from __future__ import annotations

import codecs

UTF8 = "utf-8"
# Spreadsheets in Chinese offices save CSV in the second one, a superset of GBK.
ENCODINGS = (UTF8, "gb18030")
# "Unicode text" of a spreadsheet.
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def encodings_of(content: bytes) -> tuple[str, ...]:
    """The encodings that these bytes may be in, in the order in which they are tried."""
    return ("utf-16",) if content.startswith(UTF16_MARKS) else ENCODINGS


def decode(content: bytes) -> tuple[str, str] | None:
    """Text without byte order mark, and what it was written in; None where it is no text."""
    for encoding in encodings_of(content):
        try:
            return content.decode(encoding).removeprefix("\ufeff"), encoding
        except UnicodeDecodeError:
            continue
    return None
