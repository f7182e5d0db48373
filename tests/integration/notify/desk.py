"""People at their desks, and short ways to queue and send what they are told."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from city.delivery import (
    Channel,
    ChannelKind,
    Contact,
    DeliveryState,
    EscalationStep,
    PushTarget,
    Step,
)
from city.incident import Role
from db import contacts, deliveries, message_settings, users
from db.deliveries import DeliveryRow
from dispatch import steps as dispatch_steps
from notify import sending, steps
from notify.channels.outcome import NotSent, Way
from notify.push_cipher import as_base64url
from tests.integration.dispatch.town import DISTRICT, City

BASE = "https://city.example"
SECRET_KEY = "only for these tests"
LEASE = timedelta(seconds=30)
PASSWORD = "a long password"


def browser_keys() -> tuple[ec.EllipticCurvePrivateKey, str, str]:
    """What a browser makes when it subscribes: its private key, `p256dh` and `auth`."""
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return key, as_base64url(point), as_base64url(secrets.token_bytes(16))


@dataclass
class Desk:
    town: City
    secrets: dict[str, str] = field(default_factory=dict)

    def person(
        self, name: str, role: Role, *, squad: str | None = None, email: str = "", here: bool = True
    ) -> str:
        """Somebody with an address, signed in or not."""
        conn, now = self.town.conn, self.town.now
        users.add_user(conn, name, PASSWORD, role, DISTRICT, now, squad=squad)
        contacts.save_contact(conn, Contact(name, email or f"{name}@city.example"))
        if here:
            contacts.begin_session(conn, f"sid-{name}", name, now)
        return name

    def channel(self, name: str, kind: ChannelKind, **more: object) -> Channel:
        made = Channel(name, kind, **more)  # type: ignore[arg-type]
        message_settings.save_channels(self.town.conn, DISTRICT, [made])
        return made

    def mail(self, url: str) -> Channel:
        return self.channel(
            "mail", ChannelKind.EMAIL, address=url, sender="Duty <duty@city.example>"
        )

    def step(self, step: Step, *recipients: str, channels: tuple[str, ...] = ()) -> None:
        """Who is told of a step, whatever the severity; at the shipped share of the limit."""
        shipped = message_settings.list_steps(self.town.conn, DISTRICT)[step]
        row = EscalationStep(step, shipped.at_percent, 4, recipients, channels)
        message_settings.save_steps(self.town.conn, DISTRICT, [row])

    def browser(self, person: str, endpoint: str) -> ec.EllipticCurvePrivateKey:
        key, p256dh, auth = browser_keys()
        target = PushTarget(0, person, endpoint, p256dh, auth, "test", self.town.now)
        contacts.add_push_target(self.town.conn, target)
        return key

    def follow(self) -> None:
        while steps.follow(self.town.conn, self.town.now):
            pass

    def tick(self) -> None:
        """The clocks of the cases, and what they ask to be told."""
        dispatch_steps.tick_deadlines(self.town.conn, self.town.now)
        dispatch_steps.tick_replies(self.town.conn, self.town.now)
        self.follow()

    def send(self, channel: Channel, timeout_s: float = 2.0) -> list[DeliveryState | NotSent]:
        """Everything that is due on a channel; what each became."""
        answers: list[DeliveryState | NotSent] = []
        conn, now = self.town.conn, self.town.now
        while claimed := sending.claim(conn, DISTRICT, channel, BASE, now, LEASE):
            if isinstance(claimed, bool):
                continue
            way = Way(channel, self.resolve, timeout_s, SECRET_KEY)
            answer = sending.send(way, claimed.message)
            sending.settle(conn, claimed, answer, now)
            answers.append(answer)
        return answers

    @property
    def resolve(self) -> Callable[[str], str]:
        return self.secrets.__getitem__

    def rows(self, **wanted: object) -> list[DeliveryRow]:
        """Deliveries with these values, the oldest first."""
        found = deliveries.list_deliveries(self.town.conn, DISTRICT, limit=1_000)
        return [r for r in reversed(found) if all(getattr(r, n) == v for n, v in wanted.items())]
