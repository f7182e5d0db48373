"""docker-compose.yml as Docker Compose reads it, and the broker's file as the broker does."""

import subprocess
from pathlib import Path

import pytest
import yaml

from stack import provision
from stack.compose_check import resolve_compose
from stack.ports import choose_port

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "docker-compose.yml"
PASSWORDS = {
    "POSTGRES_PASSWORD": "a",
    "REDIS_PASSWORD": "b",
    "MQTT_PASSWORD": "c",
    "GRIDWARDEN_SECRET_KEY": "d",
}


def test_compose_accepts_the_file_and_fills_in_the_addresses() -> None:
    done = resolve_compose(FILE, PASSWORDS, "demo")
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    environment = services["ingest"]["environment"]
    assert environment["GRIDWARDEN_DATABASE_URL"].startswith("postgresql://gridwarden:a@")
    assert environment["GRIDWARDEN_MQTT_URL"].startswith("mqtt://gridwarden:c@")
    assert services["serve"]["ports"][0]["host_ip"] == "127.0.0.1"


@pytest.mark.parametrize("missing", PASSWORDS)
def test_compose_starts_nothing_without_a_password(missing: str) -> None:
    variables = {name: value for name, value in PASSWORDS.items() if name != missing}
    done = resolve_compose(FILE, variables)
    assert done.returncode != 0
    assert "run ./run env first" in done.stderr


def test_compose_rejects_a_file_with_a_misspelt_key(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text("services:\n  a:\n    image: a\n    helthcheck: {}\n")
    assert resolve_compose(broken, {}).returncode != 0


def test_the_brokers_settings_in_the_containers_are_understood(tmp_path: Path) -> None:
    text = (ROOT / "stack" / "compose" / "mosquitto.conf").read_text()
    port = choose_port(21883, None, ())
    text = text.replace("listener 1883", f"listener {port} 127.0.0.1")
    text = text.replace("/tmp/passwords", str(tmp_path / "passwords"))
    text = text.replace("/mosquitto/data/", f"{tmp_path}/")
    (tmp_path / "passwords").touch(mode=0o600)
    (tmp_path / "mosquitto.conf").write_text(text + "\nuser root\n")
    command = [provision().program("mosquitto"), "-c", tmp_path / "mosquitto.conf"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as broker:
        try:
            _, said = broker.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            broker.terminate()
            _, said = broker.communicate()
    assert "Error" not in said
    assert broker.returncode == 0
