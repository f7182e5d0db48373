"""SMS gateways and every other service that apprise knows.

The address of the service is a secret; `{phone}` in it is where the number of a person goes.
"""

from __future__ import annotations

import logging
from urllib.parse import quote

import apprise

from city.delivery import DeliveryState
from notify.channels.outcome import Message, NotSent, Way

PHONE = "{phone}"


def send(way: Way, message: Message) -> DeliveryState:
    """apprise answers yes or no; what the service said stands in the log of the call."""
    address = way.resolve(way.channel.secret).replace(PHONE, quote(message.target, safe="+"))
    # Its own cutting is switched off: ours has been there.
    asked = f"cto={way.timeout_s:g}&rto={way.timeout_s:g}&redirect=no&overflow=upstream"
    sender = apprise.Apprise()
    if not sender.add(f"{address}{'&' if '?' in address else '?'}{asked}"):
        raise NotSent("the secret is no address that apprise knows", permanent=True)
    result = sender.notify(body=message.text, log_level=logging.WARNING)
    if not result:
        said = [entry.message for entry in result.logs()]
        raise NotSent(said[-1][:200] if said else "the gateway did not take it")
    return DeliveryState.SENT
