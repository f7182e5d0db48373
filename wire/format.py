"""What a wire format is, and the wall no exception of a parser gets past."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ParamSpec

from city.errors import GridwardenError
from city.gateway import Carrier
from city.reading import REASON_TOO_LARGE, Decoded, MessageClass, Reject
from city.sequence import MessageNumber
from wire.command import Commanding

# Bytes. The largest real message seen (a LoRaWAN frame heard by seven gateways, a review of
# many detections) is below 20 KiB; base64 pictures of 100 KiB still pass. Beyond that a
# message is a mistake or an attack, and is refused before anything looks inside.
PAYLOAD_LIMIT = 256 * 1024

Parser = Callable[[str, bytes, datetime], Decoded]
P = ParamSpec("P")


def no_carriers(decoded: Decoded) -> Iterable[Carrier]:
    """Of formats whose messages come straight from the device."""
    return ()


def always_local(identity: str) -> bool:
    """Of formats whose devices have the names that people gave them."""
    return True


def no_topic(topic: str) -> bool:
    """Of formats whose topics are the user's own."""
    return False


def no_body(body: Any) -> bool:
    """Of formats of which no JSON is told without its topic."""
    return False


@dataclass(frozen=True, slots=True)
class Numbering:
    """How senders number their messages. `read` gives None for a message that has no number.

    `session_size`: so many numbers follow each other from 0 on, then 0 again, and a session begins
    with a message that says so; 0 where counters simply go on until they are full."""

    read: Callable[[Decoded], MessageNumber | None]
    session_size: int = 0


@dataclass(frozen=True, slots=True)
class GasTopics:
    """The topic filter of what gas sensors publish, which goes before everything else, and a test
    of the same meaning."""

    filter: str
    matches: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format: where it is published, how it is told apart, how it is parsed; and what
    else is peculiar to it, so that nobody else has to know its name.

    Everything behind `fits_bytes` may be left out. What `needs` names is kept by ingest (see
    `ingest.peculiar`)."""

    name: str
    subscriptions: tuple[str, ...]  # MQTT topic filters of the messages worth receiving
    matches: Callable[[str], bool]  # is this topic one of ours
    fits: Callable[[Any], bool]  # is this JSON body (any value) one of ours (topic not known)
    parse: Parser
    fits_bytes: Callable[[bytes], bool] | None = None  # the same for bodies that are not JSON
    carriers: Callable[[Decoded], Iterable[Carrier]] = no_carriers  # through whom a message came
    numbering: Numbering | None = None
    needs: str = ""  # what of earlier messages has to be known to read one
    lacks: Callable[[Decoded], str] | None = None  # in words: this message was read without it
    kind: str = ""  # of its devices, where they are all of one
    kind_of_topic: Callable[[str], str | None] | None = None  # None: the topic does not say
    gas: GasTopics | None = None
    by_code: bool = False  # devices are known by their code in the registry
    commanding: Commanding | None = None  # of lamps
    # Of feeds that an installation adds (`wire.feeds`): the first levels of `subscriptions` that
    # such a feed calls otherwise; whether the parser finds its way behind a prefix of any depth;
    # and which identities are unique within one feed only.
    base: str = ""
    any_prefix: bool = False
    is_local: Callable[[str], bool] | None = None


def fits_object(fits: Callable[[Mapping[str, Any]], bool]) -> Callable[[Any], bool]:
    """A test for bodies that are JSON objects; any other JSON value does not fit."""
    return lambda body: isinstance(body, dict) and fits(body)


class Refused(GridwardenError):
    """A parser's way out: the whole message is refused for this reason."""

    def __init__(self, reason: str, detail: str, device: str = "") -> None:
        super().__init__(detail)
        self.reject = Reject(reason, detail)
        self.device = device


def about(device: str, read: Callable[P, Decoded], *args: P.args, **kwargs: P.kwargs) -> Decoded:
    """Read a message of this device: what is refused is refused as its, unless it says whose."""
    try:
        return read(*args, **kwargs)
    except Refused as refusal:
        refusal.device = refusal.device or device
        raise


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
