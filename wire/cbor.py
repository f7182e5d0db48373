"""CBOR (RFC 8949) from strangers: plain values out, or a refusal that says what is wrong."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from city.reading import REASON_CBOR
from wire.body import as_number
from wire.format import Refused

# Levels of a pack: list, record, value, tag; anything deeper is no measurement.
CBOR_DEPTH = 8
# Powers of ten of a decimal fraction that a float can hold.
EXPONENT_LIMIT = 400


def parse_cbor(payload: bytes) -> Any:
    """The one CBOR item of these bytes, without objects of the package's own making."""
    stream = io.BytesIO(payload)
    try:
        decoder = cbor2.CBORDecoder(
            stream, semantic_decoders=_TAGS, tag_hook=_untagged, max_depth=CBOR_DEPTH
        )
        body = decoder.decode()
    except (cbor2.CBORError, ArithmeticError, TypeError, ValueError, RecursionError) as error:
        raise Refused(REASON_CBOR, str(error)[:200] or type(error).__name__) from None
    try:
        decoder.read(1)
    except cbor2.CBORDecodeEOF:
        return body
    raise Refused(REASON_CBOR, "bytes after the end of the list")


def _untagged(tag: cbor2.CBORTag, immutable: bool) -> Any:
    return tag.value


def _content(value: Any, immutable: bool) -> Any:
    return value


def _bignum(value: Any, immutable: bool) -> float:
    if not isinstance(value, bytes) or len(value) > 128:
        raise Refused(REASON_CBOR, "a number of very many digits")
    return float(int.from_bytes(value, "big"))


def _negative_bignum(value: Any, immutable: bool) -> float:
    return -1.0 - _bignum(value, immutable)


def _fraction(base: float) -> Callable[[Any, bool], float]:
    """A decimal fraction or big float, [exponent, mantissa], as a float."""

    def decode(value: Any, immutable: bool) -> float:
        exponent, mantissa = value if isinstance(value, (list, tuple)) and len(value) == 2 else (
            None, None,
        )  # fmt: skip
        number = as_number(mantissa)
        if type(exponent) is not int or abs(exponent) > EXPONENT_LIMIT or number is None:
            raise Refused(REASON_CBOR, "a fraction must be [exponent, mantissa]")
        # Dividing by a whole power of ten gives the nearest float, as the text form does.
        return number * base**exponent if exponent >= 0 else number / base**-exponent

    return decode


# Every tag that the package would turn into objects of its own (patterns, mails, shared
# references): strangers get numbers and their plain content.
_TAGS: Mapping[int, Callable[[Any, bool], Any]] = {
    **dict.fromkeys(
        (0, 1, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799),
        _content,
    ),
    2: _bignum, 3: _negative_bignum, 4: _fraction(10.0), 5: _fraction(2.0),
}  # fmt: skip
