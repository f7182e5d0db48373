"""`gridwarden feed …` and what `decode` says of the feeds of an installation."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.app.conftest import Command


def test_a_feed_is_added_shown_switched_off_and_told_apart_from_others(
    gridwarden: Command, tmp_path: Path
) -> None:
    add = ["feed", "add", "north", "--format", "z2m", "--topic", "zigbee2mqtt_north"]
    assert "zigbee2mqtt_north/# as zigbee2mqtt" in gridwarden(*add, "--interval", "60").output
    assert "there is a feed north already" in gridwarden(*add).output
    second = ["feed", "add", "two", "--format", "shelly", "--prefix", "zigbee2mqtt_north/x"]
    refused = gridwarden(*second)
    assert (refused.exit_code, "north (zigbee2mqtt_north/#)" in refused.output) == (1, True)
    assert "topic: " in gridwarden("feed", "add", "x", "--format", "ttn", "--topic", "a/#/b").output
    assert "format: " in gridwarden("feed", "add", "x", "--format", "morse", "--topic", "a").output
    added = gridwarden(*second, "--disabled")
    assert added.exit_code == 0, added.output

    message = tmp_path / "message.json"
    message.write_text('{"power": 3, "linkquality": 9}')
    decode = ["decode", "--topic", "zigbee2mqtt_north/lamp1", str(message)]
    assert json.loads(gridwarden(*decode).output)["feed"] == "north"

    shown = json.loads(gridwarden("feed", "show", "north").output)
    assert (shown["interval_s"], shown["district"], shown["filters"]) == (
        60,
        "460107",
        ["zigbee2mqtt_north/#"],
    )
    assert gridwarden("feed", "disable", "north").exit_code == 0
    assert json.loads(gridwarden(*decode).output)["feed"] is None
    assert gridwarden("feed", "enable", "two").exit_code == 0
    refused = gridwarden("feed", "enable", "north")
    assert (refused.exit_code, "would both take a topic" in refused.output) == (1, True)
    assert gridwarden("feed", "disable", "tasmota").exit_code == 0
    assert "no feed 'nobody'" in gridwarden("feed", "disable", "nobody").output
    listed = json.loads(gridwarden("feed", "list", "--json").output)["feeds"]
    state = {row["name"]: (row["enabled"], row["shipped"]) for row in listed}
    assert (state["north"], state["two"]) == ((False, False), (True, False))
    assert (state["tasmota"], state["shelly"]) == ((False, True), (True, True))
    assert "tasmota" in gridwarden("feed", "list").output
