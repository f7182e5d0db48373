"""Gas rules of a city with four eyes: one person asks, another one lets it happen."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyotp
import pytest
from click.testing import Result

from alerts.steps import default_rules
from city.incident import Role
from city.person import Caller
from db import districts, users
from db.events import list_events, verify_chain
from db.pool import Connection
from people.one_time import new_secret
from people.second_factor import set_second_factor
from tests.integration.app.conftest import Command
from tests.integration.founding.test_city_commands import (
    DISTRICT,
    change,
    done,
    everything,
    neighbour_of,
    refused,
)

PASSWORD = "a long enough password"
RULE = "rules/gas-lel.toml"
ASKER, SECOND, DISPATCHER = "zheng", "lin.admin", "chen"

# A command said by one of these people, who gives their password.
Say = Callable[..., Result]


@pytest.fixture
def city(gridwarden: Command, bare: Connection, folder: Path) -> Path:
    """The sample with four eyes; a gas engineer and an administrator may ask and approve."""
    change(folder, "city.toml", "datum", "four_eyes = true\ndatum")
    done(gridwarden("city", "apply", str(folder)))
    for name in (ASKER, SECOND, DISPATCHER):
        users.set_password(bare, name, PASSWORD, datetime.now(UTC))
    return folder


@pytest.fixture
def say(gridwarden: Command) -> Say:
    def spoken(who: str, why: str, *words: str, password: str = PASSWORD) -> Result:
        return gridwarden(*words, "--as", who, "--why", why, stdin=f"{password}\n")

    return spoken


def version(conn: Connection, code: str = "gas-lel") -> tuple[int, str]:
    row = conn.execute(
        "SELECT version, applied_by FROM rule WHERE code = %s AND retired_at IS NULL", (code,)
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def lowered(folder: Path, limit: str = "12.0", before: str = "15.0") -> str:
    change(folder, RULE, f"limit = {before}\n", f"limit = {limit}\n")
    return str(folder / RULE)


def listed(gridwarden: Command) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done(gridwarden("approval", "list", "--json")))
    return found


def test_a_gas_rule_waits_until_another_person_approves_it(
    gridwarden: Command, say: Say, bare: Connection, city: Path
) -> None:
    file, before = lowered(city), version(bare)
    said = done(say(ASKER, "the school asked", "rules", "apply", file))
    assert "nothing of this is in force: rule gas-lel waits as approval 1" in said
    assert f"one of {SECOND} can let it happen" in said
    approve = ("approval", "approve", "1")
    assert "somebody else approves" in refused(say(ASKER, "mine", *approve))
    assert "may not do this" in refused(say(DISPATCHER, "please", *approve))
    assert "the password is another" in refused(say(SECOND, "x", *approve, password="guessed"))
    assert "why: must have 1" in refused(say(SECOND, " ", *approve))
    assert version(bare) == before
    done(say(SECOND, "looked at it", *approve))
    assert version(bare) == (before[0] + 1, SECOND)
    told = {event.kind: event for event in list_events(bare, limit=1_000)}
    asked, approved, applied = (
        told[kind] for kind in ("approval.asked", "approval.approved", "rule.applied")
    )
    assert (asked.actor, asked.payload["why"]) == (ASKER, "the school asked")
    assert (approved.actor, approved.payload["why"]) == (SECOND, "looked at it")
    assert asked.payload["digest"] == approved.payload["digest"]
    assert (applied.payload["approval"], applied.payload["asked_by"]) == (1, ASKER)
    assert verify_chain(bare).broken_at is None
    assert "waits no more: approved by lin.admin" in refused(say(SECOND, "again", *approve))


def test_who_asks_is_named_and_is_no_dispatcher(
    gridwarden: Command, say: Say, bare: Connection, city: Path
) -> None:
    file, before = lowered(city), everything(bare)
    assert "--as: must name who acts" in refused(gridwarden("rules", "apply", file))
    assert "may not do this" in refused(say(DISPATCHER, "why not", "rules", "apply", file))
    assert "why: must have" in refused(say(ASKER, "", "rules", "apply", file))
    assert everything(bare) == before
    assert listed(gridwarden) == []


def test_a_password_alone_is_not_enough_for_who_has_a_second_factor(
    gridwarden: Command, bare: Connection, city: Path
) -> None:
    file, now, secret = lowered(city), datetime.now(UTC), new_secret()
    caller = Caller(ASKER, Role.GAS_ENGINEER, DISTRICT)
    with bare.transaction():
        codes = set_second_factor(
            bare, caller, secret, pyotp.TOTP(secret).at(now), "only for this test run", now
        )
    words = ("rules", "apply", file, "--as", ASKER, "--why", "lower")
    for code in ("", "000000"):
        said = refused(gridwarden(*words, stdin=f"{PASSWORD}\n{code}\n"))
        assert "has a second factor, and the code is not right" in said
    assert "waits as approval 1" in done(gridwarden(*words, stdin=f"{PASSWORD}\n{codes[0]}\n"))
    assert "is not right" in refused(gridwarden(*words, stdin=f"{PASSWORD}\n{codes[0]}\n"))


def test_what_moved_since_is_refused_with_who_moved_it(
    say: Say, bare: Connection, city: Path
) -> None:
    done(say(ASKER, "first", "rules", "apply", lowered(city)))
    done(say(ASKER, "second", "rules", "apply", lowered(city, "10.0", "12.0")))
    done(say(SECOND, "better", "approval", "approve", "2"))
    now = version(bare)
    said = refused(say(SECOND, "this too", "approval", "approve", "1"))
    assert "has changed since (lin.admin, " in said
    assert "rule.applied gas-lel" in said
    assert version(bare) == now


def test_a_request_whose_content_was_exchanged_is_worth_nothing(
    say: Say, bare: Connection, city: Path
) -> None:
    done(say(ASKER, "a little lower", "rules", "apply", lowered(city)))
    before = version(bare)
    bare.execute(
        "UPDATE approval SET change = replace(change::text, '12.0', '60.0')::jsonb WHERE id = 1"
    )
    assert "is not what was looked at" in refused(say(SECOND, "fine", "approval", "approve", "1"))
    assert version(bare) == before


def test_a_refusal_leaves_everything_and_who_asked_can_take_it_back(
    gridwarden: Command, say: Say, bare: Connection, city: Path
) -> None:
    file, before = lowered(city), version(bare)
    done(say(ASKER, "lower", "rules", "apply", file))
    assert "refused: rule gas-lel" in done(say(SECOND, "too low", "approval", "refuse", "1"))
    done(say(ASKER, "lower, please", "rules", "apply", file))
    assert "withdrawn" in done(say(ASKER, "never mind", "approval", "refuse", "2"))
    assert [item["state"] for item in listed(gridwarden)] == ["withdrawn", "refused"]
    assert version(bare) == before


def test_of_a_folder_the_gas_rules_wait_and_the_rest_is_in_force(
    gridwarden: Command, say: Say, bare: Connection, city: Path
) -> None:
    lowered(city)
    change(city, "squads.csv", "东洲中队", "东洲一中队")
    water = default_rules()["manhole-water.toml"].replace("clear_share = 0.9", "clear_share = 0.8")
    (city / "rules" / "manhole-water.toml").write_text(water, encoding="utf-8")
    planned = done(gridwarden("city", "plan", str(city)))
    assert "waits for a second person: rule gas-lel" in planned
    assert "alarms on the readings of" in planned
    before = everything(bare)
    assert "--as: must name" in refused(gridwarden("city", "apply", str(city)))
    assert everything(bare) == before
    said = done(say(ASKER, "new limits", "city", "apply", str(city)))
    assert "squad XZ-01 changed (name_zh)" in said
    assert "rule manhole-water changed (text)" in said
    assert "rule gas-lel changed" not in said
    assert "rule gas-lel waits as approval 1" in said
    assert (version(bare), version(bare, "manhole-water")) == ((2, "cli"), (2, "cli"))
    again = done(say(ASKER, "new limits", "city", "apply", str(city)))
    assert "waits as approval 1, and waited already" in again
    done(say(SECOND, "agreed", "approval", "approve", "1"))
    assert version(bare) == (3, SECOND)
    assert done(gridwarden("city", "plan", str(city))) == "nothing to do\n"


def test_four_eyes_are_switched_off_by_four_eyes(say: Say, bare: Connection, city: Path) -> None:
    change(city, "city.toml", "four_eyes = true\n", "")
    said = done(say(SECOND, "too slow", "city", "apply", str(city)))
    assert "four eyes switched off waits as approval 1" in said
    assert districts.find_settings(bare, DISTRICT, ["four_eyes"]) == {"four_eyes": True}
    done(say(ASKER, "so be it", "approval", "approve", "1"))
    assert districts.find_settings(bare, DISTRICT, ["four_eyes"]) == {"four_eyes": False}


def test_of_two_folders_the_rule_waits_in_the_city_with_four_eyes(
    say: Say, bare: Connection, city: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(city, "city.toml", "four_eyes = true\n", "")
    other = neighbour_of(city)
    change(city, "city.toml", "datum", "four_eyes = true\ndatum")
    for folder in (city, other):
        lowered(folder)
    said = done(say(ASKER, "both of them", "city", "apply", str(other), str(city)))
    assert "rule gas-lel waits as approval 1" in said
    assert version(bare) == (2, "cli")
    monkeypatch.setenv("GRIDWARDEN_DISTRICT", DISTRICT)
    done(say(SECOND, "fine", "approval", "approve", "1"))
    assert version(bare) == (3, SECOND)
    assert districts.list_where(bare, "four_eyes", True) == [DISTRICT]


def test_a_gas_rule_is_not_retired_by_one_person_and_others_are(
    gridwarden: Command, say: Say, bare: Connection, city: Path
) -> None:
    done(gridwarden("rules", "retire", "lamp-dark"))
    said = done(say(ASKER, "no such gas here", "rules", "retire", "gas-oxygen-low"))
    assert "rule gas-oxygen-low taken out of force waits as approval 1" in said
    assert version(bare, "gas-oxygen-low")[0] == 1
    done(say(SECOND, "right", "approval", "approve", "1"))
    assert bare.execute(
        "SELECT retired_at IS NULL FROM rule WHERE code = 'gas-oxygen-low'"
    ).fetchone() == (False,)


def test_a_city_of_one_cannot_have_four_eyes(gridwarden: Command, folder: Path) -> None:
    change(folder, "city.toml", "datum", "four_eyes = true\ndatum")
    change(folder, "people.csv", "gas_engineer", "viewer")
    said = refused(gridwarden("city", "check", str(folder)))
    assert "city.toml, four_eyes: needs two people of people.csv" in said
