"""A webhook: JSON to a program of the city's own, signed where a secret is set."""

from __future__ import annotations

import hmac
import json

from city.delivery import DeliveryState
from notify.channels.http import check_status, host_of, post
from notify.channels.outcome import Message, Way

SIGNATURE = "X-Gridwarden-Signature"


def send(way: Way, message: Message) -> DeliveryState:
    """A 2xx says that the program has it. The receiver knows a repetition by `Idempotency-Key`."""
    body = json.dumps(
        {
            "id": message.key,
            "step": message.step,
            "case": message.number,
            "title": message.title,
            "text": message.text,
            "link": message.link,
            "urgent": message.urgent,
        },
        ensure_ascii=False,
    ).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
    if way.channel.signature:
        stamp = str(int(message.now.timestamp()))
        secret = way.resolve(way.channel.signature).encode()
        signed = hmac.digest(secret, f"{stamp}.".encode() + body, "sha256").hex()
        headers[SIGNATURE] = f"t={stamp},v1={signed}"
    url = way.resolve(way.channel.secret) if way.channel.secret else way.channel.address
    check_status(host_of(url), post(url, body, headers, way.timeout_s))
    return DeliveryState.DELIVERED
