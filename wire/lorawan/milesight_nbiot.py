"""Milesight NB-IoT sensors: a binary header (IMEI, SIM, signal) around the LoRaWAN payload.

Layout: the table "NB-IoT Data Frame" in Milesight-IoT/SensorDecoders, EM400-MUD and EM400-TLD.
The payload inside is what the same sensor sends over LoRaWAN: the model's codec reads it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from city.reading import REASON_FIELD, Decoded, TimeSource
from wire.format import Format, Refused, guarded, no_body, no_topic
from wire.lorawan.lorawan import Frame, link_record, uplink
from wire.spelling import bytes_of
from wire.values import Stamp

NAME = "milesight-nbiot"
START = 0x02
# Start flag, message id, length of all that follows; then flag, frame count, protocol version,
# firmware, hardware, serial number, IMEI, IMSI, ICCID, signal, length of the sensor payload.
OPENING = struct.Struct(">BHH")
HEADER = struct.Struct(">BHB4s4s16s15s15s20sBH")
# Characters of hex text that is looked at; a binary frame counts its own bytes in two bytes.
HEX_LIMIT = 0x20000
# CSQ of 3GPP TS 27.007, 8.5: 0 to 31 are -113 to -51 dBm in steps of 2, 99 is unknown.
CSQ_LOWEST_DBM = -113
CSQ_STEP_DB = 2
CSQ_HIGHEST = 31


@dataclass(frozen=True, slots=True)
class Header:
    message_id: int
    frame: int
    imei: str
    facts: dict[str, Any]


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    header, sensor = _split(bytes_of(payload, HEX_LIMIT))
    stamp = Stamp(received_at, TimeSource.RECEIVED)  # the frame carries no time
    link = link_record(header.frame, (), stamp, header.facts)
    return uplink(NAME, header.imei, Frame(sensor), link)


def _split(frame: bytes) -> tuple[Header, bytes]:
    """Header and sensor payload; refused where a length or a digit says it is another thing."""
    if len(frame) < OPENING.size + HEADER.size:
        raise Refused(REASON_FIELD, f"frame: {len(frame)} bytes are too few for the header")
    start, message_id, length = OPENING.unpack_from(frame)
    if start != START:
        raise Refused(REASON_FIELD, f"start flag: must be 02 (got {start:02x})")
    if length != len(frame) - OPENING.size:
        problem = f"says {length} bytes, {len(frame) - OPENING.size} follow"
        raise Refused(REASON_FIELD, f"length: {problem}")
    fields = HEADER.unpack_from(frame, OPENING.size)
    header = _header(message_id, fields)
    sensor = frame[OPENING.size + HEADER.size :]
    if fields[-1] != len(sensor):
        problem = f"says {fields[-1]} bytes, {len(sensor)} follow"
        raise Refused(REASON_FIELD, f"sensor payload length: {problem}", header.imei)
    return header, sensor


def _header(message_id: int, fields: tuple[Any, ...]) -> Header:
    _, frame, _, firmware, hardware, serial, imei, imsi, iccid, csq, _ = fields
    device = imei.decode("ascii", "replace")
    if not (imei.isdigit() and device.isascii()):
        raise Refused(REASON_FIELD, "IMEI: must be 15 digits")
    facts = {
        "message_id": message_id, "serial": _text(serial), "imsi": _text(imsi),
        "iccid": _text(iccid), "firmware": _text(firmware), "hardware": _text(hardware),
        "csq": csq, "rssi_dbm": _dbm(csq),
    }  # fmt: skip
    return Header(message_id, frame, device, facts)


def _text(field: bytes) -> str:
    text = field.decode("ascii", "replace").strip("\0 ")
    return text if text.isprintable() else field.hex()


def _dbm(csq: int) -> int | None:
    return CSQ_LOWEST_DBM + CSQ_STEP_DB * csq if csq <= CSQ_HIGHEST else None


def _fits_bytes(payload: bytes) -> bool:
    try:
        _split(bytes_of(payload, HEX_LIMIT))
    except Refused:
        return False
    return True


MILESIGHT_NBIOT = Format(NAME, (), no_topic, no_body, guarded(NAME, _parse), _fits_bytes)
