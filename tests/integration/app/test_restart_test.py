"""`gridwarden doctor --restart-test` between an operator and a real broker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

import stack as embedded
from app.doctor import examine
from app.restart_test import judge
from app.settings import Settings
from ingest.mqtt import PLAIN, SHARED, Kept, RestartTest
from stack import Services

TIMEOUT_S = 60


@pytest.fixture
def settings(mqtt_url: str, database_url: str, redis_url: str) -> Settings:
    return Settings(database_url, mqtt_url, redis_url, "only for this test run")


@pytest.fixture
def doctor(settings: Settings) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, shared: bool = False) -> subprocess.Popen[str]:
        environment = {
            "GRIDWARDEN_DATABASE_URL": settings.database_url,
            "GRIDWARDEN_MQTT_URL": settings.mqtt_url,
            "GRIDWARDEN_REDIS_URL": settings.redis_url,
            "GRIDWARDEN_SECRET_KEY": settings.secret_key,
            "GRIDWARDEN_MQTT_SHARED": "yes" if shared else "no",
            "PYTHONUNBUFFERED": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "doctor", "--restart-test", *arguments],
            env={**os.environ, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for_the_request(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "restart the broker at" in line


def kill_and_start(stack: Services, name: str) -> None:
    stack.kill(name)
    stack.start(name)


@pytest.mark.parametrize("restart", [Services.restart, kill_and_start], ids=["restart", "kill -9"])
def test_plain_subscriptions_survive_and_the_doctor_remembers_it(
    doctor: Callable[..., subprocess.Popen[str]],
    stack: Services,
    settings: Settings,
    restart: Callable[[Services, str], None],
) -> None:
    process = doctor()
    wait_for_the_request(process)
    restart(stack, "mosquitto")
    told, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, told
    assert "ok    restart: plain subscription" in told
    assert "kept 200 of 200 messages of before and 200 of 200 published after it" in told
    remembered = [f for f in examine(settings) if f.what == "restart"]
    assert [f.ok for f in remembered] == [True]
    assert "lost nothing" in remembered[0].text


def test_shared_subscriptions_are_forgotten_and_the_doctor_says_so_from_then_on(
    doctor: Callable[..., subprocess.Popen[str]], stack: Services, settings: Settings
) -> None:
    shared = replace(settings, mqtt_shared=True)
    untried = [f for f in examine(shared) if f.what == "restart"]
    assert [f.ok for f in untried] == [False]
    assert "nobody has tried" in untried[0].text
    process = doctor(shared=True)
    wait_for_the_request(process)
    stack.restart("mosquitto")
    told, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert "FAULT restart: shared subscription" in told
    assert "0 of 200 published after it; the broker forgets the subscription" in told
    assert "unset GRIDWARDEN_MQTT_SHARED" in told
    remembered = [f for f in examine(shared) if f.what == "restart"]
    assert [f.ok for f in remembered] == [False]
    assert "lost messages" in remembered[0].text


def test_nothing_is_said_of_restarts_where_nobody_relies_on_shared_subscriptions(
    settings: Settings,
) -> None:
    assert not [f for f in examine(settings) if f.what == "restart"]


def test_a_broker_that_nobody_restarts_is_not_waited_for_for_ever(
    doctor: Callable[..., subprocess.Popen[str]],
) -> None:
    process = doctor("--wait", "1")
    told, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert "was not restarted within 1 s" in told
    assert "nothing tested" in told


def test_a_broker_that_does_not_come_back_is_not_waited_for_for_ever(
    doctor: Callable[..., subprocess.Popen[str]], servers: embedded.RunningStack
) -> None:
    process = doctor("--wait", "2")
    wait_for_the_request(process)
    servers.services.stop("mosquitto")
    try:
        told, _ = process.communicate(timeout=TIMEOUT_S)
    finally:
        servers.services.start("mosquitto")
    assert process.returncode == 1
    assert "went and was not back within 2 s" in told


@pytest.mark.parametrize(
    ("kind", "kept", "word"),
    [
        (PLAIN, Kept(200, 200), "loses nothing"),
        (PLAIN, Kept(0, 200), "autosave_interval 1"),
        (PLAIN, Kept(0, 0), "forgets the subscription"),
        (SHARED, Kept(200, 0), "GRIDWARDEN_MQTT_SHARED"),
    ],
)
def test_each_outcome_says_what_to_do(kind: str, kept: Kept, word: str) -> None:
    (finding,) = judge(RestartTest("broker:1883", 1.0, {kind: kept}))
    assert finding.ok is kept.all
    assert word in finding.text
