"""Promises of docker-compose.yml: no default password, nothing open to the network, no root."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = ("migrate", "ingest", "engine", "scheduler", "notify", "serve", "simulate")


def test_every_variable_without_a_default_says_how_to_get_one() -> None:
    for name, rest in re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", TEXT):
        secret = "PASSWORD" in name or "KEY" in name
        assert rest == ":?run ./run env first" if secret else rest.startswith(":-"), name


def test_the_variables_are_those_that_run_env_writes() -> None:
    required = set(re.findall(r"(?<!\$)\$\{(\w+):\?", TEXT))
    written = set(re.findall(r"^(\w+)=\$\(password\)", (ROOT / "run").read_text(), re.MULTILINE))
    assert required == written


def test_published_ports_are_on_this_machine_unless_somebody_says_otherwise() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(re.match(r"\$\{GRIDWARDEN_\w+_ADDRESS:-127\.0\.0\.1\}:", port) for port in published)


@pytest.mark.parametrize("name", ["timescaledb", "redis", "mosquitto"])
def test_foreign_images_are_pinned_and_keep_their_data_in_a_volume(name: str) -> None:
    assert re.search(r":\d+\.\d+", SERVICES[name]["image"])
    assert [volume for volume in SERVICES[name]["volumes"] if re.match(r"[a-z]+:/", volume)]
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", OURS)
def test_our_processes_are_commands_of_one_image_without_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["command"] == [name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True


@pytest.mark.parametrize("name", ["ingest", "engine", "scheduler", "notify", "serve"])
def test_long_running_processes_wait_for_the_schema_and_are_watched(name: str) -> None:
    service = SERVICES[name]
    assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"


def test_the_simulator_starts_only_on_demand() -> None:
    assert SERVICES["simulate"]["profiles"] == ["demo"]


def test_the_image_installs_the_hashed_lock_and_drops_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes" in text
    assert re.search(r"^USER (?!root)\w+", text, re.MULTILINE)
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = pyproject["tool"]["setuptools"]["packages"]["find"]["include"]
    assert [name for name in packages if f"!{name.removesuffix('*')}" not in kept] == []
