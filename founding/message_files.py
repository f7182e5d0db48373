"""`channels.toml` and `escalation.csv`: how a city tells people, and whom of what. Pure.

Secrets are named, never written: `env:CHANNEL_…` or `file:NAME` of the process that sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from city.delivery import (
    DEFAULT_STEPS,
    PERSONAL,
    RECIPIENTS,
    Channel,
    ChannelKind,
    ChannelMode,
    EscalationStep,
    Step,
)
from founding.parts import Entry, Fault
from founding.sheets import Line
from founding.toml_table import TomlTable

CHANNELS, ESCALATION = "channels.toml", "escalation.csv"
CHANNEL_COLUMNS = (
    ("name", "kind"),
    ("mode", "address", "secret", "signature", "sender", "hosts", "text_max"),
)
CHANNEL_TABLE = TomlTable(
    CHANNELS, "channel", "a channel", *CHANNEL_COLUMNS, numbers=("text_max",), lists=("hosts",)
)
ESCALATION_COLUMNS = (("step", "recipients"), ("at_percent", "severity", "channels"))
KINDS, MODES = tuple(ChannelKind), tuple(ChannelMode)
STEPS = tuple(Step)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
REFERENCE = re.compile(r"env:CHANNEL_[A-Z0-9_]+|file:[A-Za-z0-9_][A-Za-z0-9._-]*")
HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|https?://[a-z0-9.\[\]:-]+")
EMAIL = re.compile(r"[^@\s]+@[^@\s>]+>?")
# A shorter text says nothing beside its link.
TEXT_MIN, TEXT_MOST = 60, 100_000
PERCENT_MAX = 10_000
# What time brings, in its order; the others come by what people do.
TIMED = (Step.REMINDER, Step.OVERDUE, Step.YELLOW, Step.RED)
DUE_PERCENT = 100
MAIL_SCHEMES = ("smtp", "starttls", "smtps")
# What a kind needs, and what it takes besides; name, kind, text_max and mode go with all.
FIELDS: Mapping[ChannelKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    ChannelKind.EMAIL: (("address", "sender"), ("secret",)),
    ChannelKind.SMS: (("secret",), ()),
    ChannelKind.PUSH: (("address", "hosts"), ()),
    ChannelKind.WEBHOOK: ((), ("address", "secret", "signature")),
    ChannelKind.WECOM: (("secret",), ()),
    ChannelKind.DINGTALK: (("secret",), ("signature",)),
    ChannelKind.FEISHU: (("secret",), ("signature",)),
    ChannelKind.APPRISE: (("secret",), ()),
}


def read_channels(content: bytes, faults: list[Fault]) -> tuple[Entry[Channel], ...]:
    """The channels of the file that are right by themselves."""
    found = []
    for line in CHANNEL_TABLE.read(content, faults):
        before = len(faults)
        channel = _channel(line)
        if channel is not None and len(faults) == before:
            found.append(Entry(line.row, channel))
    return tuple(found)


def _channel(line: Line) -> Channel | None:
    name, kind = line.text("name", needed=True), line.one_of("kind", KINDS)
    mode = line.text("mode") or ChannelMode.ON
    if name and not NAME.fullmatch(name):
        line.fault("name", "must have 1 to 64 letters, digits, dots, hyphens or underscores")
    if mode not in MODES:
        line.fault("mode", f"must be one of {', '.join(MODES)}")
    if kind not in KINDS:
        return None
    needed, optional = FIELDS[ChannelKind(kind)]
    for field in ("address", "secret", "signature", "sender", "hosts"):
        if field in needed:
            line.text(field, needed=True)
        elif field not in optional and line.text(field):
            line.fault(field, f"goes with no channel of kind {kind}")
    for field in ("secret", "signature"):
        if (text := line.text(field)) and not REFERENCE.fullmatch(text):
            problem = "must say where the secret is, as env:CHANNEL_… or file:NAME, not what it is"
            line.fault(field, problem, "…")
    _judge_address(line, ChannelKind(kind))
    hosts = tuple(line.words("hosts"))
    for host in hosts:
        if not HOST.fullmatch(host):
            line.fault("hosts", "must be names of hosts in lower case, *. before one at most", host)
    if mode not in MODES:
        return None
    return Channel(
        name,
        ChannelKind(kind),
        line.text("address"),
        line.text("secret"),
        line.text("signature"),
        line.text("sender"),
        hosts,
        line.whole("text_max", TEXT_MIN, TEXT_MOST, 0) or None,
        ChannelMode(mode),
    )


def _judge_address(line: Line, kind: ChannelKind) -> None:
    address = line.text("address")
    try:
        split = urlsplit(address)
        host, _port, password = split.hostname, split.port, split.password
    except ValueError:
        line.fault("address", "is no address")
        return
    if password is not None:
        line.fault("address", "must hold no password: name it in secret", "…")
    if kind is ChannelKind.EMAIL and address and (split.scheme not in MAIL_SCHEMES or not host):
        line.fault("address", "must be like starttls://user@relay.example:587")
    if kind is ChannelKind.EMAIL and (sender := line.text("sender")):
        if not EMAIL.search(sender):
            line.fault("sender", "must be an address like duty@city.example")
        if line.text("secret") and not split.username:
            line.fault("address", "needs the user whose password the secret is")
    if kind is ChannelKind.WEBHOOK:
        if bool(address) == bool(line.text("secret")):
            line.fault("address", "is needed where no secret is the address, and only there")
        elif address and (split.scheme not in ("http", "https") or not host):
            line.fault("address", "must be an http(s) address")
    if kind is ChannelKind.PUSH and address and not address.startswith(("mailto:", "https://")):
        line.fault("address", "must be mailto: or https: of whoever answers for the messages")


def judge_channels(entries: Sequence[Entry[Channel]], faults: list[Fault]) -> dict[str, Channel]:
    """By name, each once."""
    rows: dict[str, int] = {}
    found: dict[str, Channel] = {}
    for entry in entries:
        name = entry.value.name
        if name in rows:
            problem = f"is in row {rows[name]} already"
            faults.append(Fault(CHANNELS, entry.row, "name", name, problem))
        else:
            rows[name], found[name] = entry.row, entry.value
    return found


def write_channels(channels: Mapping[str, Channel]) -> str:
    return CHANNEL_TABLE.write([_cells(channel) for _, channel in sorted(channels.items())])


def _cells(channel: Channel) -> dict[str, str]:
    return {
        "name": channel.name,
        "kind": channel.kind.value,
        "mode": "" if channel.mode is ChannelMode.ON else channel.mode.value,
        "address": channel.address,
        "secret": channel.secret,
        "signature": channel.signature,
        "sender": channel.sender,
        "hosts": ";".join(channel.hosts),
        "text_max": "" if channel.text_max is None else str(channel.text_max),
    }


# Steps of escalation


def read_step(line: Line) -> EscalationStep | None:
    """A row of `escalation.csv`."""
    step = line.one_of("step", STEPS)
    recipients = line.words("recipients")
    for word in recipients:
        if word not in RECIPIENTS:
            line.fault("recipients", f"must be words of {', '.join(RECIPIENTS)}", word)
    severity = line.whole("severity", 1, 4, 4)
    percent = line.whole("at_percent", 1, PERCENT_MAX, 0) or None
    if step not in STEPS:
        return None
    if Step(step) not in TIMED:
        if percent is not None:
            line.fault("at_percent", f"goes with no step {step}: it comes by what people do")
    elif percent is None:
        percent = DEFAULT_STEPS[Step(step)].at_percent
    if step == Step.OVERDUE and percent != DUE_PERCENT:
        line.fault("at_percent", f"is {DUE_PERCENT} for overdue: the end of the limit")
    return EscalationStep(
        Step(step), percent, severity, tuple(recipients), tuple(line.words("channels"))
    )


def judge_steps(
    entries: Sequence[Entry[EscalationStep]],
    channels: Mapping[str, Channel] | None,
    faults: list[Fault],
) -> dict[str, EscalationStep]:
    """Every step by its name, the shipped one where the file has none; their shares must rise."""
    rows: dict[str, int] = {}
    found = {step.value: row for step, row in DEFAULT_STEPS.items()}
    for entry in entries:
        row = entry.value
        if row.step in rows:
            problem = f"is in row {rows[row.step]} already"
            faults.append(Fault(ESCALATION, entry.row, "step", row.step, problem))
            continue
        rows[row.step], found[row.step.value] = entry.row, row
        for name in row.channels:
            channel = (channels or {}).get(name)
            problem = ""
            if channels is not None and channel is None:
                problem = f"is no channel of {CHANNELS}"
            elif channel is not None and channel.kind in PERSONAL:
                problem = "reaches people one by one: name the channel of a group"
            if problem:
                faults.append(Fault(ESCALATION, entry.row, "channels", name, problem))
    shares = [found[step].at_percent or 0 for step in TIMED]
    for before, after, step in zip(shares, shares[1:], TIMED[1:], strict=False):
        if after <= before:
            problem = f"must be more than the {before} of the step before"
            faults.append(Fault(ESCALATION, rows.get(step), "at_percent", str(after), problem))
    return found


def step_cells(row: EscalationStep) -> list[str]:
    """A row as `ESCALATION_COLUMNS` has it."""
    percent = "" if row.at_percent is None else str(row.at_percent)
    words = (";".join(row.recipients), percent, str(row.severity), ";".join(row.channels))
    return [row.step.value, *words]
