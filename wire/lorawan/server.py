"""A frame as network servers pass it on: each has its own names for the same few things.

What a server says of a frame is an `Envelope`, and who heard it a list of `gateway` records; the
rest (whose frame, which time) stays with the format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from city.gateway import LORAWAN_GATEWAY, Carrier
from city.reading import Decoded, Reading, Reject
from wire.body import IDENTITY_LIMIT, as_finite, as_text
from wire.carriers import by_server
from wire.format import Numbering
from wire.lorawan.lorawan import (
    Frame,
    counter_or_none,
    decoded_object,
    eui_text,
    frame_bytes,
    link_record,
    port,
    said_number,
    uplink,
)
from wire.numbering import number_at
from wire.values import Flattened, Stamp

# Radios hear from about -150 to +20 dBm. More than this is no signal, and much more does not fit
# the column: one such figure would fail the whole batch.
SIGNAL_LIMIT_DB = 1000
# Frame counters, by the link record.
FRAME_COUNTERS = Numbering(number_at("frame"))

ReadBytes = Callable[[Any, str], tuple[bytes, tuple[Reject, ...]]]


@dataclass(frozen=True, slots=True)
class Envelope:
    """How a network server calls a frame's counter, port and bytes, and the values that its own
    decoder made of them."""

    format: str
    counter: str
    port: str
    data: str
    values: str
    bytes_of: ReadBytes = frame_bytes
    leaves_out_zero: bool = False  # a counter that is not there is 0
    numbers_as_text: bool = True

    def count(self, said: Mapping[str, Any]) -> int | None:
        """The frame's counter."""
        value = said.get(self.counter)
        counter = counter_or_none(said_number(value) if self.numbers_as_text else value)
        return 0 if counter is None and self.leaves_out_zero else counter

    def read(
        self,
        device: str,
        said: Mapping[str, Any],
        stamp: Stamp,
        gateways: Iterable[dict[str, Any]],
        *,
        values: Flattened | None = None,
        readings: tuple[Reading, ...] = (),
        sealed: bool = False,
        **facts: Any,
    ) -> Decoded:
        """The frame that this part of a message tells of. `values` where they do not stand in one
        object; `facts` go into the link record. Bytes that are `sealed` no codec can read."""
        raw, rejects = self.bytes_of(said.get(self.data), self.data)
        if sealed:
            facts["encrypted"] = raw.hex()
            raw = b""
        fport = said.get(self.port)
        if self.numbers_as_text:
            fport = said_number(fport)
        frame = Frame(raw, port(fport, self.port), rejects)
        link = link_record(self.count(said), gateways, stamp, facts)
        if values is None:
            values = decoded_object(said.get(self.values), self.values, stamp)
        return uplink(self.format, device, frame, link, values, readings)


def gateway_eui(name: Any) -> str:
    """The EUI of a gateway as it is written everywhere here; empty for what is no text."""
    return eui_text(name) if isinstance(name, str) else ""


def snr_of(entry: Mapping[str, Any]) -> Any:
    """The signal to noise ratio in a reception of LoRa Server or its descendants."""
    return entry["snr"] if "snr" in entry else entry.get("loRaSNR")


def by_gateways(decoded: Decoded) -> Iterator[Carrier]:
    """Every gateway that heard the frame for itself."""
    for entry in decoded.link.get("gateways", ()):
        if entry["gateway"] and "repeats" not in entry:
            network = as_text(entry.get("network"))
            yield Carrier(
                decoded.format, entry["gateway"][:IDENTITY_LIMIT], LORAWAN_GATEWAY,
                rssi_dbm=_signal(entry.get("rssi_dbm")), snr_db=_signal(entry.get("snr_db")),
                attributes={"network": network} if network else {},
            )  # fmt: skip


def by_server_and_gateways(decoded: Decoded) -> Iterator[Carrier]:
    """The network server, and the gateways in front of it."""
    yield from by_server(decoded)
    yield from by_gateways(decoded)


def _signal(value: Any) -> float | None:
    """A strength as far as it is one, to the hundredth: figures too small do not fit either."""
    number = as_finite(value)
    return None if number is None or abs(number) > SIGNAL_LIMIT_DB else round(number, 2)
