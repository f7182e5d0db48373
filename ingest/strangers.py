"""Identities that nobody registered: who they are and what they might be. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from city.device import STRANGERS_PER_BATCH, Stranger, normal_identity
from city.reading import Decoded
from wire import FORMATS

# Characters of an identity: a longer one fits into no line of the registry.
IDENTITY_LENGTH_MAX = 200
# Characters of a topic that are kept.
TOPIC_LENGTH = 500
# Bytes of a message that are searched for what the device might be.
GUESS_BYTES = 4_096

# Words in names of values by which a kind is guessed; a person decides.
_CLUES = {
    "gas": re.compile(rb"ch4|methane|\blel\b|pct_lel|h2s|\bco2?\b|\bo2\b|gas"),
    "manhole": re.compile(rb"manhole|cover|tilt|angle|water|level|distance|flood|depth"),
    "light": re.compile(rb"lamp|light|dim|brightness|lumin|dali|power_?factor"),
    "camera": re.compile(rb"bbox|snapshot|\bbox\b|camera|\bperson\b|vehicle|top_score"),
}

Strangers = dict[tuple[str, str], Stranger]


def note_message(
    strangers: Strangers, decoded: Decoded, topic: str, payload: bytes, received_at: datetime
) -> None:
    """Count one more message of an unknown device; of a flood only the first ones are taken."""
    identity = normal_identity(decoded.device)
    key = decoded.format, identity
    known = strangers.get(key)
    if known is None and (len(strangers) >= STRANGERS_PER_BATCH or not _is_name(identity)):
        return
    strangers[key] = Stranger(
        *key,
        kind=known.kind if known else guess_kind(decoded.format, topic, payload),
        first_seen=min(known.first_seen, received_at) if known else received_at,
        last_seen=max(known.last_seen, received_at) if known else received_at,
        messages=known.messages + 1 if known else 1,
        last_topic="".join(c for c in topic[:TOPIC_LENGTH] if c.isprintable()),
        last_payload=payload,
    )


def _is_name(identity: str) -> bool:
    """What nobody could register, or PostgreSQL could not store, is in quarantine only."""
    return 0 < len(identity) <= IDENTITY_LENGTH_MAX and identity.isprintable()


def guess_kind(format_name: str, topic: str, payload: bytes) -> str:
    """What kind of device this may be, "" where nothing or two kinds speak for it."""
    wire_format = FORMATS.get(format_name)
    if wire_format is not None:
        said = wire_format.kind_of_topic(topic) if wire_format.kind_of_topic else None
        if said is not None or wire_format.kind:
            return wire_format.kind if said is None else said
    text = payload[:GUESS_BYTES].lower()
    scores = sorted((len(set(clue.findall(text))), kind) for kind, clue in _CLUES.items())
    (second, _), (best, kind) = scores[-2:]
    return kind if best > second else ""
