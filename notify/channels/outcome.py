"""What a channel is given, and what it says of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from city.delivery import Channel, DeliveryState, PushTarget

# The value that a reference (`env:NAME`, `file:PATH`) stands for; raises `InvalidInput`.
Resolve = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is what fits the channel, link and all; `key` is the same at every try, for whoever
    would take the message twice. `ttl_s`: after so long nobody wants it any more."""

    target: str
    title: str
    text: str
    link: str
    key: str
    step: str
    number: str
    lang: str
    rings: bool
    urgent: bool
    ttl_s: int
    now: datetime
    browser: PushTarget | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A channel and what sending on it takes."""

    channel: Channel
    resolve: Resolve
    timeout_s: float
    secret_key: str


class NotSent(Exception):
    """A message did not go out. `permanent`: trying again is of no use; `gone`: nor is the target
    any more; `wait_s`: what the channel itself asks for."""

    def __init__(
        self,
        problem: str,
        *,
        permanent: bool = False,
        gone: bool = False,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(problem)
        self.problem, self.permanent, self.gone, self.wait_s = problem, permanent, gone, wait_s


Send = Callable[[Way, Message], DeliveryState]
Senders = Mapping[str, Send]
