"""What a decoded message says about the gateways and servers that carried it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from city.gateway import NETWORK_SERVER, Carrier, Heard
from city.reading import Decoded, MessageClass
from wire import FORMATS


class KnownDevice(Protocol):
    """The registry's row of the device that a message is of."""

    @property
    def id(self) -> int: ...
    @property
    def district(self) -> str: ...


def heard(
    decoded: Decoded, device: KnownDevice | None, received_at: datetime, *, retained: bool = False
) -> Iterator[Heard]:
    """Signs of gateways in one message, or the part of one, that is of one device. Their clocks
    do not matter: silence is told by ours.

    What the broker had retained is a gateway's word and no sign of life.
    """
    wire_format = FORMATS.get(decoded.format)
    if wire_format is None or decoded.message_class is MessageClass.INVALID:
        return
    feed = str(decoded.link.get("feed", ""))
    for carrier in wire_format.carriers(decoded):
        if feed and carrier.identity == decoded.format:
            # The one program or server of a format: an added feed has another.
            carrier = replace(carrier, identity=feed)
        if carrier.online is not None:
            alive = carrier.online and not retained
            yield _sign(carrier, received_at, is_alive=alive, online=carrier.online)
        elif not retained and (carrier.counts_always or device is not None):
            yield _sign(carrier, received_at, **_where(carrier, device))


def _where(carrier: Carrier, device: KnownDevice | None) -> dict[str, Any]:
    """Whose way it is; a server is the way of all, and of none in particular."""
    if device is None or carrier.kind == NETWORK_SERVER:
        return {}
    return {"device_id": device.id, "district": device.district}


def _sign(carrier: Carrier, at: datetime, **more: Any) -> Heard:
    return Heard(
        carrier.format, carrier.identity, carrier.kind, at,
        rssi_dbm=carrier.rssi_dbm, snr_db=carrier.snr_db, attributes=carrier.attributes, **more,
    )  # fmt: skip
