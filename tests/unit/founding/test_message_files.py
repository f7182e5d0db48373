"""`channels.toml` and `escalation.csv`: read, judged, and written out again."""

from __future__ import annotations

import pytest

from city.delivery import DEFAULT_STEPS, Channel, ChannelKind, ChannelMode
from founding.export import csv_text
from founding.folder import _table
from founding.message_files import (
    CHANNEL_TABLE,
    ESCALATION,
    ESCALATION_COLUMNS,
    judge_channels,
    judge_steps,
    read_channels,
    read_step,
    step_cells,
    write_channels,
)
from founding.parts import Fault

CHANNELS = """
[[channel]]
name = "mail"
kind = "email"
address = "starttls://user@relay.example:587"
secret = "file:mail_password"
sender = "Duty <duty@city.example>"

[[channel]]
name = "phones"
kind = "push"
address = "mailto:duty@city.example"
hosts = ["*.push.apple.com", "updates.push.services.mozilla.com"]

[[channel]]
name = "room"
kind = "wecom"
secret = "env:CHANNEL_WECOM"
text_max = 1000
mode = "dry_run"
"""


def channels(text: str) -> tuple[dict[str, Channel], list[Fault]]:
    faults: list[Fault] = []
    return judge_channels(read_channels(text.encode(), faults), faults), faults


def test_channels_come_back_as_they_were_written() -> None:
    found, faults = channels(CHANNELS)
    assert faults == []
    assert [(c.name, c.kind, c.mode, c.text_max) for c in found.values()] == [
        ("mail", ChannelKind.EMAIL, ChannelMode.ON, None),
        ("phones", ChannelKind.PUSH, ChannelMode.ON, None),
        ("room", ChannelKind.WECOM, ChannelMode.DRY_RUN, 1000),
    ]
    assert channels(write_channels(found)) == (found, [])
    names = CHANNEL_TABLE.names
    lines = CHANNEL_TABLE.read(CHANNELS.encode(), [])
    rows = [[line.values.get(n, "") for n in names] for line in lines]
    assert channels(CHANNEL_TABLE.with_rows(names, rows).decode()) == (found, [])
    assert channels(CHANNEL_TABLE.taken(csv_text(names, rows).encode()).decode()) == (found, [])


@pytest.mark.parametrize(
    ("lines", "field", "said"),
    [
        ('kind = "fax"', "kind", "must be one of"),
        ('kind = "wecom"', "secret", "is missing"),
        ('kind = "wecom"\nsecret = "https://qyapi/send?key=1"', "secret", "must say where"),
        ('kind = "wecom"\nsecret = "env:GRIDWARDEN_SECRET_KEY"', "secret", "must say where"),
        ('kind = "wecom"\nsecret = "file:../secret_key"', "secret", "must say where"),
        (
            'kind = "wecom"\nsecret = "env:CHANNEL_A"\nhosts = ["a"]',
            "hosts",
            "goes with no channel",
        ),
        ('kind = "email"\naddress = "relay"\nsender = "d@c"', "address", "must be like"),
        ('kind = "email"\naddress = "smtp://u:pw@r"\nsender = "d@c"', "address", "no password"),
        ('kind = "email"\naddress = "smtp://r"\nsender = "duty"', "sender", "must be an address"),
        (
            'kind = "email"\naddress = "smtp://r"\nsender = "d@c"\nsecret = "env:CHANNEL_A"',
            "address",
            "user",
        ),
        ('kind = "webhook"', "address", "is needed"),
        ('kind = "webhook"\naddress = "ftp://a/b"', "address", "http(s)"),
        ('kind = "push"\naddress = "me"\nhosts = ["a"]', "address", "mailto"),
        ('kind = "push"\naddress = "mailto:a@b"\nhosts = ["A/b"]', "hosts", "names of hosts"),
        ('kind = "sms"\nsecret = "env:CHANNEL_A"\ntext_max = 5', "text_max", "from 60"),
        ('kind = "sms"\nsecret = "env:CHANNEL_A"\nmode = "loud"', "mode", "must be one of"),
        ('kind = "sms"\nsecret = "env:CHANNEL_A"\nspeed = 1', "speed", "is no field of a channel"),
    ],
)
def test_what_is_wrong_with_a_channel_is_named(lines: str, field: str, said: str) -> None:
    _, faults = channels(f'[[channel]]\nname = "x"\n{lines}\n')
    assert [f.field for f in faults] == [field], faults
    assert said in faults[0].problem


def test_no_secret_is_told_in_a_fault() -> None:
    _, faults = channels('[[channel]]\nname = "x"\nkind = "wecom"\nsecret = "hunter2"\n')
    assert "hunter2" not in str(faults[0])


def test_two_channels_have_two_names() -> None:
    room = '[[channel]]\nname = "room"\nkind = "wecom"\nsecret = "env:CHANNEL_A"\n'
    assert "already" in channels(room * 2)[1][0].problem


def steps(rows: str) -> tuple[dict[str, object], list[Fault]]:
    faults: list[Fault] = []
    files = {ESCALATION: f"step,recipients,at_percent,severity,channels\n{rows}".encode()}
    entries = _table(files, ESCALATION, read_step, ESCALATION_COLUMNS, faults)
    known, _ = channels(CHANNELS)
    return dict(judge_steps(entries, known, faults)), faults


def test_a_step_that_the_file_does_not_name_is_as_it_ships() -> None:
    found, faults = steps("opened,dispatcher;leader,,1,room\nred,leader,400,,\n")
    assert faults == []
    assert [step_cells(found[s]) for s in ("opened", "red")] == [  # type: ignore[arg-type]
        ["opened", "dispatcher;leader", "", "1", "room"],
        ["red", "leader", "400", "4", ""],
    ]
    assert found["yellow"] == DEFAULT_STEPS["yellow"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("row", "field", "said"),
    [
        ("late,leader,,,", "step", "must be one of"),
        ("opened,mayor,,,", "recipients", "must be words of"),
        ("opened,leader,50,,", "at_percent", "goes with no step opened"),
        ("overdue,leader,120,,", "at_percent", "is 100"),
        ("yellow,leader,90,,", "at_percent", "must be more than"),
        ("reminder,leader,100,,", "at_percent", "must be more than"),
        ("opened,leader,,9,", "severity", "from 1 to 4"),
        ("opened,leader,,,nowhere", "channels", "is no channel"),
        ("opened,leader,,,mail", "channels", "one by one"),
        ("red,leader,,,\nred,leader,,,", "step", "already"),
    ],
)
def test_what_is_wrong_with_a_step_is_named(row: str, field: str, said: str) -> None:
    _, faults = steps(row + "\n")
    assert [f.field for f in faults] == [field], faults
    assert said in faults[0].problem
