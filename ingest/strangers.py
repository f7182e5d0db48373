"""Identities that nobody registered: who they are and what they might be. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from city.reading import REASON_DEVICE_UNKNOWN
from db.discovery import STRANGERS_PER_BATCH, Stranger
from db.rejects import NewReject
from ingest.device_import import TEXT_LENGTH_MAX
from ingest.registry import normal_identity

# Characters of a topic that are kept.
TOPIC_LENGTH = 500
# Bytes of a message that are searched for what the device might be.
GUESS_BYTES = 4_096

_CAMERA_FORMATS = re.compile(r"frigate|axis|onvif|hikvision|dahua|video|camera")
_KIND_OF_TOPIC = {"gas": "gas", "manhole": "manhole", "light": "light", "video": "camera"}
# Words in names of values by which a kind is guessed; a person decides.
_CLUES = {
    "gas": re.compile(rb"ch4|methane|\blel\b|pct_lel|h2s|\bco2?\b|\bo2\b|gas"),
    "manhole": re.compile(rb"manhole|cover|tilt|angle|water|level|distance|flood|depth"),
    "light": re.compile(rb"lamp|light|dim|brightness|lumin|dali|power_?factor"),
    "camera": re.compile(rb"bbox|snapshot|\bbox\b|camera|\bperson\b|vehicle|top_score"),
}


def strangers_of(rejects: Sequence[NewReject]) -> list[Stranger]:
    """The unknown devices among refused messages, each once, the first ones of a flood."""
    by_identity: dict[tuple[str, str], list[NewReject]] = {}
    for reject in rejects:
        key = reject.format, normal_identity(reject.device)
        if not _is_stranger(reject) or (
            key not in by_identity and len(by_identity) >= STRANGERS_PER_BATCH
        ):
            continue
        by_identity.setdefault(key, []).append(reject)
    return [_stranger(*key, found) for key, found in by_identity.items()]


def _is_stranger(reject: NewReject) -> bool:
    """An unknown squad is refused for the same reason, and is no device."""
    identity = reject.device
    return (
        reject.reason == REASON_DEVICE_UNKNOWN
        and reject.detail.startswith(f"no {reject.format} device ")
        and 0 < len(identity) <= TEXT_LENGTH_MAX
        and identity.isprintable()
    )


def _stranger(format_name: str, identity: str, found: Sequence[NewReject]) -> Stranger:
    newest = max(found, key=lambda reject: reject.received_at)
    return Stranger(
        format=format_name,
        identity=identity,
        kind=guess_kind(format_name, newest.topic, newest.raw),
        first_seen=min(reject.received_at for reject in found),
        last_seen=newest.received_at,
        messages=len(found),
        last_topic="".join(c for c in newest.topic[:TOPIC_LENGTH] if c.isprintable()),
        last_payload=newest.raw,
    )


def guess_kind(format_name: str, topic: str, payload: bytes) -> str:
    """What kind of device this may be, "" where nothing or two kinds speak for it."""
    levels = topic.split("/")
    if format_name == "native" and len(levels) > 3:
        return _KIND_OF_TOPIC.get(levels[3], "")
    if _CAMERA_FORMATS.search(format_name):
        return "camera"
    text = payload[:GUESS_BYTES].lower()
    scores = sorted((len(set(clue.findall(text))), kind) for kind, clue in _CLUES.items())
    (second, _), (best, kind) = scores[-2:]
    return kind if best > second else ""
