"""XML bodies: bytes in, plain elements without namespaces out, or a refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

import defusedxml
from defusedxml.ElementTree import fromstring

from city.reading import REASON_XML
from wire.body import BYTE_ORDER_MARK, DEPTH_LIMIT
from wire.format import Refused

# Elements of one document; the richest real event (a scene of many objects) has some hundreds.
ELEMENT_LIMIT = 20_000
_NAMESPACE = re.compile(r"\{[^}]*\}")


def without_envelope(payload: bytes) -> bytes:
    """The first part of a multipart body without its headers; any other body as it is."""
    text = payload.removeprefix(BYTE_ORDER_MARK).strip(b" \r\n\t\0")
    if not text.startswith((b"--", b"Content-")):
        return text
    text = text.replace(b"\r\n", b"\n")
    first_line = text.partition(b"\n")[0]
    boundary = first_line if first_line.startswith(b"--") else b"--"
    _, _, body = text.partition(b"\n\n")
    return body.partition(b"\n" + boundary)[0].strip()


def parse_xml(payload: bytes) -> Element:
    """The root element, names without namespaces. Neither entities nor document types: nobody
    sends them but who wants to make a parser slow, or read files through it."""
    try:
        root = fromstring(without_envelope(payload), forbid_dtd=True)
    except (ParseError, defusedxml.DefusedXmlException, ValueError, LookupError) as error:
        # LookupError: the document claims an encoding that does not exist.
        raise Refused(REASON_XML, str(error)[:200] or type(error).__name__) from None
    _check_size(root)
    return _without_namespaces(root)


def _check_size(root: Element) -> None:
    level, depth, count = [root], 0, 1
    while level:
        level = [child for element in level for child in element]
        depth, count = depth + 1, count + len(level)
        if depth > DEPTH_LIMIT or count > ELEMENT_LIMIT:
            raise Refused(REASON_XML, f"deeper than {DEPTH_LIMIT} or over {ELEMENT_LIMIT} elements")


def _without_namespaces(root: Element) -> Element:
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = _NAMESPACE.sub("", element.tag)
    return root


def text_of(element: Element | None, path: str = ".") -> str:
    """The text below a path, trimmed; empty if there is none."""
    found = None if element is None else element.find(path)
    return (found.text or "").strip() if found is not None else ""


def as_object(element: Element, depth: int = 0) -> object:
    """Children as a JSON-like object of texts; several of one name are a list."""
    if not len(element) or depth >= DEPTH_LIMIT:
        return (element.text or "").strip()
    found: dict[str, object] = {}
    for name, values in _by_name(element, depth):
        found[name] = values[0] if len(values) == 1 else values
    return found


def _by_name(element: Element, depth: int) -> Iterator[tuple[str, list[object]]]:
    grouped: dict[str, list[object]] = {}
    for child in element:
        if isinstance(child.tag, str):
            grouped.setdefault(child.tag, []).append(as_object(child, depth + 1))
    yield from grouped.items()
