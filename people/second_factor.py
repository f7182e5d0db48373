"""The second factor of a person: set, asked for, renewed, taken away; each with its event."""

from __future__ import annotations

import logging
from datetime import datetime

from city.errors import Conflict, Forbidden, InvalidInput
from city.person import Caller, system_caller
from db import second_factors, users
from db.pool import Connection
from db.users import Account
from people import one_time
from people.rights import tell
from people.users import find_to_change, keep_oneself

log = logging.getLogger(__name__)


def offer_second_factor(name: str, issuer: str, secret: str = "") -> tuple[str, str]:
    """A secret for an authenticator, or the one that was offered before, and the address for its
    QR code. Nothing is kept before `set_second_factor`."""
    wanted = secret if one_time.is_secret(secret) else one_time.new_secret()
    return wanted, one_time.address_of(wanted, name, issuer)


def set_second_factor(
    conn: Connection, caller: Caller, secret: str, code: str, key: str, now: datetime
) -> list[str]:
    """Ask for codes of this secret from now on; `code` proves that the authenticator has it.
    The recovery codes are known only now. Who has a factor takes it away first."""
    if users.lock_account(conn, caller.district, caller.name) is None:
        raise Forbidden("a second factor belongs to a person who signs in with a password")
    if second_factors.lock_factor(conn, caller.name) is not None:
        raise Conflict("there is a second factor already", current={"refused": "second_factor_on"})
    step = one_time.fitting_step(secret, one_time.normal(code), now, after=0)
    if not one_time.is_secret(secret) or step is None:
        raise wrong_code()
    second_factors.put_factor(conn, caller.name, one_time.seal(secret, caller.name, key), step, now)
    codes = _renew(conn, caller.name)
    tell(conn, caller, now, "user.second_factor_set", caller.name)
    return codes


def check_second_factor(
    conn: Connection, name: str, district: str, code: str, key: str, now: datetime
) -> bool:
    """Whether this is the code of now, or a recovery code; it is used up. The caller commits."""
    factor, wanted = second_factors.lock_factor(conn, name), one_time.normal(code)
    if factor is None:
        return False
    if not one_time.is_of_authenticator(wanted):
        if not second_factors.mark_recovery_code_used(conn, name, wanted, now):
            return False
        left = second_factors.count_recovery_codes(conn, name)
        tell(conn, system_caller(district), now, "user.recovery_code_used", name, left=left)
        return True
    secret = one_time.unseal(factor.sealed, name, key)
    if secret is None:
        log.warning(
            "the second factor of %s cannot be read: GRIDWARDEN_SECRET_KEY was another one", name
        )
        return False
    step = one_time.fitting_step(secret, wanted, now, after=factor.last_step)
    if step is None:
        return False
    second_factors.mark_step_used(conn, name, step)
    return True


def renew_recovery_codes(
    conn: Connection, caller: Caller, code: str, key: str, now: datetime
) -> list[str]:
    """Ten fresh ones; those before are worth nothing any more."""
    _prove(conn, caller, code, key, now)
    codes = _renew(conn, caller.name)
    tell(conn, caller, now, "user.recovery_codes_renewed", caller.name)
    return codes


def remove_second_factor(
    conn: Connection, caller: Caller, code: str, key: str, now: datetime
) -> None:
    """One's own, with a code of it: an open browser alone is not enough."""
    _prove(conn, caller, code, key, now)
    second_factors.delete_factor(conn, caller.name)
    tell(conn, caller, now, "user.second_factor_removed", caller.name)


def reset_second_factor(
    conn: Connection, caller: Caller, name: str, version: int | None, now: datetime
) -> Account:
    """Somebody lost telephone and recovery codes: their password is enough until they set another
    factor. Ends their sessions, because nobody knows who has the telephone."""
    account = find_to_change(conn, caller, name, version)
    keep_oneself(caller, name)
    if not second_factors.delete_factor(conn, name):
        raise Conflict(
            f"user {name} has no second factor",
            current={"name": name, "version": account.version, "refused": "second_factor_off"},
        )
    users.end_sessions(conn, name, now)
    tell(conn, caller, now, "user.second_factor_reset", name)
    return find_to_change(conn, caller, name, None)


def wrong_code() -> InvalidInput:
    """Without the code in it: errors are logged."""
    return InvalidInput("code", "…", "is not right, or was used", code="second_factor_code")


def _prove(conn: Connection, caller: Caller, code: str, key: str, now: datetime) -> None:
    if not check_second_factor(conn, caller.name, caller.district, code, key, now):
        raise wrong_code()


def _renew(conn: Connection, name: str) -> list[str]:
    codes = one_time.new_recovery_codes()
    second_factors.put_recovery_codes(conn, name, [one_time.normal(code) for code in codes])
    return codes
