"""Messages to people: channels, steps of escalation, and what became of each delivery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum


class ChannelKind(StrEnum):
    """How a message leaves: the first three reach a person, the others a group or a program."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    WEBHOOK = "webhook"
    WECOM = "wecom"
    DINGTALK = "dingtalk"
    FEISHU = "feishu"
    APPRISE = "apprise"


PERSONAL = frozenset({ChannelKind.EMAIL, ChannelKind.SMS, ChannelKind.PUSH})


class ChannelMode(StrEnum):
    ON = "on"
    DRY_RUN = "dry_run"  # written down as it would be sent, and not sent
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Channel:
    """One way out. `address` is no secret; `secret` and `signature` say where one is (`env:NAME`,
    `file:PATH`). `hosts` are those that the browsers' own push services may have. `text_max` is in
    the unit of its kind (`TEXT_LIMITS`)."""

    name: str
    kind: ChannelKind
    address: str = ""
    secret: str = ""
    signature: str = ""
    sender: str = ""
    hosts: tuple[str, ...] = ()
    text_max: int | None = None
    mode: ChannelMode = ChannelMode.ON

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", ChannelKind(self.kind))
        object.__setattr__(self, "mode", ChannelMode(self.mode))
        object.__setattr__(self, "hosts", tuple(self.hosts))

    @property
    def is_personal(self) -> bool:
        return self.kind in PERSONAL


class Step(StrEnum):
    """What people are told of a case, from its opening to the red card."""

    OPENED = "opened"
    DISPATCHED = "dispatched"
    REMINDER = "reminder"  # 催办
    OVERDUE = "overdue"  # 督办
    YELLOW = "yellow"
    RED = "red"


# Messages that are about no case.
TEST, REPORT = "test", "report"

SQUAD, RESPONSIBLE = "squad", "responsible"
ROLE_WORDS = ("dispatcher", "checker", "gas_engineer", "leader", "admin")
RECIPIENTS = (SQUAD, RESPONSIBLE, *ROLE_WORDS)


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Who is told of a step. `at_percent` of the limit is when it comes; None: by what people do.
    `severity`: of cases this bad or worse. `recipients` are words of `RECIPIENTS`, `channels` the
    names of groups' channels."""

    step: Step
    at_percent: int | None
    severity: int
    recipients: tuple[str, ...]
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", Step(self.step))
        object.__setattr__(self, "recipients", tuple(self.recipients))
        object.__setattr__(self, "channels", tuple(self.channels))


# What holds where a city says nothing. The shares are proposals: no norm has figures.
DEFAULT_STEPS = {
    row.step: row
    for row in (
        EscalationStep(Step.OPENED, None, 2, ("dispatcher", "gas_engineer")),
        EscalationStep(Step.DISPATCHED, None, 4, (SQUAD,)),
        EscalationStep(Step.REMINDER, 80, 4, (RESPONSIBLE,)),
        EscalationStep(Step.OVERDUE, 100, 4, (RESPONSIBLE, "dispatcher")),
        EscalationStep(Step.YELLOW, 200, 4, (RESPONSIBLE, "dispatcher", "leader")),
        EscalationStep(Step.RED, 300, 4, (RESPONSIBLE, "dispatcher", "leader")),
    )
}


@dataclass(frozen=True, slots=True)
class Ladder:
    """Shares of a limit at which a clock reminds, and at which a card falls due."""

    remind: float
    yellow: float
    red: float


DEFAULT_LADDER = Ladder(0.8, 2.0, 3.0)


class DeliveryState(StrEnum):
    """`sent`: the channel took it; `delivered`: it said that it arrived; `seen`: its link was
    opened; `withdrawn`: not sent, because nobody has to know any more."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    SEEN = "seen"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A message for one recipient on one channel. `target` is the address there; `person` is empty
    for a group. `rings`: it may wake somebody. `urgent`: it comes in quiet hours, too."""

    district: str
    incident_id: int | None
    event_seq: int | None
    step: str
    clock: str
    attempt: int
    person: str
    channel: str
    kind: str
    target: str
    lang: str
    title: str
    body: str
    token: str
    rings: bool
    urgent: bool
    queued_at: datetime
    due_at: datetime | None
    expires_at: datetime
    state: str = DeliveryState.QUEUED
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """How a person is reached; quiet hours are local, and empty where both ends are None."""

    person: str
    email: str = ""
    phone: str = ""
    lang: str = "zh"
    quiet_from: time | None = None
    quiet_to: time | None = None


@dataclass(frozen=True, slots=True)
class PushTarget:
    """A browser that takes messages: where its vendor's service takes them, and its keys."""

    id: int
    person: str
    endpoint: str
    p256dh: str
    auth: str
    browser: str
    created_at: datetime
    sid: str = ""  # the session that it was added in
