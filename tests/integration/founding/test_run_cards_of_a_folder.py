"""Run cards and certificates of a city folder: checked, put in force as versions, written out."""

from __future__ import annotations

from pathlib import Path

import pytest

from db import certificates, run_cards
from db.pool import Connection
from tests.integration.app.conftest import Command
from tests.integration.founding.test_city_commands import DISTRICT, done
from tests.unit.city.test_run_card import GAS

CERTIFICATES = "person,skill,valid_until,number\nwu,gas,2027-03-31,G-17\n"


@pytest.fixture
def folder(folder: Path) -> Path:
    (folder / "run-cards").mkdir()
    (folder / "run-cards" / "gas-leak.toml").write_text(GAS, encoding="utf-8")
    (folder / "certificates.csv").write_text(CERTIFICATES, encoding="utf-8")
    return folder


def test_a_changed_card_is_a_new_version_and_an_export_is_the_folder_again(
    gridwarden: Command, bare: Connection, folder: Path, tmp_path: Path
) -> None:
    out = done(gridwarden("city", "apply", str(folder)))
    assert "run_card gas-leak added" in out
    assert "certificate wu added" in out
    assert done(gridwarden("city", "plan", str(folder), "--json")).count('"changes": []') == 1
    (folder / "run-cards" / "gas-leak.toml").write_text(
        GAS.replace("Cordon", "Wide cordon"), encoding="utf-8"
    )
    done(gridwarden("city", "apply", str(folder)))
    versions = bare.execute(
        "SELECT version, valid_to IS NULL FROM run_card ORDER BY version"
    ).fetchall()
    assert versions == [(1, False), (2, True)]
    exported = tmp_path / "exported"
    done(gridwarden("city", "export", str(exported)))
    assert "Wide cordon" in (exported / "run-cards" / "gas-leak.toml").read_text("utf-8")
    assert "wu,gas,2027-03-31,G-17" in (exported / "certificates.csv").read_text("utf-8-sig")
    (folder / "run-cards" / "gas-leak.toml").unlink()
    (folder / "run-cards" / "other.toml").write_text(
        GAS.replace("gas-leak", "other"), encoding="utf-8"
    )
    (folder / "certificates.csv").write_text("person,skill,valid_until\n", encoding="utf-8")
    done(gridwarden("city", "apply", str(folder)))
    assert list(run_cards.list_texts(bare, DISTRICT)) == ["other"]
    assert certificates.list_by_person(bare, DISTRICT) == {}


def test_what_is_wrong_is_named_by_file_and_field(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    text = GAS.replace('["05-"]', '["99-"]').replace('skill = "gas"', 'skill = "magic"')
    (folder / "run-cards" / "gas-leak.toml").write_text(text, encoding="utf-8")
    (folder / "run-cards" / "b.toml").write_text(
        GAS.replace("blocking", "blocks"), encoding="utf-8"
    )
    (folder / "certificates.csv").write_text(
        "person,skill,valid_until\nnobody,gas,2027-01-01\nwu,gas,soon\n", encoding="utf-8"
    )
    refused = gridwarden("city", "check", str(folder))
    assert refused.exit_code == 1
    for line in (
        "run-cards/gas-leak.toml, categories: begins no code of a category (got '99-')",
        "run-cards/gas-leak.toml, send: is what no squad is and can (got 'magic')",
        "run-cards/b.toml, step.blocks: is not known here (got 'True')",
        "certificates.csv, row 2, person: is nobody of people.csv (got 'nobody')",
        "certificates.csv, row 3, valid_until: must be YYYY-MM-DD (got 'soon')",
    ):
        assert line in refused.output
