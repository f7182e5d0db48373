"""SenML: measurement lists in JSON and CBOR (see `pack` and `records`).

It fixes no topic: `feed/senml/{device}`. Streams (SensML) are read on `feed/sensml/…`.
"""

from __future__ import annotations

from datetime import datetime

from city.reading import Decoded
from wire.format import Format, guarded, no_topic
from wire.industry.pack import decode_pack, is_binary_pack, is_pack, parse_pack
from wire.topics import feed_device

NAME = "senml"
STREAMS = "feed/sensml/"


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    pack = parse_pack(payload, stream=topic.startswith(STREAMS))
    return decode_pack(NAME, feed_device(topic) or "", pack, received_at)


SENML = Format(NAME, (), no_topic, is_pack, guarded(NAME, _parse), is_binary_pack)
