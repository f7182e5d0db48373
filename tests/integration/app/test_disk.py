"""The disk that is watched is the one the data folder is on."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import doctor
from app.settings import Settings, load_settings
from dashboard.shell import disk


def settings_of(folder: Path) -> Settings:
    addresses = {
        f"GRIDWARDEN_{name}_URL": f"{name.lower()}://nowhere"
        for name in ("DATABASE", "MQTT", "REDIS")
    }
    return load_settings(None, addresses | {"GRIDWARDEN_DATA_DIR": str(folder)})


def test_the_doctor_looks_at_the_disk_of_the_data_folder(tmp_path: Path) -> None:
    (finding,) = doctor._disk(settings_of(tmp_path))
    assert finding.ok
    assert finding.text.endswith(f"GB free at {tmp_path}")


def test_a_full_disk_of_the_data_folder_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "FREE_MIN_BYTES", 10**18)
    (finding,) = doctor._disk(settings_of(tmp_path))
    assert not finding.ok


def test_a_folder_that_is_not_there_yet_is_measured_where_it_will_be(tmp_path: Path) -> None:
    found = disk.disk_of(tmp_path / "not" / "yet")
    assert found.folder == tmp_path
    assert 0 < found.free <= found.total
