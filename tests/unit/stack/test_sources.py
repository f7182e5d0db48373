"""Reading the machine's apt configuration."""

from pathlib import Path

import pytest

from stack import sources
from stack.sources import Source

ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb http://mirror.example/debian/ bookworm main contrib # ours
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/x.gpg] https://mirror.example/sec bookworm-security main
"""

DEB822 = """\
Types: deb
# a comment inside a stanza
URIs: http://one.example/debian http://two.example/debian/
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://one.example/debian
Suites: trixie
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
"""


def test_one_line_sources_are_read_without_comments_and_source_packages() -> None:
    assert sources.parse_list(ONE_LINE) == [
        Source("http://mirror.example/debian", "bookworm", ("main", "contrib")),
        Source("https://mirror.example/sec", "bookworm-security", ("main",)),
    ]


def test_deb822_sources_give_one_entry_for_each_address_and_suite() -> None:
    found = sources.parse_deb822(DEB822)
    assert [(s.uri, s.suite) for s in found] == [
        ("http://one.example/debian", "trixie"),
        ("http://one.example/debian", "trixie-updates"),
        ("http://two.example/debian", "trixie"),
        ("http://two.example/debian", "trixie-updates"),
    ]


def test_a_field_goes_on_in_indented_lines() -> None:
    text = "Types: deb\nURIs: http://a.example/debian\nSuites: trixie\n trixie-updates\n"
    assert [s.suite for s in sources.parse_deb822(text)] == ["trixie", "trixie-updates"]


@pytest.mark.parametrize("text", ["", "not a sources file at all", "Types: deb\n\n"])
def test_what_is_no_source_gives_none(text: str) -> None:
    assert sources.parse_deb822(text) == []
    assert sources.parse_list(text) == []


def test_both_kinds_of_files_are_found_and_disabled_ones_are_not(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian bookworm main\n")
    (parts / "b.sources").write_text(DEB822)
    (parts / "c.list.disabled").write_text("deb http://c.example/debian bookworm main\n")
    hosts = {s.uri.split("/")[2] for s in sources.machine_sources(tmp_path)}
    assert hosts == {"a.example", "one.example", "two.example"}


def test_the_mirror_of_the_machines_own_release_is_asked_first() -> None:
    entries = [
        Source("http://vendor.example/apt", "stable", ("main",)),
        Source("http://mirror.example/debian", "bookworm", ("main",)),
        Source("http://mirror.example/debian", "bookworm-updates", ("main",)),
    ]
    assert sources.rank_mirrors(entries, "bookworm") == [
        "http://mirror.example/debian",
        "http://vendor.example/apt",
    ]


@pytest.mark.parametrize(
    "entry",
    [
        Source("http://mirror.example/debian-security", "bookworm-security", ("main",)),
        Source("cdrom:[Debian]", "bookworm", ("main",)),
        Source("http://vendor.example/apt", "bookworm", ("nightly",)),
    ],
    ids=["security", "optical medium", "no main component"],
)
def test_what_cannot_be_a_full_mirror_is_not_asked(entry: Source) -> None:
    assert sources.rank_mirrors([entry], "bookworm") == []


def test_the_security_repository_is_known_by_its_suite() -> None:
    entries = [
        Source("http://mirror.example/debian", "bookworm", ("main",)),
        Source("http://mirror.example/sec", "bookworm-security", ("main",)),
    ]
    assert sources.security_repository(entries) == "http://mirror.example/sec"
    assert sources.security_repository(entries[:1]) is None


def test_a_mirror_named_by_a_person_counts_without_its_last_slash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(sources.MIRROR_VARIABLE, "http://near.example/debian/")
    assert sources.mirror_from_environment() == "http://near.example/debian"
    monkeypatch.setenv(sources.MIRROR_VARIABLE, "")
    assert sources.mirror_from_environment() is None


def test_debians_mirror_is_read_from_the_description_of_debian() -> None:
    text = "Suite: {series}\nBaseURI: https://debian.example/debian/\nMirrorsFile: debian.mirrors\n"
    assert sources.default_mirror(text) == "https://debian.example/debian"
    assert sources.default_mirror("Suite: sid\n") is None


def test_the_machines_release_is_its_code_name(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    file.write_text('ID=debian\nVERSION_CODENAME="trixie"\n')
    assert sources.machine_suite(file) == "trixie"
    assert sources.machine_suite(tmp_path / "absent") == ""
