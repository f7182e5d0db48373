"""Device models of an installation's own: a folder beside ours, and files that are broken."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import cli
from app.settings import model_folder
from city.errors import InvalidInput
from ingest.decode import decode_by_hand
from tests.unit.wire.corpus import NOW
from wire.models import (
    broken_models,
    load_model,
    model_names,
    read_model,
    use_model_folder,
    whole_codec,
)

SOUND = """
title = "Acme G1"
kind = "gas"
interval_s = 60
[[field]]
names = ["lel"]
metric = "ch4_pct_lel"
"""
CODEC = "function Decoder(b) { if (!b.length) throw new Error('short'); return {lel: b[0], x: 1}; }"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "acme-g1.toml").write_text(SOUND)
    (tmp_path / "acme-g1.js").write_text(CODEC)
    yield tmp_path
    use_model_folder(None)


SHARING = """// use: milesight-tlv
function decodeUplink(input) {
  return readChannels(input.bytes, { 0x0101: 1 }, function (c, at, data) { data.lel = at[0]; });
}
"""


def test_a_codec_of_the_installation_may_stand_on_code_that_ours_share(folder: Path) -> None:
    (folder / "acme-g1.js").write_text(SHARING)
    use_model_folder(folder)
    by_model = decode_by_hand("feed/lorawan-frame/d/1", b"010107", model="acme-g1", received_at=NOW)
    by_hand = decode_by_hand(
        "feed/lorawan-frame/d/1", b"010107", model="milesight-gs101", codec_js=SHARING,
        received_at=NOW,
    )  # fmt: skip
    assert [reading["value"] for reading in by_model["readings"]] == [7]
    assert by_hand["rejects"][0]["detail"].endswith("knows: lel")


@pytest.mark.parametrize(
    "code", ["// use: nothing-of-ours\n" + CODEC, " // use: milesight-tlv\n" + CODEC,
             CODEC + "\n// use: milesight-tlv\n", "// use: ../codec\n", ""],
)  # fmt: skip
def test_codecs_of_vendors_are_run_as_they_are(code: str) -> None:
    assert whole_codec(code) == code


def test_a_model_of_the_installation_is_found_with_its_codec(folder: Path) -> None:
    assert load_model("acme-g1") is None
    use_model_folder(folder)
    model = load_model("acme-g1")
    assert model is not None
    assert (model.title, model.codec) == ("Acme G1", CODEC)
    assert {"acme-g1", "milesight-gs101"} <= model_names()
    found = decode_by_hand(
        "feed/lorawan-frame/d/1", b"2a05", format="lorawan-frame", model="acme-g1", received_at=NOW
    )
    assert [(r["metric"], r["value"]) for r in found["readings"] if r["stored"]] == [
        ("ch4_pct_lel", 42)
    ]
    use_model_folder(None)
    assert load_model("acme-g1") is None


def test_what_a_codec_warns_of_is_shown_when_a_message_is_decoded_by_hand(folder: Path) -> None:
    code = "function decodeUplink() { return {data: {lel: 1}, warnings: ['calibrate me']} }"
    (folder / "acme-g1.js").write_text(code)
    use_model_folder(folder)
    found = decode_by_hand(
        "feed/lorawan-frame/d/1", b"2a05", format="lorawan-frame", model="acme-g1", received_at=NOW
    )
    assert found["warnings"] == ["calibrate me"]


def test_a_model_of_the_installation_takes_the_place_of_ours(folder: Path) -> None:
    (folder / "milesight-gs101.toml").write_text(SOUND)
    use_model_folder(folder)
    model = load_model("milesight-gs101")
    assert model is not None
    assert (model.title, model.codec) == ("Acme G1", "")


@pytest.mark.parametrize(
    "content", [b"title = ", b"\xff\xfe", SOUND.replace("60", "0").encode(), b"x" * 3_000_000]
)
def test_a_broken_file_is_told_by_name_and_the_others_work(
    folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "acme-g2.toml").write_bytes(content)
    (folder / "milesight-gs101.toml").write_bytes(content)
    with caplog.at_level(logging.ERROR):
        use_model_folder(folder)
    assert "acme-g2" in caplog.text
    assert broken_models().keys() == {"acme-g2", "milesight-gs101"}
    assert load_model("acme-g2") is None
    assert load_model("acme-g1") is not None
    ours = load_model("milesight-gs101")
    assert ours is not None
    assert "Milesight" in ours.title


def test_a_folder_that_is_not_there_is_told_and_ours_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    use_model_folder(tmp_path / "nowhere")
    assert "nowhere" in caplog.text
    assert load_model("milesight-gs101") is not None
    use_model_folder(None)


@pytest.mark.parametrize("name", ["../acme-g1", "sub/acme-g1", "acme-g1.toml", ""])
def test_a_name_that_leads_elsewhere_is_no_model(folder: Path, name: str) -> None:
    use_model_folder(folder)
    assert load_model(name) is None


def test_the_environment_names_the_folder() -> None:
    assert model_folder({"GRIDWARDEN_MODELS_DIR": "/models"}) == Path("/models")
    assert model_folder({"GRIDWARDEN_MODELS_DIR": ""}) is None
    assert model_folder({}) is None


def test_a_codec_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "acme-g1.js").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="UTF-8"):
        read_model(folder / "acme-g1.toml")
    (folder / "acme-g1.js").write_text("//" + "x" * 600_000)
    with pytest.raises(InvalidInput, match="longer than"):
        read_model(folder / "acme-g1.toml")


def gridwarden(*arguments: str, folder: Path) -> tuple[int, str]:
    result = CliRunner().invoke(
        cli, list(arguments), env={"GRIDWARDEN_MODELS_DIR": str(folder)}, catch_exceptions=False
    )
    return result.exit_code, result.output


def test_the_list_names_every_model_and_what_cannot_be_used(folder: Path) -> None:
    (folder / "acme-g2.toml").write_text("title = ")
    code, text = gridwarden("model", "list", folder=folder)
    assert code == 0
    assert "acme-g1" in text
    assert "cannot be used: acme-g2" in text
    code, text = gridwarden("model", "list", "--json", folder=folder)
    listed = json.loads(text)
    row = next(row for row in listed["models"] if row["name"] == "acme-g1")
    assert (row["kind"], row["codec"], row["metrics"]) == ("gas", True, ["ch4_pct_lel"])
    assert listed["broken"].keys() == {"acme-g2"}


def test_a_sound_file_is_valid_and_a_frame_shows_what_it_gives(folder: Path) -> None:
    file = str(folder / "acme-g1.toml")
    code, text = gridwarden("model", "check", file, folder=folder)
    assert (code, "is valid: 1 names, with a codec" in text) == (0, True)
    code, text = gridwarden("model", "check", file, "--frame", "19", "--port", "2", folder=folder)
    assert code == 0
    assert "ch4_pct_lel = 25 %LEL (from lel)" in text
    assert "without a reading: x = 1" in text


@pytest.mark.parametrize(
    ("codec", "problem"),
    [
        ("function (", "SyntaxError"),
        ("var x = 1;", "the codec has no function"),
        ("while (true) {}", "ran longer"),
    ],
)
def test_a_codec_that_does_not_load_is_told(folder: Path, codec: str, problem: str) -> None:
    (folder / "other.js").write_text(codec)
    code, text = gridwarden(
        "model",
        "check",
        str(folder / "acme-g1.toml"),
        "--codec",
        str(folder / "other.js"),
        folder=folder,
    )
    assert code == 1
    assert problem in text


def test_a_frame_that_the_codec_refuses_or_that_is_no_hex_is_told(folder: Path) -> None:
    file = str(folder / "acme-g1.toml")
    code, text = gridwarden("model", "check", file, "--frame", "", folder=folder)
    assert (code, "Error: short" in text) == (1, True)
    code, text = gridwarden("model", "check", file, "--frame", "zz", folder=folder)
    assert (code, "must be bytes in hex" in text) == (1, True)
    (folder / "acme-g1.js").unlink()
    code, text = gridwarden("model", "check", file, "--frame", "00", folder=folder)
    assert (code, "has no codec" in text) == (1, True)
    code, text = gridwarden("model", "check", file, folder=folder)
    assert (code, "without a codec" in text) == (0, True)
