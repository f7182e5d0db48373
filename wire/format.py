"""What a wire format is, and the wall no exception of a parser gets past."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from city.errors import GridwardenError
from city.reading import REASON_TOO_LARGE, Decoded, MessageClass, Reject

# Bytes. The largest real message seen (a LoRaWAN frame heard by seven gateways, a review of
# many detections) is below 20 KiB; base64 pictures of 100 KiB still pass. Beyond that a
# message is a mistake or an attack, and is refused before anything looks inside.
PAYLOAD_LIMIT = 256 * 1024

Parser = Callable[[str, bytes, datetime], Decoded]


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format: where it is published, how it is told apart, how it is parsed."""

    name: str
    subscriptions: tuple[str, ...]  # MQTT topic filters of the messages worth receiving
    matches: Callable[[str], bool]  # is this topic one of ours
    fits: Callable[[Any], bool]  # is this JSON body (any value) one of ours (topic not known)
    parse: Parser
    fits_bytes: Callable[[bytes], bool] | None = None  # the same for bodies that are not JSON


def fits_object(fits: Callable[[Mapping[str, Any]], bool]) -> Callable[[Any], bool]:
    """A test for bodies that are JSON objects; any other JSON value does not fit."""
    return lambda body: isinstance(body, dict) and fits(body)


class Refused(GridwardenError):
    """A parser's way out: the whole message is refused for this reason."""

    def __init__(self, reason: str, detail: str, device: str = "") -> None:
        super().__init__(detail)
        self.reject = Reject(reason, detail)
        self.device = device


def guarded(name: str, parse: Parser) -> Parser:
    """Wrap a parser: size is checked first, a refusal becomes a message of class invalid."""

    def parse_guarded(topic: str, payload: bytes, received_at: datetime) -> Decoded:
        if len(payload) > PAYLOAD_LIMIT:
            detail = f"{len(payload)} bytes, at most {PAYLOAD_LIMIT} are accepted"
            return refused(name, Reject(REASON_TOO_LARGE, detail))
        try:
            return parse(topic, payload, received_at)
        except Refused as refusal:
            return refused(name, refusal.reject, refusal.device)

    return parse_guarded


def refused(name: str, reject: Reject, device: str = "") -> Decoded:
    """A message of which nothing could be used."""
    return Decoded(name, MessageClass.INVALID, device=device, rejects=(reject,))
