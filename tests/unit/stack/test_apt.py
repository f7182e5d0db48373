"""What apt-get prints, and what the set-up makes of it."""

from pathlib import Path

import pytest

from stack import apt
from stack.apt import Package, PrivateApt
from stack.bundle import Bundle, bundle_key
from stack.errors import StackError

PRINTED = """\
Reading package lists...
'http://mirror.example/r.deb' redis-server_5%3a8.0.2-3_amd64.deb 81234 SHA256:ab
'http://mirror.example/l.deb' libc6_2.41-12+deb13u4_amd64.deb 2846580 SHA256:cd
"""


def test_packages_and_sizes_come_out_of_the_printed_addresses() -> None:
    assert apt.parse_print_uris(PRINTED) == [
        Package("redis-server", 81234),
        Package("libc6", 2846580),
    ]


def test_nothing_to_fetch_is_an_empty_list() -> None:
    assert apt.parse_print_uris("Reading package lists...\n") == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("W: slow mirror\nE: no such host\nE: giving up\n", "no such host"),
        ("W: slow mirror\n", "slow mirror"),
        ("", "apt-get gave no reason"),
    ],
    ids=["an error before warnings", "only a warning", "silence"],
)
def test_the_first_error_is_the_reason_that_is_shown(text: str, complaint: str) -> None:
    assert apt.first_complaint(text) == complaint


def test_a_system_without_apt_is_told_of_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match="docker compose up"):
        PrivateApt(tmp_path)


def test_the_private_configuration_keeps_clear_of_the_systems_folders(tmp_path: Path) -> None:
    PrivateApt(tmp_path)
    text = (tmp_path / "apt.conf").read_text()
    assert f'Dir::State "{tmp_path}/state"' in text
    assert f'Dir::Cache "{tmp_path}/cache"' in text
    assert (tmp_path / "status").read_text() == ""


def test_a_bundle_is_fetched_anew_when_what_it_holds_changes() -> None:
    bundle = Bundle("b", ("one",), ("usr/bin/one",), frozenset({"x", "y"}))
    key = bundle_key(bundle, "amd64")
    assert key == bundle_key(Bundle("b", ("one",), ("other",), frozenset({"y", "x"})), "amd64")
    assert key != bundle_key(bundle, "arm64")
    assert key != bundle_key(Bundle("b", ("one", "two"), ("usr/bin/one",), frozenset()), "amd64")
