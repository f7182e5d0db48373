"""Web Push to the browsers of a person."""

from __future__ import annotations

import json
import secrets
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from city.delivery import DeliveryState
from city.push import is_host_allowed
from notify.channels.http import check_status, host_of, post
from notify.channels.outcome import Message, NotSent, Way
from notify.push_cipher import SALT_BYTES, encrypt, vapid

GONE = frozenset({404, 410})
# The longest that services keep a message.
TTL_MAX_S = 28 * 86_400


def send(way: Way, message: Message) -> DeliveryState:
    """The push service has it; that it arrived says the browser itself. It is kept there no longer
    than somebody wants it, and a repetition takes the place of the message before."""
    browser = message.browser
    if browser is None:
        raise NotSent("this browser does not take messages any more", permanent=True)
    if not is_host_allowed(browser.endpoint, way.channel.hosts):
        problem = f"{host_of(browser.endpoint)} is no host of channel {way.channel.name}"
        raise NotSent(problem, permanent=True)
    plain = json.dumps(
        {
            "title": message.title, "body": message.text, "url": message.link,
            "token": message.key, "lang": message.lang, "silent": not message.rings,
        },
        ensure_ascii=False,
    ).encode()  # fmt: skip
    body = encrypt(
        plain, browser.p256dh, browser.auth, ec.generate_private_key(ec.SECP256R1()),
        secrets.token_bytes(SALT_BYTES),
    )  # fmt: skip
    split = urlsplit(browser.endpoint)
    origin = f"{split.scheme}://{split.netloc}"
    contact = way.channel.address
    urgency = "high" if message.rings else "low"
    headers = {
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(max(0, min(message.ttl_s, TTL_MAX_S))),
        "Urgency": urgency,
        "Topic": message.key[:32],
        "Authorization": vapid(way.secret_key, origin, contact, int(message.now.timestamp())),
    }
    answer = post(browser.endpoint, body, headers, way.timeout_s)
    if answer.status in GONE:
        raise NotSent("this browser does not take messages any more", permanent=True, gone=True)
    check_status(host_of(browser.endpoint), answer)
    return DeliveryState.SENT
