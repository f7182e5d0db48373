"""Codes of an authenticator and recovery codes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from people import one_time

# RFC 6238, appendix B, for SHA-1, the last six of its eight digits.
SECRET = base64.b32encode(b"12345678901234567890").decode()
PUBLISHED = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(("seconds", "code"), PUBLISHED)
def test_published_codes_fit_at_their_time(seconds: int, code: str) -> None:
    assert one_time.fitting_step(SECRET, code, at(seconds), after=0) == seconds // 30
    assert one_time.fitting_step(SECRET, code, at(seconds + 3600), after=0) is None


def test_a_clock_may_be_half_a_minute_off_and_no_more() -> None:
    for off, fits in ((-60, False), (-30, True), (30, True), (60, False)):
        found = one_time.fitting_step(SECRET, "005924", at(1234567890 + off), after=0)
        assert (found == 1234567890 // 30) is fits, off


def test_a_code_is_good_once_and_none_before_it_is_good_after() -> None:
    assert one_time.fitting_step(SECRET, "287082", at(59), after=1) is None
    assert one_time.fitting_step(SECRET, "287082", at(59), after=2) is None


@pytest.mark.parametrize("code", ["", "28708", "2870820", "２８７０８２", "abcdef", "287081"])
def test_what_is_no_code_fits_nothing(code: str) -> None:
    assert one_time.fitting_step(SECRET, one_time.normal(code), at(59), after=0) is None


def test_people_may_type_blanks_hyphens_and_capitals() -> None:
    assert one_time.normal(" 287 082\n") == "287082"
    assert one_time.normal("ABCD-efgh-ijkl-2345") == "abcdefghijkl2345"


def test_recovery_codes_differ_from_each_other_and_from_codes_of_an_authenticator() -> None:
    codes = one_time.new_recovery_codes()
    assert len(set(codes)) == one_time.RECOVERY_CODES
    assert all([len(part) for part in code.split("-")] == [4, 4, 4, 4] for code in codes)
    assert not any(one_time.is_of_authenticator(one_time.normal(code)) for code in codes)


def test_a_sealed_secret_opens_for_its_person_under_its_key_alone() -> None:
    secret = one_time.new_secret()
    assert one_time.is_secret(secret)
    sealed = one_time.seal(secret, "lin", "the key")
    assert secret.encode() not in sealed
    assert one_time.unseal(sealed, "lin", "the key") == secret
    assert one_time.unseal(sealed, "chen", "the key") is None
    assert one_time.unseal(sealed, "lin", "another key") is None
    assert sealed != one_time.seal(secret, "lin", "the key")


def test_the_address_names_person_and_installation() -> None:
    address = one_time.address_of(SECRET, "lin.admin", "Gridwarden 991201")
    assert address.startswith("otpauth://totp/Gridwarden%20991201:lin.admin?")
    assert f"secret={SECRET}" in address
